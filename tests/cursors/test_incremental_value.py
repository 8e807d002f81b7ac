"""Cursor values as JSON and back, digests of rows, and the lag."""

# ruff: noqa: DTZ001  instants without a zone are among the values

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cursors.lag import step_back
from penstock.cursors.value import decode, decode_digests, digest, encode, encode_digests
from penstock.errors import RefusedError

STEADY = settings(derandomize=True, deadline=None, max_examples=200, database=None)
ZONES = st.one_of(
    st.none(), st.sampled_from([UTC, ZoneInfo("Europe/London"), timezone(timedelta(hours=-3.5))])
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(max_size=9),
    st.datetimes(timezones=ZONES, allow_imaginary=False),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=3), st.just("$date"), st.integers()), inner, max_size=3),
    ),
    max_leaves=5,
)


def _facts(value: Any) -> Any:
    """What must be the same beside equality: types, offsets, exponents."""
    if isinstance(value, dict):
        return [(_facts(k), _facts(v)) for k, v in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [_facts(v) for v in value]
    zone = value.utcoffset() if isinstance(value, datetime) else None
    return type(value), repr(value) if isinstance(value, Decimal | float) else None, zone


@STEADY
@given(VALUES)
def test_values_come_back_exactly(value: object) -> None:
    back = decode(json.loads(json.dumps(encode(value))))
    assert back == value
    assert _facts(back) == _facts(value)


def test_named_zones_come_back_with_their_name_and_fold() -> None:
    late = datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("Europe/London"), fold=1)
    back = decode(encode(late))
    assert back.tzinfo == ZoneInfo("Europe/London")
    assert back.utcoffset() == timedelta(0)


def test_a_value_without_exact_json_is_refused() -> None:
    with pytest.raises(RefusedError, match="object"):
        encode(object())


class Colour(Enum):
    RED = 1


@dataclass
class Point:
    x: int
    y: int | None = None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2.0, "a": Decimal("1.00")}),
        ({"a": 1, "b": None}, {"a": 1}),
        ({"a": {"b": None}}, {"a": {}}),
        ([1, 2], (1, 2)),
        (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), datetime(2026, 1, 1, tzinfo=UTC)),
        (1e300, int(1e300)),
        (0.5, Decimal("0.50")),
        (-0.0, 0),
        (Colour.RED, 1),
        (Point(1), {"x": 1}),
        ({1, 2}, {2, 1}),
    ],
)
def test_equal_values_have_equal_digests(one: object, other: object) -> None:
    assert digest(one) == digest(other)


def test_different_values_have_different_digests() -> None:
    values: list[object] = [
        None, True, 1, -1, 10, 0.1, Decimal("0.10000000000000001"), "1", b"1", "", "2026-01-01",
        [], [None], {}, [[]], ["a", "b"], ["ab"], {"a": "b"}, {"ab": ""},
        date(2026, 1, 1), datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), time(0), timedelta(0),
        UUID(int=0), float("inf"), float("-inf"), Decimal("1e50"), Decimal("1e51"),
    ]  # fmt: skip
    assert len({digest(value) for value in values}) == len(values)
    with pytest.raises(RefusedError, match="primary_key"):
        digest(object())


@STEADY
@given(st.sets(st.binary(min_size=16, max_size=16), max_size=5))
def test_digests_come_back(digests: set[bytes]) -> None:
    assert decode_digests(encode_digests(digests)) == digests


AT = datetime(2026, 3, 29, 3, tzinfo=ZoneInfo("Europe/London"))


@pytest.mark.parametrize(
    ("value", "lag", "falling", "initial", "expected"),
    [
        (datetime(2026, 1, 2), 60, False, None, datetime(2026, 1, 1, 23, 59)),
        (datetime(2026, 1, 2), timedelta(hours=1), True, None, datetime(2026, 1, 2, 1)),
        (AT, 7200, False, None, datetime(2026, 3, 29, 0, tzinfo=ZoneInfo("Europe/London"))),
        (datetime(2026, 1, 2), 60, False, datetime(2026, 1, 2), datetime(2026, 1, 2)),
        (datetime(2026, 1, 2), 60, True, datetime(2026, 1, 2, 0, 0, 30), datetime(2026, 1, 2, 0, 0, 30)),
        (date(2026, 1, 2), 1, False, None, date(2026, 1, 1)),
        (date(2026, 1, 2), 1.5, False, None, date(2025, 12, 31)),
        (date(2026, 1, 2), timedelta(hours=1), True, None, date(2026, 1, 3)),
        (date(1, 1, 2), 9, False, None, date.min),
        (datetime(1, 1, 1, tzinfo=UTC), 9, False, None, datetime.min.replace(tzinfo=UTC)),
        (10, 3, False, None, 7),
        (10, 2.5, False, None, 7),
        (-10, 2.5, True, None, -7),
        (1.5, 1, True, None, 2.5),
        (Decimal("1.1"), 0.1, False, None, Decimal("1.0")),
        ("2026-01-02", 1, False, None, "2026-01-01"),
        ("2026-01-02T00:00:00Z", 1, False, None, "2026-01-01T23:59:59Z"),
        ("2026-01-02 00:00+01:00", 60, True, None, "2026-01-02 00:01+01:00"),
        ("2026-01-02T00:00:00.50", 0.25, False, None, "2026-01-02T00:00:00.25"),
        ("2026-01-02T00:00:00.5Z", 0.25, False, None, "2026-01-02T00:00:00.2Z"),
        ("2026-01-02T00:00:00", 0.25, True, None, "2026-01-02T00:00:01"),
        ("2026-01-02T00:00:00", 0.25, False, None, "2026-01-01T23:59:59"),
    ],
)
def test_lag(value: object, lag: Any, falling: bool, initial: object, expected: object) -> None:
    assert step_back(value, lag, falling=falling, initial=initial) == expected


def test_a_declared_type_decides_the_unit_of_the_lag() -> None:
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert step_back(noon, 1, falling=False, initial=None, declared=date) == datetime(2026, 1, 1, tzinfo=UTC)
    end = datetime.combine(date(2026, 1, 3), time.max, tzinfo=UTC)
    assert step_back(noon, 1, falling=True, initial=None, declared=date) == end
    assert step_back(date(2026, 1, 2), 60, falling=False, initial=None, declared=datetime) == date(2026, 1, 1)


@pytest.mark.parametrize(
    ("value", "lag"), [("abc", 1), ("20260102", 1), (True, 1), (b"a", 1), (1, timedelta(1)), (time(1), 1)]
)
def test_what_has_no_lag_is_refused(value: object, lag: Any) -> None:
    with pytest.raises(RefusedError, match="has no lag"):
        step_back(value, lag, falling=False, initial=None)
