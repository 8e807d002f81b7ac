"""What a run will do, as a list of plain values. `penstock plan` prints it and `run` walks it.

Pure: the facts of the destination, the files that lie in the layers and the files on offer come
in as arguments, and so does the time. Models have a plan of their own, made when what they read is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from penstock import layers
from penstock.errors import RefusedError
from penstock.ledger import Built, Facts, Waiting, waiting
from penstock.models.graph import order
from penstock.models.model import Materialization, Model


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that a source can hand over.

    `identity` tells this version of this file from every other; `extension` has no first dot
    (`jsonl.gz`); `modified_at` in Unix seconds.
    """

    table: str
    origin: str
    identity: str
    extension: str
    size_bytes: int
    modified_at: float


@dataclass(frozen=True, slots=True)
class Land:
    """Copy an offered file to the landing area, byte for byte."""

    pipeline: str
    table: str
    offer: Offer
    key: str
    landed_at: int


@dataclass(frozen=True, slots=True)
class Judge:
    """Check a landed file: arrival, then rows."""

    pipeline: str
    table: str
    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Keep:
    """Move a file that passed from the landing area to raw history."""

    pipeline: str
    table: str
    key: str


@dataclass(frozen=True, slots=True)
class Load:
    """Write the accepted rows of files to their tables, in one commit with the ledger."""

    pipeline: str
    tables: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clear:
    """Remove from the landing area a file that the ledger and raw history have already."""

    pipeline: str
    table: str
    key: str


