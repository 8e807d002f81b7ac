"""Rows of Python values as JSON lines, and the types that the text alone does not show.

An instant, a date, a decimal, a UUID or bytes are texts or numbers in JSON. What they were is told by
`Encoder.seen`, so that whoever reads the lines gives them back as they were. Values that JSON has no
word for (NaN, infinity) are written as Python's own `json` writes them: the gate finds such rows and
sets them aside; nothing is turned into null on the way.
"""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal as Exact
from enum import Enum
from itertools import chain
from typing import Any
from uuid import UUID

import msgspec

from penstock.errors import RefusedError
from penstock.schema import types as t
from penstock.schema.types import DataType, Decimal, List, Struct, merge

# Any throughout: values of whatever type a program yields

_PLAIN = frozenset({str, int, bool, type(None)})
_SCALARS: dict[type, DataType] = {
    type(None): t.NULL,
    bool: t.BOOL,
    int: t.INT64,
    float: t.FLOAT64,
    str: t.TEXT,
    bytes: t.BINARY,
    bytearray: t.BINARY,
    memoryview: t.BINARY,
    date: t.DATE,
    time: t.TIME,
    UUID: t.UUID,
}
_SHOWN = frozenset({type(None), bool, int, float, str})  # what JSON shows by itself
_BIG = 1 << 63
_WORDS = {"nan": b"NaN", "inf": b"Infinity", "-inf": b"-Infinity"}


