"""Which tables and columns a nested table is stored as.

Objects become columns `a__b`, lists child tables `table__list`, what is below the depth JSON text.
A level is an object or a list; the items of a list are rows, and no level of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from penstock.errors import RefusedError
from penstock.records.flatten_names import EMPTY, FlatNames, Path, name_all, pointer, row_of
from penstock.schema.naming import DIRECT, Naming
from penstock.schema.nesting import LIST_INDEX, PARENT_ID, ROOT_ID, ROW_ID, Nesting, NestingMode
from penstock.schema.table import Column, Table
from penstock.schema.types import INT64, JSON, TEXT, DataType, List, Struct, is_nested


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that is a column, `name`; `before` is its type in the nested row, `after` in the column."""

    name: str
    before: DataType
    after: DataType


@dataclass(frozen=True, slots=True)
class Branch:
    """An object whose fields are nodes; `place` is its pointer within its row."""

    place: str
    fields: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Many:
    """A list whose items are the rows of `child`; `place` is its pointer within its row."""

    place: str
    child: FlatTable


Node: TypeAlias = Leaf | Branch | Many


@dataclass(frozen=True, slots=True)
class FlatTable:
    """A table as it is stored, and the node that its rows are made of.

    Shape: a child has the three keys and the index first; a root has its id after its columns.
    `notes`: there is a column that tells what is there but empty.
    """

    table: Table
    row: Node
    parent: str | None
    notes: bool

    @property
    def children(self) -> Iterator[FlatTable]:
        """The tables directly below."""
        yield from _below(self.row)


@dataclass(frozen=True)
class FlatPlan:
    """How rows of `source` are stored: as `root` and its children.

    `rows` is `source` with JSON in place of what is below the depth: what joining gives back.
    """

    source: Table
    rows: Table
    root: FlatTable
    names: FlatNames

    @cached_property
    def stored(self) -> tuple[FlatTable, ...]:
        """The root and every child, parents before their children."""
        found = [self.root]
        for table in found:
            found += table.children
        return tuple(found)

    @property
    def tables(self) -> tuple[Table, ...]:
        """The root and every child as tables, parents before their children."""
        return tuple(flat.table for flat in self.stored)

    @property
    def parents(self) -> dict[str, str]:
        """The parent of each child table, by name."""
        return {flat.table.name: flat.parent for flat in self.stored if flat.parent is not None}


def plan_flatten(
    table: Table,
    nesting: Nesting,
    *,
    names: FlatNames | None = None,
    taken: Collection[str] = (),
    naming: Naming = DIRECT,
    exact: bool = True,
) -> FlatPlan:
    """The tables that rows of `table` are stored as, without looking at any row.

    `names` are those of an earlier plan of the same table: they stay. `taken` are names of other
    tables. Not `exact`: no column tells an empty list or an object of nulls from a missing one.
    Raises: RefusedError when a key or a partition of the table is an object or a list.
    """
    rows = replace(table, columns=tuple(replace(c, type=cut(c.type, nesting.depth)) for c in table.columns))
    flat = nesting.mode is NestingMode.FLATTEN
    if not flat and naming == DIRECT:
        kept = tuple((c.name, Leaf(c.name, c.type, r.type)) for c, r in _pairs(table, rows))
        return FlatPlan(table, rows, FlatTable(rows, Branch("", kept), None, False), names or FlatNames())
    places = [place for c in rows.columns for place in _places((c.name,), c.type, flat)]
    given = name_all(
        table.name,
        {row_of(path) for path, is_row in places if is_row},
        [path for path, is_row in places if not is_row],
        naming,
        names or FlatNames(),
        taken,
    )
    root = _Planner(given, flat, exact).root(table, rows)
    return FlatPlan(table, rows, root, given)


def cut(kind: DataType, depth: int | None) -> DataType:
    """`kind` with `json` in place of every object and list that is more than `depth` levels deep."""
    if depth is None or not is_nested(kind):
        return kind
    if depth <= 0:
        return JSON
    if isinstance(kind, List):
        item = kind.item
        return List(_cut_fields(item, depth - 1) if isinstance(item, Struct) else cut(item, depth - 1))
    assert isinstance(kind, Struct)
    return _cut_fields(kind, depth - 1)


def _cut_fields(kind: Struct, depth: int) -> Struct:
    return Struct(tuple((name, cut(field, depth)) for name, field in kind.fields))


