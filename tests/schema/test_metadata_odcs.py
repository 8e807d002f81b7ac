"""Contracts of ODCS 3.0 to 3.2: what is read of them, and that they come back whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.errors import ProjectError
from penstock.schema.faults import ManyFaultsError
from penstock.schema.formats.form import alike
from penstock.schema.metadata import Reading, read_metadata, read_tables, write_metadata
from penstock.schema.table import Column, ForeignKey, Table

CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "0b7b6c7e-8e3e-4f0e-9a57-4f7b0f9d2c11",
    "version": "2.4.1",
    "status": "active",
    "domain": "retail",
    "servers": [{"server": "warehouse", "type": "duckdb", "database": "shop.duckdb"}],
    "team": [{"username": "ada", "role": "owner"}],
    "slaProperties": [{"property": "latency", "value": 4, "unit": "d"}],
    "schema": [
        {
            "id": "orders_obj",
            "name": "Orders",
            "physicalName": "orders",
            "physicalType": "table",
            "description": "One row an order",
            "tags": ["finance"],
            "dataGranularityDescription": "an order",
            "quality": [{"type": "library", "metric": "rowCount", "mustBeGreaterThan": 10}],
            "relationships": [
                {"type": "foreignKey", "from": "orders.shop", "to": "shops.code"},
                {"from": ["orders.day", "orders.shop"], "to": ["days.day", "days.shop"]},
            ],
            "properties": [
                {
                    "id": "day_prop",
                    "name": "order date",
                    "physicalName": "day",
                    "logicalType": "date",
                    "physicalType": "date",
                    "primaryKey": True,
                    "primaryKeyPosition": 2,
                    "partitioned": True,
                    "partitionKeyPosition": 1,
                    "logicalTypeOptions": {"format": "dd/MM/yyyy", "minimum": "2020-01-01"},
                    "examples": ["31/01/2024"],
                    "criticalDataElement": True,
                },
                {
                    "id": "id_prop",
                    "name": "id",
                    "logicalType": "integer",
                    "logicalTypeOptions": {"format": "i32", "exclusiveMinimum": 0},
                    "required": True,
                    "primaryKey": True,
                    "primaryKeyPosition": 1,
                    "partitioned": False,
                    "partitionKeyPosition": -1,
                },
                {
                    "name": "email",
                    "logicalType": "string",
                    "physicalType": "varchar(200)",
                    "classification": "restricted",
                    "encryptedName": "email_enc",
                    "logicalTypeOptions": {"format": "email", "maxLength": 200},
                    "relationships": [{"to": "/schema/people_obj/properties/mail_prop"}],
                },
                {
                    "name": "amount",
                    "logicalType": "number",
                    "physicalType": "NUMERIC(12, 2)",
                    "customProperties": [{"property": "currency", "value": "GBP"}],
                    "quality": [
                        {"type": "library", "metric": "nullValues", "mustBe": 0},
                        {"type": "sql", "query": "SELECT 1", "mustBe": 1},
                    ],
                },
                {
                    "name": "state",
                    "logicalType": "string",
                    "quality": [
                        {
                            "metric": "invalidValues",
                            "arguments": {"validValues": ["new", None, "paid"]},
                            "mustBe": 0,
                            "unit": "rows",
                        },
                        {"metric": "duplicateValues", "mustBeLessThan": 5, "unit": "percent"},
                    ],
                },
                {"name": "shop", "logicalType": "string", "logicalTypeOptions": {"pattern": "^[A-Z]{3}$"}},
                {"name": "at", "logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}},
                {"name": "seen", "logicalType": "timestamp", "physicalType": "TIMESTAMP WITHOUT TIME ZONE"},
                {
                    "name": "lines",
                    "logicalType": "array",
                    "logicalTypeOptions": {"minItems": 1, "uniqueItems": True},
                    "items": {
                        "logicalType": "object",
                        "properties": [
                            {"name": "sku", "logicalType": "string", "description": "what", "required": True},
                            {"name": "count", "logicalType": "integer"},
                        ],
                    },
                },
                {"name": "payload", "logicalType": "object", "physicalType": "jsonb"},
                {"name": "left open"},
            ],
        },
        {
            "id": "people_obj",
            "name": "people",
            "properties": [{"id": "mail_prop", "name": "mail", "logicalType": "string", "unique": True}],
        },
    ],
}  # fmt: skip


def read(document: dict[str, Any]) -> Reading:
    return read_tables(document, name="x", where="shop.odcs.yaml")


def one(**said: Any) -> Column:
    """The column that one property describes."""
    document = {"apiVersion": "v3.2.0", "kind": "DataContract",
                "schema": [{"name": "t", "properties": [{"name": "c", **said}]}]}  # fmt: skip
    return read(document).tables[0].columns[0]


def test_what_a_contract_says() -> None:
    orders, people = read(CONTRACT).tables
    assert (orders.name, people.name) == ("orders", "people")
    assert orders.primary_key == ("id", "day")
    assert orders.partitions == ("day",)
    assert orders.description == "One row an order"
    assert {c.name: str(c.type) for c in orders.columns} == {
        "day": "date", "id": "int32", "email": "text", "amount": "decimal(12,2)", "state": "text",
        "shop": "text", "at": "timestamp_tz", "seen": "timestamp",
        "lines": "list<struct<sku: text, count: int64>>", "payload": "json", "left open": "null",
    }  # fmt: skip
    by_name = {c.name: c for c in orders.columns}
    assert by_name["day"].minimum == "2020-01-01"
    assert by_name["day"].extra["datetime_format"] == "%d/%m/%Y"
    assert (by_name["id"].minimum, by_name["id"].nullable) == (1, False)
    assert (by_name["email"].sensitive, by_name["email"].max_length) == (True, 200)
    assert by_name["email"].foreign_key == ForeignKey("people", ("mail",))
    assert not by_name["amount"].nullable
    assert by_name["state"].enum == ("new", "paid")
    assert by_name["shop"].foreign_key == ForeignKey("shops", ("code",))
    assert by_name["lines"].min_length == 1
    assert not by_name["left open"].declared
    assert people.columns[0].unique


def test_what_is_not_enforced_is_told() -> None:
    assert read(CONTRACT).notes == (
        "a relationship of several columns is kept, not enforced: the table `orders`",
        "the quality rule `sql` is kept, not enforced: amount",
        "the quality rule `duplicateValues` is kept, not enforced: state",
        "`uniqueItems` is kept, not enforced: lines",
        "the quality rule `rowCount` is kept, not enforced: the table `orders`",
    )


def test_a_contract_comes_back_whole() -> None:
    written = write_metadata(read(CONTRACT).tables, "odcs")
    assert alike(written.document, CONTRACT)
    assert written.notes == ()


def test_a_changed_column_changes_only_itself() -> None:
    orders, people = read(CONTRACT).tables
    columns = tuple(replace(c, description="new") if c.name == "amount" else c for c in orders.columns)
    document = write_metadata([replace(orders, columns=columns), people], "odcs").document
    before, after = CONTRACT["schema"][0]["properties"], document["schema"][0]["properties"]
    changed = [b["name"] for b, a in zip(before, after, strict=True) if not alike(b, a)]
    assert changed == ["amount"]
    assert after[3] == {**before[3], "description": "new", "required": True}


def test_one_table_of_several() -> None:
    table = read_metadata(CONTRACT, name="sales", where="shop.odcs.yaml", part="people")
    assert (table.name, table.names) == ("sales", ("mail",))
    with pytest.raises(ProjectError, match="describes 2 tables") as caught:
        read_metadata(CONTRACT, name="sales", where="shop.odcs.yaml")
    assert "`shop.odcs.yaml#orders`" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"logicalType": "string"}, "text"),
        ({"logicalType": "string", "logicalTypeOptions": {"format": "uuid"}}, "uuid"),
        ({"logicalType": "string", "physicalType": "bytea"}, "binary"),
        ({"logicalType": "string", "physicalType": "bigint"}, "text"),
        ({"logicalType": "integer"}, "int64"),
        ({"logicalType": "integer", "physicalType": "INT"}, "int32"),
        ({"logicalType": "integer", "logicalTypeOptions": {"format": "u64"}}, "uint64"),
        ({"logicalType": "integer", "physicalType": "NUMBER(38)"}, "decimal(38,0)"),
        ({"logicalType": "number"}, "float64"),
        ({"logicalType": "number", "physicalType": "real"}, "float32"),
        ({"logicalType": "date", "physicalType": "timestamp with time zone"}, "timestamp_tz"),
        ({"logicalType": "timestamp", "physicalType": "TIMESTAMP(3)"}, "timestamp"),
        ({"logicalType": "time"}, "time"),
        ({"logicalType": "boolean"}, "bool"),
        ({"logicalType": "array"}, "list<json>"),
        ({"logicalType": "array", "items": {"logicalType": "number"}}, "list<float64>"),
        ({"logicalType": "object"}, "json"),
        ({"logicalType": "map",
          "map": {"key": {"logicalType": "string"}, "value": {"logicalType": "integer"}}},
         "list<struct<key: text, value: int64>>"),
        ({"physicalType": "VARCHAR(20)"}, "text"),
        ({"physicalType": "bigint"}, "int64"),
        ({"physicalType": "geometry"}, "null"),
    ],
)  # fmt: skip
def test_types(said: dict[str, Any], kind: str) -> None:
    assert str(one(**said).type) == kind


def test_enums_of_three_versions() -> None:
    new = one(logicalType="string", enum=[{"value": "a", "label": "A"}, {"value": "b"}])
    rule = {"type": "library", "rule": "validValues", "validValues": ["a", "b"]}
    assert new.enum == one(logicalType="string", quality=[rule]).enum == ("a", "b")
    tolerant = {"metric": "invalidValues", "arguments": {"validValues": ["a"]}, "mustBeLessThan": 5}
    assert one(logicalType="string", quality=[tolerant]).enum is None


@pytest.mark.parametrize(
    ("version", "place"), [("odcs-3.0", "customProperties"), ("odcs-3.1", "quality"), ("odcs-3.2", "enum")]
)
def test_each_version_has_a_place_for_enums(version: str, place: str) -> None:
    table = Table("t", (Column("c", one(logicalType="string").type, enum=("a",), declared=True),))
    document = write_metadata([table], version).document
    assert place in document["schema"][0]["properties"][0]
    assert read(document).tables == (table,)


def test_another_version_on_demand() -> None:
    document = write_metadata(read(CONTRACT).tables, "odcs-3.2").document
    assert document["apiVersion"] == "v3.2.0"
    assert document["team"] == CONTRACT["team"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"apiVersion": "v2.2.2"}, "this version of ODCS cannot be read | shop.odcs.yaml (apiVersion)"),
        ({"schema": {}}, "the contract describes no tables | shop.odcs.yaml (schema)"),
        ({"schema": [{}]}, "an object has no `name` | shop.odcs.yaml (schema[0])"),
        (
            {"schema": [{"name": "t", "properties": [{"name": "c", "logicalType": "strng"}]}]},
            "`strng` is no logical type | shop.odcs.yaml (t.c.logicalType) | did you mean 'string'?",
        ),
        (
            {"schema": [{"name": "t", "properties": [{"name": "c"}, {"name": "c"}, {}]}]},
            "the column `c` is there twice | shop.odcs.yaml (t.c)\n"
            "a property has no `name` | shop.odcs.yaml (t.2)",
        ),
        (
            {"schema": [{"name": "t", "properties": [
                {"name": "c", "logicalType": "string", "logicalTypeOptions": {"pattern": "(?=x)"}}]}]},
            "`pattern` cannot be used | shop.odcs.yaml (t.c.pattern) "
            "| `(?=` looks around, which not every engine can",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ProjectError) as caught:
        read({**CONTRACT, **change})
    error = caught.value
    faults = error.faults if isinstance(error, ManyFaultsError) else (error,)
    assert "\n".join(" | ".join(filter(None, [f.what, f.where, f.hint])) for f in faults) == told
