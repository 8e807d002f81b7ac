"""Columns that are named by a place inside of an object."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.schema.inside import gathered
from penstock.schema.table import Column
from penstock.schema.types import parse_type


def column(name: str, kind: str, **facts: Any) -> Column:
    return Column(name, parse_type(kind), declared=kind != "null", **facts)


@pytest.mark.parametrize(
    ("row", "said", "expected"),
    [
        ({"a": {"b": 1}}, {"a__b": "int32"}, {"a": "struct<b: int32>"}),
        ({"a": None}, {"a__b": "int32"}, {"a": "struct<b: int32>"}),
        ({"a": {}}, {"a__b__c": "text", "a__d": "date"}, {"a": "struct<b: struct<c: text>, d: date>"}),
        (
            {"a": {}, "id": 1},
            {"id": "int64", "a": "null", "a__b": "int32"},
            {"id": "int64", "a": "struct<b: int32>"},
        ),
        ({"a": {}}, {"a": "json", "a__b": "int32"}, {"a": "json"}),
        ({"a__b": 1, "a": {}}, {"a__b": "int32"}, {"a__b": "int32"}),
        ({"a": [1]}, {"a__b": "int32"}, {"a__b": "int32"}),
        ({"c": 1}, {"a__b": "int32"}, {"a__b": "int32"}),
        (None, {"a__b": "int32"}, {"a__b": "int32"}),
    ],
)
def test_they_are_gathered_where_the_row_has_the_object(row: Any, said: Any, expected: Any) -> None:
    found = gathered([column(name, kind, nullable=False) for name, kind in said.items()], row)
    assert {c.name: str(c.type) for c in found} == expected


def test_an_object_may_be_missing() -> None:
    [found] = gathered([column("a__b", "int32", nullable=False)], {"a": {"b": 1}})
    assert (found.nullable, found.declared) == (True, True)
