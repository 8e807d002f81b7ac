"""State as JSON text and back, every value as it was: instants, dates, decimals and bytes too."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from penstock.errors import RefusedError

# Any throughout: state holds what users put there

State = dict[str, Any]
_READERS: dict[str, Callable[[Any], Any]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$timedelta": lambda parts: timedelta(*parts),
    "$decimal": Decimal,
    "$float": float,
    "$uuid": UUID,
    "$bytes": base64.b64decode,
    "$tuple": lambda items: tuple(_value(i) for i in items),
    "$set": lambda items: {_value(i) for i in items},
    "$map": lambda pairs: {_value(k): _value(v) for k, v in pairs},
}


def load(text: str | None) -> State:
    """The state that `dump` wrote: `source`, and `resources` by name. None is the empty state."""
    state: State = _value(json.loads(text)) if text else {}
    state.setdefault("source", {})
    state.setdefault("resources", {})
    return state


def dump(state: State) -> str | None:
    """The JSON text of a state, without what is empty; None if all of it is.

    Raises: RefusedError, naming the key whose value cannot be kept.
    """
    resources = {name: kept for name, kept in state["resources"].items() if kept}
    full = {"source": state["source"]} if state["source"] else {}
    if resources:
        full["resources"] = resources
    return json.dumps(_plain(full, ()), ensure_ascii=False, sort_keys=True) if full else None


def _plain(value: Any, path: tuple[str, ...]) -> Any:
    """A value as JSON can hold it; `_value` reads it back."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, datetime | date | time):
        kind = "datetime" if isinstance(value, datetime) else "date" if isinstance(value, date) else "time"
        return {f"${kind}": value.isoformat()}
    if isinstance(value, timedelta):
        return {"$timedelta": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, Decimal | UUID):
        return {"$decimal" if isinstance(value, Decimal) else "$uuid": str(value)}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return _mapping(value, path)
    if isinstance(value, list):
        return [_plain(v, (*path, str(i))) for i, v in enumerate(value)]
    if isinstance(value, tuple):
        return {"$tuple": [_plain(v, (*path, str(i))) for i, v in enumerate(value)]}
    if isinstance(value, set | frozenset):
        items = [_plain(v, (*path, "…")) for v in value]
        return {"$set": sorted(items, key=lambda i: json.dumps(i, sort_keys=True))}
    raise RefusedError(
        "the state holds a value that cannot be kept",
        where=".".join(path),
        found=type(value).__name__,
        expected="text, numbers, instants, dates, decimals, UUIDs, bytes, and lists and mappings of them",
    )


def _mapping(value: Mapping[Any, Any], path: tuple[str, ...]) -> Any:
    if all(isinstance(k, str) and not k.startswith("$") for k in value):
        return {k: _plain(v, (*path, k)) for k, v in value.items()}
    return {"$map": [[_plain(k, path), _plain(v, (*path, str(k)))] for k, v in value.items()]}


def _value(raw: Any) -> Any:
    if isinstance(raw, list):
        return [_value(v) for v in raw]
    if not isinstance(raw, dict):
        return raw
    if len(raw) == 1:
        name, content = next(iter(raw.items()))
        if name in _READERS:
            return _READERS[name](content)
    return {k: _value(v) for k, v in raw.items()}
