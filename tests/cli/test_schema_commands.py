"""`penstock schema` on a real project: whole outputs, documents and what is told of mistakes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from scripted import Outcome

from penstock.schema.metadata import read_tables

Penstock = Callable[..., Outcome]
Same = Callable[[str, str], None]

PROJECT = """\
name: shop
destination: duckdb:///shop.duckdb
pipelines:
  web:
    source: {type: filesystem, path: in, tables: {orders: "orders*"}, min_age_s: 0}
    tables:
      orders:
        metadata: metadata/orders.json
        contract: {columns: evolve}
"""
ORDERS = {
    "$schema": "https://example.org/mojap-metadata/v1.4.0.json",
    "name": "orders",
    "description": "What was ordered",
    "file_format": "jsonl",
    "primary_key": ["id"],
    "owner": "shop team",
    "columns": [
        {"name": "id", "type": "int64", "type_category": "integer", "nullable": False, "unique": True},
        {"name": "code", "type": "large_string", "pattern": "[A-Z]{2}", "maxLength": 2, "lineage": "till"},
        {"name": "amount", "type": "decimal128(12,2)", "minimum": 0},
        {"name": "state", "type": "string", "enum": ["new", "paid"]},
        {"name": "email", "type": "string", "sensitive": True},
        {"name": "day", "type": "date32", "datetime_format": "%d/%m/%Y"},
        {"name": "lines", "type": "list_<struct<sku: string, count: int32>>"},
    ],
}
CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: shop
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true}
      - name: amount
        logicalType: number
        physicalType: DECIMAL(10,2)
        logicalTypeOptions: {exclusiveMinimum: 0, multipleOf: 0.01}
      - name: state
        logicalType: string
        enum: [{value: new, label: New}, {value: paid}]
  - name: people
    properties:
      - {name: email, logicalType: string, classification: restricted}
"""


