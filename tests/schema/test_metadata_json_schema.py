"""JSON Schema, pydantic models and dlt schemas as tables."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator
from pydantic import AwareDatetime, BaseModel, Field

from penstock.errors import ProjectError
from penstock.schema.formats.form import alike
from penstock.schema.formats.patterns import searched, whole
from penstock.schema.metadata import Reading, read_model, read_tables, write_metadata
from penstock.schema.table import Column, Table
from penstock.schema.types import parse_type

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def read(document: Any) -> Reading:
    return read_tables(document, name="events", where="events.json")


def columns(required: tuple[str, ...] = (), defs: Any = None, **properties: Any) -> dict[str, Column]:
    document = {"$schema": DRAFT, "type": "object", "properties": properties, "required": list(required)}
    [table] = read(document | ({"$defs": defs} if defs else {})).tables
    return {c.name: c for c in table.columns}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "text"),
        ({"type": ["null", "integer"]}, "int64"),
        ({"type": "integer", "format": "int32"}, "int32"),
        ({"type": "number"}, "float64"),
        ({"type": ["integer", "number"]}, "float64"),
        ({"type": ["integer", "string"]}, "text"),
        ({"type": "boolean"}, "bool"),
        ({"type": "null"}, "null"),
        ({"type": "string", "format": "date-time"}, "timestamp_tz"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "string", "format": "uuid"}, "uuid"),
        ({"type": "string", "format": "email"}, "text"),
        ({"type": "string", "contentEncoding": "base64"}, "binary"),
        ({"enum": ["a", "b"]}, "text"),
        ({"const": 1}, "int64"),
        ({}, "json"),
        (True, "json"),
        ({"type": "object"}, "json"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "json"),
        ({"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "null"}}}}},
         "struct<a: struct<b: null>>"),
        ({"type": "array"}, "list<json>"),
        ({"type": "array", "items": {"type": ["number", "null"]}}, "list<float64>"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "int64"),
        ({"oneOf": [{"type": "integer"}, {"type": "string", "format": "date"}]}, "text"),
        ({"allOf": [{"type": "string"}], "description": "x"}, "text"),
        ({"$ref": "#/$defs/money"}, "struct<value: float64, of: list<json>>"),
        ({"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}, "struct<next: json>"),
        ({"type": "string", "x-penstock": {"type": "timestamp(ns)"}}, "timestamp(ns)"),
    ],
)  # fmt: skip
def test_types(schema: Any, kind: str) -> None:
    defs = {
        "money": {
            "type": "object",
            "properties": {"value": {"type": "number"}, "of": {"$ref": "#/$defs/many"}},
        },
        "many": {"type": "array"},
        "node": {
            "type": "object",
            "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
        },
    }  # fmt: skip
    assert str(columns(defs=defs, c=schema)["c"].type) == kind


def test_null_is_what_may_be_missing_or_null() -> None:
    found = columns(
        required=("a", "b", "d"),
        a={"type": "string"},
        b={"type": ["string", "null"]},
        c={"type": "string"},
        d={"anyOf": [{"type": "integer"}, {"type": "null"}]},
    )
    assert [c.nullable for c in found.values()] == [False, True, True, True]


def test_rules() -> None:
    found = columns(
        a={"type": "integer", "exclusiveMinimum": 0, "maximum": 9},
        b={"type": "string", "minLength": 1, "maxLength": 3, "enum": ["x", None]},
        c={"type": "array", "items": {}, "minItems": 1, "maxItems": 2},
        d={"type": "number", "exclusiveMaximum": 1.5},
    )
    assert (found["a"].minimum, found["a"].maximum) == (1, 9)
    assert (found["b"].min_length, found["b"].max_length, found["b"].enum) == (1, 3, ("x",))
    assert (found["c"].min_length, found["c"].max_length) == (1, 2)
    assert found["d"].maximum == 1.5


@pytest.mark.parametrize(
    "pattern", ["^[A-Z]+$", "[A-Z]", "^a|b$", "^(?:a|b)$", "^(?:a)|(?:b)$", "a$", "cost\\$"]
)
def test_patterns_mean_the_same_on_both_sides(pattern: str) -> None:
    """What JSON Schema finds somewhere in a text, ours must match as a whole; and there and back again."""
    ours = whole(pattern)
    assert searched(ours) == pattern
    theirs = pattern if pattern.endswith("\\$") else pattern.replace("$", r"\Z")  # `$` of Python is laxer
    for text in ("", "a", "b", "ab", "ba", "xAx", "A", "AB", "xa", "cost$", "cost$1", "\na"):
        assert bool(re.fullmatch(ours, text)) == bool(re.search(theirs, text)), text


def test_what_is_not_enforced_is_told() -> None:
    document = {
        "properties": {"a": {"type": "string", "format": "email"}, "b": {"not": {}, "type": "integer"}}
    }
    assert read(document).notes == (
        "`format` is kept, not enforced: a",
        "`not` is kept, not enforced: b",
    )


def test_a_schema_comes_back_key_for_key() -> None:
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://example.org/events",
        "title": "Events",
        "definitions": {"id": {"type": "string", "format": "uuid"}},
        "type": "object",
        "required": ["id"],
        "additionalProperties": False,
        "properties": {
            "id": {"$ref": "#/definitions/id"},
            "n": {"type": ["null", "integer"], "exclusiveMinimum": 0, "default": 3},
            "any": True,
            "o": {"type": "object", "properties": {"a": {"type": "string", "title": "A"}}, "required": ["a"]},
        },
    }
    assert alike(write_metadata(read(document).tables, "json_schema").document, document)


def test_what_is_written_judges_rows_as_the_table_says() -> None:
    columns_ = (
        Column("id", parse_type("int64"), nullable=False, minimum=1),
        Column("code", parse_type("text"), pattern="[A-Z]{2}|x"),
        Column("state", parse_type("text"), enum=("new",)),
        Column("lines", parse_type("list<struct<n: int64>>"), max_length=1),
    )
    schema = write_metadata([Table("t", columns_)], "json_schema").document
    Draft202012Validator.check_schema(schema)
    judge = Draft202012Validator(schema)
    for good in (
        {"id": 1},
        {"id": 1, "code": "AB", "state": None, "lines": [{"n": None}]},
        {"id": 2, "code": "x"},
    ):
        assert judge.is_valid(good), good
    for bad in ({}, {"id": 0}, {"id": None}, {"id": 1, "code": "ABC"}, {"id": 1, "state": "old"},
                {"id": 1, "lines": [{}, {}]}, {"id": "1"}):  # fmt: skip
        assert not judge.is_valid(bad), bad


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"$schema": DRAFT, "type": "array"}, "describes no columns"),
        ({"properties": {"a": {"$ref": "#/$defs/gone"}}}, "leads nowhere"),
        ({"properties": {"a": {"$ref": "other.json"}}}, "is in another file"),
        ({"properties": {"a": {"type": "strng"}}}, "no type of JSON"),
        ({"properties": {"a": 3}}, "this is no schema"),
        ({"properties": {"a": {"type": "string", "pattern": "(?<=x)"}}}, "`pattern` cannot be used"),
    ],
)
def test_what_is_wrong_is_told(document: Any, told: str) -> None:
    with pytest.raises(ProjectError, match=told.replace("(", r"\(")):
        read(document)


# -------------------------------------------------------------------------------------- pydantic


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    sku: str
    price: Decimal


class Order(BaseModel):
    """One order."""

    id: Annotated[int, Field(gt=0, description="The id")]
    code: str = Field(pattern=r"^[A-Z]{3}$", alias="Code")
    amount: Annotated[Decimal, Field(max_digits=12, decimal_places=2, ge=Decimal("0.5"))]
    colour: Colour | None = None
    state: Literal["new", "paid"] = "new"
    at: AwareDatetime
    some_time: datetime
    day: Optional[date] = None  # noqa: UP045  # the older spelling, which people have
    key: UUID
    lines: list[Line] = Field(default_factory=list, max_length=5)
    tags: dict[str, int] = {}
    anything: Any = None


def test_a_model_of_somebody() -> None:
    reading = read_model(Order, name="orders", where="shop.models:Order")
    [table] = reading.tables
    assert {c.name: str(c.type) for c in table.columns} == {
        "id": "int64", "Code": "text", "amount": "decimal(12,2)", "colour": "text", "state": "text",
        "at": "timestamp_tz", "some_time": "null", "day": "date", "key": "uuid",
        "lines": "list<struct<sku: text, price: null>>", "tags": "json", "anything": "json",
    }  # fmt: skip
    found = {c.name: c for c in table.columns}
    assert [c.name for c in table.columns if c.nullable] == ["colour", "day", "anything"]
    assert (found["id"].minimum, found["id"].description) == (1, "The id")
    assert (found["Code"].pattern, found["amount"].minimum) == ("^[A-Z]{3}$", "0.5")
    assert (found["colour"].enum, found["state"].enum) == (("red", "blue"), ("new", "paid"))
    assert found["lines"].max_length == 5
    assert table.description == "One order."
    assert reading.notes == ("the type is left to the data: a zone, or the digits, are not said: some_time",)


# ------------------------------------------------------------------------------------------- dlt

DLT: dict[str, Any] = {
    "version": 2,
    "version_hash": "x=",
    "engine_version": 11,
    "name": "github",
    "settings": {"detections": ["iso_timestamp"]},
    "tables": {
        "_dlt_loads": {"columns": {"load_id": {"data_type": "text", "nullable": False}}},
        "issues": {
            "columns": {
                "id": {"name": "id", "data_type": "bigint", "nullable": False, "primary_key": True},
                "size": {"data_type": "bigint", "precision": 32, "nullable": True},
                "at": {"data_type": "timestamp", "timezone": False},
                "made": {"data_type": "timestamp"},
                "cost": {"data_type": "decimal", "precision": 9, "scale": 2, "x-unit": "GBP"},
                "wei": {"data_type": "wei"},
                "body": {"data_type": "json"},
                "nothing_yet": {"nullable": True, "x-normalizer": {"seen-null-first": True}},
                "_dlt_id": {"data_type": "text", "nullable": False, "row_key": True},
            },
            "write_disposition": "merge",
            "resource": "issues",
        },
    },
    "normalizers": {"names": "snake_case"},
    "previous_hashes": [],
}


def test_a_schema_of_dlt() -> None:
    reading = read(DLT)
    [table] = reading.tables
    assert (table.name, table.primary_key) == ("issues", ("id",))
    assert {c.name: str(c.type) for c in table.columns} == {
        "id": "int64", "size": "int32", "at": "timestamp", "made": "timestamp_tz", "cost": "decimal(9,2)",
        "wei": "decimal(38,0)", "body": "json", "nothing_yet": "null",
    }  # fmt: skip
    assert not table.columns[0].nullable
    assert reading.notes == ("columns that dlt keeps for itself are left out: _dlt_id",)


def test_a_schema_of_dlt_comes_back_whole() -> None:
    assert alike(write_metadata(read(DLT).tables, "dlt").document, DLT)


def test_a_wrong_word_of_dlt() -> None:
    with pytest.raises(ProjectError, match="did you mean 'bigint'"):
        read({"tables": {"t": {"columns": {"a": {"data_type": "bigin"}}}}})
