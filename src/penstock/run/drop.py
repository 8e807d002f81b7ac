"""Tables that are dropped, and the state that goes with them.

A drop is a landing like any other: for each table a file without rows, whose slip says that the table
is gone, and on the last of them the state that is left. So it is one commit, a killed drop is finished
by the next run, and a warehouse that is made anew from raw history drops the tables at the same place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from penstock.errors import NotFoundError, RefusedError, suggest
from penstock.ledger import Facts, LedgerFile, Refresh
from penstock.ports import Block, Checkpoint
from penstock.report.facts import PipelineResult
from penstock.run.flow import Flow, Landing
from penstock.run.pipeline import run_pipeline
from penstock.run.produce import NO_STATE
from penstock.run.quiet import Quiet
from penstock.run.recording import Runs
from penstock.schema.jsonpath import ANY, Step, parse_path
from penstock.schema.nesting import part_of

# Any throughout: state is JSON of whatever a source keeps

_REGEX = "re:"
_BY_NAME = (("resources", ANY), ("sources", ANY, "resources", ANY), ("bookmarks", ANY), ("streams", ANY))
"""Where sources keep state by the name of a resource: of Python, REST and SQL; of dlt; of Singer taps."""


@dataclass(frozen=True, slots=True)
class DroppedTable:
    """A table that goes: its child tables, its files that count no more, and their rows."""

    table: str
    parts: tuple[str, ...]
    files: int
    rows: int


@dataclass(frozen=True, slots=True)
class Drop:
    """What is dropped of a pipeline: whole tables, and the places of the state that are reset."""

    pipeline: str
    tables: tuple[DroppedTable, ...]
    state: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to drop."""
        return not (self.tables or self.state)


def plan_drop(
    flow: Flow, facts: Facts, names: Sequence[str], paths: Sequence[str], *, state_only: bool
) -> Drop:
    """What names and paths stand for. A name is that of a table or of a resource, a glob (`order_*`), or a
    regular expression after `re:`; a path is a JSONPath into the state.

    Raises: NotFoundError for what matches nothing; RefusedError for what cannot be read.
    """
    state: Any = json.loads(facts.state.get(flow.dataset) or NO_STATE)
    held = {str(place[-1]): place for place in _places_by_name(state)}
    whole = sorted(facts.whole_tables)
    for name in names:
        if not _chosen(name, (*whole, *held)):
            raise _unknown(facts, name, (*whole, *held))
    tables = [] if state_only else [t for t in whole if any(_chosen(n, (t,)) for n in names)]
    places = [place for key, place in held.items() if any(_chosen(n, (key,)) for n in names)]
    for path in paths:
        found = list(_places(state, parse_path(path).steps))
        if not found:
            raise NotFoundError(
                f"the state of `{flow.pipeline}` has nothing at `{path}`",
                found=", ".join(map(str, state)) or "no state",
                hint='penstock show --sql "SELECT state FROM _penstock_state" shows it',
            )
        places += found
    return Drop(
        flow.pipeline,
        tuple(_dropped(facts, table) for table in tables),
        tuple(dict.fromkeys(map(_path_text, places))),
    )


def plan_drop_all(flow: Flow, facts: Facts, *, state_only: bool) -> Drop:
    """All tables, and all of the state."""
    tables = [] if state_only else sorted(facts.whole_tables)
    kept = json.loads(facts.state.get(flow.dataset) or NO_STATE)
    return Drop(flow.pipeline, tuple(_dropped(facts, t) for t in tables), ("$",) if kept else ())


def drop(flow: Flow, quiet: Quiet, runs: Runs, what: Drop, wait_s: float = 0) -> PipelineResult:
    """Load what waits, then drop tables and reset state in one commit, and say what happened."""
    dropper = _Dropper([t.table for t in what.tables], what.state)
    landing = Landing(gone=True)
    flow = replace(flow, source=None, producer=dropper, landing=landing, name_of=_same)
    return run_pipeline(flow, quiet, wait_s, Refresh.DROP_RESOURCES, runs=runs, command="drop")


@dataclass(frozen=True, slots=True)
class _Dropper:
    """Makes no rows of some tables, and leaves the state without some places."""

    tables: Sequence[str]
    paths: Sequence[str]

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:
        """A block without rows for each table, then the state that is left."""
        for table in self.tables:
            yield Block(table, [])
        yield Checkpoint(without(state, self.paths))

    def restart(self, state: str | None) -> str | None:
        """The state as it is: `produce` takes away what goes."""
        return state


def without(state: str | None, paths: Iterable[str]) -> str | None:
    """A state (JSON text) without what is at some paths."""
    if state is None:
        return None
    kept: Any = json.loads(state)
    places = {place for path in paths for place in _places(kept, parse_path(path).steps)}
    for place in sorted(places, key=_order, reverse=True):  # later items of a list before earlier ones
        kept = _cut(kept, place)
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def _cut(value: Any, place: tuple[Step, ...]) -> Any:
    if not place:
        return {}
    *above, last = place
    inner = value
    for step in above:
        inner = inner[step]
    del inner[last]
    return value


def _order(place: tuple[Step, ...]) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (0, str(step)) for step in place]


def _places(value: Any, steps: Sequence[Step]) -> Iterator[tuple[Step, ...]]:
    """The places that a path leads to, each as the names and indexes on the way."""
    if not steps:
        yield ()
        return
    step, rest = steps[0], steps[1:]
    if isinstance(value, Mapping):
        keys: list[Step] = list(value) if step is ANY else [step] if step in value else []
    elif isinstance(value, list):
        indexes = [step % len(value)] if isinstance(step, int) and -len(value) <= step < len(value) else []
        keys = list(range(len(value))) if step is ANY else list(indexes)
    else:
        return
    for key in keys:
        yield from ((key, *below) for below in _places(value[key], rest))


def _places_by_name(state: Any) -> Iterator[tuple[Step, ...]]:
    for steps in _BY_NAME:
        yield from _places(state, steps)


def _path_text(place: tuple[Step, ...]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f"[{_quoted(step)}]" for step in place)


def _quoted(name: object) -> str:
    text = str(name).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def _chosen(name: str, known: Iterable[str]) -> list[str]:
    matches = _matcher(name)
    return [k for k in known if matches(k)]


def _matcher(name: str) -> Callable[[str], bool]:
    if not name.startswith(_REGEX):
        return lambda known: known == name or fnmatchcase(known, name)
    try:
        pattern = re.compile(name.removeprefix(_REGEX))
    except re.error as error:
        raise RefusedError(f"`{name}` is no regular expression", found=str(error)) from None
    return lambda known: pattern.fullmatch(known) is not None


def _unknown(facts: Facts, name: str, known: Sequence[str]) -> NotFoundError:
    table = facts.tables.get(name)
    root = part_of(table) if table is not None else None
    if root is not None:
        return NotFoundError(
            f"`{name}` holds parts of the rows of `{root}`, and goes with it", hint=f"drop `{root}`"
        )
    listed = ", ".join(f"`{k}`" for k in dict.fromkeys(known)) or "no table yet"
    return NotFoundError(
        f"no table and no resource is called `{name}`", found=listed, hint=suggest(name, known)
    )


def _dropped(facts: Facts, table: str) -> DroppedTable:
    own: list[LedgerFile] = [
        f for f in facts.files if f.table == table and f.outcome in ("loaded", "replayed")
    ]
    parts = sorted(n for n, t in facts.tables.items() if part_of(t) == table)
    files = sum(f.outcome == "loaded" for f in own)
    return DroppedTable(table, tuple(parts), files, sum(f.loaded for f in own))


def _same(name: str) -> str:
    return name
