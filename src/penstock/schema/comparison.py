"""What differs between two tables, in facts that a person reads: columns, types, rules and keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import NULL

RULES = (
    "nullable", "unique", "enum", "pattern", "minimum", "maximum", "min_length", "max_length", "foreign_key",
    "sensitive",
)  # fmt: skip


class Sort(StrEnum):
    """What happened to a column or to a fact of one."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `column` is None for a fact of the table; `fact` is what changed of it.

    For a column that is new or gone, `fact` is `column` and its type stands at `after` or `before`.
    """

    sort: Sort
    column: str | None
    fact: str
    before: Any = None  # Any: the value of any fact of a column
    after: Any = None


def compare(before: Table, after: Table, *, rules: bool = True) -> tuple[Difference, ...]:
    """The differences that lead from `before` to `after`: the table's own, new, gone, changed columns.

    Without `rules` only columns, types and keys count: what a warehouse knows of a table.
    """
    found = list(_of_table(before, after, rules))
    found += [
        Difference(Sort.NEW, c.name, "column", after=str(c.type))
        for c in after.columns
        if before.column(c.name) is None
    ]
    found += [
        Difference(Sort.GONE, c.name, "column", before=str(c.type))
        for c in before.columns
        if after.column(c.name) is None
    ]
    for column in after.columns:
        was = before.column(column.name)
        if was is not None:
            found += _of_column(was, column, rules)
    return tuple(found)


def _of_table(before: Table, after: Table, rules: bool) -> Iterator[Difference]:
    for fact in ("primary_key", "partitions", *(("description",) if rules else ())):
        was, now = getattr(before, fact) or None, getattr(after, fact) or None
        if was != now:
            yield Difference(Sort.CHANGED, None, fact, _plain(was), _plain(now))
    kept = [c.name for c in before.columns if after.column(c.name)]
    if kept != [name for name in after.names if before.column(name)]:
        yield Difference(Sort.CHANGED, None, "order", kept, [n for n in after.names if before.column(n)])


def _of_column(was: Column, now: Column, rules: bool) -> Iterator[Difference]:
    if was.type != now.type:
        yield Difference(Sort.CHANGED, now.name, "type", _word(was), _word(now))
    for fact in (*RULES, "description") if rules else ():
        old, new = getattr(was, fact), getattr(now, fact)
        if old != new or type(old) is not type(new):
            yield Difference(Sort.CHANGED, now.name, fact, _plain(old), _plain(new))


def _word(column: Column) -> str:
    return "not known" if column.type == NULL else str(column.type)


def _plain(value: Any) -> Any:
    if isinstance(value, ForeignKey):
        return [f"{value.table}.{name}" for name in value.columns]
    return list(value) if isinstance(value, tuple) else value
