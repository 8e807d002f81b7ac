"""Types that values have by convention, not by their form: an option, never a guess. Vectorised, pure.

A detection says the type that *every* value of a column allows, or nothing: one value that does not
fit keeps the column as it is. `detect` says the type, `as_detected` gives the values.

Source: the type detections of dlt, which decide by the first value that they meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import BugError
from penstock.records.cast import cast_text
from penstock.records.from_text import DAY, HOUR, ZONE, clock
from penstock.records.masks import tried
from penstock.records.text import is_blob, is_text
from penstock.schema import types as t
from penstock.schema.types import DataType, Decimal, Timestamp

# pyarrow ships no types: its values are Any in this module.

WEI = Decimal(t.MAX_PRECISION, 0)
"""The type of integers that no 64 bits hold."""
_NEAR = timedelta(days=5 * 365)
_SAMPLE = 16
_INT64_DIGITS = 19
_INT64_MAX = 2**63 - 1
_DATE = rf"\A{DAY}\z"
_INTEGER = r"\A(?:0|-?[1-9][0-9]*)\z"


class Detection(StrEnum):
    """A convention to look for.

    `timestamp`: numbers that are seconds since 1970, within five years of now. `iso_timestamp` and
    `iso_date`: texts in ISO 8601; a timestamp needs a time of day, and either all have a zone or
    none. `large_integer`: integers of which one is beyond 64 bits, as numbers of 38 digits.
    `hexbytes_to_text`: bytes as the text `0x…`. `wei_to_double`: integers of more than 64 bits as
    floats, which rounds them: for sums and charts, not for money.
    """

    TIMESTAMP = "timestamp"
    ISO_TIMESTAMP = "iso_timestamp"
    ISO_DATE = "iso_date"
    LARGE_INTEGER = "large_integer"
    HEXBYTES_TO_TEXT = "hexbytes_to_text"
    WEI_TO_DOUBLE = "wei_to_double"


STANDARD = (Detection.ISO_TIMESTAMP,)
"""What dlt looks for unless told otherwise."""


def detect(column: Any, chosen: Iterable[Detection], now: datetime | None = None) -> DataType | None:
    """The type that the first of the chosen detections finds in an Arrow array, or None.

    Shape: `now`, which has a zone, is needed for `timestamp`. A column without values has no type.
    """
    column = _plain(column)
    if column.null_count == len(column):
        return None
    for detection in chosen:
        found = _seconds(column, now) if detection is Detection.TIMESTAMP else _FINDERS[detection](column)
        if found is not None:
            return found
    return None


def as_detected(column: Any, to: DataType) -> Any:
    """The values of an Arrow array as the type that `detect` found in it, or in others like it.

    Returns: null for a value that the type does not hold, as `records.cast` does. Seconds since
    1970 with a fraction are taken to the microsecond.
    """
    column = _plain(column)
    kind = column.type
    if is_text(kind):
        if to == t.FLOAT64:
            return _wide(column).cast(pa.float64())
        return cast_text(column.cast(pa.string()), to)[0]
    if is_blob(kind) and to == t.TEXT:
        return hex_text(column)
    if isinstance(to, Timestamp) and to.zone:
        return _from_seconds(column)
    if to == t.FLOAT64:
        return column.cast(pa.float64(), safe=False)
    return column.cast(pa.decimal128(t.MAX_PRECISION, 0)) if to == WEI else column


def hex_text(column: Any) -> Any:
    """Bytes as texts of hexadecimal digits after `0x`."""
    column = column.cast(pa.binary())
    cells = pc.fill_null(column, b"") if column.null_count else column
    ends = pc.cumulative_sum(pc.multiply(pc.binary_length(cells), 2))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    digits = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(cells)], pa.int32()), cells), b"")
    raw = digits[0].as_py().hex().encode()
    text = pa.StringArray.from_buffers(len(cells), offsets.buffers()[1], pa.py_buffer(raw))
    found = pc.binary_join_element_wise("0x", text, "")
    return pc.if_else(column.is_valid(), found, pa.scalar(None, pa.string())) if column.null_count else found


def _plain(column: Any) -> Any:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.DictionaryArray):
        return column.dictionary_decode()
    return column.storage if isinstance(column, pa.ExtensionArray) else column


# ------------------------------------------------------------------------------------------- finders


def _seconds(column: Any, now: datetime | None) -> DataType | None:
    if now is None or now.tzinfo is None:
        raise BugError("the detection `timestamp` needs the time, with a zone")
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return None
    bounds = pc.min_max(column)
    low, high = (now - _NEAR).timestamp(), (now + _NEAR).timestamp()
    if not (low <= bounds["min"].as_py() and bounds["max"].as_py() <= high):
        return None
    if pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py():
        return None
    return t.TIMESTAMP_TZ


@dataclass(frozen=True, slots=True)
class _Texts:
    """Finds the first type whose values all texts are, by their pattern first."""

    kinds: tuple[tuple[str, DataType], ...]

    def __call__(self, column: Any) -> DataType | None:
        if not is_text(column.type):
            return None
        column = column.cast(pa.string())
        for pattern, kind in self.kinds:
            if _all_match(column, pattern) and not cast_text(column, kind)[1]:
                return kind
        return None


def _all_match(column: Any, pattern: str) -> bool:
    """Whether every value matches; most columns that do not are told by a few values."""
    few = column.slice(0, _SAMPLE)
    if pc.all(pc.match_substring_regex(few, pattern), min_count=0).as_py() is False:
        return False
    return bool(pc.all(pc.match_substring_regex(column, pattern), min_count=0).as_py())


def _large(column: Any) -> DataType | None:
    kind = column.type
    if is_text(kind):
        long = pc.greater_equal(pc.binary_length(column), _INT64_DIGITS)
        if not pc.any(long).as_py() or not _all_match(column, _INTEGER):
            return None
        wide = _wide(column)
        column = wide if wide.null_count == column.null_count else pa.nulls(0, wide.type)
    elif pa.types.is_uint64(kind):
        column = column.cast(pa.decimal128(20, 0))
    elif not (pa.types.is_decimal(kind) and kind.scale == 0):
        return None
    return WEI if _beyond_64_bits(column) and column.type.precision <= t.MAX_PRECISION else None


def _wide(column: Any) -> Any:
    return cast_text(column.cast(pa.string()), WEI)[0]


def _beyond_64_bits(column: Any) -> bool:
    if not len(column):
        return False
    bounds = pc.min_max(column)
    return bool(bounds["max"].as_py() > _INT64_MAX or bounds["min"].as_py() < -_INT64_MAX - 1)


def _bytes(column: Any) -> DataType | None:
    return t.TEXT if is_blob(column.type) else None


def _wei(column: Any) -> DataType | None:
    kind = column.type
    if pa.types.is_decimal(kind) and kind.scale == 0 and kind.precision > _INT64_DIGITS:
        return t.FLOAT64
    return t.FLOAT64 if _large(column) is not None else None


def _from_seconds(column: Any) -> Any:
    micros = pa.timestamp("us", tz="UTC")
    if pa.types.is_integer(column.type):
        return tried(column, lambda c: c.cast(pa.int64()).cast(pa.timestamp("s", tz="UTC")).cast(micros))
    ticks = pc.round(pc.multiply(column.cast(pa.float64()), 1e6))
    return tried(ticks, lambda c: c.cast(pa.int64()).cast(micros))


def _instants() -> tuple[tuple[str, DataType], ...]:
    return tuple(
        (rf"\A{DAY}[T ](?:{HOUR}|{clock(18)}){ZONE if zone else ''}\z", Timestamp(zone, unit))
        for unit in ("us", "ns")
        for zone in (True, False)
    )


_FINDERS: dict[Detection, Callable[[Any], DataType | None]] = {
    Detection.ISO_TIMESTAMP: _Texts(_instants()),
    Detection.ISO_DATE: _Texts(((_DATE, t.DATE),)),
    Detection.LARGE_INTEGER: _large,
    Detection.HEXBYTES_TO_TEXT: _bytes,
    Detection.WEI_TO_DOUBLE: _wei,
}
