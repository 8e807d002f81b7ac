"""Types that widen, within a run and against rows that are in the warehouse already."""

from __future__ import annotations

from typing import Any

import pytest

Site = Any

BIG = 2**53 + 1

WIDENINGS = [
    (1, 1.5, "float64"),
    (BIG, 1.5, "text"),
    (1.5, BIG, "text"),
    (1, 2**63, "decimal(20,0)"),
    (-(2**63), 10**36, "decimal(37,0)"),
    (2**64, 10**40, "text"),
    (2**64, 0.5, "text"),
    (1e300, 10**25, "float64"),
    (True, "x", "text"),
    (True, 1, "text"),
    (1, "x", "text"),
    (-0.0, "x", "text"),
    (5e-324, "x", "text"),
    (1.7976931348623157e308, "x", "text"),
    ("2024-01-01", "2024-01-01T10:00:00", "timestamp"),
    ("0001-01-01", "9999-12-31T23:59:59.999999", "timestamp"),
    ("2024-01-01", "2024-01-01T10:00:00Z", "text"),
    ("2024-01-01T10:00:00", "2024-01-01T10:00:00Z", "text"),
    ("2024-01-01T10:00:00.5", "2024-01-01T10:00:00.123456789", "timestamp(ns)"),
    ("2024-01-01T10:00:00+02:00", "2024-01-01T10:00:00.123456789Z", "timestamp_tz(ns)"),
    ("2024-01-01T10:00:00.25+02:00", "soon", "text"),
    ("9999-12-31T23:59:59.999999Z", "soon", "text"),
    ("2024-01-01", "soon", "text"),
    ([1], [1.5], "list<float64>"),
    ([1, BIG], [1.5], "json"),
    ([1.5], [BIG], "list<text>"),
    ([1], ["x"], "list<text>"),
    ([], [[1]], "list<list<int64>>"),
    ([[]], [[{"a": 1}]], "list<list<struct<a: int64>>>"),
    ([None], [{"a": [None]}], "list<struct<a: list<null>>>"),
    ([1], {"a": 1}, "json"),
    ([1], "x", "json"),
    ({"a": 1}, {"a": 1.5}, "struct<a: float64>"),
    ({"a": BIG, "b": "x"}, {"a": 1.5}, "json"),
    ({"a": 1}, {"b": "x"}, "struct<a: int64, b: text>"),
    ({"a": 1}, {"A": "x", "": [1]}, 'struct<a: int64, A: text, "": list<int64>>'),
    ({"a": {"b": 1}}, {"a": {"c": [1]}}, "struct<a: struct<b: int64, c: list<int64>>>"),
    ({"a": 1}, "x", "json"),
    ({"a": "1", "b": True, "c": 1.0, "d": None}, 7, "json"),
    ({"a": "2024-01-01", "b": "2024-01-01T00:00:00Z"}, [], "json"),
    ({}, {"a": 1}, "struct<a: int64>"),
    ([{}], [{"a": 1}], "list<struct<a: int64>>"),
    ({"o": {}}, {"o": {"a": 1}}, "struct<o: struct<a: int64>>"),
    ({}, [], "json"),
    ([{"o": {}}], "x", "json"),
    ({"a": [1], "b": {"c": "x"}}, {"a": "y"}, "struct<a: json, b: struct<c: text>>"),
    ("x", {"a": 1}, "json"),
    ('"x', [1], "json"),
    ("line\nend\t\0\\ é😀", {}, "json"),
]  # fmt: skip


KINDS = {f"c{i}": kind for i, (_, _, kind) in enumerate(WIDENINGS)}
EARLY = {f"c{i}": early for i, (early, _, _) in enumerate(WIDENINGS)}
LATE = {f"c{i}": late for i, (_, late, _) in enumerate(WIDENINGS)}


@pytest.mark.parametrize("files", ["together", "one by one"])
def test_a_wider_type_holds_what_was_there(site: Site, files: str) -> None:
    batches = {"1.jsonl": [EARLY, {"c0": None}], "2.jsonl": [LATE], "3.jsonl": [EARLY, LATE]}
    for name, records in batches.items():
        site.drop(name, *records)
        if files == "one by one":
            site.takes(len(records))
    if files == "together":
        site.takes(5)
    found = site.holds(EARLY, {}, LATE, EARLY, LATE)
    assert {name: str(kind) for name, kind in found.kinds.items()} == KINDS
