"""The members of one JSON object as they are written: for lines that a strict decoder refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Any: JSON holds values of every type.
_BLANK = " \t\r\n"
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)  # digits stay as they are, however many


@dataclass(frozen=True, slots=True)
class Spans:
    """An object's members: for each key the value, whose numbers are texts, and its own text."""

    members: Mapping[str, tuple[Any, str]]

    def value(self, key: str) -> Any:
        """The value under a key, None if there is none. Numbers are texts."""
        return self.members[key][0] if key in self.members else None

    def text(self, key: str) -> bytes | None:
        """The JSON text under a key, as it was written; None if there is none."""
        return self.members[key][1].encode("utf-8", "surrogateescape") if key in self.members else None

    def json(self, key: str) -> Any:
        """The value under a key with numbers as numbers, None if there is none."""
        return json.loads(self.members[key][1]) if key in self.members else None


def spans_of(line: bytes) -> Spans:
    """The members of the object that a line is; of a key that repeats the last.

    Taken as JSON is what Python writes: `NaN`, `Infinity` and lone surrogates included.
    Raises: ValueError for anything else; RecursionError for what is nested too deep.
    """
    text = line.decode("utf-8", "surrogateescape")
    members: dict[str, tuple[Any, str]] = {}
    at = _past(text, 0, "{")
    if text[at : at + 1] == "}":
        return _ended(text, at + 1, members)
    while True:
        if text[at : at + 1] != '"':
            raise ValueError(f"no key at character {at + 1}")
        key, at = _DECODER.raw_decode(text, at)
        begin = _past(text, _skip(text, at), ":")
        value, at = _DECODER.raw_decode(text, begin)
        members[key] = (value, text[begin:at])
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            return _ended(text, at + 1, members)
        at = _past(text, at, ",")


def _ended(text: str, at: int, members: Mapping[str, tuple[Any, str]]) -> Spans:
    if text[at:].strip(_BLANK):
        raise ValueError(f"something follows the object at character {at + 1}")
    return Spans(members)


def _past(text: str, at: int, mark: str) -> int:
    """Where the next thing begins after a mark that must be next."""
    at = _skip(text, at)
    if text[at : at + 1] != mark:
        raise ValueError(f"no `{mark}` at character {at + 1}")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n"):
        at += 1
    return at
