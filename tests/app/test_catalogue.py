"""A project as one value: every table in every layer, every model, and what leads to it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from penstock.app.catalogue import catalogue_of
from penstock.app.files import load_project
from penstock.catalogue import Catalogue, Check, Freshness, Layer, Node
from penstock.gate.verdict import Action
from penstock.schema.table import Table


def catalogue(root: Path, text: str, files: Mapping[str, str] | None = None) -> Catalogue:
    (root / "penstock.yml").write_text(f"name: shop\n{text}")
    for name, content in (files or {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return catalogue_of(load_project(root, env={"SECRET": "hush-hush"}))


def keys(found: Catalogue) -> list[str]:
    return [".".join(node.key) for node in found.nodes]


LAYERS = (Layer.SOURCE, Layer.LAND, Layer.RAW_HIST, Layer.WAREHOUSE)

ORDERS = """\
pipelines:
  sales:
    description: What was sold
    source: {type: filesystem, path: in, tables: {orders: "orders_*.jsonl"}}
    schedule: "@daily"
    group: money
    owners: me@shop.org
    tags: [daily]
    freshness: 2d
    meta: {dagster: {kinds: [file], pool: a}, other: 1}
    tables:
      orders:
        description: Every order
        primary_key: id
        partitions: day
        group: orders
        tags: [big, daily]
        freshness: {fail_after: 30h, warn_after: 1h}
        meta: {dagster: {pool: b}}
        columns:
          id: int64
          state: {type: text, enum: [new, done], description: How it stands}
          day: date
          code: {type: text, unique: true}
          buyer: {type: int64, foreign_key: people.id}
        gate:
          min_rows: 10
          volume: {action: quarantine}
          duplicate_content: quarantine
          actions: {enum: drop}
          expectations: [{name: recent, constraint: "day > DATE '2020-01-01'", action: fail}]
"""


def test_a_table_in_every_layer(tmp_path: Path) -> None:
    found = catalogue(tmp_path, ORDERS)
    assert (found.project, found.schedules, found.incomplete) == ("shop", {"sales": "@daily"}, frozenset())
    assert [node.key for node in found.nodes] == [(layer, "sales", "orders") for layer in LAYERS]
    source, land, raw_hist, warehouse = found.nodes
    assert [n.reads for n in found.nodes] == [(), (source.key,), (land.key,), (raw_hist.key,)]
    assert [n.tool for n in found.nodes] == ["filesystem", "files", "files", "duckdb"]
    assert [n.place for n in found.nodes] == [
        f"{tmp_path}/in/orders_*.jsonl",
        f"{tmp_path}/data/land/sales/orders",
        f"{tmp_path}/data/raw_hist/sales/orders",
        f"{tmp_path}/warehouse.duckdb",
    ]
    assert [n.relation for n in found.nodes] == [None, None, None, "orders"]
    assert source.table == Table("orders", description="Every order")
    assert land.table == warehouse.table and warehouse.table.names == ("id", "state", "day", "code", "buyer")
    assert warehouse.table.partitions == ("day",)
    assert {n.schedule for n in found.nodes} == {"@daily"}


def test_what_is_said_for_people_and_programs(tmp_path: Path) -> None:
    found = catalogue(tmp_path, ORDERS)
    for node in found.nodes:
        assert (node.group, node.owners, node.tags) == ("orders", ("me@shop.org",), ("daily", "big"))
        assert node.meta == {"dagster": {"kinds": ["file"], "pool": "b"}, "other": 1}
    fresh = Freshness(fail_after_s=108_000, warn_after_s=3_600)
    assert [n.freshness for n in found.nodes] == [None, fresh, None, fresh]


def test_checks_have_the_names_by_which_results_count_them(tmp_path: Path) -> None:
    source, land, raw_hist, warehouse = catalogue(tmp_path, ORDERS).nodes
    assert source.checks == raw_hist.checks == ()
    assert [(c.rule, c.action, c.column) for c in land.checks] == [
        ("min_rows", Action.QUARANTINE, None),
        ("duplicate_content", Action.QUARANTINE, None),
        ("volume_rows", Action.QUARANTINE, None),
        ("volume_bytes", Action.QUARANTINE, None),
    ]
    assert [(c.rule, c.action, c.column) for c in warehouse.checks] == [
        ("id.nullable", Action.QUARANTINE, "id"),
        ("state.enum", Action.DROP, "state"),
        ("buyer.foreign_key", Action.QUARANTINE, "buyer"),
        ("recent", Action.FAIL, None),
        ("code.unique", Action.QUARANTINE, "code"),
        ("id.unique", Action.QUARANTINE, "id"),
    ]
    said = {c.rule: c.description for c in (*land.checks, *warehouse.checks)}
    assert said["min_rows"] == "at least 10 rows"
    assert said["state.enum"] == "state is one of new, done"
    assert said["buyer.foreign_key"] == "buyer is in people (id)"
    assert said["recent"] == "day > DATE '2020-01-01'"
    assert said["code.unique"] == "no value of code twice"


def test_keys_of_several_columns_and_merged_tables(tmp_path: Path) -> None:
    text = """\
