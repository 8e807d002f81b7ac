"""Columns beside a column, for values of another type than its own."""

from __future__ import annotations

from collections.abc import Collection

from penstock.schema.types import (
    JSON,
    DataType,
    Decimal,
    Kind,
    Scalar,
    Timestamp,
    is_float,
    is_integer,
    is_nested,
)

MARK = "__v_"


def variant_name(column: str, kind: DataType, taken: Collection[str] = ()) -> str:
    """The name of the column for those values of `column` that are of type `kind`: `amount__v_text`.

    Shape: the words are dlt's (`bigint`, `double`, `json`, …), so all integers share a column. A
    name in `taken` is not given again: it gets a number, whatever its case.
    """
    name = f"{column}{MARK}{variant_word(kind)}"
    known = {other.casefold() for other in taken}
    number, found = 2, name
    while found.casefold() in known:
        found, number = f"{name}__{number}", number + 1
    return found


def variant_word(kind: DataType) -> str:
    """dlt's word for a type, which is coarser than the type."""
    if is_nested(kind) or kind == JSON:
        return "json"
    if isinstance(kind, Decimal):
        return "decimal"
    if isinstance(kind, Timestamp):
        return "timestamp"
    if is_integer(kind):
        return "bigint"
    if is_float(kind):
        return "double"
    assert isinstance(kind, Scalar)
    return "text" if kind.kind in (Kind.TEXT, Kind.UUID, Kind.NULL) else kind.kind.value
