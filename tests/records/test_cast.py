"""Casts hold a value exactly or name it: no cell's fate depends on its neighbours."""

# ruff: noqa: DTZ001 (timestamps without a zone are what is tested)

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from decimal import Decimal as Exact

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.records.cast import cast_text, conform, widen
from penstock.records.text import to_json, to_text
from penstock.schema import types as t
from penstock.schema.arrow import arrow_schema, from_arrow, to_arrow
from penstock.schema.table import Column, Table
from penstock.schema.types import Decimal, Kind, List, Scalar, Struct, Timestamp, parse_type

UTC = dt.UTC
INT8, UINT8, UINT64 = Scalar(Kind.INT8), Scalar(Kind.UINT8), Scalar(Kind.UINT64)
FLOAT32 = Scalar(Kind.FLOAT32)
MONEY = Decimal(12, 2)

GOOD = [
    ("5", t.INT64, 5), ("-5", t.INT64, -5), ("+5", t.INT64, 5), ("007", t.INT64, 7), ("-0", t.INT64, 0),
    ("9223372036854775807", t.INT64, 2**63 - 1), ("-9223372036854775808", t.INT64, -(2**63)),
    ("18446744073709551615", UINT64, 2**64 - 1), ("0" * 60 + "12", t.INT64, 12),
    ("127", INT8, 127), ("255", UINT8, 255),
    ("1.5", t.FLOAT64, 1.5), ("1e3", t.FLOAT64, 1000.0), (".5", t.FLOAT64, 0.5), ("5.", t.FLOAT64, 5.0),
    ("0.1", t.FLOAT64, 0.1), ("0.10000000000000001", t.FLOAT64, 0.1), ("-inf", t.FLOAT64, -math.inf),
    ("9007199254740992", t.FLOAT64, 2.0**53), ("1.7976931348623157e308", t.FLOAT64, 1.7976931348623157e308),
    ("0.50000000000000000000000", t.FLOAT64, 0.5), ("0.000", t.FLOAT64, 0.0), ("5e-324", t.FLOAT64, 5e-324),
    ("1.5", FLOAT32, 1.5), ("16777216", FLOAT32, 16777216.0),
    ("12.50", MONEY, Exact("12.50")), ("12.5000", MONEY, Exact("12.50")), ("1e2", MONEY, Exact("100.00")),
    ("9999999999.99", MONEY, Exact("9999999999.99")), ("-.5", MONEY, Exact("-0.50")),
    ("99999999999999999999999999999999999999", Decimal(38, 0), Exact("9" * 38)),
    ("true", t.BOOL, True), ("FALSE", t.BOOL, False), ("1", t.BOOL, True), ("0", t.BOOL, False),
    ("2024-02-29", t.DATE, dt.date(2024, 2, 29)), ("0001-01-01", t.DATE, dt.date(1, 1, 1)),
    ("12:30", t.TIME, dt.time(12, 30)), ("12:30:15.000001", t.TIME, dt.time(12, 30, 15, 1)),
    ("12:30:15.123456000", t.TIME, dt.time(12, 30, 15, 123456)),
    ("2024-01-05", t.TIMESTAMP, dt.datetime(2024, 1, 5)),
    ("2024-01-05 10:30:15.123456", t.TIMESTAMP, dt.datetime(2024, 1, 5, 10, 30, 15, 123456)),
    ("2024-01-05T10:30:15.123456000", t.TIMESTAMP, dt.datetime(2024, 1, 5, 10, 30, 15, 123456)),
    ("2024-01-05T10", t.TIMESTAMP, dt.datetime(2024, 1, 5, 10)),
    ("0001-01-01T00:00:00", t.TIMESTAMP, dt.datetime(1, 1, 1)),
    ("2024-01-05T10:30:15Z", t.TIMESTAMP_TZ, dt.datetime(2024, 1, 5, 10, 30, 15, tzinfo=UTC)),
    ("2024-01-05T10:30:15+02:00", t.TIMESTAMP_TZ, dt.datetime(2024, 1, 5, 8, 30, 15, tzinfo=UTC)),
    ("2024-01-05 10:30-0530", t.TIMESTAMP_TZ, dt.datetime(2024, 1, 5, 16, 0, tzinfo=UTC)),
    ("2024-01-05T10:30:15.1234560Z", t.TIMESTAMP_TZ,
     dt.datetime(2024, 1, 5, 10, 30, 15, 123456, tzinfo=UTC)),
    ("2024-01-05T10:30:15.1234560+01:00", t.TIMESTAMP_TZ,
     dt.datetime(2024, 1, 5, 9, 30, 15, 123456, tzinfo=UTC)),
    ("6F9619FF-8B86-D011-B42D-00CF4FC964FF", t.UUID, "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
    ("{6f9619ff8b86d011b42d00cf4fc964ff}", t.UUID, "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
    ('{"a": [1, 2]}', t.JSON, '{"a": [1, 2]}'), ("[1,\n2]", t.JSON, "[1,\n2]"), ("null", t.JSON, "null"),
    ("aGVsbG8=", t.BINARY, b"hello"), ("", t.BINARY, b""),
    ("[1, null, 3]", List(t.INT64), [1, None, 3]),
    ('{"a": "x", "b": 1.10}', parse_type("struct<a: text, b: decimal(5,2), c: date>"),
     {"a": "x", "b": Exact("1.10"), "c": None}),
    ('{"a": {"z": 1.10}}', parse_type("struct<a: json>"), {"a": '{"z":1.10}'}),
    ("", t.TEXT, ""), ("01234", t.TEXT, "01234"),
]  # fmt: skip

BAD = [
    ("", t.INT64), (" 5", t.INT64), ("5 ", t.INT64), ("5.0", t.INT64), ("0x1F", t.INT64), ("1_000", t.INT64),
    ("٣", t.INT64), ("+-5", t.INT64), ("--5", t.INT64), ("9223372036854775808", t.INT64),
    ("-9223372036854775809", t.INT64), ("1" * 60, t.INT64), ("128", INT8), ("-1", UINT8),
    ("18446744073709551616", UINT64), ("5\n", t.INT64),
    ("", t.FLOAT64), ("1,5", t.FLOAT64), ("0x1p3", t.FLOAT64), ("1e400", t.FLOAT64), ("-1e400", t.FLOAT64),
    ("1e-400", t.FLOAT64), ("nan(1)", t.FLOAT64), ("9007199254740993", t.FLOAT64), (" 1.5", t.FLOAT64),
    ("12345678901234567.89", t.FLOAT64), ("1234567890123456.7", t.FLOAT64), ("1e", t.FLOAT64),
    ("0.123456789012345678", t.FLOAT64), ("1.23456789e-320", t.FLOAT64),
    ("16777217", FLOAT32), ("0.12345678901", FLOAT32), ("1e39", FLOAT32),
    ("12.505", MONEY), ("10000000000.00", MONEY), ("1e-3", MONEY), ("nan", MONEY), ("", MONEY),
    ("1e12", MONEY), ("1e99999", MONEY), ("0x1F", MONEY),
    ("yes", t.BOOL), ("t", t.BOOL), ("2", t.BOOL), ("", t.BOOL), (" true", t.BOOL),
    ("2023-02-29", t.DATE), ("2024-1-5", t.DATE), ("20240105", t.DATE), ("2024-01-05T00:00:00", t.DATE),
    ("0000-01-01", t.DATE), ("0000-00-00", t.DATE), ("12024-01-01", t.DATE), ("05/01/2024", t.DATE),
    ("24:00:00", t.TIME), ("12", t.TIME), ("12:30:60", t.TIME), ("12:30:15.1234567", t.TIME),
    ("12:30Z", t.TIME),
    ("2024-01-05T10:30:15Z", t.TIMESTAMP), ("2024-01-05T10:30:15+00:00", t.TIMESTAMP),
    ("2024-01-05T10:30:15.1234567", t.TIMESTAMP), ("2024-01-05T24:00:00", t.TIMESTAMP),
    ("2024-02-30T10:00:00", t.TIMESTAMP), ("0000-01-01T00:00:00", t.TIMESTAMP),
    ("2024-01-05T10:30:15", t.TIMESTAMP_TZ), ("2024-01-05", t.TIMESTAMP_TZ),
    ("2024-01-05T10:30:15.1234567Z", t.TIMESTAMP_TZ), ("2024-01-05T10:30:15+25:00", t.TIMESTAMP_TZ),
    ("1600-01-01T00:00:00", Timestamp(False, "ns")),
    ("2024-01-05T10:30:15.1234567891", Timestamp(False, "ns")),
    ("6f9619ff-8b86-d011-b42d-00cf4fc964f", t.UUID), ("", t.UUID),
    ("zz9619ff-8b86-d011-b42d-00cf4fc964ff", t.UUID),
    ("{", t.JSON), ("", t.JSON), ("NaN", t.JSON), ("1,2", t.JSON), ("[1", t.JSON),
    ('{"a":1}\n{"a":2}', t.JSON),
    ("aGVsbG8", t.BINARY), ("ä", t.BINARY), ("aGVs bG8=", t.BINARY),
    ("[1.5]", List(t.INT64)), ("[true]", List(t.INT64)), ('["1"]', List(t.INT64)), ("{}", List(t.INT64)),
    ("[9007199254740993]", List(t.FLOAT64)), ("[NaN]", List(t.FLOAT64)), ("[1", List(t.INT64)),
    ('{"b": 1}', parse_type("struct<a: int64>")), ('{"a": 1, "a": 2}', parse_type("struct<a: int64>")),
    ("[" * 5000, List(t.INT64)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "value"), GOOD, ids=str)
def test_text_is_read_exactly(text, kind, value):
    values, bad = cast_text(pa.array([text]), kind)
    assert list(bad) == []
    assert values.type == to_arrow(kind)
    assert values.to_pylist() == [value]


@pytest.mark.parametrize(("text", "kind"), BAD, ids=lambda v: str(v)[:40])
def test_text_that_does_not_convert_exactly_is_named(text, kind):
    values, bad = cast_text(pa.array([text]), kind)
    assert list(bad) == [0]
    assert values.to_pylist() == [None]
    assert values.type == to_arrow(kind)


steady = settings(deadline=None, derandomize=True, max_examples=60)
KINDS = sorted({kind for _, kind, _ in GOOD}, key=str)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_cell_has_the_same_fate_alone_and_among_others(kind):
    texts = [text for text, *_ in GOOD] + [text for text, _ in BAD] + [None]
    column = pa.array(texts * 3)
    values, bad = cast_text(column, kind)
    alone = [cast_text(pa.array([text], pa.string()), kind) for text in texts] * 3
    assert list(bad) == [i for i, (_, failed) in enumerate(alone) if len(failed)]
    assert [str(v) for v in values] == [str(found[0]) for found, _ in alone]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("007", t.INT64), ("+5", t.INT64), ("-0", t.INT64), ("1", t.BOOL), ("0", t.BOOL), ("NaN", t.FLOAT64),
     ("inf", t.FLOAT64), ("007.5", t.FLOAT64), ("+1.5", t.FLOAT64)],
)  # fmt: skip
def test_a_guessed_type_refuses_forms_that_inference_would_not_take(text, kind):
    assert list(cast_text(pa.array(["7", text]), kind, guessed=True)[1])[-1:] == [1]
    assert list(cast_text(pa.array([text]), kind)[1]) == []


