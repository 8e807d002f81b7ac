"""Cast what casts: conversions that fail as a whole, done again without the values that are to blame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# pyarrow ships no types: its values are Any in this module.
Cast = Callable[[Any], Any]


def kept(column: Any, good: Any) -> Any:
    """`column` with null wherever `good` is not true."""
    return pc.if_else(pc.fill_null(good, False), column, pa.scalar(None, column.type))


def lost(before: Any, after: Any) -> Sequence[int]:
    """The offsets of the values of `before` that are null in `after`."""
    if after.null_count == before.null_count:
        return ()
    offsets: list[int] = pc.indices_nonzero(pc.and_(before.is_valid(), after.is_null())).to_pylist()
    return offsets


def without(column: Any, offsets: Any) -> Any:
    """`column` with null at `offsets`, which are an integer array or list."""
    places = pa.array(range(len(column)), pa.int64())
    return kept(column, pc.invert(pc.is_in(places, pa.array(offsets, pa.int64()))))


def tried(column: Any, cast: Cast, pattern: str | None = None) -> Any:
    """`cast(column)`; if that fails, the same with null for the values that do not cast.

    `pattern` is a regular expression that values which cast match: it finds most of the others at
    once, the rest is found by halving.
    """
    try:
        return cast(column)
    except pa.ArrowInvalid:
        if pattern is not None:
            return tried(kept(column, pc.match_substring_regex(column, pattern)), cast)
    return cast(without(column, _failing(column, cast)))


def _failing(column: Any, cast: Cast) -> list[int]:
    bad: list[int] = []
    spans = [(0, len(column))]
    while spans:
        start, size = spans.pop()
        try:
            cast(column.slice(start, size))
        except pa.ArrowInvalid:
            if size == 1:
                bad.append(start)
            else:
                half = size // 2
                spans += [(start, half), (start + half, size - half)]
    return bad
