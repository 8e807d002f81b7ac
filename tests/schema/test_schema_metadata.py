"""Three metadata formats become the same tables, and what is wrong with a file is told in full."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import ProjectError
from penstock.schema import types as t
from penstock.schema.faults import ManyFaultsError
from penstock.schema.formats.columnar_read import COLUMN_KEYS
from penstock.schema.formats.form import extra_of
from penstock.schema.metadata import read_metadata
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import Kind, Scalar, parse_type
from penstock.schema.vocabulary import ETL_MANAGER, MOJAP, OWN, tell_format


def read(mapping: Any) -> Table:
    return read_metadata(mapping, name="orders", where="metadata/orders.yml")


def one(column: dict[str, Any], **table: Any) -> Column:
    [found] = read({"columns": [column], **table}).columns
    return found


def faults(mapping: Any) -> list[ProjectError]:
    with pytest.raises(ProjectError) as caught:
        read(mapping)
    error = caught.value
    return list(error.faults) if isinstance(error, ManyFaultsError) else [error]


# -------------------------------------------------------------------------------------- our own


def test_our_own_form() -> None:
    table = read(
        {
            "description": "What was ordered",
            "primary_key": ["id"],
            "partitions": "day",
            "columns": [
                {"name": "id", "type": "int64", "nullable": False, "unique": True, "minimum": 1},
                {"name": "day", "type": "date", "maximum": "2030-01-01"},
                {"name": "code", "type": "text", "pattern": "[A-Z]+", "minLength": 1, "maxLength": 3},
                {"name": "state", "type": "text", "enum": ["new", None, "done"], "sensitive": True},
                {"name": "customer", "type": "int64", "foreign_key": "customers.id"},
                {"name": "later"},
            ],
        }
    )
    assert table == Table(
        "orders",
        (
            Column("id", t.INT64, nullable=False, unique=True, minimum=1, declared=True),
            Column("day", t.DATE, maximum="2030-01-01", declared=True),
            Column("code", t.TEXT, pattern="[A-Z]+", min_length=1, max_length=3, declared=True),
            Column("state", t.TEXT, enum=("new", "done"), sensitive=True, declared=True),
            Column("customer", t.INT64, foreign_key=ForeignKey("customers", ("id",)), declared=True),
            Column("later", t.NULL),
        ),
        primary_key=("id",),
        partitions=("day",),
        description="What was ordered",
    )


def test_columns_as_a_mapping() -> None:
    listed = read(
        {"columns": [{"name": "a", "type": "int64"}, {"name": "b", "type": "text", "nullable": False}]}
    )
    assert read({"columns": {"a": "int64", "b": {"type": "text", "nullable": False}}}) == listed
    assert read({"columns": {"a": None}}).columns == (Column("a", t.NULL),)


def test_names_that_differ_in_case_are_two_columns() -> None:
    assert read({"columns": {"id": "int64", "ID": "int64"}}).names == ("id", "ID")


def test_every_key_has_an_effect() -> None:
    """Each key of a column, the name aside, changes what is read."""
    values: dict[str, Any] = {
        "type": "int64", "description": "d", "nullable": False, "enum": ["a"], "pattern": "a", "minimum": "a",
        "maximum": "b", "minLength": 1, "maxLength": 2, "unique": True, "sensitive": True,
        "foreign_key": "x.y",
    }  # fmt: skip
    assert {"name", *values} == set(COLUMN_KEYS)
    plain = one({"name": "a"})
    assert all(one({"name": "a", key: value}) != plain for key, value in values.items())


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        (["a"], ["the metadata is no mapping | metadata/orders.yml"]),
        ({}, ["`columns` is missing | metadata/orders.yml (columns)"]),
        ({"columns": "a"}, ["`columns` is missing | metadata/orders.yml (columns)"]),
        ({"columns": ["a"]}, ["a column has no `name` | metadata/orders.yml (columns[0])"]),
        (
            {"columns": {"id": "integr", "x": "decimal(50,2)"}},
            [
                "`integr` is not a type | metadata/orders.yml (columns.id.type) | did you mean 'integer'?",
                "`decimal(50,2)` is not a type: decimal(50,2) is outside 1..38 digits "
                "| metadata/orders.yml (columns.x.type) | did you mean 'decimal'?",
            ],
        ),
        (
            {"columns": {"id": {"type": "int64", "nulable": False}}},
            ["unknown key `nulable` | metadata/orders.yml (columns.id.nulable) | did you mean 'nullable'?"],
        ),
        (
            {"columns": {"id": "int64"}, "primary_keys": ["id"]},
            ["unknown key `primary_keys` | metadata/orders.yml (primary_keys) | did you mean 'primary_key'?"],
        ),
        (
            {"columns": {"id": "int64"}, "primary_key": ["idd", "id", "id"], "partitions": {"id": 1}},
            [
                "`idd` of `primary_key` is not a column | metadata/orders.yml (primary_key) "
                "| did you mean 'id'?",
                "`id` is in `primary_key` twice | metadata/orders.yml (primary_key)",
                "`partitions` has a wrong kind of value | metadata/orders.yml (partitions)",
            ],
        ),
        (
            {"columns": [{"name": "a"}, {"name": "a"}]},
            ["the column `a` is there twice | metadata/orders.yml (columns.a)"],
        ),
        (
            {"columns": {"_penstock_load_id": "text"}},
            ["`_penstock_load_id` cannot name a column | metadata/orders.yml (columns._penstock_load_id)"],
        ),
        (
            {"columns": {"a": {"nullable": "yes", "enum": "x", "unique": 1}}},
            [
                "`enum` has a wrong kind of value | metadata/orders.yml (columns.a.enum)",
                "`nullable` has a wrong kind of value | metadata/orders.yml (columns.a.nullable)",
                "`unique` has a wrong kind of value | metadata/orders.yml (columns.a.unique)",
            ],
        ),
        (
            {"columns": {"a": {"type": "int8", "maximum": 300}}},
            ["`maximum` does not fit the type int8 | metadata/orders.yml (columns.a.maximum)"],
        ),
        (
            {
                "columns": {
                    "a": {"foreign_key": [{"table": "b", "columns": ["c"]}, {"table": "d", "columns": ["e"]}]}
                }
            },
            [
                "`foreign_key` does not point at one table's columns "
                "| metadata/orders.yml (columns.a.foreign_key)"
            ],
        ),
    ],
)
def test_everything_wrong_is_told_at_once(mapping: Any, told: list[str]) -> None:
    assert [" | ".join(filter(None, [f.what, f.where, f.hint])) for f in faults(mapping)] == told


def test_lines_are_told_when_they_are_known() -> None:
    mapping = {"columns": [{"name": "id", "type": "integr"}]}
    with pytest.raises(ProjectError) as caught:
        read_metadata(mapping, name="t", where="t.yml", locate=lambda path: f"t.yml:{len(path)}")
    assert caught.value.where == "t.yml:3 (columns.id.type)"


# ----------------------------------------------------------------------------------- etl_manager

ETL = {
    "$schema": "https://example.org/etl_manager/specs/table_schema.json",
    "name": "random_postcodes",
    "description": "Postcodes",
    "data_format": "json",
    "location": "random_postcodes/",
    "partitions": None,
    "glue_specific": {"Parameters": {"a": "b"}},
    "columns": [
        {"name": "text", "type": "character", "pattern": "[A-Z]+", "nullable": False},
        {"name": "int", "type": "int", "enum": [1, 2]},
        {"name": "long", "type": "long"},
        {"name": "float", "type": "float"},
        {"name": "double", "type": "double"},
        {"name": "decimal", "type": "decimal(38,0)"},
        {"name": "day", "type": "date"},
        {"name": "at", "type": "datetime", "sensitivity": "personal_data"},
        {"name": "bytes", "type": "binary", "redacted": True},
        {"name": "yes", "type": "boolean"},
        {"name": "deep", "type": "struct<long_name: long, of:array<character>>", "colour": "red"},
    ],
}


def test_etl_manager() -> None:
    table = read(ETL)
    assert {c.name: str(c.type) for c in table.columns} == {
        "text": "text", "int": "int32", "long": "int64", "float": "float32", "double": "float64",
        "decimal": "decimal(38,0)", "day": "date", "at": "timestamp", "bytes": "binary", "yes": "bool",
        "deep": "struct<long_name: int64, of: list<text>>",
    }  # fmt: skip
    assert [c.name for c in table.columns if c.sensitive] == ["at", "bytes"]
    assert all(c.declared for c in table.columns)
    assert (table.name, table.description, table.partitions) == ("orders", "Postcodes", ())
    assert table.columns[0].pattern == "[A-Z]+"
    assert not table.columns[0].nullable
    assert table.columns[1].enum == (1, 2)


def test_what_has_no_meaning_here_is_kept() -> None:
    table = read(ETL)
    kept = ("data_format", "location", "glue_specific")
    assert extra_of(table) == {key: ETL[key] for key in kept}
    assert [extra_of(c) for c in table.columns[7:]] == [
        {"sensitivity": "personal_data"},
        {"redacted": True},
        {},
        {"colour": "red"},
    ]


# -------------------------------------------------------------------------------- mojap-metadata


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("string", "text"), ("large_string", "text"), ("utf8", "text"), ("large_utf8", "text"),
        ("null", "null"),
        ("int8", "int8"), ("uint64", "uint64"), ("float16", "float32"), ("float32", "float32"),
        ("float64", "float64"),
        ("decimal128(38, 9)", "decimal(38,9)"), ("decimal128(1,0)", "decimal(1,0)"),
        ("bool", "bool"), ("bool_", "bool"), ("binary", "binary"), ("binary(16)", "binary"),
        ("large_binary", "binary"),
        ("date32", "date"), ("date64", "date"), ("time32(s)", "time"), ("time64(ns)", "time"),
        ("timestamp(s)", "timestamp"), ("timestamp(ms)", "timestamp"), ("timestamp(us)", "timestamp"),
        ("timestamp(ns)", "timestamp(ns)"),
        ("list<int64>", "list<int64>"), ("list_<string>", "list<text>"), ("large_list<bool_>", "list<bool>"),
        ("struct<string: string, b: list_<utf8>>", "struct<string: text, b: list<text>>"),
        ("map_<string, struct<a: int8>>", "list<struct<key: text, value: struct<a: int8>>>"),
    ],
)  # fmt: skip
def test_mojap_types(text: str, kind: str) -> None:
    column = one({"name": "a", "type": text}, file_format="jsonl")
    assert column.type == parse_type(kind)
    assert column.declared == (kind != "null")


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("integer", t.INT64), ("float", t.FLOAT64), ("string", t.TEXT), ("timestamp", t.TIMESTAMP),
        ("binary", t.BINARY), ("boolean", t.BOOL), ("null", t.NULL), ("list", t.NULL), ("struct", t.NULL),
    ],
)  # fmt: skip
def test_mojap_categories(category: str, kind: Scalar) -> None:
    column = one({"name": "a", "type_category": category})
    assert (column.type, column.declared) == (kind, kind != t.NULL)


def test_an_unknown_category() -> None:
    [fault] = faults({"columns": [{"name": "a", "type_category": "number"}]})
    assert "integer, float" in str(fault.expected)


def test_mojap_keys() -> None:
    table = read(
        {
            "name": "people",
            "file_format": "csv",
            "sensitive": True,
            "primary_key": ["id"],
            "columns": [
                {
                    "name": "id",
                    "type": "int64",
                    "minLength": None,
                    "foreign_key": [{"table": "x", "columns": ["y"]}],
                },
                {"name": "born", "type": "date64", "datetime_format": "%Y", "sensitive": False},
            ],
        }
    )
    assert [c.sensitive for c in table.columns] == [True, False]
    assert table.columns[0].foreign_key == ForeignKey("x", ("y",))
    assert extra_of(table.columns[1]) == {"datetime_format": "%Y"}
    assert extra_of(table) == {"file_format": "csv", "sensitive": True}


# ------------------------------------------------------------------------------- telling apart


@pytest.mark.parametrize(
    ("table", "columns", "told"),
    [
        ({}, [{"type": "int64"}], (OWN, True)),
        ({}, [{"type": "text"}, {"type": "int"}, {"type": "datetime"}], (OWN, True)),
        ({}, [{"type": "int"}, {"type": "character"}], (ETL_MANAGER, False)),
        ({}, [{"type": "array<struct<character: character>>"}], (ETL_MANAGER, False)),
        ({}, [{"type": "struct<character: text>"}], (OWN, True)),
        ({"location": "x"}, [{"type": "int"}], (ETL_MANAGER, True)),
        ({}, [{"redacted": False}], (ETL_MANAGER, True)),
        ({}, [{"type": "string"}], (MOJAP, False)),
        ({}, [{"type": "list_<int64>"}], (MOJAP, False)),
        ({"file_format": "csv"}, [{"type": "int64"}], (MOJAP, True)),
        ({"$schema": "https://example.org/mojap-metadata/v1.json"}, [], (MOJAP, True)),
        ({"columns": 3}, [], (OWN, True)),
    ],
)
def test_formats_are_told_apart(table: dict[str, Any], columns: list[dict[str, Any]], told: object) -> None:
    assert tell_format({"columns": columns, **table}) == told


def test_a_typo_is_refused_where_only_a_type_looks_foreign() -> None:
    [fault] = faults({"columns": [{"name": "a", "type": "string", "nulable": False}]})
    assert fault.hint == "did you mean 'nullable'?"
    assert extra_of(one({"name": "a", "type": "string", "colour": "red"})) == {"colour": "red"}


def test_every_kind_has_a_word_in_our_own_form() -> None:
    assert all(one({"name": "a", "type": kind.value}).type == Scalar(kind) for kind in Kind)
