"""The rules before a model's table as SQL: one column a rule over the rows that a build holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.gate.rules import (
    UNIQUE,
    Rule,
    cell_of,
    identifier,
    lookups,
    names_in_sql,
    stored_type,
    unique_keys,
)
from penstock.gate.verdict import Action
from penstock.ports import PLACE, STAGED
from penstock.run.build_flow import Task
from penstock.run.build_shape import Fit, Target
from penstock.schema.disposition import WriteMode


@dataclass(frozen=True, slots=True)
class Mark:
    """One rule as a column of the marked rows; `sql` is true for rows that satisfy it, never null."""

    name: str
    column: str | None
    action: Action
    sql: str

    @property
    def id(self) -> str:
        """How counts name it."""
        return self.name if self.column is None else f"{self.column}.{self.name}"


class Marking:
    """The rules of one build as SQL over the rows that it holds."""

    def __init__(self, task: Task, target: Target) -> None:
        self.task = task
        self.target = target
        self.name = task.flow.name
        self._keys = unique_keys(target.table, task.flow.rules)

    def _with(self) -> str:
        """The values that foreign keys may have, as relations."""
        parts = []
        for lookup in lookups(self.target.table):
            column = self.target.table.column(lookup.column)
            assert column is not None
            key = identifier(lookup.reference.columns[0])
            wanted = stored_type(column.type)
            value = f"TRY_CAST({key} AS {wanted})" if wanted else key
            table = identifier(lookup.reference.table)
            select = f"SELECT {value} AS k FROM {table} WHERE {key} IS NOT NULL"
            if lookup.reference.table == self.name:  # a table that refers to itself: the rows to be
                select = f"SELECT {value} AS k FROM {STAGED} WHERE {key} IS NOT NULL"
                if self._meets:
                    select += f" UNION ALL SELECT {value} FROM {table} WHERE {key} IS NOT NULL"
            parts.append(f"{lookup.view} AS ({select})")
        return f"WITH {', '.join(parts)} " if parts else ""

    def _marked(self, marks: Sequence[Mark]) -> str:
        """The held rows under the names that rules use, with a column for each rule."""
        table = self.target.table
        named = names_in_sql(table.names)
        cells, names = [], []
        for number, (column, held) in enumerate(zip(table.columns, self.target.held, strict=True)):
            value = identifier(held)
            wanted = stored_type(column.type) if column.name in self.target.cast else None
            cells.append(f"{f'TRY_CAST({value} AS {wanted})' if wanted else value} AS {cell_of(number)}")
            names.append(f"{cell_of(number)} AS {identifier(named[column.name])}")
        fits = [f"\n{m.sql} AS {flag(n)}" for n, m in enumerate(marks) if isinstance(m, FitMark)]
        inner = f"SELECT {', '.join([PLACE, *cells, *fits])}\nFROM {STAGED}"
        rules = [f"\n{m.sql} AS {flag(n)}" for n, m in enumerate(marks) if not isinstance(m, FitMark)]
        outer = f"SELECT *, {', '.join(names)} FROM ({inner})"
        own = [PLACE, *map(cell_of, range(len(table.columns)))]  # and nothing that people have named
        own += [flag(n) for n, m in enumerate(marks) if isinstance(m, FitMark)]
        return f"SELECT {', '.join([*own, *rules])}\nFROM ({outer})"

    def _cell(self, column: str) -> str:
        return cell_of(self.target.table.names.index(column))

    def _knows(self, columns: Sequence[str]) -> bool:
        return set(columns) <= set(self.target.table.names)

    @property
    def _meets(self) -> bool:
        """Whether rows meet those of earlier builds one by one, rather than in place of them."""
        mode = self.task.flow.disposition.mode
        versions = self.task.flow.disposition.scd2_by_digest or self.task.flow.disposition.scd2 is not None
        return not self.task.anew and mode is not WriteMode.REPLACE and not versions

    def _is_known(self, columns: Sequence[str]) -> str:
        """Whether another row of the table has the key."""
        pairs = [f"penstock_t.{identifier(c)} = {self._cell(c)}" for c in columns]
        owner = self._owner
        if owner:
            others = [f"penstock_t.{identifier(c)} IS DISTINCT FROM {self._cell(c)}" for c in owner]
            pairs.append(f"({' OR '.join(others)})")
        table = identifier(self.name)
        return f"EXISTS (SELECT 1 FROM {table} AS penstock_t WHERE {' AND '.join(pairs)})"

    @property
    def _owner(self) -> tuple[str, ...]:
        """The key by which rows are versions of one row, and may share other keys."""
        found = self.task.flow.disposition
        owner = found.primary_key if found.mode is WriteMode.MERGE else ()
        return owner if self._knows(owner) else ()

    def _unique_marks(self) -> list[Mark]:
        marks = []
        for columns in self._keys:
            if not self._knows(columns):
                continue
            cells = [self._cell(c) for c in columns]
            whole = " AND ".join(f"{cell} IS NOT NULL" for cell in cells)
            within = f"OVER (PARTITION BY {', '.join(cells)} ORDER BY {PLACE})"
            first = f"row_number() {within} = 1"
            if self._owner:
                own = [self._cell(c) for c in self._owner]
                same = [f"first_value({c}) {within} IS NOT DISTINCT FROM {c}" for c in own]
                first = f"({' AND '.join(same)})"
            sql = (
                f"(NOT ({whole}) OR ({first}{f' AND NOT {self._is_known(columns)}' if self._meets else ''}))"
            )
            column = columns[0] if len(columns) == 1 else None
            name = UNIQUE if column else f"{UNIQUE}({', '.join(columns)})"
            action = self.task.flow.rules.action(UNIQUE, column)
            marks.append(Mark(name, column, action, f"coalesce({sql}, false)"))
        return marks

    def _key_counts(self) -> list[tuple[str, str]]:
        found = []
        for number, columns in enumerate(self._keys):
            if not self._knows(columns):
                continue
            cells = [self._cell(c) for c in columns]
            key = cells[0] if len(cells) == 1 else f"({', '.join(cells)})"
            whole = " AND ".join(f"{cell} IS NOT NULL" for cell in cells)
            filtered = f"FILTER (WHERE {whole})"
            found.append((f"k{number}", f"count(*) {filtered} - count(DISTINCT {key}) {filtered}"))
            if self._meets:
                found.append((f"t{number}", f"count(*) FILTER (WHERE {whole} AND {self._is_known(columns)})"))
        return found


class FitMark(Mark):
    """A rule about the held values as they came."""


def mark_of(rule: Rule | Fit) -> Mark:
    """A rule as a mark."""
    if isinstance(rule, Fit):
        return FitMark(rule.rule, rule.column, rule.action, rule.sql)
    return Mark(rule.name, rule.column, rule.action, rule.sql)


def counts_of(marks: Sequence[Mark]) -> list[tuple[str, str]]:
    """How many rows break each rule, and how many go which way: a row goes by its strongest action."""
    found = [(f"b{n}", f"count(*) FILTER (WHERE NOT {flag(n)})") for n in range(len(marks))]
    for name, action in (
        ("failing", Action.FAIL),
        ("setting_aside", Action.QUARANTINE),
        ("dropping", Action.DROP),
    ):
        if any(m.action is action for m in marks):
            found.append((name, f"count(*) FILTER (WHERE {going(marks, action)})"))
    return found


def going(marks: Sequence[Mark], action: Action) -> str:
    """The condition for the rows whose strongest action is this one."""
    order = list(Action)
    broken = " OR ".join(f"NOT {flag(n)}" for n, m in enumerate(marks) if m.action is action)
    stronger = [flag(n) for n, m in enumerate(marks) if order.index(m.action) > order.index(action)]
    return " AND ".join([f"({broken})", *stronger])


def flag(number: int) -> str:
    """What the marked rows call a rule, so that no column is called so."""
    return f"penstock_m{number}"