Step: TypeAlias = Land | Judge | Keep | Load | Clear


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of one pipeline, in order. No steps: nothing to do."""

    pipeline: str
    steps: tuple[Step, ...] = ()


def plan_drain(pipeline: str, facts: Facts, found: Sequence[Waiting]) -> Plan:
    """Load whatever the layers hold that the ledger does not.

    Every file is judged before the first is kept, and every file is kept before the load that has
    its rows. What a failing verdict reaches is decided when the verdicts are known.
    """
    todo = waiting(facts, found)
    clear = [Clear(pipeline, w.table, w.key) for w in todo if w.key in facts.done]
    fresh = [w for w in todo if w.key not in facts.done]
    judge = [Judge(pipeline, w.table, w.key, w.size_bytes) for w in fresh]
    keep = [Keep(pipeline, w.table, w.key) for w in fresh if w.in_land]
    tables = tuple(sorted({w.table for w in fresh}))
    load = [Load(pipeline, tables, tuple(w.key for w in fresh))] if fresh else []
    return Plan(pipeline, (*clear, *judge, *keep, *load))


def plan_extract(
    pipeline: str, dataset: str, offers: Sequence[Offer], landed_at: int, taken_keys: frozenset[str]
) -> Plan:
    """Land every offered file under this run's landing time.

    `landed_at` in Unix seconds. A table with one new file gets `<table>_<ts>.<ext>`, with several
    `<table>_<ts>_<part>.<ext>`; keys in `taken_keys` are never used again.
    """
    by_table: dict[str, list[Offer]] = {}
    for offer in offers:
        by_table.setdefault(offer.table, []).append(offer)
    steps: list[Step] = []
    for table, files in by_table.items():
        part = None if len(files) == 1 else 0
        for offer in files:
            key = layers.land_key(dataset, table, landed_at, offer.extension, part)
            while key in taken_keys:
                part = 0 if part is None else part + 1
                key = layers.land_key(dataset, table, landed_at, offer.extension, part)
            steps.append(Land(pipeline, table, offer, key, landed_at))
            part = None if part is None else part + 1
    return Plan(pipeline, tuple(steps))


def plan_after(pipeline: str, extract: Plan) -> Plan:
    """What follows an extract: the drain of everything that it lands."""
    landed = [
        Waiting(s.key, s.table, s.landed_at, s.offer.size_bytes, True, False, s.offer.modified_at)
        for s in extract.steps
        if isinstance(s, Land)
    ]
    return plan_drain(pipeline, Facts(), landed)


# ---------------------------------------------------------------------------------------- models


class Cause(StrEnum):
    """Why a model is built."""

    ASKED = "asked"
    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"
    UPSTREAM = "upstream"
    INPUT = "input"
    UNKNOWN = "unknown"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Build:
    """Build a model; `why` is the sentence that people read."""

    model: str
    materialized: Materialization
    why: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave a model as it is."""

    model: str
    why: str


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What becomes of every model, each after those that it reads. `forgotten` were built once, and the
    project has no such model any more.
    """

    steps: tuple[Build | Leave, ...] = ()
    forgotten: tuple[str, ...] = ()

    @property
    def builds(self) -> tuple[Build, ...]:
        """The models to build, in order."""
        return tuple(s for s in self.steps if isinstance(s, Build))


class Input(NamedTuple):
    """A relation whose rows a model reads; `view` is the view through which it does, if any."""

    name: str
    version: str | None
    view: str | None


def plan_build(
    models: Sequence[Model],
    built: Mapping[str, Built],
    versions: Mapping[str, str | None],
    chosen: frozenset[str] | None,
    *,
    full: bool,
    loading: Collection[str] = (),
    today: date | None = None,
) -> BuildPlan:
    """Which models are built, and why; what is downstream of a model that is built is built too.

    `built` and `versions` are what the destination says (`ports.Builder`). `chosen` are the only models that
    may be built; None is all. `loading` are tables that this run is going to load. `today`, in UTC, is what
    snapshots of an earlier day are too old for.

    A view has no rows of its own: it is built when what the project says of it changes, not when what it
    reads does. What reads a view reads the tables behind it, and is built when they change.

    Raises: ProjectError as `models.graph.order`; RefusedError if a model that is built reads one that never
    was, and that is not chosen.
    """
    decision = _Decision(models, built, versions, full, frozenset(map(str.casefold, loading)), today)
    steps: list[Build | Leave] = []
    for model in order(models):
        reason = decision.reason(model)
        if chosen is not None and model.name not in chosen:
            steps.append(Leave(model.name, f"not chosen, though {reason[1]}" if reason else "not chosen"))
        elif reason:
            decision.build(model)
            steps.append(Build(model.name, model.materialized, reason[1], reason[0]))
        else:
            steps.append(Leave(model.name, "nothing that it is made of changed"))
    forgotten = tuple(sorted(b.model for name, b in decision.built.items() if name not in decision.models))
    return BuildPlan(tuple(steps), forgotten)


def inputs_of(
    model: Model, views: Mapping[str, Model], versions: Mapping[str, str | None]
) -> tuple[Input, ...]:
    """The relations that a model's rows depend on: what it reads, and what the views among these read.

    `views` by folded name (`views_of`). A relation that is not there is left out.
    """
    folded: dict[str, str] = {}

    def spelt(name: str) -> str | None:
        if name not in versions and not folded:  # few need it, and there may be thousands
            folded.update((known.casefold(), known) for known in versions)
        return name if name in versions else folded.get(name.casefold())

    return _inputs(model, views, versions, spelt)


def views_of(models: Sequence[Model]) -> dict[str, Model]:
    """The models that are views, by folded name."""
    return {m.name.casefold(): m for m in models if m.materialized is Materialization.VIEW}


def built_from(
    model: Model, views: Mapping[str, Model], versions: Mapping[str, str | None]
) -> dict[str, str]:
    """What `Built.inputs` says of a build that reads these versions; nothing of what is not known."""
    return {i.name: i.version for i in inputs_of(model, views, versions) if i.version is not None}


def _inputs(
    model: Model,
    views: Mapping[str, Model],
    versions: Mapping[str, str | None],
    spelt: Callable[[str], str | None],
) -> tuple[Input, ...]:
    """As `inputs_of`; `spelt` gives a relation's name as the versions spell it, or None."""
    found: dict[str, Input] = {}
    seen: set[str] = set()
    todo: list[tuple[str, str | None]] = [(read, None) for read in reversed(model.reads)]
    while todo:
        name, through = todo.pop()
        folded = name.casefold()
        if folded in seen:
            continue
        seen.add(folded)
        view = views.get(folded)
        if (known := spelt(name)) is not None:
            found[folded] = Input(view.name if view else name, versions[known], through)
        if view:
            todo += [(read, through or view.name) for read in reversed(view.reads)]
    return tuple(found.values())


def _folded(versions: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name.casefold(): version for name, version in versions.items()}