def test_a_sliced_column_is_cast_at_its_own_offsets():
    column = pa.array(["x", "x", "1", None, "y", "3"]).slice(2)
    values, bad = cast_text(column, t.INT64)
    assert (values.to_pylist(), list(bad)) == ([1, None, None, 3], [2])


def test_one_bad_cell_among_many_is_found():
    cells = [f"2024-02-{i % 28 + 1:02d}" for i in range(50_000)]
    cells[33_333] = "2023-02-29"
    values, bad = cast_text(pa.array(cells), t.DATE)
    assert list(bad) == [33_333]
    assert values.null_count == 1


# ------------------------------------------------------------------------------- hypothesis: text


def _round_trip(values, arrow, kind):
    column = pa.array(values, arrow)
    back, bad = cast_text(to_text(column), kind)
    assert list(bad) == []
    assert [str(v) for v in back] == [str(v) for v in column]


@steady
@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_integers_survive_text(values):
    _round_trip(values, pa.int64(), t.INT64)


@steady
@given(st.lists(st.none() | st.floats()))
def test_floats_survive_text_and_print_as_python_does(values):
    _round_trip(values, pa.float64(), t.FLOAT64)
    assert to_text(pa.array(values, pa.float64())).to_pylist() == [
        None if v is None else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(v), repr(v))
        for v in values
    ]


