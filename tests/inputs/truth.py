"""Whether a stored value is the value that was in the file, whatever wider type holds it now.

A value may only change its form as a wider type demands: the number 1 is `1.0` as a float and `"1"`
in a column of text; a time may be written in UTC there; in a column of JSON it is that JSON.
"""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import date, datetime, time
from decimal import Decimal as Exact
from math import isfinite, isnan
from typing import Any

from warehouse import Instant

from penstock.schema import types as t
from penstock.schema.types import DataType, Decimal, List, Scalar, Struct, Timestamp

# Any throughout: values are whatever data holds.

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|[+-]\d\d(?::?\d\d)?)?")
_CLOCK = re.compile(r"\d\d:\d\d:\d\d(?:\.\d+)?")
_EPOCH = date(1970, 1, 1).toordinal()


def instant(text: Any) -> Instant | None:
    """The instant of an ISO 8601 text (wall-clock times as if in UTC), or None for other texts."""
    stamp = _STAMP.fullmatch(text) if isinstance(text, str) else None
    if stamp is None:
        return None
    try:
        day = date.fromisoformat(stamp[1])
        clock = datetime.fromisoformat(f"2000-01-01T{stamp[2]}{stamp[4] or 'Z'}")
    except ValueError:  # looks like a time and is none
        return None
    shift = clock.utcoffset()
    assert shift is not None
    seconds = (day.toordinal() - _EPOCH) * 86_400 + clock.hour * 3600 + clock.minute * 60 + clock.second
    return Instant((seconds - round(shift.total_seconds())) * 10**9 + int((stamp[3] or "").ljust(9, "0")))


def same(source: Any, stored: Any, kind: DataType) -> bool:
    """Whether `stored`, in a column of type `kind`, is the value `source` of a JSON file."""
    if source is None or stored is None:
        return source is stored
    if kind == t.JSON:
        return bool(plain(stored) == plain(source))
    if kind == t.TEXT:
        return _same_text(source, stored)
    if isinstance(kind, List):
        return _same_list(source, stored, kind)
    if isinstance(kind, Struct):
        return _same_object(source, stored, kind)
    if kind == t.BOOL:
        return isinstance(source, bool) and source is stored
    if t.is_numeric(kind) or isinstance(kind, Decimal):
        return _is_number(source) and _same_number(_exact(source), _exact(stored))
    if isinstance(kind, Timestamp):
        return isinstance(source, str) and (instant(source) or instant(f"{source}T00:00:00")) == stored
    if kind == t.DATE:
        return bool(source == stored.isoformat())
    assert isinstance(kind, Scalar)
    return bool(source == stored)


def plain(value: Any) -> Any:
    """A value in the form that all its wider forms have in common: equal, and with an equal `repr`."""
    if isinstance(value, dict):
        found = ((name, plain(inner)) for name, inner in value.items())
        return ("object", *sorted((pair for pair in found if pair[1] is not None), key=repr))
    if isinstance(value, list):
        return ("list", *(plain(item) for item in value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int | float | Exact):
        return _number(_exact(value))
    if isinstance(value, bytes):
        return _plain_text(b64encode(value).decode())
    if isinstance(value, time):
        return _plain_text(value.isoformat())
    if isinstance(value, date):
        return instant(f"{value.isoformat()}T00:00:00")
    return _plain_text(value) if isinstance(value, str) else value


def _plain_text(value: str) -> Any:
    if _NUMBER.fullmatch(value):
        return _number(Exact(value))
    if _CLOCK.fullmatch(value):
        return instant(f"1970-01-01T{value}")
    return instant(value) or instant(f"{value}T00:00:00") or value


def _number(value: Exact) -> Any:
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    assert isinstance(exponent, int), f"{value} is no JSON number"
    return ("number", sign, short, exponent + len(text) - len(short)) if short else ("number", 0)


def _exact(value: Any) -> Exact:
    return Exact(repr(value)) if isinstance(value, float) else Exact(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Exact | float) and not isinstance(value, bool)


def _same_number(source: Exact, stored: Exact) -> bool:
    return source == stored and (source != 0 or source.is_signed() == stored.is_signed())


def _same_text(source: Any, stored: str) -> bool:
    if isinstance(source, bool):
        return stored == str(source).lower()
    if _is_number(source):
        return bool(_NUMBER.fullmatch(stored)) and Exact(stored) == _exact(source)
    assert isinstance(source, str), f"{source!r} has become text"
    moment = instant(source) or instant(f"{source}T00:00:00")
    return stored == source or (moment is not None and moment == instant(stored))


def _same_list(source: Any, stored: Any, kind: List) -> bool:
    return (
        isinstance(source, list)
        and len(source) == len(stored)
        and all(same(a, b, kind.item) for a, b in zip(source, stored, strict=True))
    )


def _same_object(source: Any, stored: Any, kind: Struct) -> bool:
    if not kind.fields:
        return source == {} and stored == {}
    fields = dict(kind.fields)
    return (
        isinstance(source, dict)
        and source.keys() <= fields.keys()
        and all(same(source.get(name), stored[name], fields[name]) for name in fields)
    )
