"""Pipelines that read what others write, and projects whose parts get in each other's way."""

from __future__ import annotations

import pytest
from project_texts import load, pipelines, told

from penstock.project.order import order_pipelines
from penstock.project.places import absolute, fixed, inside, join, overlap


def order(body: str, head: str = "") -> list[str]:
    return order_pipelines(load(pipelines(body) + head).project)


def reads(url: str, glob: str = "t/**/*.parquet") -> str:
    return f"source: {{type: filesystem, path: '{url}', tables: {{t: '{glob}'}}}}"


A_WRITES = "  a: {source: {type: land}, tables: {t: , u: }, destination: 'parquet://out'}\n"


@pytest.mark.parametrize(
    ("url", "glob", "waits"),
    [
        ("out", "t/**/*.parquet", True),
        ("out/t", "*.parquet", True),
        ("./out/../out/", "t/*.parquet", True),
        ("/srv/shop/out", "**", True),
        ("file:///srv/shop/out", "**/*.parquet", True),
        (".", "out/t/*.parquet", True),
        (".", "out/**/*.parquet", True),
        ("out", "*/*.parquet", True),
        ("out", "{t,u}/*.parquet", True),
        ("out", "other/*.parquet", False),
        ("out", "*.parquet", False),
        ("out", "**/*.csv", False),
        ("output", "**", False),
        ("s3://srv/shop/out", "**", False),
        ("data/land/a", "**/*.csv", True),
        ("data/raw_hist", "a/**", True),
        ("data/raw_hist", "ab/**", False),
        ("data/quarantine", "**", False),
    ],
)
def test_a_reader_comes_after_its_writer(url: str, glob: str, waits: bool) -> None:
    reader = f"  r: {{{reads(url, glob)}, destination: 'duckdb:///r.duckdb'}}\n"
    assert order(reader + A_WRITES) == (["a", "r"] if waits else ["r", "a"])
    assert order(A_WRITES + reader) == ["a", "r"]


def test_chains_and_buckets() -> None:
    body = (
        f"  c: {{{reads('s3://bucket/two')}, destination: 'duckdb:///c.duckdb'}}\n"
        f"  b: {{{reads('s3://bucket/one')}, destination: 'parquet:s3://bucket/two'}}\n"
        "  a: {source: {type: land}, tables: {t: }, destination: 'parquet:s3://bucket/one/'}\n"
        "  d: {source: {type: land}}\n"
    )
    assert order(body) == ["a", "d", "b", "c"]


def test_a_layout_of_its_own() -> None:
    layout = "destination: {type: parquet, path: out, layout: '{load_id}/{table}_{part}.parquet'}"
    body = f"  r: {{{reads('out/x', '*')}, destination: 'duckdb:///r.duckdb'}}\n"
    body += f"  a: {{source: {{type: land}}, tables: {{t: }}, {layout}}}\n"
    assert order(body) == ["a", "r"]


def test_without_files_of_others_the_order_is_that_of_the_project() -> None:
    assert order("  b: {source: {type: land}}\n  a: {source: {type: land}}\n") == ["b", "a"]
    assert order_pipelines(load("name: shop").project) == []


def test_circles_are_named() -> None:
    body = f"  a: {{{reads('one')}, destination: 'parquet://two'}}\n"
    body += f"  b: {{{reads('two')}, destination: 'parquet://one'}}\n"
    [error] = told(pipelines(body))
    assert "these pipelines wait for each other: " in error
    assert "`a`" in error
    assert "`b`" in error
    assert "where: penstock.yml:" in error


@pytest.mark.parametrize("source", [reads("out"), reads("data", "**/*.jsonl")])
def test_a_pipeline_cannot_read_what_it_writes(source: str) -> None:
    [error] = told(pipelines(f"  a: {{{source}, destination: 'parquet://out'}}\n"))
    assert error.startswith("the pipeline `a` reads what it writes | where: penstock.yml:3 (pipelines.a)")


# ------------------------------------------------------------------------------------ checks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "layers: {raw_hist: ./data/land/}",
            "the layers `land` and `raw_hist` share a folder | where: penstock.yml:2 (layers.raw_hist) "
            "| found: ./data/land/",
        ),
        (
            "layers: {land: s3://b/x, quarantine: s3://b/x/y}",
            "the layers `land` and `quarantine` share a folder",
        ),
        ("destination: parquet://data/raw_hist/out", "the destination lies in the layer `raw_hist`"),
        (
            "pipelines: {a: {source: {type: land}, dataset: x}, b: {source: {type: land}, dataset: x/y}}",
            "the pipelines `a` and `b` would take each other's files | where: penstock.yml:2 "
            "(pipelines.b.dataset) | found: the datasets `x` and `x/y`",
        ),
        (
            "pipelines: {a: {source: {type: land}}, b: {source: {type: land}, dataset: a}}",
            "the datasets `a` and `a`",
        ),
        (
            "pipelines: {a: {source: {type: land}, tables: {t: , T: }}}",
            "the tables `t` and `T` differ only in case | where: penstock.yml:2 (pipelines.a.tables.T)",
        ),
        (
            "pipelines: {a: {source: {type: land}, tables: {t: }}, b: {source: {type: land}, tables: {T: }}}",
            "the pipelines `a` and `b` both write the table `T` "
            "| where: penstock.yml:2 (pipelines.b.tables.T)",
        ),
    ],
)
def test_what_gets_in_the_way(text: str, message: str) -> None:
    [error] = told("name: shop\n" + text)
    assert message in error


def test_one_name_in_two_warehouses_is_no_conflict() -> None:
    table = "source: {type: land}, tables: {t: }"
    loaded = load(
        pipelines(
            f"  a: {{{table}}}\n"
            f"  b: {{{table}, destination: {{type: duckdb, path: warehouse.duckdb, schema: other}}}}\n"
            f"  c: {{{table}, destination: 'duckdb:///other.duckdb'}}\n"
            f"  d: {{{table}, destination: 'parquet://out'}}\n"
        )
    )
    assert list(loaded.project.pipelines) == ["a", "b", "c", "d"]


# ------------------------------------------------------------------------------------ places


@pytest.mark.parametrize(
    ("place", "same"),
    [
        ("x", "/srv/shop/x"),
        ("./x/../y/", "/srv/shop/y"),
        (".", "/srv/shop"),
        ("/x//y", "/x/y"),
        ("file:///a%20b", "/a b"),
        ("S3://Bucket/x/../y/", "s3://Bucket/y"),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
    ],
)
def test_absolute_places(place: str, same: str) -> None:
    root = load("name: shop").project.root
    assert absolute(root, place) == same


def test_places_inside_places() -> None:
    assert inside("/a/b", "/a")
    assert inside("/a", "/a")
    assert inside("/a", "/")
    assert not inside("/ab", "/a")
    assert overlap("s3://b", "s3://b/x")
    assert not overlap("s3://b/xy", "s3://b/x")
    assert join("/a/", "b/", "", "/c") == "/a/b/c"
    assert [fixed(g) for g in ("*.csv", "a/b/*.csv", "a/b*/c/d.csv", "a/{b,c}/d", "a/b.csv")] == [
        "", "a/b", "a", "a", "a",
    ]  # fmt: skip