@steady
@given(st.lists(st.none() | st.floats(width=32)))
def test_short_floats_survive_text(values):
    _round_trip(values, pa.float32(), FLOAT32)


@steady
@given(st.lists(st.none() | st.decimals(-(10**10), 10**10, places=9, allow_nan=False)))
def test_decimals_survive_text_and_print_plainly(values):
    _round_trip(values, pa.decimal128(30, 9), Decimal(30, 9))
    texts = to_text(pa.array(values, pa.decimal128(30, 9))).to_pylist()
    assert texts == [None if v is None else format(v, ".9f") for v in values]


@steady
@given(st.lists(st.none() | st.dates()))
def test_dates_survive_text(values):
    _round_trip(values, pa.date32(), t.DATE)


@steady
@given(st.lists(st.none() | st.times()))
def test_times_survive_text(values):
    _round_trip(values, pa.time64("us"), t.TIME)


@steady
@given(st.lists(st.none() | st.datetimes(min_value=dt.datetime(1, 1, 1))))
def test_timestamps_survive_text_as_python_writes_them(values):
    _round_trip(values, pa.timestamp("us"), t.TIMESTAMP)
    assert to_text(pa.array(values, pa.timestamp("us"))).to_pylist() == [v and v.isoformat() for v in values]


@steady
@given(st.lists(st.none() | st.datetimes(timezones=st.just(UTC))))
def test_instants_survive_text(values):
    _round_trip(values, pa.timestamp("us", "UTC"), t.TIMESTAMP_TZ)