pipelines:
  a:
    source: {type: land}
    tables:
      t: {primary_key: [a, b]}
      u: {primary_key: a, write: merge}
"""
    found = catalogue(tmp_path, text)
    rules = {n.name: [c.rule for c in n.checks] for n in found.of(Layer.WAREHOUSE)}
    assert rules == {"t": ["a, b.unique"], "u": []}


def test_a_pipeline_that_reads_the_files_of_another(tmp_path: Path) -> None:
    text = """\
pipelines:
  last: {source: {type: filesystem, path: out, glob: "t/**/*.parquet"}, tables: {v: }}
  next: {source: {type: filesystem, path: data/raw_hist/first, tables: {u: "t/**/*.jsonl"}}}
  first: {source: {type: land}, tables: {t: , s: }, destination: {parquet: out}}
"""
    found = catalogue(tmp_path, text)
    assert [n.name for n in found.of(Layer.LAND)] == ["t", "s", "v", "u"]
    sources = {n.name: n.reads for n in found.of(Layer.SOURCE)}
    assert sources == {
        "t": (), "s": (), "u": ((Layer.RAW_HIST, "first", "t"),), "v": ((Layer.WAREHOUSE, "first", "t"),),
    }  # fmt: skip
    assert found.node((Layer.WAREHOUSE, "first", "t")).place == f"{tmp_path}/out/t"


# --------------------------------------------------------------------------------------- models

MODELS = {
    "models/stg.sql": "/*---\nprimary_key: [id, day]\ncolumns: {id: int64}\ntags: a\ngate: {min_rows: 2}\n"
    "freshness: 1d\n---*/\nSELECT * FROM MAIN.Orders JOIN elsewhere.rates USING (day)",
    "models/marts/top.sql": "SELECT * FROM stg JOIN orders USING (id) JOIN elsewhere.RATES USING (day)",
    "models/a.py": "import penstock as ps\n@ps.model(materialized='view')\ndef f(top): ...\n",
}


def test_models_come_after_what_they_read(tmp_path: Path) -> None:
    found = catalogue(tmp_path, "models: models\n" + ORDERS, MODELS)
    assert keys(found)[4:] == ["source.elsewhere.rates", "model.stg", "model.top", "model.a"]
    outside, stg, top, last = found.nodes[4:]
    orders = (Layer.WAREHOUSE, "sales", "orders")
    assert outside == Node(
        ("source", "elsewhere.rates"), Layer.SOURCE, Table("elsewhere.rates"), "external",
        relation="elsewhere.rates",
    )  # fmt: skip
    assert stg.reads == (orders, outside.key)
    assert top.reads == (stg.key, orders, outside.key)
    assert last.reads == (top.key,)
    assert [n.tool for n in (stg, top, last)] == ["sql", "sql", "python"]
    assert (stg.pipeline, stg.relation, stg.place) == (None, "stg", "models/stg.sql")
    assert stg.sql is not None and stg.sql.startswith("SELECT") and last.sql is None
    assert (stg.materialized, last.materialized) == ("table", "view")
    assert stg.version and stg.version != top.version
    assert (stg.tags, stg.freshness) == (("a",), Freshness(86_400))
    assert stg.checks == (
        Check("id.nullable", Action.QUARANTINE, "id", "id has a value"),
        Check("unique(id, day)", Action.QUARANTINE, None, "no value of id, day twice"),
        Check("min_rows", Action.FAIL, None, "at least 2 rows"),
    )


def test_relations_of_a_schema_of_its_own(tmp_path: Path) -> None:
    text = "models: models\ndestination: {type: duckdb, path: w.duckdb, schema: curated}\n" + ORDERS
    found = catalogue(tmp_path, text, {"models/m.sql": "SELECT * FROM Curated.orders, raw.orders"})
    assert found.nodes[-1].reads == ((Layer.WAREHOUSE, "sales", "orders"), ("source", "raw.orders"))


def test_tables_of_another_destination_are_none_that_models_read(tmp_path: Path) -> None:
    text = "models: models\n" + ORDERS + "    destination: duckdb:///other.duckdb\n"
    found = catalogue(tmp_path, text, {"models/m.sql": "SELECT * FROM orders"})
    assert found.nodes[-1].reads == (("source", "orders"),)
    assert found.node(("source", "orders")).tool == "external"


def test_a_model_may_read_what_only_a_run_lists(tmp_path: Path) -> None:
    text = "models: models\n" + ORDERS + "  drop: {source: {type: land}}\n"
    found = catalogue(tmp_path, text, {"models/m.sql": "SELECT * FROM events JOIN x.events USING (a)"})
    assert found.incomplete == {"drop"}
    assert found.nodes[-1].reads == ((Layer.WAREHOUSE, "drop", "drop"), ("source", "x.events"))
    text += "  other: {source: {type: land}}\n"
    found = catalogue(tmp_path, text)
    assert found.nodes[-1].reads == (("source", "events"), ("source", "x.events"))


def test_models_of_dbt_as_dbt_last_told_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from penstock.dbt.nodes import DbtColumn, DbtNode, DbtTest, Kind

    def node(name: str, *reads: str, **more: Any) -> DbtNode:
        return DbtNode(
            unique_id=f"model.x.{name}", name=name, called=name, kind=Kind.MODEL, relation=name,
            schema="main", path=f"models/{name}.sql", fqn=("x", name), materialized="view", version="v1",
            reads=reads, **more,
        )  # fmt: skip

    test = DbtTest("test.x.1", "not_null_late_id", "warn", "id", "It has one")
    columns = (
        DbtColumn("id", "BIGINT"), DbtColumn("z", "GEOMETRY"), DbtColumn("n", "int64", "A number"),
    )  # fmt: skip
    late = node(
        "late", "early", "orders", columns=columns,
        tests=(test,), tags=("t",), group="g", owners=("o",), sql="SELECT 1",
    )  # fmt: skip
    monkeypatch.setattr("penstock.app.dbt.known_nodes", lambda loaded: (late, node("early")))
    found = catalogue(tmp_path, "models: {dbt: w}\n" + ORDERS)
    assert keys(found)[4:] == ["model.early", "model.late"]
    last = found.nodes[-1]
    assert last.reads == (("model", "early"), (Layer.WAREHOUSE, "sales", "orders"))
    assert (last.tool, last.materialized, last.version, last.sql) == ("dbt", "view", "v1", "SELECT 1")
    assert last.place == "w/models/late.sql"
    assert (last.group, last.owners, last.tags) == ("g", ("o",), ("t",))
    assert [(c.name, str(c.type), c.description) for c in last.table.columns] == [
        ("id", "int64", None), ("z", "null", None), ("n", "int64", "A number"),
    ]  # fmt: skip
    assert last.checks == (Check("not_null_late_id", Action.ALLOW, "id", "It has one"),)


def test_500_tables_in_a_moment(tmp_path: Path) -> None:
    table = {
        "primary_key": "id",
        "columns": {"id": "int64", "a": {"type": "text", "enum": ["x"]}, "b": "decimal(12,2)"},
        "gate": {"expectations": [{"name": "positive", "constraint": "b > 0"}]},
    }
    tables = {f"t{n}": table for n in range(500)}
    pipelines = {"p": {"source": {"type": "land"}, "tables": tables}}
    (tmp_path / "penstock.yml").write_text(json.dumps({"name": "shop", "pipelines": pipelines}))
    loaded = load_project(tmp_path, env={})
    times = []
    for _ in range(3):
        began = time.process_time()
        assert len(catalogue_of(loaded).nodes) == 2_000
        times.append(time.process_time() - began)
    assert min(times) < 0.5
