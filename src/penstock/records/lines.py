"""One JSON line at a time: what it says, why it cannot be read, whether it fits, and how it is rewritten.

Lines are rewritten from their own bytes, so the exact text of a number survives.
"""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal as Exact
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from penstock.records.observe import fits
from penstock.schema import types as t
from penstock.schema.table import Table
from penstock.schema.types import DataType, Decimal, List, Struct

SHOWN_CHARACTERS = 200
TOO_DEEP = "nested too deeply"

_anything = msgspec.json.Decoder(float_hook=Exact)
_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])


def raw_object(text: bytes) -> dict[str, msgspec.Raw]:
    """An object's keys and the bytes of their values."""
    return _raw_object.decode(text)


def decoded(line: bytes) -> Any:  # Any: JSON
    """The record in a line, floats as exact decimals; None for what is not JSON."""
    try:
        return _anything.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, RecursionError):
        return None


def reason_of(line: bytes) -> str:
    """Why a line cannot be read as one JSON object, in words."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8 at byte {error.start + 1}"
    if not line.strip():
        return "a blank line"
    if (twins := twins_in(line)) is not None:
        return twins
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return f"{error.msg} at character {error.pos + 1}"
    except RecursionError:
        return TOO_DEEP
    if value == {}:
        return "an object without keys, and no column is known yet"
    if not isinstance(value, dict):
        return f"{'null' if value is None else type(value).__name__} where an object is wanted"
    try:
        json.dumps(value, ensure_ascii=False).encode()
        msgspec.json.decode(line)
    except UnicodeEncodeError:
        return "a lone surrogate, which is half a character"
    except msgspec.DecodeError as error:
        return str(error)
    except RecursionError:
        return TOO_DEEP
    return "the parser refused it (a number out of range?)"


def twins_in(line: bytes) -> str | None:
    """What is wrong if a key comes twice in one object of the line, else None."""
    try:
        json.loads(line, object_pairs_hook=_refuse_twins)
    except _TwinsError as twins:
        return f"key {twins} comes twice in one object"
    except (ValueError, RecursionError):  # not JSON at all: that is for others to say
        return None
    return None


class _TwinsError(ValueError):
    pass


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise _TwinsError(json.dumps(next(n for n, c in counts.items() if c > 1)))
    return record


def shown(value: Any) -> str:  # Any: JSON
    """A value as people see it in messages: JSON text, cut when long."""
    if isinstance(value, bytes):
        text = value.decode("utf-8", "backslashreplace")
    elif isinstance(value, str | Exact):
        text = str(value)
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def refit(raw: msgspec.Raw, kind: DataType) -> msgspec.Raw:
    """A value's bytes as a column of type `kind` is read: JSON as text, scalars in text columns too."""
    text = bytes(raw)
    if text == b"null":
        return raw
    if kind == t.JSON or (kind == t.TEXT and not text.startswith(b'"')):
        return msgspec.Raw(msgspec.json.encode(text.decode()))
    if isinstance(kind, Struct) and text.startswith(b"{"):
        fields = dict(kind.fields)
        inner = raw_object(text)
        return msgspec.Raw(
            msgspec.json.encode({n: refit(v, fields[n]) if n in fields else v for n, v in inner.items()})
        )
    if isinstance(kind, List) and text.startswith(b"["):
        return msgspec.Raw(msgspec.json.encode([refit(v, kind.item) for v in _raw_list.decode(text)]))
    return raw


def prune(raw: msgspec.Raw, kind: DataType) -> msgspec.Raw:
    """A value's bytes without the keys that its struct type does not have."""
    text = bytes(raw)
    if isinstance(kind, Struct) and text.startswith(b"{"):
        fields = dict(kind.fields)
        inner = raw_object(text)
        return msgspec.Raw(
            msgspec.json.encode({n: prune(v, fields[n]) for n, v in inner.items() if n in fields})
        )
    if isinstance(kind, List) and text.startswith(b"["):
        return msgspec.Raw(msgspec.json.encode([prune(v, kind.item) for v in _raw_list.decode(text)]))
    return raw


def is_typed(
    decoder: msgspec.json.Decoder[Any] | None, line: bytes, decimals: list[tuple[str, Decimal]]
) -> bool:
    """Whether a line's values have the JSON types of the columns, decimals also their digits."""
    if decoder is None:
        return False
    try:
        record = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    values = ((getattr(record, _field(i)), kind) for i, (_, kind) in enumerate(decimals))
    return all(v is None or fits(v, kind) for v, kind in values)


@lru_cache(maxsize=64)
def typed_decoder(table: Table) -> msgspec.json.Decoder[Any] | None:
    """A decoder that takes exactly the lines whose values have the JSON types of the table's columns.

    None for a table with a name that such a decoder cannot have, such as one with a quote in it.
    """
    columns = sorted(table.columns, key=lambda c: not isinstance(c.type, Decimal))
    try:
        return msgspec.json.Decoder(_struct([(c.name, c.type) for c in columns]))
    except ValueError:
        return None


def _struct(fields: list[tuple[str, DataType]]) -> type[msgspec.Struct]:
    names = {_field(i): name for i, (name, _) in enumerate(fields)}
    return msgspec.defstruct(
        "Record",
        [(_field(i), _optional(kind), None) for i, (_, kind) in enumerate(fields)],
        rename=names,
        forbid_unknown_fields=True,
        gc=False,
    )


def _field(i: int) -> str:
    return f"f{i}"


def _optional(kind: DataType) -> Any:  # Any: a type expression
    return None if kind == t.NULL else _python(kind) | None


def _python(kind: DataType) -> Any:  # Any: a type expression
    if isinstance(kind, List):
        return list[_optional(kind.item)]  # type: ignore[misc]
    if isinstance(kind, Struct):
        return _struct(list(kind.fields))
    if isinstance(kind, Decimal):
        return Exact
    if t.is_integer(kind):
        return Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    if t.is_float(kind):
        return float
    if kind == t.BOOL:
        return bool
    return str