class Encoder:
    """Turns rows of one table into JSON lines.

    `seen` maps every column so far, in order, to the type that its values showed beyond their text;
    `null` for those that showed none. It is empty until some value showed one.
    """

    def __init__(self, table: str) -> None:
        self.table = table
        self._columns: dict[str, DataType] = {}
        self._encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=plain)

    @property
    def seen(self) -> Mapping[str, DataType]:
        """The columns with the types that their values showed; empty if their text shows them all."""
        typed = any(kind != t.NULL for kind in self._columns.values())
        return dict(self._columns) if typed else {}

    def lines(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """The rows as JSON lines. Raises: RefusedError for a row that cannot be written."""
        odd = self._look(rows)
        if odd:
            return b"".join(map(self._slowly, rows))
        try:
            return self._encoder.encode_lines(rows)
        except (TypeError, ValueError, OverflowError, RecursionError):  # some row says more, one by one
            return b"".join(map(self._slowly, rows))

    def _look(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Note the types of all values; whether some value has no word in JSON."""
        odd = False
        for name in _keys(rows):
            kinds, values = _kinds([row.get(name) for row in rows])
            if name not in self._columns:
                self._columns[str(name)] = t.NULL
            if kinds <= _PLAIN:
                continue
            kind, broken = _type_of(kinds, values)
            odd |= broken
            if not _is_shown(kind):
                self._columns[str(name)] = merge(self._columns[str(name)], kind)
        return odd

    def _slowly(self, row: Mapping[str, Any]) -> bytes:
        try:
            return self._encoder.encode(_spelled(row)) + b"\n"
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise RefusedError(
                f"a row of `{self.table}` cannot be written as JSON",
                found=str(error),
                hint="turn such values into text, numbers, dates, bytes, lists or mappings, "
                "such as with `add_map`",
            ) from error


def _spelled(value: Any) -> Any:
    """A value in which everything that JSON or its encoder has no word for is spelled out."""
    kind = type(value)
    if kind in (str, bool, type(None), date, time, UUID, bytes):
        return value
    if kind is float:
        return value if math.isfinite(value) else msgspec.Raw(_WORDS[str(value)])
    if kind is int:
        return value if -_BIG < value < _BIG else msgspec.Raw(b"%d" % value)
    if isinstance(value, Exact):
        return value if value.is_finite() else msgspec.Raw(_WORDS[str(float(value))])
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): _spelled(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields"):
        return [_spelled(v) for v in value]
    return _spelled(plain(value))


def _keys(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """The keys of all rows in the order in which they are first seen."""
    first = rows[0].keys() if rows else ()
    found = set(first).union(*rows)
    if len(found) == len(first):
        return first
    return dict.fromkeys(chain.from_iterable(rows))


def _kinds(values: list[Any]) -> tuple[set[type], list[Any]]:
    return set(map(type, values)), values


def _type_of(kinds: set[type], values: list[Any]) -> tuple[DataType, bool]:
    """The type of some values, and whether one of them has no word in JSON."""
    if kinds <= _PLAIN or not kinds:
        found: DataType = t.NULL
        for kind in kinds:
            found = merge(found, _SCALARS[kind])
        return found, False
    merged: DataType = t.NULL
    odd = False
    for kind in kinds:
        own = values if len(kinds) == 1 else [v for v in values if type(v) is kind]
        one, broken = _one_type(kind, own)
        merged, odd = merge(merged, one), odd | broken
    return merged, odd


def _one_type(kind: type, values: list[Any]) -> tuple[DataType, bool]:
    """The type of values that are all of one Python type."""
    if kind is float:
        total = sum(values)
        return t.FLOAT64, not math.isfinite(total) and not all(map(math.isfinite, values))
    if kind in _SCALARS:
        return _SCALARS[kind], False
    if issubclass(kind, dict):
        return _struct(values)
    if issubclass(kind, list | tuple | set | frozenset) and not hasattr(kind, "_fields"):
        item, odd = _type_of(*_kinds(list(chain.from_iterable(values))))
        return List(item), odd
    if issubclass(kind, datetime):
        return _instants(values), kind is not datetime  # what subclasses add, only they can spell
    if issubclass(kind, Exact):
        return _decimals(values)
    if hasattr(kind, "_fields"):
        return _struct([v._asdict() for v in values])[0], True  # the encoder would write a list
    if issubclass(kind, date | time | UUID | str | int | float | bytes) and not issubclass(kind, Enum):
        base = next(b for b in kind.__mro__ if b in _SCALARS)
        return _type_of({base}, [base(v) for v in values]) if base is float else (_SCALARS[base], False)
    try:
        return _type_of(*_kinds([plain(v) for v in values]))
    except TypeError:  # encoding it will say which
        return t.TEXT, True


def _struct(values: list[dict[Any, Any]]) -> tuple[DataType, bool]:
    fields, odd = [], False
    for name in _keys(values):
        kind, broken = _type_of(*_kinds([v.get(name) for v in values]))
        fields.append((str(name), kind))
        odd |= broken
    return Struct(tuple(fields)), odd


def _instants(values: list[datetime]) -> DataType:
    """An instant if all have a zone, a wall-clock time if none has; text where they are mixed."""
    zones = {v.utcoffset() is not None for v in values}
    if len(zones) > 1:
        return t.TEXT
    fine = any(getattr(v, "nanosecond", 0) for v in values)
    return t.Timestamp(zones.pop(), "ns" if fine else "us")


def _decimals(values: list[Exact]) -> tuple[DataType, bool]:
    """The narrowest decimal that holds all; text if none does. NaN and infinity have no word."""
    whole, scale = 1, 0
    for value in values:
        _, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int):
            return t.TEXT, True
        scale = max(scale, -exponent)
        whole = max(whole, len(digits) + exponent)
    return (Decimal(whole + scale, scale), False) if whole + scale <= t.MAX_PRECISION else (t.TEXT, False)


def _is_shown(kind: DataType) -> bool:
    """Whether the JSON text of a value shows its type by itself."""
    if isinstance(kind, List):
        return _is_shown(kind.item)
    if isinstance(kind, Struct):
        return all(_is_shown(field) for _, field in kind.fields)
    return kind in (t.NULL, t.BOOL, t.INT64, t.FLOAT64, t.TEXT, t.JSON)


def plain(value: Any) -> Any:
    """A value as one that JSON has a word for. Raises: TypeError if there is none."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str | int | float) and type(value) not in _SHOWN:
        return next(base for base in (str, int, float) if isinstance(value, base))(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, timedelta):
        return msgspec.to_builtins(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    for name in ("model_dump", "_asdict", "tolist", "to_pylist", "as_py", "isoformat"):
        method = getattr(value, name, None)
        if callable(method) and not isinstance(value, type):
            return method()
    raise TypeError(f"a value of type {type(value).__module__}.{type(value).__qualname__} has no JSON form")
