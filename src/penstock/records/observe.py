"""The types that JSON values show, one value at a time.

Only used where a chunk does not fit the table as it is known: for the first records of a new table
and for the records that the vectorised parser refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime, time
from decimal import Decimal as Exact
from decimal import InvalidOperation
from typing import Any
from uuid import UUID

from penstock.schema import types as t
from penstock.schema.types import DataType, Decimal, Kind, List, Scalar, Struct, Timestamp, merge

EXACT_INTEGERS = 2**53
LEVELS = 12
"""How deep lists and objects are types of their own; what lies deeper is JSON.

Engines take exponentially longer to read lists with every level.
"""
_RANGES = {
    Kind.INT8: range(-(2**7), 2**7), Kind.INT16: range(-(2**15), 2**15),
    Kind.INT32: range(-(2**31), 2**31), Kind.INT64: range(-(2**63), 2**63),
    Kind.UINT8: range(2**8), Kind.UINT16: range(2**16), Kind.UINT32: range(2**32), Kind.UINT64: range(2**64),
}  # fmt: skip
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(Z|[+-]\d\d(?::?\d\d)?)?")
_DIGITS_OF = {"us": 6, "ns": 9}


def types_of(
    record: Mapping[str, Any], known: Mapping[str, DataType], declared: Collection[str] = ()
) -> dict[str, DataType]:
    """What one decoded record brings, by column: `null` where its value fits the known type.

    The decimals of `declared` columns may come as text; where decimals were only seen, text is text.
    """
    return {k: type_of(v, known.get(k, t.NULL), seen=k not in declared) for k, v in record.items()}


def type_of(
    value: Any,  # decoded JSON
    known: DataType = t.NULL,
    level: int = 0,
    *,
    seen: bool = False,
) -> DataType:
    """The type that a decoded JSON value brings to a column of type `known`; `null` if it fits.

    Floats come as `decimal.Decimal` of their text. Text that is an ISO 8601 date or timestamp
    shows as such. A number beyond 2^53 that no float holds exactly shows as a decimal. `level` is
    how many lists and objects the value lies in; `seen` says that `known` was not declared.
    """
    if value is None:
        return t.NULL
    if isinstance(value, list | dict):
        return _type_of_nested(value, known, level, seen)
    if known != t.NULL and fits(value, known) and not (seen and _is_quoted(value, known)):
        return t.NULL
    if isinstance(value, bool):
        return t.BOOL
    if isinstance(value, int):
        return _type_of_integer(value, known)
    return _type_of_float(value) if isinstance(value, Exact) else _type_of_text(value, known)


def fits(value: Any, known: DataType) -> bool:  # Any: decoded JSON
    """Whether a scalar can be held by `known` as it is, nothing rounded, cut or reinterpreted."""
    if isinstance(known, Decimal):
        return not isinstance(value, bool) and _fits_decimal(value, known)
    if isinstance(known, Timestamp):
        return isinstance(value, str) and _fits_stamp(value, known)
    if not isinstance(known, Scalar):
        return False
    if known.kind in _RANGES:
        return type(value) is int and value in _RANGES[known.kind]
    if t.is_float(known):
        return _fits_float(value)
    if known == t.BOOL:
        return isinstance(value, bool)
    return known == t.JSON or (isinstance(value, str) and _fits_text(value, known.kind))


def _is_quoted(value: Any, known: DataType) -> bool:  # Any: decoded JSON
    return isinstance(known, Decimal) and isinstance(value, str)


def _fits_decimal(value: Any, known: Decimal) -> bool:  # Any: decoded JSON
    try:
        _, digits, exponent = Exact(value).as_tuple()
    except (InvalidOperation, TypeError, ValueError):
        return False
    if not isinstance(exponent, int):
        return False
    return -exponent <= known.scale and len(digits) + exponent <= known.precision - known.scale


def _fits_float(value: Any) -> bool:  # Any: decoded JSON
    if type(value) is int:
        return -EXACT_INTEGERS <= value <= EXACT_INTEGERS or _held_by_float(value)
    return isinstance(value, Exact) and (abs(value) <= EXACT_INTEGERS or _held_by_float(value))


def _held_by_float(value: int | Exact) -> bool:
    """Whether the nearest float, written out again, is the same number."""
    try:
        return Exact(repr(float(value))) == value
    except OverflowError:
        return False


def _fits_text(value: str, kind: Kind) -> bool:
    try:
        if kind is Kind.DATE:
            return bool(_DATE.fullmatch(value) and date.fromisoformat(value))
        if kind is Kind.TIME:
            return time.fromisoformat(value).tzinfo is None
        if kind is Kind.UUID:
            return bool(UUID(value))
    except ValueError:
        return False
    return kind in (Kind.TEXT, Kind.BINARY)


def _fits_stamp(value: str, known: Timestamp) -> bool:
    stamp = _STAMP.fullmatch(value)
    if not stamp or bool(stamp[1]) != known.zone or _is_out_of_reach(value, known):
        return False
    if len(value.partition(".")[2].rstrip("Z").split("+")[0].split("-")[0]) > _DIGITS_OF[known.unit]:
        return False
    return _is_instant(value)


def _is_out_of_reach(value: str, known: DataType) -> bool:
    """Whether a date or time lies in a year that nanoseconds do not reach, if `known` counts them."""
    return isinstance(known, Timestamp) and known.unit == "ns" and not 1678 <= int(value[:4]) <= 2261


def _is_instant(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:  # looks like a timestamp and is none, such as 2024-02-30T00:00:00
        return False
    return True


def _type_of_nested(value: Any, known: DataType, level: int, seen: bool) -> DataType:  # Any: decoded JSON
    if known == t.JSON:
        return t.NULL
    if level >= LEVELS and not t.is_nested(known):
        return t.JSON
    if isinstance(value, dict):
        fields = dict(known.fields) if isinstance(known, Struct) else {}
        found = ((k, type_of(v, fields.get(k, t.NULL), level + 1, seen=seen)) for k, v in value.items())
        return Struct(tuple(found))
    inner = known.item if isinstance(known, List) else t.NULL
    item: DataType = t.NULL
    for v in value:
        so_far = merge(inner, item) if inner == t.NULL else inner
        item = merge(item, type_of(v, so_far, level + 1, seen=seen))
    return List(item)


def _type_of_integer(value: int, known: DataType) -> DataType:
    digits = len(str(abs(value)))
    if t.is_float(known) or value not in _RANGES[Kind.INT64]:
        return _decimal(digits, 0)
    return t.INT64


def _type_of_float(value: Exact) -> DataType:
    if abs(value) <= EXACT_INTEGERS or _held_by_float(value):
        return t.FLOAT64
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return t.TEXT
    scale = max(-exponent, 0)
    return _decimal(len(digits) + max(exponent, 0), scale)


def _decimal(digits: int, scale: int) -> DataType:
    wide = max(digits, t.INTEGER_DIGITS + scale)
    return Decimal(wide, scale) if wide <= t.MAX_PRECISION else t.TEXT


def _type_of_text(value: str, known: DataType) -> DataType:
    if len(value) == 10 and _DATE.fullmatch(value):
        return t.DATE if _fits_text(value, Kind.DATE) and not _is_out_of_reach(value, known) else t.TEXT
    if 19 <= len(value) <= 32 and "T" in value and (stamp := _STAMP.fullmatch(value)):
        for kind in (Timestamp(bool(stamp[1])), Timestamp(bool(stamp[1]), "ns")):
            if _fits_stamp(value, kind):
                return t.TEXT if _is_out_of_reach(value, known) else kind
    return t.TEXT
