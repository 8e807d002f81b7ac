"""Detections say what every value of a column is, or nothing."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal as Exact
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BugError
from penstock.records.detect import STANDARD, WEI, Detection, as_detected, detect, hex_text
from penstock.schema import types as t
from penstock.schema.types import DataType, Timestamp, parse_type
from penstock.schema.variants import variant_name
from schema.type_strategies import STEADY, TYPES

UTC = dt.UTC
NOW = dt.datetime(2024, 6, 1, tzinfo=UTC)
ISO, DATE = Detection.ISO_TIMESTAMP, Detection.ISO_DATE
LARGE, WEI_TO_DOUBLE = Detection.LARGE_INTEGER, Detection.WEI_TO_DOUBLE
SECONDS, HEX = Detection.TIMESTAMP, Detection.HEXBYTES_TO_TEXT
BIG = 10**25

FOUND = [
    (ISO, ["2024-01-05T10:00:00Z", None, "2024-01-05 10:00:00.5+02:00"], t.TIMESTAMP_TZ),
    (ISO, ["2024-01-05T10:00:00", "2024-01-05T10:00"], t.TIMESTAMP),
    (ISO, ["2024-01-05T10:00:00.123456789Z"], Timestamp(zone=True, unit="ns")),
    (ISO, ["2024-01-05T10:00:00.123456000Z"], t.TIMESTAMP_TZ),
    (DATE, ["2024-01-05", None], t.DATE),
    (SECONDS, [1_717_200_000, None, 1_600_000_000], t.TIMESTAMP_TZ),
    (SECONDS, [1_717_200_000.25], t.TIMESTAMP_TZ),
    (LARGE, ["5", "18446744073709551616"], WEI),
    (LARGE, ["-9223372036854775809"], WEI),
    (HEX, [b"\x01\xff", None], t.TEXT),
    (WEI_TO_DOUBLE, ["1" * 30], t.FLOAT64),
]  # fmt: skip


@pytest.mark.parametrize(("detection", "values", "kind"), FOUND)
def test_a_convention_that_all_values_follow_is_found(
    detection: Detection, values: list[Any], kind: DataType
) -> None:
    column = pa.array(values)
    assert detect(column, [detection], NOW) == kind
    assert detect(pa.chunked_array([column]), [detection], NOW) == kind
    assert as_detected(column, kind).null_count == column.null_count


NOTHING = [
    (ISO, ["2024-01-05T10:00:00Z", "2024-01-05T10:00:00"]),
    (ISO, ["2024-01-05T10:00:00Z", "yesterday"]),
    (ISO, ["2024-01-05"]),
    (ISO, ["2024-02-30T10:00:00Z"]),
    (ISO, ["2024-01-05T25:00:00Z"]),
    (ISO, [""]),
    (ISO, [20240105]),
    (ISO, [*["2024-01-05T10:00:00Z"] * 40, "x"]),
    (DATE, ["2024-01-05T10:00:00Z"]),
    (DATE, ["2024-02-30"]),
    (DATE, ["2024-01-05", "20240106"]),
    (SECONDS, [1_717_200_000, 5]),
    (SECONDS, [1_717_200_000_000]),
    (SECONDS, ["1717200000"]),
    (SECONDS, [1_717_200_000.0, float("nan")]),
    (SECONDS, [True]),
    (LARGE, ["5", "9223372036854775807"]),
    (LARGE, ["018446744073709551616"]),
    (LARGE, ["1" * 39]),
    (LARGE, ["18446744073709551616", "1.5"]),
    (LARGE, [5]),
    (HEX, ["0x01"]),
    (WEI_TO_DOUBLE, [5]),
]  # fmt: skip


@pytest.mark.parametrize(("detection", "values"), NOTHING)
def test_one_value_that_does_not_follow_it_is_enough(detection: Detection, values: list[Any]) -> None:
    assert detect(pa.array(values), [detection], NOW) is None


@pytest.mark.parametrize("detection", list(Detection))
@pytest.mark.parametrize("column", [pa.nulls(3), pa.nulls(2, pa.string()), pa.array([], pa.int64())])
def test_without_values_nothing_is_found(detection: Detection, column: Any) -> None:
    assert detect(column, [detection], NOW) is None


def test_the_first_that_is_chosen_wins() -> None:
    column = pa.array([str(BIG)])
    assert detect(column, [LARGE, WEI_TO_DOUBLE]) == WEI
    assert detect(column, [WEI_TO_DOUBLE, LARGE]) == t.FLOAT64
    assert detect(column, STANDARD) is None
    assert detect(column, []) is None


def test_integers_beyond_64_bits_in_arrow() -> None:
    assert detect(pa.array([2**63], pa.uint64()), [LARGE]) == WEI
    assert detect(pa.array([2**63 - 1], pa.uint64()), [LARGE]) is None
    wei = pa.array([Exact(BIG)], pa.decimal128(38, 0))
    assert detect(wei, [LARGE]) == WEI
    assert detect(wei, [WEI_TO_DOUBLE]) == t.FLOAT64
    assert detect(pa.array([Exact("1.5")]), [LARGE, WEI_TO_DOUBLE]) is None
    assert as_detected(wei, t.FLOAT64).to_pylist() == [1e25]
    assert as_detected(pa.array([2**63], pa.uint64()), WEI).to_pylist() == [Exact(2**63)]
    assert as_detected(pa.array([str(BIG)]), WEI).to_pylist() == [Exact(BIG)]
    assert as_detected(pa.array([str(BIG)]), t.FLOAT64).to_pylist() == [1e25]


def test_seconds_become_instants() -> None:
    whole = as_detected(pa.array([1_717_200_000, None, 2**62]), t.TIMESTAMP_TZ)
    assert whole.to_pylist() == [dt.datetime(2024, 6, 1, tzinfo=UTC), None, None]
    parts = as_detected(pa.array([1_717_200_000.123456, float("nan")]), t.TIMESTAMP_TZ)
    assert parts.to_pylist() == [dt.datetime(2024, 6, 1, 0, 0, 0, 123456, tzinfo=UTC), None]


def test_seconds_need_the_time() -> None:
    with pytest.raises(BugError, match="with a zone"):
        detect(pa.array([1]), [SECONDS])


@STEADY
@given(st.lists(st.none() | st.binary(max_size=5), max_size=6), st.integers(0, 3))
def test_bytes_as_hexadecimal_text(cells: list[bytes | None], start: int) -> None:
    for kind in (pa.binary(), pa.large_binary()):
        found = hex_text(pa.array(cells, kind).slice(start))
        found.validate(full=True)
        assert found.to_pylist() == [None if c is None else f"0x{c.hex()}" for c in cells[start:]]


@STEADY
@given(st.lists(st.datetimes(), min_size=1), st.booleans())
def test_iso_texts_of_any_instants_are_found_and_kept(stamps: list[dt.datetime], zone: bool) -> None:
    stamps = [stamp.replace(tzinfo=UTC if zone else None) for stamp in stamps]
    column = pa.array([stamp.isoformat() for stamp in stamps])
    kind = detect(column, [DATE, ISO])
    assert kind == Timestamp(zone)
    assert as_detected(column, kind).to_pylist() == stamps


VARIANTS = [
    ("text", "a__v_text"), ("uuid", "a__v_text"), ("int8", "a__v_bigint"), ("uint64", "a__v_bigint"),
    ("float32", "a__v_double"), ("bool", "a__v_bool"), ("decimal(5,2)", "a__v_decimal"),
    ("timestamp", "a__v_timestamp"), ("timestamp_tz(ns)", "a__v_timestamp"), ("date", "a__v_date"),
    ("time", "a__v_time"), ("binary", "a__v_binary"), ("json", "a__v_json"), ("list<int64>", "a__v_json"),
    ("struct<x: text>", "a__v_json"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), VARIANTS)
def test_a_variant_is_called_by_the_word_of_dlt(kind: str, name: str) -> None:
    assert variant_name("a", parse_type(kind)) == name


@STEADY
@given(TYPES)
def test_every_type_has_a_variant_that_takes_no_other_name(kind: DataType) -> None:
    first = variant_name("a", kind)
    second = variant_name("a", kind, taken=["a", first.upper()])
    assert second == f"{first}__2"
    assert variant_name("a", kind, taken=[first, second]) == f"{first}__3"
