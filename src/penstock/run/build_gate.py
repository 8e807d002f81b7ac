"""The gate before a model's table: the rules of sources, asked of the rows that a build holds.

One query counts what every rule finds; only if something is broken are rows looked at one by one.
Rows stand in the order in which the query gave them: of rows that share a unique key the first one stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.errors import GateError, RefusedError, suggest
from penstock.gate.arrival import judge_counts
from penstock.gate.rules import (
    Rule,
    compile_rules,
    identifier,
)
from penstock.gate.verdict import Action, Broken, Finding, Reject
from penstock.ports import PLACE, STAGED, Build
from penstock.run.build_flow import Task
from penstock.run.build_marks import Mark, Marking, counts_of, flag, going, mark_of
from penstock.run.build_shape import Fit, Target
from penstock.schema.disposition import WriteMode

if TYPE_CHECKING:
    from penstock.run.rejects import RejectFile

_CHUNK = 20_000
_SHOWN = 200


@dataclass(slots=True)
class Tally:
    """What became of the rows of a model. rows = kept + dropped + quarantined, once they are put."""

    rows: int | None = None
    dropped: int = 0
    quarantined: int = 0
    broken: dict[str, int] = field(default_factory=dict)

    def add(self, broken: Mapping[str, int]) -> None:
        """Count rows by the rules that they broke."""
        for rule, rows in broken.items():
            if rows:
                self.broken[rule] = self.broken.get(rule, 0) + rows


class ModelGate(Marking):
    """The rules of one build, over the rows that it holds."""

    def __init__(self, task: Task, target: Target, build: Build) -> None:
        super().__init__(task, target)
        self.build = build
        self._first = 0
        rules: list[Rule | Fit] = [*target.fits, *compile_rules(target.table, task.flow.rules)]
        self._marks = [*map(mark_of, rules), *self._of_cursor()]

    @property
    def is_open(self) -> bool:
        """Whether there is nothing to ask."""
        limits = self.task.flow.limits
        counted = limits.min_rows is None and limits.max_rows is None
        return not self._marks and not self._keys and counted

    def judge(self, rejects: RejectFile) -> Tally:
        """Ask every rule, and let go of the rows that may not stay; quarantined ones go to `rejects`.

        Raises: GateError for a rule whose action is `fail`, or a table that is too small or too large.
        """
        tally = Tally()
        if self.is_open:
            return tally
        counts = self._count()
        tally.rows, self._first = counts["n"], counts["first"]
        repeats = self._repeats(counts)
        self._settle(self._marks, counts, tally, rejects)
        if self._keys:
            gone = tally.dropped + tally.quarantined
            if repeats and gone:  # the rows that are gone may have been the others of these keys
                repeats = self._repeats(self._count_keys())
            if repeats:
                marks = self._unique_marks()
                self._settle(marks, self._count_marks(marks), tally, rejects)
        self._measure(tally)
        return tally

    def _of_cursor(self) -> list[Mark]:
        """Rows without a cursor cannot be told from those that are there, and without a key none can."""
        cursor = self.task.flow.cursor
        if cursor is None or self.task.flow.disposition.mode is WriteMode.MERGE or not self._knows([cursor]):
            return []
        return [Mark("cursor", cursor, Action.FAIL, f"({self._cell(cursor)} IS NOT NULL)")]

    # ------------------------------------------------------------------------------ counting

    def _count(self) -> dict[str, int]:
        first = ("first", f"min({PLACE})")
        return self._numbers([first, *counts_of(self._marks), *self._key_counts()], self._marks)

    def _count_keys(self) -> dict[str, int]:
        return self._numbers(self._key_counts(), [])

    def _count_marks(self, marks: Sequence[Mark]) -> dict[str, int]:
        return self._numbers(counts_of(marks), marks)

    def _numbers(self, counts: Sequence[tuple[str, str]], marks: Sequence[Mark]) -> dict[str, int]:
        asked = [("n", "count(*)"), *counts]
        cells = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in asked)
        answer = self._ask(f"SELECT {cells} FROM ({self._marked(marks)})", marks)
        return {name: int(answer.column(name)[0].as_py() or 0) for name, _ in asked}

    def _ask(self, sql: str, marks: Sequence[Mark]) -> Any:  # Any: pyarrow is untyped
        try:
            return self.build.query(f"{self._with()}{sql}")
        except RefusedError as error:
            raise self._wrong(error, marks) from error

    def _wrong(self, error: RefusedError, marks: Sequence[Mark]) -> RefusedError:
        """The error with the rule that it is about, if its words show which."""
        told = error.found or ""
        names = re.findall(r'"([^"]+)"', told.partition("\n")[0])[:1]
        found = [mark for mark in marks if any(re.search(rf"\b{re.escape(n)}\b", mark.sql) for n in names)]
        if len(found) != 1:
            return error
        return RefusedError(
            f"`{self.name}`: rule `{found[0].id}` cannot be checked",
            where=self.task.flow.model.path,
            found=told.splitlines()[0],
            expected="a SQL condition over the table's columns",
            hint=suggest(names[0], self.target.table.names) or error.hint,
        )

    def _repeats(self, counts: Mapping[str, int]) -> bool:
        return any(counts.get(f"{letter}{n}", 0) for n in range(len(self._keys)) for letter in "kt")

    # ------------------------------------------------------------------------------ settling

    def _settle(
        self, marks: Sequence[Mark], counts: Mapping[str, int], tally: Tally, rejects: RejectFile
    ) -> None:
        """Count what is broken, and let go of what may not stay."""
        tally.add({mark.id: counts[f"b{n}"] for n, mark in enumerate(marks)})
        if counts.get("failing"):
            raise self._failed(marks, counts)
        if counts.get("setting_aside"):
            for rows in self._rejects(marks):
                rejects.add(rows)
            tally.quarantined += counts["setting_aside"]
        tally.dropped += counts.get("dropping", 0)
        if counts.get("setting_aside") or counts.get("dropping"):
            gone = " OR ".join(f"NOT {flag(n)}" for n, m in enumerate(marks) if m.action is not Action.ALLOW)
            where = f"SELECT {PLACE} FROM ({self._marked(marks)}) WHERE {gone}"
            self.build.remove(f"{PLACE} IN ({self._with()}{where})")

    def _rejects(self, marks: Sequence[Mark]) -> Iterator[list[Reject]]:
        """The rows to be set aside, some at a time: each with everything that it broke."""
        last = -1
        while True:
            flags = ", ".join(map(flag, range(len(marks))))
            aside = f"{going(marks, Action.QUARANTINE)} AND {PLACE} > {last} ORDER BY {PLACE} LIMIT {_CHUNK}"
            sql = (
                f"SELECT s.*, q.* EXCLUDE ({PLACE}) FROM "
                f"(SELECT {PLACE}, {flags} FROM ({self._marked(marks)}) WHERE {aside}) AS q "
                f"JOIN {STAGED} AS s USING ({PLACE}) ORDER BY s.{PLACE}"
            )
            found = self._ask(sql, marks)
            if not found.num_rows:
                return
            yield self._told(found.combine_chunks(), marks)
            last = found.column(PLACE)[-1].as_py()

    def _told(self, found: Any, marks: Sequence[Mark]) -> list[Reject]:  # Any: pyarrow is untyped
        from penstock.records.text import json_rows  # most builds have no rows to tell of

        width = found.num_columns - len(marks)
        own = [i for i, name in enumerate(found.column_names[:width]) if name != PLACE]
        names = [found.column_names[i] for i in own]
        columns = [_whole(found.column(i)) for i in own]
        raws = json_rows(columns, names)
        places = found.column(PLACE).to_pylist()
        flags = [found.column(width + n).to_pylist() for n in range(len(marks))]
        texts = [self._texts(mark, names, columns) for mark in marks]
        rejects = []
        for i, (place, raw) in enumerate(zip(places, raws, strict=True)):
            broken = tuple(
                Broken(mark.name, mark.column, texts[n][i] if texts[n] is not None else None)
                for n, mark in enumerate(marks)
                if not flags[n][i]
            )
            rejects.append(Reject(place - self._first + 1, Action.QUARANTINE, broken, raw))
        return rejects

    def _texts(self, mark: Mark, names: Sequence[str], columns: Sequence[Any]) -> Any:
        """What the rows have in the column of a rule, as people see it; None for rules of no column."""
        if mark.column is None:
            return None
        declared = self.target.table.column(mark.column)
        folded = [name.casefold() for name in names]
        if mark.column.casefold() not in folded:
            return None
        if declared is not None and declared.sensitive:
            return ["***"] * len(columns[0])
        from penstock.records.text import to_text

        texts = to_text(columns[folded.index(mark.column.casefold())]).to_pylist()
        return [None if text is None else text[:_SHOWN] for text in texts]

    def _measure(self, tally: Tally) -> None:
        limits = self.task.flow.limits
        for finding in judge_counts(tally.rows or 0, tally.quarantined, limits):
            raise self._refused(finding)

    # -------------------------------------------------------------------------------- errors

    def _refused(self, finding: Finding) -> GateError:
        return GateError(
            f"`{self.name}` breaks `{finding.rule}`: {finding.message}",
            where=self.task.flow.model.path,
            hint="the table is as it was before",
            broken={finding.rule: 1},
        )

    def _failed(self, marks: Sequence[Mark], counts: Mapping[str, int]) -> GateError:
        failing = [(m, counts[f"b{n}"]) for n, m in enumerate(marks) if m.action is Action.FAIL]
        told = ", ".join(f"{m.id} ({_rows(n)})" for m, n in failing if n)
        what = f"{_rows(counts['failing'])} of {counts['n']:,} break a rule whose action is `fail`"
        return GateError(
            f"`{self.name}`: {what}",
            where=self.task.flow.model.path,
            found=told,
            hint="the table is as it was before",
            broken={m.id: n for m, n in failing if n},
        )


def _whole(column: Any) -> Any:  # Any: pyarrow is untyped
    found = column.combine_chunks()
    return found if not hasattr(found, "chunks") else found.chunk(0)


def _rows(number: int) -> str:
    return f"{number:,} row" if number == 1 else f"{number:,} rows"
