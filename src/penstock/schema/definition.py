"""A table's definition as JSON, and back: what ledgers and slips keep of it.

Values that JSON cannot hold (dates, decimals, bytes) are written as an object with one key that
begins with `$`; what is at its default is left out. Pure.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import MISSING, Field, fields
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from penstock.errors import BugError
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import parse_type

# Any: minimum, maximum, enum and extra hold whatever a metadata file held
_READERS: dict[str, Any] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$decimal": Decimal,
    "$float": float,
    "$uuid": UUID,
    "$bytes": base64.b64decode,
    "$map": lambda pairs: {k: _value(v) for k, v in pairs},
    "$tuple": lambda items: tuple(_value(i) for i in items),
}

_TABLE = frozenset(f.name for f in fields(Table))
_COLUMN = frozenset(f.name for f in fields(Column)) - {"type", "foreign_key"}


def table_to_json(table: Table) -> str:
    """The JSON text of a table: types in their text form, everything else as it is."""
    plain = _filled(table)
    plain["columns"] = [_filled(c) | {"type": str(c.type)} for c in table.columns]
    return json.dumps(plain, ensure_ascii=False)


def table_from_json(text: str) -> Table:
    """The table that `table_to_json` wrote."""
    raw = json.loads(text)
    columns = tuple(_column(c) for c in raw.pop("columns", ()))
    return Table(columns=columns, **{k: _value(v) for k, v in raw.items() if k in _TABLE})


def _column(raw: dict[str, Any]) -> Column:
    values = {k: _value(v) for k, v in raw.items() if k in _COLUMN}
    key = raw.get("foreign_key")
    foreign = ForeignKey(key["table"], tuple(key["columns"])) if key else None
    return Column(type=parse_type(raw["type"]), foreign_key=foreign, **values)


def _filled(value: Table | Column) -> dict[str, Any]:
    """The fields that are not at their default, but for those the callers write themselves."""
    filled: dict[str, Any] = {}
    for f in fields(value):
        content = getattr(value, f.name)
        if f.name in ("columns", "type") or content == _default(f):
            continue
        if isinstance(content, ForeignKey):
            filled[f.name] = {"table": content.table, "columns": list(content.columns)}
        else:
            filled[f.name] = _plain(content)
    return filled


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _plain(value: Any) -> Any:
    """A value as JSON can hold it; `_value` reads it back."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime | date | time):
        return {f"${type(value).__name__}": value.isoformat()}
    if isinstance(value, Decimal | UUID):
        return {f"${type(value).__name__.lower()}": str(value)}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, tuple):
        return {"$tuple": [_plain(v) for v in value]}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if hasattr(value, "items"):
        return _mapping(dict(value.items()))
    raise BugError("a table's definition holds a value that cannot be kept", found=type(value).__name__)


def _mapping(value: dict[Any, Any]) -> Any:
    if all(isinstance(k, str) and not k.startswith("$") for k in value):
        return {k: _plain(v) for k, v in value.items()}
    return {"$map": [[k, _plain(v)] for k, v in value.items()]}


def _value(raw: Any) -> Any:
    if isinstance(raw, list):
        return [_value(v) for v in raw]
    if not isinstance(raw, dict):
        return raw
    name = next(iter(raw), "")
    if len(raw) == 1 and name in _READERS:
        return _READERS[name](raw[name])
    return {k: _value(v) for k, v in raw.items()}
