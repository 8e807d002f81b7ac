"""The type that texts show, looking at every one of them; nothing would be lost by taking it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.records.cast import cast_text
from penstock.records.from_text import DAY, ZONE, clock
from penstock.schema import types as t
from penstock.schema.types import DataType, Decimal, Timestamp, merge

# pyarrow ships no types: its values are Any in this module.
_INTEGER = r"\A(?:0|-?[1-9][0-9]*)\z"
_NUMBER = r"\A-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\z"
_STAMP = rf"\A{DAY}[T ]{clock(9)}"
_NANOSECONDS = r"\.[0-9]{6}[0-9]*[1-9][0-9]*(?:\D.*)?\z"


def infer(column: Any) -> DataType:
    """The smallest type that holds every text of a string array; nulls and empty texts say nothing.

    In order: bool (`true`, `false`), int64, decimal(38,0) for longer integers, float64, date,
    timestamp, timestamp_tz, else text. A leading zero or plus sign, `NaN`, and a number with more
    digits than a float holds make a text.
    """
    cells = column.drop_null()
    cells = cells.filter(pc.greater(pc.binary_length(cells), 0))
    kind: DataType = t.NULL
    rest = cells
    for pattern, kind_of in _FORMS:
        if not len(rest):
            break
        matches = pc.match_substring_regex(rest, pattern)
        if pc.any(matches).as_py():
            found = rest.filter(matches)
            kind = merge(kind, kind_of(found))
            rest = rest.filter(pc.invert(matches))
        if kind == t.TEXT:
            return t.TEXT
    if len(rest) or len(cast_text(cells, kind, guessed=True)[1]):
        return t.TEXT
    return kind


def _integer(cells: Any) -> DataType:
    longest = pc.max(pc.binary_length(cells)).as_py()
    if longest <= 18 or not len(cast_text(cells, t.INT64)[1]):
        return t.INT64
    return t.TEXT if len(cast_text(cells, _WHOLE)[1]) else _WHOLE


def _stamp(zone: bool) -> Callable[[Any], DataType]:
    def kind_of(cells: Any) -> DataType:
        fine = pc.any(pc.match_substring_regex(cells, _NANOSECONDS)).as_py()
        return Timestamp(zone, "ns" if fine else "us")

    return kind_of


_WHOLE = Decimal(t.MAX_PRECISION, 0)
_FORMS: tuple[tuple[str, Callable[[Any], DataType]], ...] = (
    (_INTEGER, _integer),
    (_NUMBER, lambda _: t.FLOAT64),
    (rf"{_STAMP}{ZONE}\z", _stamp(zone=True)),
    (rf"{_STAMP}\z", _stamp(zone=False)),
    (rf"\A{DAY}\z", lambda _: t.DATE),
    (r"(?i)\A(?:true|false)\z", lambda _: t.BOOL),
)


def widest(known: DataType, cells: Any, misfits: Any) -> DataType:
    """The type above `known` that also holds the cells at `misfits`; text if no smaller one does."""
    kind = merge(known, infer(cells.take(pa.array(misfits, pa.int64()))))
    if kind == known or t.is_nested(kind):
        return merge(known, t.TEXT)
    values, missed = cast_text(cells, kind, guessed=True)
    lost = len(missed) and pc.any(pc.greater(pc.binary_length(cells.filter(values.is_null())), 0)).as_py()
    return merge(known, t.TEXT) if lost else kind
