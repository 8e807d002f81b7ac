"""Relations side by side, in the range of a cursor, and read piece by piece."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

import penstock as ps
from penstock.app.dataset import Dataset
from penstock.errors import NotFoundError, RefusedError

KINDS = {"duckdb": "duckdb:///{name}.duckdb", "parquet": "parquet://{name}"}
ORDERS = [
    {"id": 1, "customer": 7, "lines": [{"what": "tea"}, {"what": "milk"}]},
    {"id": 2, "customer": 8, "lines": []},
    {"id": 3, "customer": 9, "lines": [{"what": "jam"}]},
]


def shop(root: Path, kind: str) -> Dataset:
    tables = {"orders": {"nesting": "flatten"}}
    pipeline = ps.pipeline("shop", root=root, destination=KINDS[kind].format(name="shop"), tables=tables)
    pipeline.run(
        [
            ps.resource(ORDERS, name="orders"),
            ps.resource([{"id": 7, "town": "Leeds"}, {"id": 8, "town": None}], name="customers"),
        ]
    )
    return pipeline.dataset()


def crm(root: Path, kind: str) -> Dataset:
    where = KINDS[kind].format(name="crm")
    pipeline = ps.pipeline("crm", root=root, destination=where, layers={"land": "l", "raw_hist": "r"})
    pipeline.run([{"id": 7, "orders": "many"}, {"id": 9, "orders": "few"}], table_name="orders")
    return pipeline.dataset()


@pytest.fixture(params=[*KINDS])
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    return shop(tmp_path, request.param)


# ------------------------------------------------------------------------------------------ joins


def test_a_child_table_needs_no_condition(dataset: Dataset) -> None:
    found = dataset["orders"].select("id").join("orders__lines", alias="line")
    assert found.columns[:1] == ("id",)
    assert sorted(found.select("id", "line__what").fetchall()) == [(1, "milk"), (1, "tea"), (3, "jam")]
    turned = dataset["orders__lines"].select("what").join("orders", kind="right")
    assert sorted(map(str, turned.select("what", "orders__id").fetchall())) == [
        "('jam', 3)", "('milk', 1)", "('tea', 1)", "(None, 2)",
    ]  # fmt: skip


def test_a_condition_names_both_tables(dataset: Dataset) -> None:
    found = dataset["orders"].join("customers", "orders.customer = customers.id", kind="left")
    rows = found.where("customers__town", "<>", None).select("id", "customers__town").fetchall()
    assert rows == [(1, "Leeds")]
    assert found.select("id").count().fetchscalar() == 3
    assert found.schema.column("customers__town") is not None


def test_columns_that_both_have(dataset: Dataset) -> None:
    some = dataset["orders"].where("id", ">", 1).order_by("id").limit(1)
    found = some.join(dataset["orders"].where("id", "<", 3).named("again"), on="id", alias="a")
    assert found.select("id", "a__customer").fetchall() == [(2, 8)]


def test_values_of_both_sides_stay_in_order(dataset: Dataset) -> None:
    left = dataset.sql("SELECT id, customer, ? AS a FROM orders WHERE id >= ?", ["x", 2]).named("l")
    right = dataset["customers"].where("id", "=", 8)
    found = left.join(right, "l.customer = customers.id").where("a", "=", "x")
    assert found.select("id", "a", "customers__id").fetchall() == [(2, "x", 8)]


def test_joins_follow_each_other(dataset: Dataset) -> None:
    found = (
        dataset["orders"]
        .join("customers", "orders.customer = customers.id")
        .join("orders__lines", "orders._penstock_id = orders__lines._penstock_root_id", alias="line")
    )
    assert sorted(found.select("customers__town", "line__what").fetchall()) == [
        ("Leeds", "milk"), ("Leeds", "tea"),
    ]  # fmt: skip


def test_what_cannot_be_joined(dataset: Dataset) -> None:
    orders = dataset["orders"]
    for said, options in {
        "no kind of join": {"other": "customers", "on": "id", "kind": "cross"},
        "both sides": {"other": "orders", "on": "id"},
        "no parent and child": {"other": "customers"},
        "cannot be joined by this": {"other": "customers", "on": []},
    }.items():
        if options.get("on") == []:
            options["on"] = ["nosuch"]
        with pytest.raises(RefusedError, match=said):
            orders.join(**options)  # type: ignore[arg-type]  # what is wrong is the test
    with pytest.raises(NotFoundError, match="customer"):
        orders.join("custmers")


@pytest.mark.parametrize("kind", [*KINDS])
@pytest.mark.parametrize("other", [*KINDS])
def test_tables_of_two_datasets(tmp_path: Path, kind: str, other: str) -> None:
    """Both have a table of one name, and both may be of either kind."""
    left, right = shop(tmp_path, kind), crm(tmp_path, other)
    theirs = right["orders"].where("orders", "=", "many").named("theirs")
    found = left["customers"].join(theirs, "customers.id = theirs.id", alias="crm")
    assert found.fetchall() == [(7, "Leeds", 7, "many")]
    assert found.where("id", "=", 0).arrow().column_names == ["id", "town", "crm__id", "crm__orders"]
    with pytest.raises(RefusedError, match="two datasets"):
        left["customers"].join(right.sql("SELECT * FROM orders"), "customers.id = query.id")


@pytest.mark.parametrize("kind", [*KINDS])
def test_datasets_side_by_side_in_a_connection(tmp_path: Path, kind: str) -> None:
    left, right = shop(tmp_path, kind), crm(tmp_path, kind)
    with duckdb.connect() as con:
        assert "orders" in left.views(con, "shop")
        assert right.views(con, "crm") == ("orders",)
        right.views(con, "crm")
        sql = "SELECT crm.orders.orders FROM shop.customers JOIN crm.orders USING (id)"
        assert con.execute(sql).fetchall() == [("many",)]


# ---------------------------------------------------------------------------------------- cursors


def test_the_range_of_a_cursor(dataset: Dataset) -> None:
    orders = dataset["orders"]

    def found(**said: Any) -> list[int]:
        return sorted(r[0] for r in orders.incremental(ps.incremental("id", **said)).select("id").fetchall())

    assert found() == [1, 2, 3]
    assert found(initial_value=2) == [2, 3]
    assert found(initial_value=2, range_start="open") == [3]
    assert found(initial_value=1, end_value=3) == [1, 2]
    assert found(initial_value=3, end_value=1, last_value_func="min", range_end="closed") == [1, 2, 3]
    with pytest.raises(NotFoundError, match="nosuch"):
        orders.incremental(ps.incremental("nosuch", initial_value=1))
    with pytest.raises(RefusedError, match="no column"):
        orders.incremental(ps.incremental("a.b", initial_value=1))


def test_a_resource_that_follows_a_table(tmp_path: Path) -> None:
    dataset = shop(tmp_path, "duckdb")
    asked = []

    @ps.resource(name="copied")
    def copied(at: Any = ps.incremental("id", initial_value=2)) -> Any:  # noqa: B008
        rows = dataset["orders"].select("id", "customer").incremental(at)
        asked.append(rows.count().fetchscalar())
        yield from rows.iter_arrow()

    target = ps.pipeline("copy", root=tmp_path)
    target.run(copied)
    target.run(copied)
    assert (asked, target.dataset().row_counts()) == ([2, 1], {"copied": 2})


# ---------------------------------------------------------------------------------------- reading


def test_words_of_dlt(dataset: Dataset) -> None:
    ids = dataset["orders"].select("id")
    assert (ids.max().fetchscalar(), ids.min().fetchone()) == (3, (1,))
    assert ids.filter("id", "=", 9).fetchone() is None
    assert [len(frame) for frame in ids.order_by("id").iter_df(2)] == [2, 1]
    with pytest.raises(RefusedError, match="which column"):
        dataset["orders"].max()
    with pytest.raises(RefusedError, match="at least one row"):
        list(ids.iter_arrow(0))


STREAM = """
import resource, sys
import penstock as ps
dataset = ps.pipeline("p", root=sys.argv[1], destination=sys.argv[2]).dataset()
query = "SELECT i, repeat('x', 100) || i AS s FROM range(3000000) r(i), few"
list(dataset.sql(query).limit(1).iter_arrow())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(batch.num_rows for batch in dataset.sql(query).iter_arrow(10_000))
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("kind", [*KINDS])
def test_batches_are_not_held(tmp_path: Path, kind: str) -> None:
    """Of 3,000,000 rows of some 120 bytes few are in memory at once."""
    where = KINDS[kind].format(name="w")
    ps.pipeline("p", root=tmp_path, destination=where).run([{"n": 1}], table_name="few")
    command = [sys.executable, "-c", STREAM, str(tmp_path), where]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    rows, megabytes = map(int, told.stdout.split())
    assert rows == 3_000_000
    assert megabytes < 150


def test_errors_of_a_stream_are_ours(dataset: Dataset) -> None:
    with pytest.raises(RefusedError, match="DuckDB refused"):
        list(dataset["customers"].where("CAST(town AS INTEGER) = 1").iter_arrow())
    assert list(dataset["customers"].where("id", "=", 0).iter_arrow()) == []
