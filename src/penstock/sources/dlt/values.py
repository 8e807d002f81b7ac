"""Items that dlt code yields, as rows of plain Python values.

dlt knows values of kinds of its own (`Wei`, `HexBytes`, pendulum's instants) and takes items that
are no mappings. Here every item becomes a `dict`, and every value one of Python's own types.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

# Any throughout: values of whatever kind a program yields

VALUE = "value"
"""The column of items that are no rows, as in dlt."""
_ATOMS = frozenset({str, int, float, bool, type(None), datetime, date, time, Decimal, bytes, UUID})


def rows_of(items: Iterable[Any]) -> list[dict[str, Any]]:
    """The items as rows; what is no mapping goes into the column `value`. A None is no row."""
    return [_row(item) for item in items if item is not None]


def _row(item: Any) -> dict[str, Any]:
    said = _mapping(item) if type(item) is dict else plain(item)
    return said if isinstance(said, dict) else {VALUE: said}


def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        name if type(name) is str else str(name): inner if type(inner) in _ATOMS else plain(inner)
        for name, inner in value.items()
    }


def plain(value: Any) -> Any:
    """A value in Python's own types, mappings and lists throughout."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is list:
        return [inner if type(inner) in _ATOMS else plain(inner) for inner in value]
    if kind is dict or isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, datetime | date | time):
        return _moment(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    for known in (str, int, float):
        if isinstance(value, known):
            return known(value)
    if isinstance(value, Decimal):
        return int(value) if _is_wei(value) and value == value.to_integral_value() else Decimal(value)
    return _structure(value)


def _moment(value: datetime | date | time) -> datetime | date | time | None:
    """An instant, date or time of a library as Python's own; the `NaT` of pandas is None."""
    if value != value:  # that is how NaT tells itself
        return None
    if isinstance(value, datetime):
        return datetime.combine(_day(value), _clock(value))
    return _clock(value) if isinstance(value, time) else _day(value)


def _day(value: date) -> date:
    return date(value.year, value.month, value.day)


def _clock(value: datetime | time) -> time:
    return time(value.hour, value.minute, value.second, value.microsecond, value.tzinfo, fold=value.fold)


def _is_wei(value: Decimal) -> bool:
    return type(value).__name__ == "Wei"


def _structure(value: Any) -> Any:
    """What holds other values: named tuples, models, data classes, lists; else the value as it is."""
    for name in ("asdict", "_asdict"):
        if callable(found := getattr(value, name, None)):
            return plain(found())
    if callable(dump := getattr(value, "model_dump", None)):
        return plain(dump(by_alias=True))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if callable(item := getattr(value, "item", None)) and getattr(value, "shape", None) == ():
        return plain(item())  # a scalar of numpy
    if callable(items := getattr(value, "tolist", None)):
        return plain(items())
    return value
