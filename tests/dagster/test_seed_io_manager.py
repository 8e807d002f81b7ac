"""What assets return is a table of the warehouse, and an input is what its annotation says."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

dg = pytest.importorskip("dagster")

import penstock as ps  # noqa: E402
from penstock.dagster import PenstockIOManager  # noqa: E402
from penstock.errors import NotFoundError, ProjectError  # noqa: E402

PROJECT = """
name: p
destination: {type: duckdb, path: w.duckdb, schema: marts}
pipelines:
  shop:
    source: {type: python, ref: "shop.py:orders"}
    tables: {orders: {}}
"""
ORDERS = """
import penstock as ps

@ps.resource
def orders():
    yield [{"id": 1, "price": 2}, {"id": 2, "price": 3}]
"""

ORDERS_TABLE = dg.AssetSpec(["shop", "warehouse", "orders"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "penstock.yml").write_text(PROJECT)
    (tmp_path / "shop.py").write_text(ORDERS)
    return tmp_path


def made(project: Path, *assets: Any, **options: Any) -> Any:
    with dg.DagsterInstance.ephemeral() as instance:
        keeper = {"io_manager": PenstockIOManager(project=str(project))}
        return dg.materialize(
            [*assets, ORDERS_TABLE], resources=keeper, instance=instance, selection=[*assets], **options
        )


def rows(project: Path, table: str) -> list[dict[str, Any]]:
    return ps.open_session(project).dataset().sql(f"SELECT * FROM {table} ORDER BY ALL").arrow().to_pylist()


def plain(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.startswith("_penstock")} for row in found]


def numbers_of(values: list[int]) -> Any:
    @dg.asset
    def numbers() -> pa.Table:
        return pa.table({"n": values})

    return numbers


def given(project: Path, kind: Any) -> Any:
    """What an asset gets that takes a table of this type; the other asset returned one of Arrow."""
    seen: list[Any] = []

    def taker(numbers: Any) -> None:
        seen.append(numbers)

    taker.__annotations__ = {"numbers": kind, "return": None}
    made(project, numbers_of([1, 2]), dg.asset(taker))
    return seen[0]


def test_a_table_comes_back_as_what_is_asked_for(project: Path) -> None:
    assert given(project, pa.Table).to_pylist() == [{"n": 1}, {"n": 2}]
    assert given(project, Any).to_pylist() == [{"n": 1}, {"n": 2}]


def test_frames_of_pandas_and_polars_come_back(project: Path) -> None:
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    assert given(project, pd.DataFrame).to_dict("list") == {"n": [1, 2]}
    assert given(project, pl.DataFrame).to_dict(as_series=False) == {"n": [1, 2]}
    assert given(project, pl.LazyFrame).collect().shape == (2, 1)


def test_an_input_of_another_type_is_refused(project: Path) -> None:
    with pytest.raises(ProjectError, match=r"cannot be a builtins\.dict"):
        given(project, dict)


def test_a_second_run_takes_the_place_of_the_first(project: Path) -> None:
    for values in ([1, 2, 3], [4]):
        result = made(project, numbers_of(values))
        (event,) = result.get_asset_materialization_events()
        metadata = event.materialization.metadata
        assert metadata["dagster/row_count"].value == len(values)
        assert metadata["dagster/table_name"].value == "numbers"
    assert plain(rows(project, "numbers")) == [{"n": 4}]


def test_a_partition_takes_the_place_of_its_own(project: Path) -> None:
    days = dg.StaticPartitionsDefinition(["2030-01-01", "2030-01-02"])

    def daily(metadata: dict[str, str] | None, value: int) -> Any:
        @dg.asset(partitions_def=days, metadata=metadata)
        def counted(context) -> list[dict[str, Any]]:
            return [{"day": date.fromisoformat(context.partition_key), "n": value}]

        return counted

    column = {"partition_expr": "day"}
    for day, value in (("2030-01-01", 1), ("2030-01-02", 2), ("2030-01-01", 3)):
        made(project, daily(column, value), partition_key=day)
    assert [row["n"] for row in plain(rows(project, "counted"))] == [3, 2]
    with pytest.raises(ProjectError, match="must say which column"):
        made(project, daily(None, 4), partition_key="2030-01-01")


def test_tables_of_the_project_are_inputs(project: Path) -> None:
    ps.open_session(project).run([], ps.ignore)
    seen: list[Any] = []

    @dg.asset(ins={"orders": dg.AssetIn(key=["shop", "warehouse", "orders"])})
    def total(orders: pa.Table) -> list[dict[str, Any]]:
        seen.append(orders.column_names)
        return [{"total": sum(orders["price"].to_pylist())}]

    made(project, total)
    assert plain(rows(project, "total")) == [{"total": 5}]
    assert seen == [["id", "price"]]


def test_a_table_that_is_not_there_is_told(project: Path) -> None:
    @dg.asset(ins={"orders": dg.AssetIn(key=["shop", "warehouse", "orders"])})
    def total(orders: pa.Table) -> None: ...

    with pytest.raises(NotFoundError, match="there is no table `orders`"):
        made(project, total)
