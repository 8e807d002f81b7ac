"""Column types as Arrow types, and back. Arrow carries the rows, so every type has one there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from penstock.schema import types as t
from penstock.schema.types import DataType, Decimal, Kind, List, Scalar, Struct, Timestamp

if TYPE_CHECKING:
    from penstock.schema.table import Table

_SCALARS = {
    Kind.NULL: pa.null(), Kind.BOOL: pa.bool_(),
    Kind.INT8: pa.int8(), Kind.INT16: pa.int16(), Kind.INT32: pa.int32(), Kind.INT64: pa.int64(),
    Kind.UINT8: pa.uint8(), Kind.UINT16: pa.uint16(), Kind.UINT32: pa.uint32(), Kind.UINT64: pa.uint64(),
    Kind.FLOAT32: pa.float32(), Kind.FLOAT64: pa.float64(),
    Kind.TEXT: pa.string(), Kind.BINARY: pa.binary(), Kind.DATE: pa.date32(), Kind.TIME: pa.time64("us"),
    Kind.UUID: pa.string(), Kind.JSON: pa.string(),
}  # fmt: skip
_KINDS = {arrow: kind for kind, arrow in _SCALARS.items() if kind not in (Kind.UUID, Kind.JSON)}


def to_arrow(kind: DataType) -> Any:  # Any: pyarrow is untyped
    """The Arrow type that carries values of `kind`; `uuid` and `json` travel as strings.

    So does an object whose keys are not known yet: as the text `{}`.
    """
    if isinstance(kind, Scalar):
        return _SCALARS[kind.kind]
    if isinstance(kind, Decimal):
        return pa.decimal128(kind.precision, kind.scale)
    if isinstance(kind, Timestamp):
        return pa.timestamp(kind.unit, tz="UTC" if kind.zone else None)
    if isinstance(kind, List):
        return pa.list_(to_arrow(kind.item))
    if not kind.fields:
        return pa.string()
    return pa.struct([pa.field(n, to_arrow(f)) for n, f in kind.fields])


def from_arrow(arrow: Any) -> DataType:  # Any: pyarrow is untyped
    """The column type of an Arrow type; a type that has none of its own becomes the nearest wider one.

    Seconds and milliseconds become microseconds, large and view strings `text`, dictionaries
    their value type, maps a list of key and value. Raises: TypeError for a type that is not carried.
    """
    if arrow in _KINDS:
        return Scalar(_KINDS[arrow])
    if pa.types.is_large_string(arrow) or pa.types.is_string_view(arrow):
        return t.TEXT
    if (
        pa.types.is_large_binary(arrow)
        or pa.types.is_fixed_size_binary(arrow)
        or pa.types.is_binary_view(arrow)
    ):
        return t.BINARY
    if pa.types.is_decimal(arrow):
        return Decimal(arrow.precision, max(arrow.scale, 0)) if arrow.precision <= t.MAX_PRECISION else t.TEXT
    if pa.types.is_timestamp(arrow):
        return Timestamp(arrow.tz is not None, "ns" if arrow.unit == "ns" else "us")
    if pa.types.is_date(arrow):
        return t.DATE
    if pa.types.is_time(arrow):
        return t.TIME
    if pa.types.is_float16(arrow):
        return Scalar(Kind.FLOAT32)
    if pa.types.is_dictionary(arrow):
        return from_arrow(arrow.value_type)
    if pa.types.is_struct(arrow):
        return Struct(tuple((f.name, from_arrow(f.type)) for f in arrow))
    if pa.types.is_map(arrow):
        return List(Struct((("key", from_arrow(arrow.key_type)), ("value", from_arrow(arrow.item_type)))))
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow) or pa.types.is_fixed_size_list(arrow):
        return List(from_arrow(arrow.value_type))
    if isinstance(arrow, pa.BaseExtensionType):
        return from_arrow(arrow.storage_type)
    raise TypeError(f"values of Arrow type {arrow} cannot be carried")


def arrow_schema(table: Table) -> Any:  # Any: pyarrow is untyped
    """The Arrow schema of a table's rows; columns whose type is still `null` are left out.

    Where no column has a type yet, the first stays, as `null`, so that rows can be counted.
    """
    fields = [pa.field(c.name, to_arrow(c.type)) for c in table.columns if c.type != t.NULL]
    if not fields and table.columns:
        fields = [pa.field(table.columns[0].name, pa.null())]
    return pa.schema(fields)
