"""What turns texts into values of a type, with null for those that are none. See `records.cast`."""

from __future__ import annotations

import re
from decimal import Decimal as Exact
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.records.cells import bytes_of, documents
from penstock.records.masks import Cast, kept, tried
from penstock.schema import types as t
from penstock.schema.arrow import to_arrow
from penstock.schema.types import DataType, Decimal, Kind, Scalar, Timestamp

# pyarrow ships no types: its values are Any in this module.
DAY = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
HOUR = r"(?:[01]\d|2[0-3])"
ZONE = rf"(?:Z|[+-]{HOUR}(?::?[0-5]\d)?)"
_INTEGER = r"\A[-+]?[0-9]+\z"
_NUMBER = r"\A[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\z"
_FRACTION_ZEROS = r"(\.[0-9]*[1-9])0+\z|\.0*\z"
_SCIENTIFIC = re.compile(_NUMBER.removeprefix(r"\A").removesuffix(r"\z"))
_NOT_FINITE = r"(?i)\A[-+]?(?:nan|inf|infinity)\z"
_ZERO_LED = r"\A[-+]?0[0-9]|\A\+"
_PLAIN_UUID = r"\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\z"
_HEX = "([0-9a-f]{%d})"
_UUID = r"(?i)\A(?:urn:uuid:)?\{?" + "-?".join(_HEX % n for n in (8, 4, 4, 4, 12)) + r"\}?\z"
_DIGITS = {"us": 6, "ns": 9}
_WIDEST = pa.decimal128(t.MAX_PRECISION, 0)
_FLOAT_DIGITS = {Kind.FLOAT32: (6, 9), Kind.FLOAT64: (15, 17)}
_SMALLEST = {Kind.FLOAT32: 1.1754944e-38, Kind.FLOAT64: 2.2250738585072014e-308}


def scalar_cast(to: DataType, guessed: bool) -> Cast:
    """What turns texts into values of a scalar type; `guessed` as in `records.cast.cast_text`."""
    if isinstance(to, Decimal):
        return partial(decimal_from_text, to=to, guessed=guessed)
    if isinstance(to, Timestamp):
        return partial(_timestamp_from_text, to=to)
    if t.is_integer(to):
        return partial(_integer_from_text, to=to, guessed=guessed)
    if t.is_float(to):
        return partial(float_from_text, to=to, guessed=guessed)
    if to == t.BOOL:
        return partial(_bool_from_text, guessed=guessed)
    assert isinstance(to, Scalar), f"{to} is nested"
    return _OTHERS[to.kind]


def clock(digits: int) -> str:
    """The regular expression of a time of day with up to `digits` digits of a second's fraction."""
    return rf"{HOUR}:[0-5]\d(?::[0-5]\d(?:\.\d{{1,{digits}}})?)?"


def _bool_from_text(column: Any, guessed: bool) -> Any:
    pattern = r"(?i)\A(?:true|false)\z" if guessed else r"(?i)\A(?:true|false|0|1)\z"
    shortest = pc.min(pc.binary_length(column)).as_py()
    if guessed and shortest is not None and shortest < len("true"):
        column = kept(column, pc.match_substring_regex(column, pattern))
    return tried(column, lambda c: c.cast(pa.bool_()), pattern)


# --------------------------------------------------------------------------------------- numbers


def _integer_from_text(column: Any, to: DataType, guessed: bool) -> Any:
    """Arrow reads `007` and `0x1F` as integers: what does not print as it was read is looked at."""
    arrow = to_arrow(to)
    try:
        values = column.cast(arrow)
        if values.cast(pa.string()).equals(column):
            return values
    except pa.ArrowInvalid:
        pass  # some cell is no such integer: found below
    column = kept(column, pc.match_substring_regex(column, _INTEGER))
    if guessed:
        column = kept(column, pc.invert(pc.match_substring_regex(column, _ZERO_LED + r"|\A-0")))
    column = pc.replace_substring_regex(column, r"\A\+?(-?)0*([0-9])", r"\1\2")
    column = kept(column, pc.match_substring_regex(column, rf"\A-?[0-9]{{1,{t.MAX_PRECISION}}}\z"))
    return integers_in_range(column.cast(_WIDEST), arrow)