class _Decision:
    """What is known when a plan is made, and what it has come to so far (`building`, in folded names)."""

    def __init__(
        self,
        models: Sequence[Model],
        built: Mapping[str, Built],
        versions: Mapping[str, str | None],
        full: bool,
        loading: frozenset[str],
        today: date | None,
    ) -> None:
        self.models = {m.name.casefold(): m for m in models}
        self.views = views_of(models)
        self.built = {name.casefold(): b for name, b in built.items()}
        self.versions = _folded(versions)
        self.present = frozenset(self.versions)
        self.full, self.loading, self.today = full, loading, today
        self.building: set[str] = set()

    def reason(self, model: Model) -> tuple[Cause, str] | None:
        """Why a model must be built, the plainest reason first; None if it need not be."""
        last = self.built.get(model.name.casefold())
        if self.full:
            return Cause.ASKED, "it was asked for with --full"
        if last is None:
            return Cause.NEW, "it was never built"
        if model.name.casefold() not in self.present:
            return Cause.GONE, f"its {_thing(last.materialized)} is gone"
        if last.version != model.version:
            return Cause.CHANGED, f"its {_TEXTS.get(model.tool, 'text')} changed"
        if last.materialized != model.materialized:
            return Cause.CHANGED, f"it was {_a(last.materialized)}, and is to be {_a(model.materialized)}"
        if model.materialized is Materialization.VIEW:
            return None
        return self.from_outside(model, last) or self.from_inputs(model, last)

    def from_outside(self, model: Model, last: Built) -> tuple[Cause, str] | None:
        """Reasons that are not in the tables: the clock, files."""
        for each in (model, *self.views_behind(model)):
            if each.outside:
                through = "" if each is model else f" in the view `{each.name}`"
                return Cause.UNKNOWN, f"`{each.outside[0]}`{through} may give something else each time"
        if model.materialized is Materialization.SNAPSHOT and self.today:
            taken = last.built_at.date()
            if taken < self.today:
                return Cause.DAY, f"its last snapshot is of {taken}"
        return None

    def from_inputs(self, model: Model, last: Built) -> tuple[Cause, str] | None:
        """Reasons in what the model reads: first what this very plan changes."""
        then = {name.casefold(): version for name, version in last.inputs.items()}
        inputs = self.inputs(model)
        for name, _, view in inputs:
            through = f", which it reads through the view `{view}`" if view else ""
            if name.casefold() in self.building:
                more = f" and read through the view `{view}`" if view else ""
                return Cause.UPSTREAM, f"it is downstream of `{name}`, which is built{more}"
            if name.casefold() in self.loading:
                return Cause.INPUT, f"`{name}` is about to be loaded{through}"
        for name, version, view in inputs:
            through = f", which it reads through the view `{view}`" if view else ""
            if version is None:
                what = f"`{name}` is not Penstock's, so nobody knows whether it changed"
                return Cause.UNKNOWN, what + through
            if then.get(name.casefold()) != version:
                verb = "built" if name.casefold() in self.models else "loaded"
                return Cause.INPUT, f"`{name}` was {verb} since{through}"
        if gone := sorted(then.keys() - {i.name.casefold() for i in inputs}):
            return Cause.INPUT, f"`{gone[0]}`, which it read, is gone"
        return self.from_elsewhere(model)

    def from_elsewhere(self, model: Model) -> tuple[Cause, str] | None:
        """Reads that the destination does not tell of, such as tables of another schema or database."""
        for each in (model, *self.views_behind(model)):
            for read in each.reads:
                if read.casefold() not in self.versions and read.casefold() not in self.models:
                    what = f"`{read}` is not among the tables here, so nobody knows whether it changed"
                    return Cause.UNKNOWN, what
        return None

    def views_behind(self, model: Model) -> tuple[Model, ...]:
        """The views that a model reads, and those that they read."""
        names = (i.name.casefold() for i in self.inputs(model))
        return tuple(self.views[name] for name in names if name in self.views)

    def inputs(self, model: Model) -> tuple[Input, ...]:
        """What the model depends on, models as they spell themselves."""

        def spelt(name: str) -> str | None:
            return name.casefold() if name.casefold() in self.versions else None

        found = _inputs(model, self.views, self.versions, spelt)
        own = self.models
        return tuple(i._replace(name=own[f].name) if (f := i.name.casefold()) in own else i for i in found)

    def build(self, model: Model) -> None:
        """Decide to build. Raises: RefusedError if it reads a model that is not there, and will not be."""
        self.building.add(model.name.casefold())
        self.versions.setdefault(model.name.casefold(), "")
        todo, seen = list(model.reads), set()
        while todo:
            name = todo.pop().casefold()
            above = self.models.get(name)
            if above is None or name in seen or name in self.building:
                continue
            seen.add(name)
            if name not in self.built or name not in self.present:
                was = "was never built" if name not in self.built else "is gone"
                raise RefusedError(
                    f"model `{model.name}` reads `{above.name}`, which {was} and is not among those chosen",
                    where=model.path,
                    hint=f"choose `+{model.name}`: it, and everything that it reads",
                )
            todo += above.reads if name in self.views else ()


_TEXTS = {"sql": "SQL", "python": "function", "dbt": "text in the dbt project"}


def _thing(materialized: str) -> str:
    return "view" if materialized == Materialization.VIEW else "table"


def _a(materialized: str) -> str:
    return f"an {materialized} table" if materialized == Materialization.INCREMENTAL else _noun(materialized)


def _noun(materialized: str) -> str:
    whole = materialized in (Materialization.TABLE, Materialization.VIEW)
    return f"a {materialized}" if whole else f"a {materialized} table"
