"""An answer: its bytes, and what is where in its JSON. Values are found without taking records apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypedDict

import msgspec
from msgspec import Raw

from penstock.schema.jsonpath import ANY, MISSING, JsonPath, Step

# Any throughout: JSON of any depth

_LIST = msgspec.json.Decoder(list[Raw])
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_WHOLE = msgspec.json.Decoder(Raw)
_OPEN_LIST, _OPEN_OBJECT, _SPACE = ord("["), ord("{"), b" \t\r\n"


@dataclass(slots=True)
class Answer:
    """What came back. `ignored` says that it is of a kind that has no records. `headers` are by
    lower-case name; `found` are the records, where they were looked for already."""

    status: int
    headers: dict[str, str]
    body: bytes
    ignored: bool = False
    found: list[Raw] | None = None

    def check(self) -> None:
        """Nothing. Raises: msgspec.DecodeError if the body is no JSON."""
        _WHOLE.decode(self.body)

    def first(self, path: JsonPath) -> Any:
        """The first value at a path, or `MISSING`."""
        for raw in walk(Raw(self.body), path.steps):
            return msgspec.json.decode(raw)
        return MISSING

    def records(self, path: JsonPath) -> list[Raw] | None:
        """The records at a path: the elements of a list, an object alone; None if nothing is there."""
        values = list(walk(Raw(self.body), path.steps))
        if not values:
            return None
        found: list[Raw] = []
        for value in values:
            if kind(value) == _OPEN_LIST:
                found += _LIST.decode(value)
            elif bytes(value) != b"null":
                found.append(value)
        return found


def kind(raw: Raw) -> int:
    """The first character of a value."""
    return memoryview(raw)[0]


def fields(raw: Raw) -> dict[str, Raw]:
    """The values of an object; nothing for other values."""
    return _OBJECT.decode(raw) if kind(raw) == _OPEN_OBJECT else {}


def elements(raw: Raw) -> list[Raw] | None:
    """The values of a list; None for other values."""
    return _LIST.decode(raw) if kind(raw) == _OPEN_LIST else None


def whole(body: bytes) -> Raw:
    """A body as one value. Raises: msgspec.DecodeError if it is no JSON."""
    return _WHOLE.decode(body)


def _typed(name: str) -> Any:
    """An object of which only one field is read."""
    make: Any = TypedDict  # its functional form is not for names that are known late, to mypy
    return make("One", {name: Raw}, total=False)


@cache
def _one(name: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_typed(name))


def walk(value: Raw, steps: Sequence[Step]) -> Iterator[Raw]:
    """Every value at the end of some steps, in order."""
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    first = memoryview(value)[:1].tobytes()
    if first in (b" ", b"\t", b"\r", b"\n"):
        value = whole(bytes(value).strip(_SPACE))
        first = memoryview(value)[:1].tobytes()
    inner: Sequence[Raw] = ()
    if first == b"{" and isinstance(step, str):
        found = _one(step).decode(value)
        inner = (found[step],) if step in found else ()
    elif first == b"{" and step is ANY:
        inner = list(_OBJECT.decode(value).values())
    elif first == b"[" and step is ANY:
        inner = _LIST.decode(value)
    elif first == b"[" and isinstance(step, int):
        items = _LIST.decode(value)
        inner = (items[step],) if -len(items) <= step < len(items) else ()
    else:
        whole(bytes(value))
    for item in inner:
        yield from walk(item, rest)


def tidy(body: bytes, charset: str | None) -> bytes:
    """A body as UTF-8 without a mark of byte order, line breaks or space around it.

    Raises: UnicodeDecodeError, LookupError; msgspec.DecodeError if it is no JSON.
    """
    if charset and charset.lower().replace("_", "-") not in ("utf-8", "utf8", "us-ascii", "ascii"):
        body = body.decode(charset).encode()
    body = body.removeprefix(b"\xef\xbb\xbf")
    if b"\n" in body or b"\r" in body:
        body = msgspec.json.format(body, indent=-1)
    return body.strip(_SPACE)