@steady
@given(st.lists(st.none() | st.binary()))
def test_bytes_survive_text(values):
    _round_trip(values, pa.binary(), t.BINARY)


@steady
@given(st.text(), st.sampled_from(KINDS))
def test_no_text_is_turned_into_another_value(text, kind):
    values, bad = cast_text(pa.array([text]), kind)
    if not bad and isinstance(kind, Decimal):
        assert values[0].as_py() == Exact(text)
    elif not bad and t.is_integer(kind):
        assert values[0].as_py() == int(text)
    elif not bad and kind == t.JSON:
        json.loads(text)


@steady
@given(st.integers(1, 17), st.integers(0, 10**17 - 1), st.integers(-30, 30))
def test_a_float_is_taken_only_if_it_gives_its_digits_back(digits, number, exponent):
    text = f"{str(number)[:digits]}e{exponent}"
    _, bad = cast_text(pa.array([text]), t.FLOAT64)
    exact = Exact(text)
    shown = Exact(format(float(text), f".{len(exact.normalize().as_tuple().digits) - 1}e"))
    assert bool(bad) == (exact not in (shown, Exact(repr(float(text)))))


# ------------------------------------------------------------------------------------------ widen

JSON_VALUES = st.recursive(
    st.none() | st.text(), lambda inner: st.fixed_dictionaries({"a": inner, 'k"\n': inner}), max_leaves=6
)


def _widened(values, arrow, kind):
    found, bad = widen(pa.array(values, arrow), kind)
    assert found.type == to_arrow(kind)
    return found.to_pylist(), list(bad)