def integers_in_range(values: Any, arrow: Any) -> Any:
    """Whole decimals of scale 0 as an integer type, null where they are out of its range."""
    bits, signed = arrow.bit_width, pa.types.is_signed_integer(arrow)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    wide = values.cast(_WIDEST)
    inside = pc.and_(
        pc.greater_equal(wide, pa.scalar(Exact(low), _WIDEST)),
        pc.less_equal(wide, pa.scalar(Exact(high), _WIDEST)),
    )
    return kept(wide, inside).cast(arrow)


def decimal_from_text(column: Any, to: Decimal, guessed: bool = False) -> Any:
    """Texts as decimals; a fraction longer than the scale must end in zeros."""
    if guessed:
        column = kept(column, pc.invert(pc.match_substring_regex(column, _ZERO_LED)))
    scientific = pc.match_substring(column, "e", ignore_case=True)
    if not pc.any(scientific).as_py():
        return _plain_decimals(column, to)
    values = _plain_decimals(kept(column, pc.invert(scientific)), to)
    exact = [_exactly(cell, to) for cell in column.filter(scientific).to_pylist()]
    return pc.replace_with_mask(values, pc.fill_null(scientific, False), pa.array(exact, to_arrow(to)))


def _plain_decimals(column: Any, to: Decimal) -> Any:
    """Texts without an exponent as decimals."""
    arrow = to_arrow(to)
    fits = rf"\A[-+]?0*[0-9]{{0,{to.precision - to.scale}}}(?:\.[0-9]{{0,{to.scale}}}0*)?\z"
    longest = pc.max(pc.binary_length(column)).as_py() or 0
    if longest + to.scale > t.MAX_PRECISION:  # Arrow would read what overflows as another number
        column = kept(column, pc.match_substring_regex(column, fits))
        column = pc.replace_substring_regex(column, _FRACTION_ZEROS, r"\1")
    try:
        return column.cast(arrow)
    except pa.ArrowInvalid:
        column = kept(column, pc.match_substring_regex(column, _NUMBER))
        return tried(column, lambda c: c.cast(arrow), fits)


def _exactly(cell: str, to: Decimal) -> Exact | None:
    """A number in scientific notation, which Arrow reads wrongly where it overflows."""
    if not _SCIENTIFIC.fullmatch(cell):
        return None
    sign, digits, exponent = Exact(cell).as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    whole = text.rstrip("0")
    exponent += len(text) - len(whole)
    if not whole:
        return Exact(0)
    if -exponent > to.scale or len(whole) + exponent > to.precision - to.scale:
        return None
    return Exact((sign, tuple(map(int, whole)), exponent))


def float_from_text(column: Any, to: DataType, guessed: bool) -> Any:
    """Texts as floats that give back the digits they were read from."""
    assert isinstance(to, Scalar)
    arrow = to_arrow(to)
    values = tried(column, lambda c: c.cast(arrow), _NUMBER + "|" + _NOT_FINITE)
    finite = pc.is_finite(values)
    if not pc.all(finite).as_py():
        words = pc.match_substring_regex(column, _NOT_FINITE)
        values = kept(values, finite if guessed else pc.or_(finite, words))
    if guessed:
        led = pc.match_substring_regex(column, _ZERO_LED)
        if pc.any(led).as_py():
            values = kept(values, pc.invert(led))
    return _without_rounded(column, values, to.kind)