def _pairs(table: Table, rows: Table) -> Iterator[tuple[Column, Column]]:
    return zip(table.columns, rows.columns, strict=True)


def _below(node: Node) -> Iterator[FlatTable]:
    if isinstance(node, Many):
        yield node.child
    elif isinstance(node, Branch):
        for _, field in node.fields:
            yield from _below(field)


def _places(path: Path, kind: DataType, flat: bool) -> Iterator[tuple[Path, bool]]:
    """The places of the columns in a value, and of the rows of child tables (true)."""
    if flat and isinstance(kind, List):
        yield (*path, None), True
        yield from _places((*path, None), kind.item, flat)
    elif flat and isinstance(kind, Struct):
        for name, field in kind.fields:
            yield from _places((*path, name), field, flat)
    else:
        yield path, False


class _Planner:
    """Makes nodes and tables of types, with names that have been given already."""

    def __init__(self, names: FlatNames, flat: bool, exact: bool) -> None:
        self.names = names
        self.flat = flat
        self.exact = exact

    def root(self, table: Table, rows: Table) -> FlatTable:
        columns: list[Column] = []
        fields = []
        for column, row in _pairs(table, rows):
            node = self.node(table.name, (column.name,), column.type, row, columns)
            fields.append((column.name, node))
        notes = self.exact and any(not isinstance(node, Leaf) for _, node in fields)
        if self.flat:
            columns.append(Column(ROW_ID, TEXT, nullable=False))
        stored = replace(
            rows,
            columns=(*columns, *_notes(notes)),
            primary_key=_renamed(rows, rows.primary_key, dict(fields), "primary key"),
            partitions=_renamed(rows, rows.partitions, dict(fields), "partition"),
        )
        return FlatTable(stored, Branch("", tuple(fields)), None, notes)

    def node(self, table: str, path: Path, before: DataType, column: Column, columns: list[Column]) -> Node:
        """The node of the value at `path`, whose type as it is kept is that of `column`."""
        kind = column.type
        place = pointer(path[len(row_of(path)) :])
        if self.flat and isinstance(kind, List):
            assert isinstance(before, List)
            return Many(place, self.child(table, (*path, None), before.item, replace(column, type=kind.item)))
        if self.flat and isinstance(kind, Struct):
            assert isinstance(before, Struct)
            kinds = dict(before.fields)
            return Branch(
                place,
                tuple(
                    (name, self.node(table, (*path, name), kinds[name], _field(column, field), columns))
                    for name, field in kind.fields
                ),
            )
        name = self.names.columns[pointer(path)]
        columns.append(_stored(column, name, before))
        return Leaf(name, before, kind)

    def child(self, parent: str, path: Path, before: DataType, column: Column) -> FlatTable:
        name = self.names.tables[pointer(path)]
        columns = [
            Column(ROW_ID, TEXT, nullable=False),
            Column(PARENT_ID, TEXT, nullable=False),
            Column(ROOT_ID, TEXT, nullable=False),
            Column(LIST_INDEX, INT64, nullable=False),
        ]
        row = self.node(name, path, before, _field(column, column.type), columns)
        notes = self.exact and not isinstance(row, Leaf)
        table = Table(name, (*columns, *_notes(notes)), description=column.description)
        return FlatTable(table, row, parent, notes)


def _notes(notes: bool) -> tuple[Column, ...]:
    return (Column(EMPTY, JSON),) if notes else ()


def _field(column: Column, kind: DataType) -> Column:
    """A value inside of a column: whoever may not see the one may not see the other."""
    return Column(column.name, kind, sensitive=column.sensitive, declared=column.declared)


def _stored(column: Column, name: str, before: DataType) -> Column:
    """A column under its stored name; rules for a nested value mean nothing to its JSON text."""
    if column.type == before:
        return replace(column, name=name)
    kept = _field(column, column.type)
    return replace(
        kept, name=name, nullable=column.nullable, description=column.description, extra=column.extra
    )


def _renamed(table: Table, keys: tuple[str, ...], nodes: dict[str, Node], what: str) -> tuple[str, ...]:
    names = []
    for key in keys:
        column, node = table.column(key), nodes.get(key)
        if column is not None and not isinstance(node, Leaf):
            raise RefusedError(
                f"the {what} `{key}` of `{table.name}` is no single value once it is flattened",
                found=str(column.type),
                expected="a column that is no object and no list",
                hint="choose another column, or keep the table's nesting native",
            )
        names.append(node.name if isinstance(node, Leaf) else key)
    return tuple(names)