@pytest.mark.parametrize(
    ("values", "arrow", "kind", "expected"),
    [
        ([1, None], pa.int8(), t.INT64, [1, None]),
        ([2**53, -(2**53)], pa.int64(), t.FLOAT64, [2.0**53, -(2.0**53)]),
        ([5], pa.uint64(), Decimal(22, 2), [Exact("5.00")]),
        ([5], pa.int64(), MONEY, [Exact("5.00")]),
        ([Exact("1.50")], MONEY, Decimal(20, 5), [Exact("1.50000")]),
        ([1.5], pa.float32(), t.FLOAT64, [1.5]),
        ([0.1], pa.float64(), MONEY, [Exact("0.10")]),
        ([dt.date(2024, 1, 5)], pa.date32(), t.TIMESTAMP, [dt.datetime(2024, 1, 5)]),
        ([True, None], pa.bool_(), t.TEXT, ["true", None]),
        ([1.0, 1e16], pa.float64(), t.TEXT, ["1.0", "1e+16"]),
        ([Exact("0.00")], MONEY, t.TEXT, ["0.00"]),
        ([0], pa.timestamp("us", "UTC"), t.TEXT, ["1970-01-01T00:00:00Z"]),
        ([0], pa.timestamp("us", "Europe/Paris"), t.TIMESTAMP_TZ, [dt.datetime(1970, 1, 1, tzinfo=UTC)]),
        ([0], pa.timestamp("ms"), t.TIMESTAMP, [dt.datetime(1970, 1, 1)]),
        ([b"\xff"], pa.binary(), t.TEXT, ["/w=="]),
        (['x"y'], pa.string(), t.JSON, ['"x\\"y"']),
        ([1, None], pa.int64(), t.JSON, ["1", None]),
        ([dt.date(2024, 1, 5)], pa.date32(), t.JSON, ['"2024-01-05"']),
        ([math.nan, 1.5], pa.float64(), t.JSON, ['"NaN"', "1.5"]),
        ([None, None], pa.null(), t.INT64, [None, None]),
        (["a", None], pa.dictionary(pa.int8(), pa.string()), t.TEXT, ["a", None]),
        (["a", None], pa.large_string(), t.TEXT, ["a", None]),
        ([b"ab"], pa.binary(2), t.BINARY, [b"ab"]),
        ([[1], None, []], pa.large_list(pa.int8()), List(t.INT64), [[1], None, []]),
        ([[1, 2], None], pa.list_(pa.int8(), 2), List(t.INT64), [[1, 2], None]),
        ([[("k", 1)], None], pa.map_(pa.string(), pa.int8()),
         parse_type("list<struct<key: text, value: int64>>"),
         [[{"key": "k", "value": 1}], None]),
        ([{"a": 1}, None], pa.struct([("a", pa.int8())]), parse_type("struct<a: float64, b: list<text>>"),
         [{"a": 1.0, "b": None}, None]),
        ([{"a": [1]}], pa.struct([("a", pa.list_(pa.int8()))]), t.JSON, ['{"a": [1]}']),
    ],
    ids=str,
)  # fmt: skip
def test_every_value_is_held_by_a_wider_type(values, arrow, kind, expected):
    if isinstance(arrow, Decimal):
        arrow = to_arrow(arrow)
    assert _widened(values, arrow, kind) == (expected, [])


@pytest.mark.parametrize(
    ("values", "arrow", "kind", "expected", "bad"),
    [
        ([2**53 + 1, 1], pa.int64(), t.FLOAT64, [None, 1.0], [0]),
        ([2**24 + 1, 1], pa.int32(), FLOAT32, [None, 1.0], [0]),
        ([300, 1], pa.int64(), INT8, [None, 1], [0]),
        ([1.5, 2.0, math.nan, math.inf, 1e300], pa.float64(), t.INT64,
         [None, 2, None, None, None], [0, 2, 3, 4]),
        ([0.1, 0.5], pa.float64(), FLOAT32, [None, 0.5], [0]),
        ([0.125, math.nan], pa.float64(), MONEY, [None, None], [0, 1]),
        ([Exact("1.50"), Exact("2.00")], pa.decimal128(12, 2), t.INT64, [None, 2], [0]),
        ([10**12], pa.int64(), MONEY, [None], [0]),
        (["5"], pa.string(), t.INT64, [None], [0]),
        ([5], pa.int64(), t.BOOL, [None], [0]),
        ([True], pa.bool_(), t.INT64, [None], [0]),
        ([0], pa.timestamp("us"), t.TIMESTAMP_TZ, [None], [0]),
        ([0], pa.timestamp("us", "UTC"), t.TIMESTAMP, [None], [0]),
        ([1000, 1], pa.timestamp("ns"), t.TIMESTAMP, [dt.datetime(1970, 1, 1, 0, 0, 0, 1), None], [1]),
        ([0, 1], pa.timestamp("us"), t.DATE, [dt.date(1970, 1, 1), None], [1]),
        (["x", "6F9619FF-8B86-D011-B42D-00CF4FC964FF"], pa.string(), t.UUID,
         [None, "6f9619ff-8b86-d011-b42d-00cf4fc964ff"], [0]),
        ([[1, 300], [2], None], pa.list_(pa.int64()), List(INT8), [None, [2], None], [0]),
        ([{"a": 300}, {"a": 3}, None], pa.struct([("a", pa.int64())]), Struct((("a", INT8),)),
         [None, {"a": 3}, None], [0]),
        ([{"a": 1, "b": 1}, {"a": 2, "b": None}], pa.struct([("a", pa.int8()), ("b", pa.int8())]),
         Struct((("a", INT8),)), [None, {"a": 2}], [0]),
        ([{"a": 1}], pa.struct([("a", pa.int8())]), List(INT8), [None], [0]),
    ],
    ids=str,
)  # fmt: skip
def test_a_value_that_the_type_cannot_hold_is_named(values, arrow, kind, expected, bad):
    assert _widened(values, arrow, kind) == (expected, bad)


