"""Whether what is promised of a column can be true of its type.

Constraints are kept as metadata files hold them: numbers as numbers; dates, times, UUIDs and
exact decimals as text.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal as Exact
from decimal import InvalidOperation
from typing import Any

from penstock.schema import types as t
from penstock.schema.pattern import check_pattern
from penstock.schema.table import Column
from penstock.schema.types import DataType, Decimal, Kind, List, Scalar, Timestamp

# Any: constraints are values of whatever type the column has.

_BITS = {Kind.INT8: 8, Kind.INT16: 16, Kind.INT32: 32, Kind.INT64: 64}
_UNSIGNED_BITS = {Kind.UINT8: 8, Kind.UINT16: 16, Kind.UINT32: 32, Kind.UINT64: 64}


@dataclass(frozen=True, slots=True)
class Fault:
    """A constraint that cannot hold: its key in a metadata file, and what is wrong with it."""

    key: str
    what: str
    found: str | None = None
    expected: str | None = None
    hint: str | None = None


def check_column(column: Column) -> list[Fault]:
    """Everything about a column that contradicts its type or itself."""
    return [*_values(column), *_lengths(column), *_pattern(column)]


def _values(column: Column) -> Iterator[Fault]:
    """The values of enum, minimum and maximum against the type, and against each other."""
    kind = column.type
    wanted = values_of(kind)
    given = [("enum", v) for v in column.enum or ()]
    given += [(k, v) for k, v in (("minimum", column.minimum), ("maximum", column.maximum)) if v is not None]
    if column.enum is not None and not column.enum:
        yield Fault("enum", "`enum` allows no value at all", expected="at least one value")
    if given and wanted is None:
        for key in dict.fromkeys(key for key, _ in given):
            yield Fault(key, f"`{key}` cannot be asked of a column of type {kind}")
        return
    sortable: dict[str, Any] = {}
    for key, value in given:
        if key != "enum" and kind in (t.BOOL, t.UUID):
            yield Fault(key, f"`{key}` cannot be asked of a column of type {kind}")
            continue
        try:
            sortable[key] = parse_value(kind, value)
        except ValueError as error:
            hint = (
                "put the number in quotes" if kind == t.TEXT and not isinstance(value, list | dict) else None
            )
            yield Fault(key, f"`{key}` does not fit the type {kind}", repr(value), str(error) or wanted, hint)
    low, high = sortable.get("minimum"), sortable.get("maximum")
    if type(low) is type(high) and low is not None and low > high:
        found = f"{column.minimum} and {column.maximum}"
        yield Fault("minimum", "`minimum` is above `maximum`, so nothing can pass", found)


def _lengths(column: Column) -> Iterator[Fault]:
    given = {"minLength": column.min_length, "maxLength": column.max_length}
    for key, value in given.items():
        if value is None:
            continue
        if column.type not in (t.TEXT, t.BINARY, t.NULL) and not isinstance(column.type, List):
            yield Fault(
                key, f"`{key}` cannot be asked of a column of type {column.type}", expected="text or a list"
            )
        elif isinstance(value, bool) or not isinstance(value, int) or value < 0:
            yield Fault(key, f"`{key}` is not a length", repr(value), "a whole number from 0 on")
            return
    if None not in given.values() and (column.min_length or 0) > (column.max_length or 0):
        found = f"{column.min_length} and {column.max_length}"
        yield Fault("minLength", "`minLength` is above `maxLength`, so nothing can pass", found)


def _pattern(column: Column) -> Iterator[Fault]:
    if column.pattern is None:
        return
    if t.is_nested(column.type) or column.type in (t.BINARY, t.JSON):
        yield Fault(
            "pattern", f"`pattern` cannot be asked of a column of type {column.type}", expected="text"
        )
    elif reason := check_pattern(column.pattern):
        yield Fault("pattern", "`pattern` cannot be used", column.pattern, hint=reason)


# ------------------------------------------------------------------------------ values of a type


def values_of(kind: DataType) -> str | None:
    """The values that constraints of a column of that type have, in words; None if it can have none."""
    if kind == t.NULL:
        return "a value"
    if t.is_integer(kind):
        return "a whole number"
    if isinstance(kind, Decimal):
        return "a number, or its digits as text"
    if isinstance(kind, Timestamp):
        return f"a time as text, such as '2024-01-31T12:00:00{'Z' if kind.zone else ''}'"
    if t.is_float(kind):
        return "a number"
    return _WORDS.get(kind.kind) if isinstance(kind, Scalar) else None


_WORDS = {
    Kind.TEXT: "text",
    Kind.BOOL: "true or false",
    Kind.DATE: "a date as text, such as '2024-01-31'",
    Kind.TIME: "a time as text, such as '12:30:00'",
    Kind.UUID: "a UUID as text",
}


def parse_value(kind: DataType, value: Any) -> Any:
    """`value` in a form that can be compared with others of its type.

    Raises: ValueError for a value that is not one of the type; its text says what would be, or is
    empty.
    """
    if kind == t.NULL:
        return value
    if t.is_integer(kind):
        return _whole(kind, value)
    if t.is_float(kind):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError
        return float(value)
    if isinstance(kind, Decimal):
        return _exact(kind, value)
    if kind == t.BOOL:
        if not isinstance(value, bool):
            raise ValueError
        return value
    if not isinstance(value, str):
        raise ValueError
    try:
        return _parser(kind)(value)
    except ValueError:
        raise ValueError(values_of(kind)) from None


def _parser(kind: DataType) -> Callable[[str], Any]:
    if isinstance(kind, Timestamp):
        return _instant if kind.zone else _wall_clock
    return _PARSERS.get(kind, str)


_PARSERS: dict[DataType, Callable[[str], Any]] = {
    t.DATE: date.fromisoformat,
    t.TIME: time.fromisoformat,
    t.UUID: uuid.UUID,
}


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _wall_clock(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo:
        raise ValueError
    return at


def _whole(kind: DataType, value: Any) -> int:
    assert isinstance(kind, Scalar)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError
    if kind.kind in _BITS:
        low, high = -(1 << _BITS[kind.kind] - 1), (1 << _BITS[kind.kind] - 1) - 1
    else:
        low, high = 0, (1 << _UNSIGNED_BITS[kind.kind]) - 1
    if not low <= value <= high:
        raise ValueError(f"a whole number from {low} to {high}")
    return value


def _exact(kind: Decimal, value: Any) -> Exact:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError
    try:
        number = Exact(str(value))
    except InvalidOperation:
        raise ValueError from None
    if not number.is_finite():
        raise ValueError
    _, digits, exponent = number.normalize().as_tuple()
    assert isinstance(exponent, int)
    if number and (max(-exponent, 0) > kind.scale or len(digits) + exponent > kind.precision - kind.scale):
        raise ValueError(
            f"at most {kind.precision - kind.scale} digits before and {kind.scale} after the point"
        )
    return number
