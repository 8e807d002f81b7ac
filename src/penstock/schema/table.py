"""Tables and their columns: what is promised of them, and what changes when data brings more.

`evolve` is the only function that changes a table's shape: it goes up the lattice of
`schema.types` and says what it did as a tuple of `Change` values, which the plan prints, the
destination applies and the ledger keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from penstock.schema.types import NULL, DataType, merge

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """The values of a column must be among `columns` of `table` in the same destination."""

    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name and type, and what its values must satisfy.

    `declared` columns come from metadata or the project file, the others were seen in data.
    `extra` keeps the keys of a metadata file that have no meaning here, so that they can be
    written back.
    """

    name: str
    type: DataType
    nullable: bool = True
    description: str | None = None
    enum: tuple[Any, ...] | None = None
    pattern: str | None = None
    minimum: Any = None
    maximum: Any = None
    min_length: int | None = None
    max_length: int | None = None
    unique: bool = False
    sensitive: bool = False
    foreign_key: ForeignKey | None = None
    declared: bool = False
    extra: Mapping[str, Any] = field(default_factory=lambda: EMPTY, hash=False, compare=False)


@dataclass(frozen=True, slots=True)
class Table:
    """A table: columns in order, its keys, and where its metadata came from."""

    name: str
    columns: tuple[Column, ...] = ()
    primary_key: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    description: str | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: EMPTY, hash=False, compare=False)

    def column(self, name: str) -> Column | None:
        """The column of that exact name, or None."""
        return next((c for c in self.columns if c.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in order."""
        return tuple(c.name for c in self.columns)


class ChangeKind(StrEnum):
    """The ways in which a table's shape can grow."""

    NEW_TABLE = "new_table"
    NEW_COLUMN = "new_column"
    WIDER_TYPE = "wider_type"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a table's shape; `before` is None for what is new."""

    kind: ChangeKind
    table: str
    column: str | None
    before: DataType | None
    after: DataType | None

    def __str__(self) -> str:
        if self.kind is ChangeKind.NEW_TABLE:
            return f"{self.table}: new table"
        if self.kind is ChangeKind.NEW_COLUMN:
            return f"{self.table}.{self.column}: new column, {self.after}"
        return f"{self.table}.{self.column}: {self.before} becomes {self.after}"


def evolve(table: Table, seen: Mapping[str, DataType]) -> tuple[Table, tuple[Change, ...]]:
    """`table` grown so that it holds the columns and types in `seen`, and what changed.

    A column seen only as `null` is kept as `null` until a value tells its type; destinations
    create it then.
    """
    changes: list[Change] = []
    columns: list[Column] = []
    known = set(table.names)
    for column in table.columns:
        wider = merge(column.type, seen[column.name]) if column.name in seen else column.type
        if wider != column.type:
            changes.append(_grown(table, column.name, column.type, wider))
        columns.append(replace(column, type=wider) if wider != column.type else column)
    for name, kind in seen.items():
        if name not in known:
            columns.append(Column(name, kind))
            if kind != NULL:
                changes.append(Change(ChangeKind.NEW_COLUMN, table.name, name, None, kind))
    return replace(table, columns=tuple(columns)), tuple(changes)


def _grown(table: Table, name: str, before: DataType, after: DataType) -> Change:
    if before == NULL:
        return Change(ChangeKind.NEW_COLUMN, table.name, name, None, after)
    return Change(ChangeKind.WIDER_TYPE, table.name, name, before, after)


def diff(before: Table | None, after: Table) -> tuple[Change, ...]:
    """The changes that lead from `before` (None: no such table yet) to `after`.

    Columns of `before` that `after` lacks are kept by every destination and are not a change.
    """
    if before is None:
        return (Change(ChangeKind.NEW_TABLE, after.name, None, None, None),)
    _, changes = evolve(before, {c.name: c.type for c in after.columns})
    return changes
