"""Constraints that contradict the type of their column or each other."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.schema.constraint import check_column
from penstock.schema.table import Column
from penstock.schema.types import parse_type

INF = float("inf")


@pytest.mark.parametrize(
    ("kind", "constraints"),
    [
        ("int8", {"minimum": -128, "maximum": 127, "enum": (1, 2.0)}),
        ("uint64", {"maximum": 2**64 - 1}),
        ("float32", {"minimum": -1.5, "maximum": 3}),
        ("decimal(5,2)", {"minimum": "-999.99", "maximum": 999.99, "enum": (1, "0.5", "1e2", 0)}),
        ("text", {"enum": ("a", ""), "pattern": "a|b", "min_length": 0, "max_length": 0, "minimum": "a"}),
        ("bool", {"enum": (True,)}),
        ("date", {"minimum": "2024-01-31", "maximum": "2024-02-01"}),
        ("timestamp", {"minimum": "2024-01-31", "maximum": "2024-01-31T12:00:00.5"}),
        ("timestamp_tz", {"minimum": "2024-01-31T12:00:00", "maximum": "2024-01-31T12:00:00+00:00"}),
        ("time", {"maximum": "12:30"}),
        ("uuid", {"enum": ("12345678-1234-5678-1234-567812345678",)}),
        ("list<text>", {"min_length": 1}),
        ("binary", {"max_length": 16}),
        ("null", {"minimum": 1, "maximum": "z", "enum": ("a", 1), "pattern": "a", "min_length": 1}),
        ("int64", {"pattern": "[0-9]{3}"}),
    ],
)
def test_what_fits(kind: str, constraints: dict[str, Any]) -> None:
    assert check_column(Column("c", parse_type(kind), **constraints)) == []


@pytest.mark.parametrize(
    ("kind", "constraints", "key", "words"),
    [
        ("int8", {"minimum": 128}, "minimum", "from -128 to 127"),
        ("uint8", {"maximum": -1}, "maximum", "from 0 to 255"),
        ("int64", {"enum": (1, "2")}, "enum", "a whole number"),
        ("int64", {"enum": (True,)}, "enum", "a whole number"),
        ("int64", {"minimum": 1.5}, "minimum", "a whole number"),
        ("float64", {"maximum": INF}, "maximum", "a number"),
        ("float64", {"maximum": "1"}, "maximum", "a number"),
        ("decimal(5,2)", {"enum": ("1000",)}, "enum", "at most 3 digits before and 2 after"),
        ("decimal(5,2)", {"minimum": 0.125}, "minimum", "at most 3 digits before and 2 after"),
        ("decimal(5,2)", {"minimum": "x"}, "minimum", "a number, or its digits as text"),
        ("decimal(5,2)", {"minimum": "NaN"}, "minimum", "a number, or its digits as text"),
        ("text", {"enum": (12,)}, "enum", "put the number in quotes"),
        ("text", {"minimum": 3}, "minimum", "text"),
        ("bool", {"enum": ("true",)}, "enum", "true or false"),
        ("bool", {"minimum": False}, "minimum", "cannot be asked"),
        ("uuid", {"maximum": "12345678-1234-5678-1234-567812345678"}, "maximum", "cannot be asked"),
        ("uuid", {"enum": ("x",)}, "enum", "a UUID as text"),
        ("date", {"minimum": "31/01/2024"}, "minimum", "2024-01-31"),
        ("date", {"minimum": 20240131}, "minimum", "2024-01-31"),
        ("timestamp", {"minimum": "2024-01-31T12:00:00Z"}, "minimum", "2024-01-31T12:00:00'"),
        ("time", {"minimum": "noon"}, "minimum", "12:30:00"),
        ("json", {"enum": ("{}",)}, "enum", "cannot be asked"),
        ("list<int64>", {"minimum": 1}, "minimum", "cannot be asked"),
        ("struct<a: text>", {"pattern": "a"}, "pattern", "cannot be asked"),
        ("text", {"pattern": "("}, "pattern", "no regular expression"),
        ("text", {"enum": ()}, "enum", "no value at all"),
        ("int64", {"min_length": 1}, "minLength", "cannot be asked"),
        ("text", {"max_length": -1}, "maxLength", "from 0 on"),
        ("text", {"max_length": "x"}, "maxLength", "from 0 on"),
        ("text", {"min_length": 2, "max_length": 1}, "minLength", "nothing can pass"),
        ("int64", {"minimum": 2, "maximum": 1}, "minimum", "nothing can pass"),
        ("date", {"minimum": "2024-02-01", "maximum": "2024-01-01"}, "minimum", "nothing can pass"),
        ("timestamp_tz", {"minimum": "2024-01-01T01Z", "maximum": "2024-01-01T01+01"}, "minimum", "nothing"),
        ("decimal(5,2)", {"minimum": "10", "maximum": 9.5}, "minimum", "nothing can pass"),
    ],
)  # fmt: skip
def test_what_does_not(kind: str, constraints: dict[str, Any], key: str, words: str) -> None:
    [fault] = check_column(Column("c", parse_type(kind), **constraints))
    assert fault.key == key
    assert words in " ".join(filter(None, [fault.what, fault.expected, fault.hint]))
