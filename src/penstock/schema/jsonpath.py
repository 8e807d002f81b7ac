"""Paths into nested rows: names, dots, brackets, quoted names, indexes and wildcards.

updated_at   $.meta.ts   items[0].ts   ['a.b']["c"]   items[*].ts   $
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from penstock.errors import RefusedError


class Mark(Enum):
    """`ANY` stands for every element of a list or value of an object; `MISSING` for no value at all."""

    ANY = "*"
    MISSING = "missing"


ANY, MISSING = Mark.ANY, Mark.MISSING
Step = str | int | Mark
_STEP = re.compile(
    r"""
      \[\s*(?:(?P<index>-?\d+)|(?P<any>\*)
            |'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)")\s*\]
    | (?P<dot>\.?)(?:(?P<star>\*)|(?P<name>[^.\[\]*'"$\s](?:[^.\[\]*'"]*[^.\[\]*'"\s])?))
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path as steps: a name, an index (negative ones count from the end) or `ANY`."""

    text: str
    steps: tuple[Step, ...]

    @property
    def name(self) -> str | None:
        """The name, if the path is only that of a field of the row itself; else None."""
        if len(self.steps) == 1 and isinstance(self.steps[0], str):
            return self.steps[0]
        return None

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names from the outermost in, if all steps are names; else None."""
        names = tuple(step for step in self.steps if isinstance(step, str))
        return names if names and len(names) == len(self.steps) else None

    def find(self, row: Any) -> Iterator[Any]:  # Any: rows are JSON-like, of any depth
        """Every value at the path, in the order of the row."""
        return _walk(row, self.steps)

    def first(self, row: Any) -> Any:
        """The first value at the path, or `MISSING` if there is none."""
        return next(_walk(row, self.steps), MISSING)


def parse_path(text: str) -> JsonPath:
    """The steps of a path. Raises: RefusedError, with the place that cannot be read."""
    at = 1 if text.startswith("$") else 0
    steps: list[Step] = []
    while at < len(text):
        token = _STEP.match(text, at)
        if token is None or not _joined(token, first=at == 0):
            raise RefusedError(
                f"`{text}` is no path",
                found=f"`{text[at:]}` at character {at + 1}",
                expected="names, dots, [0], ['quoted name'] and [*], as in `items[0].updated_at`",
                hint="a name that has a dot, bracket or quote in it is written ['like.this']",
            )
        steps.append(_step(token))
        at = token.end()
    if not text:
        raise RefusedError("a path is empty", expected="a name, such as `updated_at`, or `$` for the row")
    return JsonPath(text, tuple(steps))


def _joined(token: re.Match[str], first: bool) -> bool:
    bracket = token["dot"] is None
    return bracket or (token["dot"] == ("" if first else "."))


def _step(token: re.Match[str]) -> Step:
    if token["index"] is not None:
        return int(token["index"])
    if token["any"] or token["star"]:
        return ANY
    quoted = token["single"] if token["single"] is not None else token["double"]
    if quoted is not None:
        return _ESCAPED.sub(r"\1", quoted)
    return token["name"]


def _walk(value: Any, steps: tuple[Step, ...]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if isinstance(value, Mapping):
        if step is ANY:
            for inner in value.values():
                yield from _walk(inner, rest)
        elif isinstance(step, str) and step in value:
            yield from _walk(value[step], rest)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if step is ANY:
            for inner in value:
                yield from _walk(inner, rest)
        elif isinstance(step, int) and -len(value) <= step < len(value):
            yield from _walk(value[step], rest)
