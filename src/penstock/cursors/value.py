"""Cursor values as JSON that gives back exactly what went in, and digests of rows.

plain       null, true, 1, 1.5, "text", [..], {..}       as they are
tagged      {"$datetime": "2026-01-04T10:00:00+00:00", "zone": "Europe/London"}   zone only if it has a name
            {"$date": "2026-01-04"}  {"$time": "10:00:00"}  {"$timedelta": [days, seconds, microseconds]}
            {"$decimal": "1.50"}  {"$uuid": "…"}  {"$bytes": "base64"}  {"$float": "inf"}
            {"$tuple": [..]}  {"$object": [[key, value], ..]}   an object whose keys are not plain text
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from penstock.errors import RefusedError

DIGEST_BYTES = 16


def encode(value: Any) -> Any:  # Any: whatever a user's cursor holds, as JSON
    """A value as JSON. Raises: RefusedError if its type has no exact JSON here."""
    value = _builtin(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: encode(item) for key, item in value.items()}
        return {"$object": [[encode(key), encode(item)] for key, item in value.items()]}
    for kind, tag, write in _WRITERS:
        if isinstance(value, kind):
            tagged = {tag: write(value)}
            zone = getattr(getattr(value, "tzinfo", None), "key", None)
            return {**tagged, "zone": zone} if zone else tagged
    raise RefusedError(
        f"a cursor value of type `{type(value).__qualname__}` cannot be kept",
        expected="text, a number, a date or time, a UUID, bytes, or lists and objects of these",
        hint="map the rows to one of these types first, or set `end_value`, which keeps no state",
    )


def decode(said: Any) -> Any:  # Any: as above
    """The value that `encode` wrote."""
    if isinstance(said, list):
        return [decode(item) for item in said]
    if not isinstance(said, dict):
        return said
    tag = next(iter(said), "")
    if not tag.startswith("$"):
        return {key: decode(item) for key, item in said.items()}
    value = _READERS[tag](said[tag])
    return value.astimezone(ZoneInfo(said["zone"])) if "zone" in said else value


def _builtin(value: Any) -> Any:  # Any: as above
    """The same value in a type of the standard library, for subclasses and numpy's scalars."""
    if isinstance(value, Enum):
        return _builtin(value.value)
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        return value.item()
    if isinstance(value, datetime) and type(value) is not datetime:
        return datetime.combine(date(value.year, value.month, value.day), _clock(value))
    return value


def _clock(value: datetime) -> time:
    zone = value.tzinfo
    return time(value.hour, value.minute, value.second, value.microsecond, zone, fold=value.fold)


_WRITERS: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (datetime, "$datetime", datetime.isoformat),
    (date, "$date", date.isoformat),
    (time, "$time", time.isoformat),
    (timedelta, "$timedelta", lambda v: [v.days, v.seconds, v.microseconds]),
    (Decimal, "$decimal", str),
    (UUID, "$uuid", str),
    (bytes, "$bytes", lambda v: base64.b64encode(v).decode()),
    (tuple, "$tuple", lambda v: [encode(item) for item in v]),
)
_READERS: dict[str, Callable[[Any], Any]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$timedelta": lambda said: timedelta(*said),
    "$decimal": Decimal,
    "$uuid": UUID,
    "$bytes": base64.b64decode,
    "$float": float,
    "$tuple": lambda said: tuple(decode(item) for item in said),
    "$object": lambda said: {decode(key): decode(item) for key, item in said},
}


def encode_digests(digests: Iterable[bytes]) -> str:
    """Digests as one text, sorted. Units: 22 characters for each."""
    return base64.b64encode(b"".join(sorted(digests))).decode()


def decode_digests(text: str) -> frozenset[bytes]:
    """The digests that `encode_digests` wrote."""
    joined = base64.b64decode(text)
    return frozenset(joined[at : at + DIGEST_BYTES] for at in range(0, len(joined), DIGEST_BYTES))


def digest(value: Any) -> bytes:  # Any: a row, or the values of its key
    """16 bytes that are the same for equal values, however they were carried.

    Numbers count by value (1 is 1.0), instants by the instant; an object's fields in any order, and
    fields that are null as if they were not there. Raises: RefusedError for a type without a value.
    """
    found: list[bytes] = []
    _canonical(value, found.append)
    return hashlib.blake2b(b"".join(found), digest_size=DIGEST_BYTES).digest()


def _canonical(value: Any, put: Callable[[bytes], None]) -> None:  # Any: as above
    kind = type(value)
    if kind is str:
        text = value.encode("utf-8", "surrogatepass")
        put(b"s%d:" % len(text))
        put(text)
    elif kind is int:
        put(b"n%d:" % value)
    elif value is None:
        put(b"0")
    elif kind is bool:
        put(b"t" if value else b"f")
    elif kind is dict or (kind is not list and isinstance(value, Mapping)):
        items = [(str(key), item) for key, item in value.items() if item is not None]
        put(b"{%d:" % len(items))
        for key, item in sorted(items, key=lambda pair: pair[0]):
            _canonical(key, put)
            _canonical(item, put)
    elif kind is list or (isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)):
        put(b"[%d:" % len(value))
        for item in value:
            _canonical(item, put)
    else:
        _scalar(_builtin(value), put)


def _scalar(value: Any, put: Callable[[bytes], None]) -> None:  # Any: as above
    if isinstance(value, bool | str | int):
        _canonical(_plain(value), put)
    elif isinstance(value, float | Decimal):
        put(_number(value))
    elif isinstance(value, bytes | bytearray | memoryview):
        put(b"b%d:" % len(value))
        put(bytes(value))
    elif isinstance(value, datetime) and value.tzinfo is not None:
        put(b"z" + value.astimezone(UTC).isoformat().encode() + b";")
    elif isinstance(value, date | time | UUID | timedelta):
        name = next(k for k in (datetime, date, time, UUID, timedelta) if isinstance(value, k)).__name__
        put(f"{name} {value};".encode())
    elif isinstance(value, Set):
        _canonical(sorted(digest(item) for item in value), put)
    elif is_dataclass(value) and not isinstance(value, type):
        _canonical({f.name: getattr(value, f.name) for f in fields(value)}, put)
    elif callable(getattr(value, "model_dump", None)):
        _canonical(value.model_dump(), put)
    else:
        raise RefusedError(
            f"a value of type `{type(value).__qualname__}` cannot be told from another across runs",
            hint="name a `primary_key`, so that only its columns are compared",
        )


def _plain(value: bool | str | int) -> bool | str | int:
    if isinstance(value, bool):
        return value
    return str.__str__(value) if isinstance(value, str) else int(value)


def _number(value: float | Decimal) -> bytes:
    if not math.isfinite(value):
        return b"x" + str(float(value)).encode() + b";"
    sign, digits, exponent = Decimal(value).as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    cut = text.rstrip("0")
    exponent = int(exponent) + len(text) - len(cut) if cut else 0
    if 0 <= exponent < 40:
        return b"n%d:" % (int(cut or "0") * 10**exponent * (-1 if sign else 1))
    return f"d{'-' if sign else ''}{cut}e{exponent};".encode()
