"""Patterns on catalogs, and what stays of a catalog when it is written back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from penstock.errors import ProjectError
from penstock.singer.catalog import Catalog, parse
from penstock.singer.selection import chosen, is_selected, listing, parse_pattern, select

# Any throughout: catalogs.


def meta(*crumb: str, **said: Any) -> dict[str, Any]:
    return {"breadcrumb": list(crumb), "metadata": {k.replace("_", "-"): v for k, v in said.items()}}


def catalog() -> Catalog:
    user = {"properties": {"name": {}, "mail": {}}}
    orders = {"id": {}, "a.b": {}, "foo-bar": {}, "user": user, "odd": {}}
    document = {
        "version": 1,
        "streams": [
            {
                "tap_stream_id": "db-orders",
                "stream": "orders",
                "schema": {"type": "object", "properties": orders},
                "metadata": [
                    meta(inclusion="available", table_key_properties=["id"]),
                    meta("properties", "id", inclusion="automatic"),
                    meta("properties", "odd", inclusion="unsupported", selected=True),
                    *(meta("properties", name, inclusion="available") for name in ("a.b", "foo-bar", "user")),
                ],
                "own_key": {"kept": True},
            },
            {"stream": "old", "schema": {"properties": {"x": {}}}},
        ],
    }
    return parse(document, "a test")


def marks(found: Catalog) -> dict[str, str]:
    return {f"{m.stream}:{m.property}": m.mark.value[:4] for m in listing(found)}


ALL = {"db-orders:": "sele", "db-orders:id": "auto", "db-orders:a.b": "sele", "db-orders:foo-bar": "sele",
       "db-orders:user": "sele", "db-orders:user.name": "sele", "db-orders:user.mail": "sele",
       "db-orders:odd": "unsu", "old:": "auto", "old:x": "auto"}  # fmt: skip
FEW = {k: "auto" if k == "db-orders:id" else "unsu" if k == "db-orders:odd" else "excl" for k in ALL}
TOP = {**FEW, "db-orders:": "sele"}
NONE = {k: "unsu" if k == "db-orders:odd" else "excl" for k in ALL}


@pytest.mark.parametrize(
    ("patterns", "changed", "base"),
    [
        (["*.*"], {}, ALL),
        (["*"], {}, ALL),
        (["db-*", "old.x"], {}, ALL),
        ([], {}, NONE),
        (["db-orders.foo-bar"], {"db-orders:foo-bar": "sele"}, TOP),
        (["db-orders.a\\.b"], {"db-orders:a.b": "sele"}, TOP),
        (["db-orders.user.name"], {"db-orders:user": "sele", "db-orders:user.name": "sele"}, TOP),
        (["db-orders.user.*"], {f"db-orders:user{p}": "sele" for p in ("", ".name", ".mail")}, TOP),
        (["*.*", "!db-orders.user"], {f"db-orders:user{p}": "excl" for p in ("", ".name", ".mail")}, ALL),
        (["!db-orders.user.mail", "*.*"], {"db-orders:user.mail": "excl"}, ALL),
        (["*.*", "!old.x"], {}, ALL),
        (["*.*", "!old"], {"old:": "excl", "old:x": "excl"}, ALL),
        (["!old.*", "*.*"], {"old:": "excl", "old:x": "excl"}, ALL),
        (["db-orders.odd"], {}, TOP),
        (["orders.id"], {}, NONE),
    ],
)
def test_the_language(patterns: Sequence[str], changed: Mapping[str, str], base: Mapping[str, str]) -> None:
    assert marks(select(catalog(), patterns)) == {**base, **changed}


@pytest.mark.parametrize(
    ("text", "stream", "path", "negated"),
    [
        ("a.b", "a", "b", False),
        ("a", "a", "*", False),
        ("!a.b.c", "a", "b.c", True),
        ("a\\.b.c", "a.b", "c", False),
        ("\\!a.b", "!a", "b", False),
        ("*.*", "*", "*", False),
    ],
)
def test_patterns(text: str, stream: str, path: str, negated: bool) -> None:
    found = parse_pattern(text)
    assert (found.stream, found.path, found.negated, found.text) == (stream, path, negated, text)


@pytest.mark.parametrize("text", ["", "!", ".a", "a.", "!.x"])
def test_patterns_that_name_nothing(text: str) -> None:
    with pytest.raises(ProjectError, match=r"releases\.tag_name"):
        parse_pattern(text)


def test_what_a_catalog_said_stays() -> None:
    before = json.dumps(catalog().raw)
    given = catalog()
    after = select(given, ["old.*"]).document()
    assert json.dumps(given.raw) == before
    assert after["version"] == 1
    first, second = after["streams"]
    assert first["own_key"] == {"kept": True}
    assert first["metadata"][0]["metadata"]["table-key-properties"] == ["id"]
    assert (first["selected"], second["selected"]) == (False, True)
    assert second["metadata"] == [
        meta(inclusion="automatic", selected=True),
        meta("properties", "x", inclusion="automatic", selected=True),
    ]
    assert [json.dumps(s["schema"]) for s in after["streams"]] == [
        json.dumps(s["schema"]) for s in json.loads(before)["streams"]
    ]


def test_streams() -> None:
    first, second = catalog().streams
    assert (first.id, first.name, first.keys) == ("db-orders", "orders", ("id",))
    assert (second.id, second.name, second.keys) == ("old", "old", ())
    assert catalog().stream("old") == second
    assert catalog().stream("orders") is None


def test_metadata_and_schemas_are_laid_over() -> None:
    found = select(
        catalog(),
        metadata={
            "db-*": {"replication-method": "INCREMENTAL", "replication-key": "id", "user.*": {"own": 1}}
        },
        schema={
            "db-orders": {
                "a\\.b": {"type": "string"},
                "user.name": {"format": "x"},
                "new": {"type": "integer"},
            }
        },
    )
    [first, second] = found.document()["streams"]
    assert (first["replication_method"], first["replication_key"]) == ("INCREMENTAL", "id")
    assert "replication_method" not in second
    properties = first["schema"]["properties"]
    assert (properties["a.b"], properties["new"]) == ({"type": "string"}, {"type": "integer"})
    assert properties["user"]["properties"] == {"name": {"format": "x"}, "mail": {}}
    said = {tuple(m["breadcrumb"][1::2]): m["metadata"] for m in first["metadata"]}
    assert said[("user", "mail")]["own"] == 1
    assert "own" not in said[("user",)]
    assert marks(found)["db-orders:new"] == "auto"


@pytest.mark.parametrize(
    ("passing", "streams"), [(["db-*"], ["db-orders"]), (["!db-*"], ["old"]), (["*", "!old"], ["db-orders"])]
)
def test_a_filter_of_streams(passing: Sequence[str], streams: Sequence[str]) -> None:
    for found in (
        select(catalog(), ["*.*"], select_filter=passing),
        chosen(select(catalog(), ["*.*"]), passing),
    ):
        assert [s.id for s in found.streams if is_selected(s)] == streams


def test_a_tap_that_selects_by_itself() -> None:
    document = {
        "streams": [{"tap_stream_id": "s", "schema": {}, "metadata": [meta(selected_by_default=True)]}]
    }
    assert marks(parse(document, "t")) == {"s:": "sele"}


@pytest.mark.parametrize("document", [[], {}, {"streams": {}}, {"streams": [1]}, {"streams": [{}]}, None])
def test_what_is_no_catalog(document: Any) -> None:
    with pytest.raises(ProjectError, match="catalog"):
        parse(document, "a test")
