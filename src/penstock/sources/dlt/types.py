"""The data types of dlt's columns, in ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.errors import RefusedError, suggest
from penstock.schema import types as t
from penstock.schema.types import DataType, Decimal, Kind, Scalar, Timestamp

_PLAIN: dict[str, DataType] = {
    "text": t.TEXT,
    "double": t.FLOAT64,
    "bool": t.BOOL,
    "binary": t.BINARY,
    "json": t.JSON,
    "complex": t.JSON,  # its name before dlt 1.0
    "date": t.DATE,
    "time": t.TIME,
}
_DECIMAL = (38, 9)
_INTEGERS = {8: Kind.INT8, 16: Kind.INT16, 32: Kind.INT32, 64: Kind.INT64}
_MICROSECONDS = 6


def column_type(column: Mapping[str, Any], where: str) -> DataType:  # Any: a TColumnSchema of dlt
    """The type of a column as dlt describes it; `null` if it says none.

    A `wei` has 38 digits at most, and an integer of an odd precision the next greater size.
    Raises: RefusedError for a type that dlt does not have.
    """
    name = column.get("data_type")
    precision, scale = column.get("precision"), column.get("scale")
    if name is None:
        return t.NULL
    if name in _PLAIN:
        return _PLAIN[name]
    if name == "bigint":
        return Scalar(
            next((kind for bits, kind in _INTEGERS.items() if (precision or 64) <= bits), Kind.INT64)
        )
    if name == "timestamp":
        unit = "ns" if (precision or _MICROSECONDS) > _MICROSECONDS else "us"
        return Timestamp(column.get("timezone") is not False, unit)
    if name == "wei":
        return Decimal(t.MAX_PRECISION, 0)
    if name == "decimal":
        digits = min(precision or _DECIMAL[0], t.MAX_PRECISION)
        behind = _DECIMAL[1] if precision is None and scale is None else scale or 0
        return Decimal(digits, min(behind, digits))
    known = (*_PLAIN, "bigint", "timestamp", "wei", "decimal")
    raise RefusedError(
        f"`{name}` is not a data type of dlt",
        where=where,
        expected=", ".join(known),
        hint=suggest(str(name), known),
    )