@pytest.fixture
def shop(tmp_path: Path, penstock: Penstock, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose table grew by a column with its second file."""
    (tmp_path / "metadata").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "penstock.yml").write_text(PROJECT)
    (tmp_path / "metadata" / "orders.json").write_text(json.dumps(ORDERS))
    (tmp_path / "shop.odcs.yaml").write_text(CONTRACT)
    row = {"id": 1, "code": "GB", "amount": "1.50", "state": "new", "email": "a@b.c", "day": "2026-01-31"}
    (tmp_path / "in" / "orders_1.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def loaded(shop: Path, penstock: Penstock) -> Path:
    """The same, run twice."""
    assert penstock("run").code == 0
    (shop / "in" / "orders_2.jsonl").write_text('{"id": 2, "gift": true}\n')
    assert penstock("run").code == 0
    return shop


def steady(text: str) -> str:
    """Output without the instants and loads of this run."""
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, load \S+", "<when>, load <id>", text)


FORMATS = ["own", "etl_manager", "mojap", "odcs", "odcs-3.0", "odcs-3.2", "json_schema", "pydantic", "dlt"]


@pytest.mark.parametrize("format_", FORMATS)
def test_export(penstock: Penstock, same: Same, shop: Path, format_: str) -> None:
    told = penstock("schema", "export", "orders", "--format", format_)
    assert told.code == 0
    same(f"schema_export_{format_}", told.out + told.err)


def test_what_was_read_is_exported_key_for_key(penstock: Penstock, shop: Path) -> None:
    assert json.loads(penstock("schema", "export", "orders", "-f", "mojap").out) == ORDERS


@pytest.mark.parametrize("format_", ["own", "odcs", "json_schema", "mojap"])
def test_an_export_is_metadata_again(penstock: Penstock, shop: Path, format_: str) -> None:
    document = json.loads(penstock("schema", "export", "orders", "-f", format_, "--json").out)["document"]
    [back] = read_tables(document, name="orders", where="x").tables
    [was] = read_tables(ORDERS, name="orders", where="x").tables
    assert back == was


def test_export_to_a_file(penstock: Penstock, shop: Path) -> None:
    told = penstock("schema", "export", "orders", "-o", "out/orders.yml")
    assert (told.code, told.out) == (0, "wrote out/orders.yml\n")
    assert "note: our own form has no place for `lineage`: code\n" in told.err
    raw = YAML(typ="safe").load((shop / "out" / "orders.yml").read_text())
    assert raw["columns"][1]["pattern"] == "[A-Z]{2}"


def test_export_as_json(penstock: Penstock, shop: Path) -> None:
    document = json.loads(penstock("schema", "export", "-f", "etl_manager", "--json").out)
    assert document["tables"] == ["orders"]
    assert any("unique" in note for note in document["notes"])


def test_export_what_is_stored(penstock: Penstock, loaded: Path) -> None:
    told = penstock("schema", "export", "orders", "--stored", "--json")
    names = [c["name"] for c in json.loads(told.out)["document"]["columns"]]
    assert names == [c["name"] for c in ORDERS["columns"]] + ["gift"]


def test_import(penstock: Penstock, same: Same, shop: Path) -> None:
    told = penstock("schema", "import", "shop.odcs.yaml", "--table", "orders")
    assert told.code == 0
    same("schema_import", told.out + told.err)


def test_import_a_model(penstock: Penstock, shop: Path) -> None:
    (shop / "shapes_to_import.py").write_text(
        "import pydantic as p\n\n\nclass Visit(p.BaseModel):\n    page: str = p.Field(max_length=9)\n"
    )
    told = penstock("schema", "import", "shapes_to_import.py:Visit", "--table", "visits", "--json")
    assert json.loads(told.out)["document"] == {
        "name": "visits",
        "columns": [{"name": "page", "type": "text", "nullable": False, "maxLength": 9}],
    }


def test_history(penstock: Penstock, same: Same, loaded: Path) -> None:
    told = penstock("schema", "history", "orders")
    assert told.code == 0
    same("schema_history", steady(told.out))
    document = json.loads(penstock("schema", "history", "orders", "--json").out)
    assert [v["version"] for v in document["versions"]] == [1, 2]
    assert document["versions"][1]["columns"][-1] == {"name": "gift", "type": "bool"}


def test_diff_of_declared_and_stored(penstock: Penstock, same: Same, loaded: Path) -> None:
    told = penstock("schema", "diff", "orders")
    assert told.code == 0
    same("schema_diff_stored", told.out)
    assert "no difference" in penstock("schema", "diff", "orders@2", "orders@stored").out
    assert "+ gift: bool" in penstock("schema", "diff", "orders@1").out


def test_diff_of_files(penstock: Penstock, same: Same, shop: Path) -> None:
    told = penstock("schema", "diff", "metadata/orders.json", "shop.odcs.yaml#orders")
    assert told.code == 0
    same("schema_diff_files", told.out)
    document: Any = json.loads(
        penstock("schema", "diff", "metadata/orders.json", "shop.odcs.yaml#orders", "--json").out
    )
    assert {"sort": "changed", "column": "amount", "fact": "type", "before": "decimal(12,2)",
            "after": "decimal(10,2)"} in document["differences"]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["export", "orders", "-f", "jsonschma"], 2, "did you mean 'json_schema'?"),
        (["export", "order"], 1, "did you mean 'orders'?"),
        (["export", "orders", "--stored"], 1, "`penstock run web` fills it"),
        (["history", "orders"], 1, "the warehouse has no table `orders` yet"),
        (["import", "gone.yml"], 1, "there is no such file"),
        (["import", "shop.odcs.yaml"], 2, "--table orders"),
        (["import", "shop.odcs.yaml", "-t", "order"], 1, "did you mean 'orders'?"),
        (["diff", "shop.odcs.yaml", "orders"], 2, "shop.odcs.yaml#TABLE"),
    ],
)
def test_mistakes(penstock: Penstock, shop: Path, arguments: list[str], code: int, words: str) -> None:
    told = penstock("schema", *arguments)
    assert (told.code, told.out) == (code, "")
    assert words in told.err


def test_a_version_that_is_not_there(penstock: Penstock, loaded: Path) -> None:
    told = penstock("schema", "diff", "orders@7")
    assert told.code == 1
    assert "penstock schema history orders" in told.err


def test_align(penstock: Penstock, shop: Path) -> None:
    (shop / "rows.csv").write_text("amount,id,state\n1.50,1,new\n,2,paid\n")
    wanted = ["schema", "align", "rows.csv", "--table", "shop.odcs.yaml#orders"]
    assert penstock(*wanted).out == "ok: 2 rows fit shop.odcs.yaml#orders\n"
    told = penstock(*wanted, "--output", "out/rows.parquet", "--json")
    assert json.loads(told.out)["rows"] == 2
    found = pq.read_table(shop / "out" / "rows.parquet")
    assert [str(kind) for kind in found.schema.types] == ["int64", "decimal128(10, 2)", "string"]
    again = penstock("schema", "align", "out/rows.parquet", "-t", "orders", "--missing", "leave")
    assert again.out == "ok: 2 rows fit orders as declared\n"


def test_align_refuses_what_does_not_fit_and_writes_nothing(penstock: Penstock, shop: Path) -> None:
    (shop / "rows.csv").write_text("id,amount,state\n1,1.50,new\n2,1.505,paid\n")
    told = penstock("schema", "align", "rows.csv", "-t", "shop.odcs.yaml#orders", "-o", "rows.parquet")
    assert told.code == 1
    assert "row 2" in told.err
    assert "'1.505'" in told.err
    assert not list(shop.glob("*.parq*"))
    (shop / "more.csv").write_text("id,amount,state,x\n1,1.50,new,1\n")
    more = ["schema", "align", "more.csv", "-t", "shop.odcs.yaml#orders"]
    assert "`x`, which its metadata does not know" in penstock(*more).err
    assert penstock(*more, "--extra", "drop").code == 0
    assert penstock(*more, "--extra", "dorp").code == 2
    assert penstock("schema", "align", "in/orders_1.jsonl", "-t", "orders").code == 2
    assert penstock("schema", "align", "gone.csv", "-t", "orders").code == 1
