"""dbt's manifest as nodes: names, what is read, versions, tests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dbt_manifests import check, manifest, node, source
from penstock.dbt.manifest import Home, nodes_of, with_sql
from penstock.dbt.nodes import DbtNode, from_document, model_of, stages, to_document
from penstock.models.model import Materialization

HOME = Home("main", "w")


def read(*nodes: tuple[str, dict[str, Any]], home: Home = HOME, **more: Any) -> dict[str, DbtNode]:
    return {n.name: n for n in nodes_of(manifest(*nodes, **more), home)}


def test_parents_come_first_and_sources_at_home_go_by_their_name() -> None:
    found = read(
        node("last", reads=["model.shop.first", "seed.shop.towns"]),
        node("first", reads=["source.shop.main.orders", "source.shop.raw.items"]),
        node("towns", "seed"),
        source("orders"),
        source("items", "raw"),
    )
    assert list(found) == ["first", "towns", "last"]
    assert found["first"].reads == ("orders", "raw.items") == found["first"].sources
    assert (found["last"].reads, found["last"].sources) == (("first", "towns"), ())


def test_what_is_not_at_home_goes_by_its_schema_or_is_another_database() -> None:
    found = read(
        node("a", schema="main_marts", alias="orders"),
        node("b", reads=["model.shop.a", "source.shop.main.t"]),
        source("t", database="elsewhere"),
    )
    assert set(found) == {"main_marts.orders", "b"}
    assert (found["main_marts.orders"].called, found["main_marts.orders"].relation) == ("a", "orders")
    assert found["b"].reads == ("main_marts.orders", "main.t")
    anywhere = read(node("b", reads=["source.shop.main.t"]), source("t", database="x"), home=Home("main"))
    assert anywhere["b"].reads == ("t",)


def test_an_ephemeral_model_is_seen_through() -> None:
    def made(text: str) -> dict[str, DbtNode]:
        return read(
            node("top", reads=["model.shop.hidden"], compiled_code='select * from "w"."main"."orders"'),
            node("hidden", reads=["source.shop.main.orders"], config={"materialized": "ephemeral"},
                 checksum={"checksum": text}),
            source("orders"),
        )  # fmt: skip

    one, other = made("one"), made("other")
    assert list(one) == ["top"]
    assert one["top"].reads == ("orders",)
    assert one["top"].sql == 'select * from "orders"'
    assert one["top"].version != other["top"].version


def test_compiled_sql_reads_by_our_names_and_is_kept_while_it_holds() -> None:
    parts = (node("up", schema="raw"), node("down", reads=["model.shop.up"]))
    compiled = 'select a from "w"."raw"."up" join "w"."raw"."upper" using (a)'
    before = nodes_of(manifest(parts[0], (parts[1][0], parts[1][1] | {"compiled_code": compiled})), HOME)
    assert before[1].sql == 'select a from "raw"."up" join "w"."raw"."upper" using (a)'
    assert with_sql(nodes_of(manifest(*parts), HOME), before)[1].sql == before[1].sql
    changed = (parts[1][0], parts[1][1] | {"checksum": {"checksum": "another text"}})
    assert with_sql(nodes_of(manifest(parts[0], changed), HOME), before)[1].sql == ""


def version(macros: dict[str, Any] | None = None, salt: str = "", **said: Any) -> str:
    (found,) = nodes_of(manifest(node("m", macros=["macro.shop.a"], **said), macros=macros or {}), HOME, salt)
    return found.version


def macro(text: str, calls: str | None = None, package: str = "shop") -> dict[str, Any]:
    return {"package_name": package, "macro_sql": text, "depends_on": {"macros": [calls] if calls else []}}


def test_a_version_is_that_of_everything_that_decides_about_rows() -> None:
    plain = version()
    assert version() == plain
    assert version(salt="vars") != plain
    assert version(checksum={"checksum": "another"}) != plain
    assert version(config={"unique_key": "id"}) != plain
    assert version(config={"tags": ["x"], "meta": {"a": 1}, "docs": {"show": False}}) == plain
    deep = {"macro.shop.a": macro("A", "macro.shop.b"), "macro.shop.b": macro("B", "macro.shop.a")}
    assert version(deep) != plain
    assert version(deep) != version({**deep, "macro.shop.b": macro("other", "macro.shop.a")})
    own = {"macro.shop.a": macro("A", package="dbt_duckdb")}
    assert version(own) == plain  # an upgrade of dbt is no change of the project


def test_tests_belong_to_what_they_are_about() -> None:
    found = read(
        node("a", reads=["source.shop.main.t"]),
        node("b", reads=["model.shop.a"]),
        source("t"),
        check("not_null_a_id", "model.shop.a", column_name="id", description=" an id "),
        check("warns", "model.shop.a", config={"severity": "warn"}),
        check("relationships", "model.shop.b", ["model.shop.a"]),
        check("of_source", "source.shop.main.t"),
        ("test.shop.singular", {**check("singular", "model.shop.b")[1], "attached_node": None}),
        unit_tests={"u": {"unique_id": "unit_test.shop.b.counts", "name": "counts", "config": {},
                          "depends_on": {"nodes": ["model.shop.b"]}}},
    )  # fmt: skip
    assert [(t.name, t.severity, t.column, t.description) for t in found["a"].tests] == [
        ("not_null_a_id", "error", "id", "an id"),
        ("warns", "warn", None, None),
        ("of_source", "error", None, None),
    ]
    assert [t.name for t in found["b"].tests] == ["relationships", "singular", "counts"]


def test_groups_bring_their_owners_and_versions_their_number() -> None:
    found = read(
        node("m", group="sales", version=2, alias="m_v2", tags=["x", "x"], description=" told ",
             columns={"id": {"name": "id", "data_type": "bigint", "description": "key"}}),
        groups={"g": {"name": "sales", "owner": {"email": "sales@example.com"}}},
    )  # fmt: skip
    made = found["m_v2"]
    assert (made.called, made.owners, made.tags, made.description) == (
        "m.v2", ("sales@example.com",), ("x",), "told",
    )  # fmt: skip
    assert [(c.name, c.type, c.description) for c in made.columns] == [("id", "bigint", "key")]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("table", Materialization.TABLE),
        ("view", Materialization.VIEW),
        ("incremental", Materialization.INCREMENTAL),
        ("external", Materialization.TABLE),
    ],
)
def test_materializations_in_our_words(said: str, meant: Materialization) -> None:
    found = read(node("m", config={"materialized": said}, original_file_path="models/marts/eu/m.sql"))["m"]
    model = model_of(found, "dbt_project")
    assert (model.materialized, model.tool, model.folder) == (meant, "dbt", "marts/eu")
    assert model.path == "dbt_project/models/marts/eu/m.sql"
    assert model_of(read(node("s", "snapshot"))["s"]).materialized is Materialization.SCD2
    assert model_of(read(node("s", "seed"))["s"]).materialized is Materialization.TABLE


def test_nodes_survive_a_file() -> None:
    found = nodes_of(
        manifest(node("a", meta={"owner": {"x": 1}}), check("t", "model.shop.a"), node("b", "seed")), HOME
    )
    assert from_document(json.loads(json.dumps(to_document(found)))) == found
    with pytest.raises((TypeError, KeyError)):
        from_document([{"name": "of another edition"}])


def test_what_reads_as_a_source_what_dbt_makes_comes_in_a_later_run() -> None:
    found = read(
        node("top", reads=["model.shop.staged"]),
        node("staged", reads=["source.shop.raw.items"]),
        node("items", "seed", schema="raw"),
        node("other"),
        source("items", "raw"),
    )
    nodes = list(found.values())

    def runs(*names: str) -> list[list[str]]:
        chosen = [n for n in nodes if n.name in names]
        return [sorted(n.name for n in part) for part in stages(nodes, chosen)]

    assert runs(*found) == [["other", "raw.items"], ["staged", "top"]]
    assert runs("raw.items", "top") == [["raw.items"], ["top"]]  # a view between them is not built
    assert runs("top", "staged", "other") == [["other", "staged", "top"]]
    assert runs() == []
    assert stages([], []) == []


def test_sources_that_wait_for_each_other_are_left_to_dbt() -> None:
    found = read(
        node("a", reads=["source.shop.main.b"]),
        node("b", reads=["source.shop.main.a"]),
        source("a"),
        source("b"),
    )
    assert [len(part) for part in stages(list(found.values()), list(found.values()))] == [2]
