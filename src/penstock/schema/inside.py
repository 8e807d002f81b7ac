"""Columns that are named by a place inside of an object, as flat tables call them: `address__city`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from penstock.schema.nesting import SEPARATOR
from penstock.schema.table import Column
from penstock.schema.types import NULL, DataType, Struct, merge


def gathered(columns: Iterable[Column], row: object) -> tuple[Column, ...]:
    """The same columns, those inside of objects of a row as parts of the object's own type.

    Only where the row has the object and no such column itself. Of such a column its type is kept: an
    object may be missing as a whole.
    """
    said = tuple(columns)
    if not isinstance(row, Mapping):
        return said
    inside: dict[str, DataType] = {}
    for column in said:
        head, *path = column.name.split(SEPARATOR)
        if path and column.name not in row and isinstance(row.get(head, ""), Mapping | None):
            inside[head] = merge(inside.get(head, NULL), _at(path, column.type))
    left = {c.name: c for c in said if c.name in row or c.name.split(SEPARATOR)[0] not in inside}
    for name, kind in inside.items():
        own = left.get(name, Column(name, NULL))
        if own.type == NULL or isinstance(own.type, Struct):
            left[name] = replace(own, type=merge(own.type, kind), declared=True)
    return tuple(left.values())


def _at(path: list[str], kind: DataType) -> DataType:
    for key in reversed(path):
        kind = Struct(((key, kind),))
    return kind