def _without_rounded(column: Any, values: Any, kind: Kind) -> Any:
    safe, most = _FLOAT_DIGITS[kind]
    tiny = pc.less(pc.abs(values), _SMALLEST[kind])
    doubtful = pc.and_(pc.is_finite(values), pc.or_(pc.greater(pc.binary_length(column), safe), tiny))
    if not pc.any(doubtful).as_py():
        return values
    text, found = column.filter(doubtful), values.filter(doubtful)
    mantissa = pc.replace_substring_regex(text, r"[eE].*\z", "")
    counts = pc.binary_length(pc.ascii_trim(pc.replace_substring_regex(mantissa, r"[-+.]", ""), "0"))
    shortest = found.cast(pa.string())
    same = pc.or_(pc.equal(shortest, text), pc.equal(counts, 0))
    few = pc.and_(pc.less_equal(counts, safe), pc.greater_equal(pc.abs(found), _SMALLEST[kind]))
    good = pc.or_(same, few)
    unclear = pc.and_(pc.invert(good), pc.less_equal(counts, most))
    if pc.any(unclear).as_py():
        parts = (part.filter(unclear).to_pylist() for part in (text, found, shortest, counts))
        answers = pa.array([_gives_back(*cell) for cell in zip(*parts, strict=True)], pa.bool_())
        good = pc.replace_with_mask(good, unclear, answers)
    doubtful = pc.fill_null(doubtful, False)
    return kept(values, pc.invert(pc.replace_with_mask(doubtful, doubtful, pc.invert(good))))


def _gives_back(text: str, value: float, shortest: str, digits: int) -> bool:
    exact = Exact(text)
    return Exact(shortest) == exact or Exact(format(value, f".{digits - 1}e")) == exact


# ----------------------------------------------------------------------------------------- times


def _date_from_text(column: Any) -> Any:
    return from_year_one(tried(column, lambda c: c.cast(pa.date32()), rf"\A{DAY}\z"))


def _timestamp_from_text(column: Any, to: Timestamp) -> Any:
    arrow = to_arrow(to)
    try:
        return from_year_one(column.cast(arrow))
    except pa.ArrowInvalid:
        digits = _DIGITS[to.unit]
        trimmed = pc.replace_substring_regex(column, rf"(\.\d{{{digits}}})0{{1,9}}(\D.*)?\z", r"\1\2")
        hours = rf"(?:{HOUR}|{clock(digits)})"
        pattern = rf"\A{DAY}[T ]{hours}{ZONE}\z" if to.zone else rf"\A{DAY}(?:[T ]{hours})?\z"
        return from_year_one(tried(trimmed, lambda c: c.cast(arrow), pattern))


def from_year_one(values: Any) -> Any:
    """Dates or instants with null for those before the year 1, which few engines know."""
    kind = values.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return values
    day_one = pa.scalar("0001-01-01").cast(pa.date32())
    if pa.types.is_timestamp(kind):
        day_one = pa.scalar(day_one.cast(pa.timestamp("us")).value, kind)
    lowest = pc.min(values)
    if not lowest.is_valid or pc.greater_equal(lowest, day_one).as_py():
        return values
    return kept(values, pc.greater_equal(values, day_one))


def _time_from_text(column: Any) -> Any:
    trimmed = pc.replace_substring_regex(column, r"(\.\d{6})0{1,9}\z", r"\1")
    good = kept(trimmed, pc.match_substring_regex(trimmed, rf"\A{clock(6)}\z"))
    return pc.binary_join_element_wise("1970-01-01", good, "T").cast(pa.timestamp("us")).cast(pa.time64("us"))


# ---------------------------------------------------------------------------------------- others


def uuid_from_text(column: Any) -> Any:
    """UUIDs of any usual spelling in their canonical one."""
    if pc.all(pc.match_substring_regex(column, _PLAIN_UUID)).as_py() is not False:
        return column
    good = kept(column, pc.match_substring_regex(column, _UUID))
    return pc.ascii_lower(pc.replace_substring_regex(good, _UUID, r"\1-\2-\3-\4-\5"))


_OTHERS: dict[Kind, Cast] = {
    Kind.NULL: lambda column: pa.nulls(len(column)),
    Kind.TEXT: lambda column: column,
    Kind.BINARY: bytes_of,
    Kind.DATE: _date_from_text,
    Kind.TIME: _time_from_text,
    Kind.UUID: uuid_from_text,
    Kind.JSON: documents,
}
