"""JSON texts as lists and structs, value by value, exactly.

Only columns declared as nested and fed with text come here, so this is off the path of ordinary data.
"""

from __future__ import annotations

import json
from decimal import Decimal as Exact
from typing import Any

import msgspec
import pyarrow as pa

from penstock.records.from_text import scalar_cast
from penstock.schema import types as t
from penstock.schema.arrow import to_arrow
from penstock.schema.types import DataType, Decimal, List, Struct

# pyarrow ships no types, and what JSON holds is anything: both are Any in this module.
_encoder = msgspec.json.Encoder(decimal_format="number")


def nested(column: Any, to: DataType) -> Any:
    """JSON texts as lists or structs, null for a text in which any value does not fit exactly."""
    values = [None if cell is None else _nested(cell, to) for cell in column.to_pylist()]
    return pa.array(values, to_arrow(to))


def _nested(cell: str, to: DataType) -> Any:
    try:
        value = json.loads(
            cell, parse_float=Exact, parse_constant=_refuse, object_pairs_hook=_object_without_twins
        )
        return _exact(value, to)
    except (ValueError, ArithmeticError, RecursionError):  # not JSON, or a value that does not fit
        return None


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _object_without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _exact(value: Any, to: DataType) -> Any:
    """A decoded JSON value as the Python value of type `to`. Raises: ValueError if it does not fit."""
    if value is None:
        return None
    if to == t.JSON:
        return _encoder.encode(value).decode()
    if isinstance(to, List) and isinstance(value, list):
        return [_exact(item, to.item) for item in value]
    if isinstance(to, Struct) and isinstance(value, dict):
        if unknown := value.keys() - {name for name, _ in to.fields}:
            raise ValueError(f"unknown fields {sorted(unknown)}")
        return {name: _exact(value.get(name), field) for name, field in to.fields}
    if isinstance(value, bool) or to == t.BOOL:
        if to != t.BOOL or not isinstance(value, bool):
            raise ValueError("a boolean only fits a boolean")
        return value
    is_number = isinstance(value, int | Exact)
    if isinstance(value, list | dict) or is_number != (t.is_numeric(to) or isinstance(to, Decimal)):
        raise ValueError(f"{value!r} is no {to}")
    return _scalar(str(value), to)


def _scalar(text: str, to: DataType) -> Any:
    found = scalar_cast(to, guessed=False)(pa.array([text], pa.string()))[0]
    if not found.is_valid:
        raise ValueError(f"'{text}' is no {to}")
    return found