def test_slices_of_nested_columns_are_widened_where_they_are():
    column = pa.array([[{"a": 9}], None, [{"a": 300}, None], [], [{"a": 1}]])
    found, bad = widen(column.slice(1), parse_type("list<struct<a: int8, b: text>>"))
    assert (found.to_pylist(), list(bad)) == ([None, None, [], [{"a": 1, "b": None}]], [1])


def test_uuid_extension_values_become_their_canonical_text():
    ids = [uuid.UUID(int=i) for i in (0, 2**128 - 1, 12345)]
    column = pa.array([None, *(i.bytes for i in ids)], pa.uuid()).slice(1)
    assert _same(widen(column, t.UUID), [str(i) for i in ids])
    assert _same(widen(column, t.JSON), [f'"{i}"' for i in ids])


def _same(answer, expected):
    return (answer[0].to_pylist(), list(answer[1])) == (expected, [])


@steady
@given(st.lists(JSON_VALUES.filter(lambda v: isinstance(v, dict))))
def test_nested_values_become_json_that_reads_back(values):
    values = [{"v": v} for v in values]
    try:
        column = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # a text here and an object there is no one Arrow type
        return
    written = to_json(column)
    assert [json.loads(text) for text in written.to_pylist()] == column.to_pylist()


@steady
@given(st.lists(st.none() | st.text()))
def test_texts_become_json_strings_that_read_back(values):
    written = to_json(pa.array(values, pa.string()))
    assert [None if text is None else json.loads(text) for text in written.to_pylist()] == values


SCALARS = st.sampled_from(
    [pa.int8(), pa.int64(), pa.uint64(), pa.float32(), pa.float64(), pa.bool_(), pa.string(), pa.date32(),
     pa.decimal128(12, 2), pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.null()]
)  # fmt: skip
SAMPLES = {
    "int8": [1, -128], "int64": [2**40, -1], "uint64": [2**64 - 1], "float": [0.1], "double": [0.1, 1e300],
    "bool": [True], "string": ["", "x"], "date32[day]": [dt.date(2024, 1, 5)],
    "decimal128(12, 2)": [Exact("1.50")], "timestamp[us]": [dt.datetime(2024, 1, 5, 1)],
    "timestamp[us, tz=UTC]": [dt.datetime(2024, 1, 5, 1, tzinfo=UTC)], "null": [],
}  # fmt: skip


@steady
@given(SCALARS, SCALARS)
def test_merging_up_the_lattice_keeps_every_value(one, other):
    kind = t.merge(from_arrow(one), from_arrow(other))
    values = [*SAMPLES[str(one)], None]
    found, bad = widen(pa.array(values, one), kind)
    assert list(bad) == ([] if kind != t.FLOAT64 or one != pa.uint64() else [0])
    assert found.null_count == 1 + len(bad)


# ---------------------------------------------------------------------------------------- conform


def test_a_batch_in_the_tables_shape_is_taken_as_it_is():
    table = Table("t", (Column("a", t.INT64), Column("b", t.TEXT)))
    batch = pa.record_batch({"a": [1], "b": ["x"]}, schema=arrow_schema(table))
    assert conform(batch, table)[0] is batch


def test_conform_orders_fills_and_widens():
    table = Table(
        "t", (Column("z", t.DATE), Column("b", t.FLOAT64), Column("n", t.NULL), Column("a", t.INT64))
    )
    batch = pa.record_batch({"a": pa.array([1, 2], pa.int8()), "b": [2**53 + 1, 3], "extra": ["x", "y"]})
    found, bad = conform(batch, table)
    assert found.schema == arrow_schema(table)
    assert found.to_pydict() == {"z": [None, None], "b": [None, 3.0], "a": [1, 2]}
    assert {name: list(offsets) for name, offsets in bad.items()} == {"b": [0]}
