"""Which tables a pipeline has, as far as its source tells without being run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.app.catalogue import catalogue_of
from penstock.app.files import load_project
from penstock.catalogue import Catalogue, Layer, Node
from penstock.errors import ProjectError


def of_source(root: Path, source: dict[str, Any], **more: Any) -> Catalogue:
    project = {"name": "shop", "pipelines": {"p": {"source": source, **more}}}
    (root / "penstock.yml").write_text(json.dumps(project))
    return catalogue_of(load_project(root, env={"PW": "hush-hush"}))


def tables(found: Catalogue) -> dict[str, Node]:
    return {n.name: n for n in found.of(Layer.WAREHOUSE)}


def unlisted(found: Catalogue) -> bool:
    return [n.unlisted for n in found.nodes] == [True] * 4 and found.incomplete == {"p"}


def test_a_rest_source(tmp_path: Path) -> None:
    source = {
        "type": "rest_api",
        "base_url": "https://me:word@api.shop.org/v1",
        "tables": {
            "issues": {
                "path": "issues", "primary_key": "id", "columns": {"id": "int64"}, "write": "merge",
                "incremental": {"cursor_path": "updated_at", "allow_external_schedulers": True},
            },
            "users": "users",
        },
    }  # fmt: skip
    found = of_source(tmp_path, source, tables={"issues": {"columns": {"title": "text"}}})
    assert set(tables(found)) == {"issues", "users"}
    issues = tables(found)["issues"]
    assert [(c.name, str(c.type)) for c in issues.table.columns] == [("id", "int64"), ("title", "text")]
    assert (issues.partition, tables(found)["users"].partition) == ("updated_at", None)
    assert issues.table.primary_key == ("id",)
    assert [c.rule for c in issues.checks] == []
    assert found.of(Layer.SOURCE)[0].place == "https://api.shop.org/v1"
    assert found.incomplete == frozenset()


def test_a_sql_source(tmp_path: Path) -> None:
    source = {
        "type": "sql_database",
        "url": "postgresql://me:${PW}@db/shop?password=${PW}",
        "tables": {
            "sales.orders": {"primary_key": "id", "types": {"id": "int64"}, "incremental": {
                "cursor": "at", "allow_external_schedulers": True}},
            "people": {"table": "hr.staff"},
            "sums": {"query": "SELECT 1"},
        },
    }  # fmt: skip
    found = of_source(tmp_path, source)
    assert list(tables(found)) == ["orders", "people", "sums"]
    assert tables(found)["orders"].partition == "at"
    assert tables(found)["orders"].table.primary_key == ("id",)
    assert found.incomplete == frozenset()
    assert {n.place for n in found.of(Layer.SOURCE)} == {"postgresql://db/shop"}
    assert "hush" not in repr(found)
    some = of_source(tmp_path, {**source, "tables": {"sales.*": {}, "people": {}}})
    assert (list(tables(some)), some.incomplete) == (["people"], frozenset("p"))
    assert unlisted(of_source(tmp_path, {"type": "sql_database", "url": "sqlite:///x.db"}))


def test_names_are_those_of_the_convention(tmp_path: Path) -> None:
    source = {"type": "rest_api", "base_url": "https://a.b", "tables": {"OpenIssues": "x"}}
    assert list(tables(of_source(tmp_path, source, naming="snake_case"))) == ["open_issues"]


def test_a_singer_source(tmp_path: Path) -> None:
    streams = [
        {"tap_stream_id": name, "stream": name, "schema": {"properties": {"id": {"type": "integer"}}},
         "key_properties": ["id"], "metadata": [{"breadcrumb": [], "metadata": {"selected": name != "c"}}]}
        for name in "abc"
    ]  # fmt: skip
    (tmp_path / "catalog.json").write_text(json.dumps({"streams": streams}))
    source = {"type": "singer", "tap": "tap-x", "catalog": "catalog.json", "names": {"b": "bees"}}
    found = of_source(tmp_path, source)
    assert list(tables(found)) == ["a", "bees"]
    assert (tables(found)["a"].table.names, tables(found)["a"].table.primary_key) == (("id",), ("id",))
    assert {n.place for n in found.of(Layer.SOURCE)} == {"tap-x"}
    named = {"type": "singer", "tap": "tap-x", "select": ["orders.*", "people.id", "!people.name"]}
    assert list(tables(of_source(tmp_path, named))) == ["orders", "people"]
    some = of_source(tmp_path, {**named, "select": ["orders.*", "p*.*"]})
    assert (list(tables(some)), some.incomplete) == (["orders"], frozenset("p"))
    assert unlisted(of_source(tmp_path, {"type": "singer", "tap": "tap-x"}))


PYTHON = """
import penstock as ps

@ps.resource(primary_key="id", columns={"id": {"data_type": "bigint"}})
def releases():
    raise RuntimeError("this must not run")

@ps.resource(table_name=lambda row: row["kind"])
def events():
    raise RuntimeError("this must not run")

@ps.source
def made():
    raise RuntimeError("this must not run")

@ps.source
def both():
    return releases, events

@ps.source
def one():
    return releases

known = one()
mixed = both()
plain = [{"id": 1}]
"""


@pytest.mark.parametrize(
    ("name", "names", "whole"),
    [
        ("releases", ["releases"], True),
        ("known", ["releases"], True),
        ("mixed", ["releases"], False),
        ("events", ["p"], False),
        ("made", ["p"], False),
        ("plain", ["p"], False),
    ],
)
def test_python_resources(tmp_path: Path, name: str, names: list[str], whole: bool) -> None:
    (tmp_path / "code.py").write_text(PYTHON)
    found = of_source(tmp_path, {"type": "python", "ref": f"code.py:{name}"})
    assert list(tables(found)) == names
    assert found.incomplete == (frozenset() if whole else {"p"})
    assert all(n.unlisted == (names == ["p"]) for n in found.nodes)
    if names == ["releases"]:
        assert tables(found)["releases"].table.primary_key == ("id",)


def test_what_the_project_names_is_there_beside_what_the_source_tells(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(PYTHON)
    found = of_source(tmp_path, {"type": "python", "ref": "code.py:made"}, tables={"a": {}, "b": {}})
    assert (list(tables(found)), found.incomplete) == (["a", "b"], frozenset("p"))
    assert not any(n.unlisted for n in found.nodes)


def test_code_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="there is no such file"):
        of_source(tmp_path, {"type": "python", "ref": "nowhere.py:x"})


def test_dlt_resources(tmp_path: Path) -> None:
    pytest.importorskip("dlt")
    (tmp_path / "code.py").write_text(
        "import dlt\n@dlt.resource\ndef a(): raise RuntimeError('no')\n"
        "@dlt.resource(table_name='bees')\ndef b(): raise RuntimeError('no')\n"
        "@dlt.source\ndef made(): return a, b\nknown = made()\n"
    )
    found = of_source(tmp_path, {"type": "dlt", "ref": "code.py:known"})
    assert (list(tables(found)), found.incomplete) == (["a", "bees"], frozenset())
    found = of_source(tmp_path, {"type": "dlt", "ref": "code.py:known", "resources": ["b"]})
    assert list(tables(found)) == ["bees"]
    assert unlisted(of_source(tmp_path, {"type": "dlt", "ref": "code.py:made"}))


def test_files_in_the_landing_area(tmp_path: Path) -> None:
    assert unlisted(of_source(tmp_path, {"type": "land"}, description="Whatever comes"))
    found = of_source(tmp_path, {"type": "land"}, tables={"a": {}})
    assert (list(tables(found)), found.incomplete) == (["a"], frozenset())
