"""The lattice of column types, and their text form."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from type_strategies import STEADY, TYPES, unordered

from penstock.schema import types as t
from penstock.schema.types import (
    DataType,
    Decimal,
    Kind,
    List,
    Scalar,
    Struct,
    Timestamp,
    merge,
    merge_all,
    parse_type,
)


@STEADY
@given(TYPES, TYPES)
def test_merge_is_commutative(a: DataType, b: DataType) -> None:
    assert unordered(merge(a, b)) == unordered(merge(b, a))


@STEADY
@given(TYPES, TYPES, TYPES)
def test_merge_is_associative(a: DataType, b: DataType, c: DataType) -> None:
    assert unordered(merge(a, merge(b, c))) == unordered(merge(merge(a, b), c))


def test_merge_is_associative_for_every_three_flat_types() -> None:
    decimals = [Decimal(p, s) for p, s in ((3, 0), (20, 0), (38, 0), (12, 2), (5, 5), (38, 38))]
    stamps = [Timestamp(zone, unit) for zone in (True, False) for unit in ("us", "ns")]
    flat: list[DataType] = [*map(Scalar, Kind), *stamps, *decimals]
    broken = [
        tuple(map(str, (a, b, c)))
        for a, b, c in product(flat, repeat=3)
        if merge(a, merge(b, c)) != merge(merge(a, b), c)
    ]
    assert broken == []


@STEADY
@given(TYPES, TYPES)
def test_merge_is_idempotent_and_an_upper_bound(a: DataType, b: DataType) -> None:
    assert merge(a, a) == a
    both = merge(a, b)
    assert unordered(merge(both, a)) == unordered(both)
    assert unordered(merge(both, b)) == unordered(both)


@STEADY
@given(TYPES)
def test_null_is_below_and_json_above_everything(a: DataType) -> None:
    assert merge(t.NULL, a) == merge(a, t.NULL) == a
    assert merge(t.JSON, a) == merge(a, t.JSON) == t.JSON


@pytest.mark.parametrize(
    ("texts", "widest"),
    [
        (["int8", "uint8"], "int16"),
        (["int64", "uint64"], "decimal(20,0)"),
        (["int64", "float32"], "float64"),
        (["int32", "decimal(5,2)"], "decimal(22,2)"),
        (["decimal(38,0)", "decimal(3,2)"], "text"),
        (["decimal(5,2)", "float64"], "text"),
        (["date", "timestamp"], "timestamp"),
        (["date", "timestamp_tz"], "text"),
        (["timestamp", "timestamp(ns)"], "timestamp(ns)"),
        (["bool", "int8"], "text"),
        (["int64", "float64", "text"], "text"),
        (["null", "list<null>", "list<int64>"], "list<int64>"),
        (["list<int64>", "text"], "json"),
        (["struct<a: int8>", "struct<b: text, a: int16>"], "struct<a: int16, b: text>"),
        (["struct<a: int8>", "list<int8>"], "json"),
        ([], "null"),
    ],
)
def test_merges(texts: list[str], widest: str) -> None:
    assert str(merge_all([parse_type(text) for text in texts])) == widest


@STEADY
@given(TYPES)
def test_text_form_reads_back(a: DataType) -> None:
    assert parse_type(str(a)) == a


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("INT", t.INT64),
        (" string ", t.TEXT),
        ("decimal", Decimal(38, 9)),
        ("numeric( 12 , 2 )", Decimal(12, 2)),
        ("timestamp(ms)", t.TIMESTAMP),
        ("timestamptz", t.TIMESTAMP_TZ),
        ("array<struct<a b: int>>", None),
        ('list<struct<"a b": int8>>', List(Struct((("a b", Scalar(Kind.INT8)),)))),
        ("list<>", None),
        ("decimal(39,0)", None),
        ("decimal(2,3)", None),
        ("int64 null", None),
        ("", None),
        ('struct<"a: int>', None),
    ],
)
def test_spellings(text: str, kind: DataType | None) -> None:
    if kind is None:
        with pytest.raises(ValueError, match=r"."):
            parse_type(text)
    else:
        assert parse_type(text) == kind


def test_families() -> None:
    integers = [k for k in Kind if t.is_integer(Scalar(k))]
    assert integers == [k for k in Kind if k.value.lstrip("u").startswith("int")]
    assert [k for k in Kind if t.is_numeric(Scalar(k))] == [*integers, Kind.FLOAT32, Kind.FLOAT64]
    assert t.is_numeric(Decimal(1, 0))
    assert t.is_nested(List(t.NULL))
    assert not t.is_nested(t.JSON)
