"""Metadata files in which something is wrong: told as such, or read and written back; never a crash."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_metadata_json_schema import DLT
from test_metadata_odcs import CONTRACT
from type_strategies import STEADY

from penstock.errors import ProjectError
from penstock.schema.formats.form import alike
from penstock.schema.metadata import read_tables, write_metadata

JSON_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "t",
    "type": "object",
    "required": ["a"],
    "$defs": {"d": {"type": "object", "properties": {"x": {"type": "string"}}}},
    "x-penstock": {"primary_key": ["a"], "partitions": ["b"]},
    "properties": {
        "a": {"type": "integer", "minimum": 0, "exclusiveMaximum": 9, "x-penstock": {"unique": True}},
        "b": {"type": ["string", "null"], "enum": ["x", None], "pattern": "^x$", "minLength": 1},
        "c": {"$ref": "#/$defs/d"},
        "d": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "number"}, "maxItems": 2}]},
        "e": {"allOf": [{"type": "string", "format": "date"}], "x-penstock": {"datetime_format": "%Y",
              "foreign_key": {"table": "t", "columns": ["c"]}}},
        "f": {"const": 1, "oneOf": [{"type": "integer"}]},
    },
}  # fmt: skip
MOJAP: dict[str, Any] = {
    "$schema": "https://example.org/mojap-metadata/v1.4.json",
    "name": "t",
    "file_format": "csv",
    "primary_key": ["a"],
    "partitions": [],
    "sensitive": False,
    "columns": [
        {"name": "a", "type": "int64", "type_category": "integer", "minimum": 1, "enum": [1, 2]},
        {"name": "b", "type_category": "string", "pattern": "x", "minLength": 1, "maxLength": None},
        {"name": "c", "type": "date32", "datetime_format": "%Y",
         "foreign_key": [{"table": "x", "columns": ["y"]}]},
    ],
}  # fmt: skip
ETL: dict[str, Any] = {
    "name": "t",
    "description": "d",
    "data_format": "json",
    "location": "t/",
    "columns": [
        {"name": "a", "type": "struct<a: array<long>>", "description": "", "nullable": True},
        {"name": "b", "type": "character", "sensitivity": "personal_data", "redacted": False},
    ],
}
DOCUMENTS = {"odcs": CONTRACT, "json_schema": JSON_SCHEMA, "mojap": MOJAP, "etl_manager": ETL, "dlt": DLT}
WRONG = st.sampled_from(
    [None, True, 0, -1, 1.5, "", "x", "strng", [], {}, [1], ["x"], {"x": 1}, [None], [[]], [{}], {"name": 1}]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, the whole of it left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        yield (*path, step)
        yield from places(inner, (*path, step))


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a place."""
    changed = copy.deepcopy(document)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


@pytest.mark.parametrize("format_", DOCUMENTS)
@given(data=st.data())
@settings(STEADY, max_examples=60)
def test_one_wrong_value_anywhere(format_: str, data: st.DataObject) -> None:
    document = DOCUMENTS[format_]
    assert alike(
        write_metadata(read_tables(document, name="t", where="f").tables, format_).document, document
    )
    path = data.draw(st.sampled_from(list(places(document))))
    changed = put(document, path, data.draw(WRONG))
    try:
        reading = read_tables(changed, name="t", where="f")
    except ProjectError as error:
        assert str(error)
        return
    listed = isinstance(changed.get("columns", []), list)
    if reading.tables and listed and reading.format.replace("mojap-metadata", "mojap") == format_:
        written = write_metadata(reading.tables, format_)
        assert alike(written.document, changed), path
