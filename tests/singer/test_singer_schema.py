"""Schemas of streams as tables."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.schema.types import parse_type
from penstock.singer.schema import grown, table_of


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"type": ["null", "string"], "format": "date-time"}, "timestamp_tz"),
        ({"format": "date-time", "type": ["string", "null"]}, "timestamp_tz"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "string", "format": "time"}, "time"),
        ({"type": "string", "format": "uuid"}, "uuid"),
        ({"type": "string", "format": "email"}, "text"),
        ({"type": "boolean"}, "bool"),
        ({"type": "integer", "minimum": -32768, "maximum": 32767}, "int64"),
        ({"type": "integer", "minimum": 0, "maximum": 2**64 - 1}, "uint64"),
        ({"type": "integer", "minimum": -(10**30), "maximum": 10**30}, "decimal(38,0)"),
        ({"type": "number"}, "float64"),
        ({"type": ["null", "number"], "multipleOf": 0.01}, "decimal(38,2)"),
        ({"type": "number", "multipleOf": 0.01, "minimum": -999.99, "maximum": 999.99}, "decimal(5,2)"),
        ({"type": "number", "multipleOf": 1e-38, "maximum": 1e100}, "decimal(38,18)"),
        ({"type": "number", "multipleOf": 10}, "decimal(38,0)"),
        ({"type": ["integer", "number"], "multipleOf": 0.5}, "decimal(38,1)"),
        ({"type": ["null", "string"], "format": "singer.decimal"}, "decimal(38,9)"),
        ({"type": "string", "format": "x-singer.decimal", "precision": 12, "scale": 4}, "decimal(12,4)"),
        ({"type": "array", "items": {"type": "integer"}}, "list<int64>"),
        ({"type": "array"}, "list<json>"),
        ({"type": ["null", "object"]}, "json"),
        (
            {"type": "object", "properties": {"n": {"type": "number", "multipleOf": 0.1}}},
            "struct<n: decimal(38,1)>",
        ),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "timestamp_tz"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}, "text"),
        ({"$ref": "#/definitions/day"}, "date"),
        ({"enum": ["a", "b", None]}, "text"),
        ({"const": 5}, "int64"),
    ],
)
def test_types(said: Any, kind: str) -> None:
    schema = {"properties": {"x": said}, "definitions": {"day": {"type": "string", "format": "date"}}}
    [column] = table_of("t", schema).columns
    assert (column.type, column.declared, column.nullable) == (parse_type(kind), True, True)


@pytest.mark.parametrize(
    "said",
    [{}, True, None, "x", {"type": ["string", "integer"]}, {"type": "datetime"}, {"type": ["null"]},
     {"$ref": "#/no/where"}, {"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"type": {"a": 1}}],
)  # fmt: skip
def test_what_says_nothing_clear_is_left_to_the_values(said: Any) -> None:
    [column] = table_of("t", {"properties": {"x": said}}).columns
    assert (str(column.type), column.declared) == ("null", False)


def test_rules_of_a_schema_are_none_of_ours() -> None:
    said = {"type": "string", "enum": ["a"], "pattern": "b", "maxLength": 1, "description": "a thing"}
    table = table_of("t", {"type": "object", "required": ["x"], "properties": {"x": said}}, ["x"])
    [column] = table.columns
    assert (column.enum, column.pattern, column.max_length, column.nullable) == (None, None, None, True)
    assert (column.description, table.primary_key) == ("a thing", ("x",))


@pytest.mark.parametrize("schema", [{}, {"properties": None}, {"type": "object"}, {"properties": []}])
def test_a_schema_without_properties(schema: Any) -> None:
    assert table_of("t", schema, ["id"]).names == ()


def test_a_later_schema_grows_the_table() -> None:
    def table(**kinds: str) -> Any:
        return table_of("t", {"properties": {k: {"type": v} for k, v in kinds.items()}}, ["a"])

    both = grown(table(a="integer", b="integer"), table(b="number", c="string"))
    assert [(c.name, str(c.type)) for c in both.columns] == [("a", "int64"), ("b", "float64"), ("c", "text")]
