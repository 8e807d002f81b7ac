"""dlt's own sources: an API, a database, files."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("dlt", reason="dlt is not installed: pip install 'penstock[dlt]'")

import dlt
from dlt.sources.filesystem import filesystem, read_csv, read_jsonl, read_parquet
from dlt.sources.rest_api import rest_api_source
from dlt.sources.sql_database import sql_database, sql_table
from dlt_api import Api
from dlt_pieces import take

from penstock.errors import OutsideError, RefusedError
from penstock.schema.disposition import Strategy, WriteMode

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # what dlt leaves open


def issues_of(api: Api) -> Any:
    return rest_api_source(
        {
            "client": {
                "base_url": api.url,
                "paginator": {"type": "page_number", "base_page": 1, "total_path": "pages"},
            },
            "resources": [
                {
                    "name": "issues",
                    "primary_key": "id",
                    "write_disposition": "merge",
                    "endpoint": {
                        "path": "issues",
                        "data_selector": "data",
                        "params": {
                            "since": {
                                "type": "incremental",
                                "cursor_path": "updated",
                                "initial_value": "2024-01-02T00:00:00Z",
                            }
                        },
                    },
                },
                {
                    "name": "comments",
                    "include_from_parent": ["id"],
                    "endpoint": {
                        "path": "issues/{resources.issues.id}/comments",
                        "paginator": "single_page",
                    },
                },
            ],
        },
        name="tracker",
    )


def test_rest_api(api: Api) -> None:
    first = take(issues_of(api))
    assert first.rows["issues"] == api.issues[1:]
    comments = sorted(first.rows["comments"], key=lambda row: row["_issues_id"])
    assert comments == [{"text": f"on {n}", "_issues_id": n} for n in range(2, 6)]
    assert sum(path.startswith("/issues?") for path in api.asked) == 2, "two pages of two"
    said = first.hints["issues"].disposition
    assert said is not None
    assert (said.mode, said.primary_key, said.strategy) == (WriteMode.MERGE, ("id",), Strategy.DELETE_INSERT)
    api.issues.append({"id": 6, "updated": "2024-01-06T00:00:00Z"})
    api.asked.clear()
    second = take(issues_of(api), first.state)
    assert [row["id"] for row in second.rows["issues"]] == [6]
    assert "since=2024-01-05" in api.asked[0], "the cursor is part of the request"


def test_a_server_that_fails_is_outside(api: Api) -> None:
    api.status = 503
    with pytest.raises(OutsideError, match="the resource `issues` of dlt failed") as caught:
        take(issues_of(api))
    assert "503" in str(caught.value.found)


def test_a_server_that_refuses_is_not_told_with_the_key(api: Api) -> None:
    api.status = 403
    client = {
        "base_url": api.url,
        "auth": {"type": "api_key", "name": "key", "api_key": "very-secret", "location": "query"},
    }
    with pytest.raises(RefusedError) as caught:
        take(rest_api_source({"client": client, "resources": ["issues"]}))
    assert "403" in str(caught.value.found)
    assert "very-secret" in api.asked[0]
    assert "very-secret" not in str(caught.value)


# ---------------------------------------------------------------------------------------- database


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            create table customers (id integer primary key, name text not null);
            create table orders (id integer primary key, customer integer references customers (id),
                                 amount numeric(12, 2), at timestamp not null);
            insert into customers values (1, 'Ada'), (2, 'Bo');
            insert into orders values (1, 1, 10.25, '2024-01-01 10:00:00.000000');
            insert into orders values (2, 2, 3.5, '2024-01-02 10:00:00.000000');
            """
        )
        connection.commit()
    return str(path)


def insert(database: str, row: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"insert into orders values {row}")
        connection.commit()


@pytest.mark.filterwarnings("ignore:`detect_precision_hints` argument is deprecated")  # dlt's own default
@pytest.mark.parametrize("backend", ["sqlalchemy", "pyarrow", "pandas"])
def test_sql_database(database: str, backend: str) -> None:
    def shop() -> Any:
        source = sql_database(
            f"sqlite:///{database}", backend=backend, reflection_level="full_with_precision"
        )
        source.orders.apply_hints(incremental=dlt.sources.incremental("id"), write_disposition="merge")
        return source

    first = take(shop)
    assert [row["name"] for row in first.rows["customers"]] == ["Ada", "Bo"]
    assert [row["id"] for row in first.rows["orders"]] == [1, 2]
    orders = first.hints["orders"]
    assert orders.declared.primary_key == ("id",)
    types = {column.name: str(column.type) for column in orders.declared.columns}
    assert types["amount"] == "decimal(12,2)"
    assert orders.disposition is not None
    assert orders.disposition.mode is WriteMode.MERGE
    insert(database, "(3, 1, 1, '2024-01-03 10:00:00.000000')")
    second = take(shop, first.state)
    assert [row["id"] for row in second.rows["orders"]] == [3]
    assert [row["name"] for row in second.rows["customers"]] == ["Ada", "Bo"], "read whole each time"


def test_sql_table_by_time(database: str) -> None:
    def orders() -> Any:
        cursor = dlt.sources.incremental("at", initial_value=datetime.fromisoformat("2024-01-02"))
        return sql_table(f"sqlite:///{database}", "orders", incremental=cursor)

    first = take(orders)
    assert [row["id"] for row in first.rows["orders"]] == [2]
    insert(database, "(3, 1, 1, '2024-01-02 10:00:00.000000'), (4, 1, 1, '2024-01-04 10:00:00.000000')")
    second = take(orders, first.state)
    assert [row["id"] for row in second.rows["orders"]] == [3, 4], "equal to the last, but not seen yet"


def test_a_database_that_is_not_there_is_outside(tmp_path: Path) -> None:
    with pytest.raises(OutsideError) as caught:
        take(lambda: sql_table(f"sqlite:///{tmp_path}/none/shop.db", "orders", defer_table_reflect=True))
    assert "unable to open database file" in str(caught.value.found)


# ------------------------------------------------------------------------------------------- files


def write(folder: Path, name: str, text: str, modified: int) -> None:
    (folder / name).write_text(text)
    os.utime(folder / name, (modified, modified))


def test_files_that_are_new_or_were_changed(tmp_path: Path) -> None:
    def lines() -> Any:
        files = filesystem(tmp_path.as_uri(), file_glob="*.jsonl")
        files.apply_hints(incremental=dlt.sources.incremental("modification_date"))
        return (files | read_jsonl()).with_name("lines")

    write(tmp_path, "1.jsonl", '{"n": 1}\n{"n": 2}\n', 1_700_000_000)
    first = take(lines)
    assert first.rows == {"lines": [{"n": 1}, {"n": 2}]}
    assert take(lines, first.state).rows == {}
    write(tmp_path, "2.jsonl", '{"n": 3}\n', 1_700_000_500)
    assert take(lines, first.state).rows == {"lines": [{"n": 3}]}


def test_the_list_of_files(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "n\n1\n", 1_700_000_000)
    [row] = take(filesystem(tmp_path.as_uri(), file_glob="*.csv")).rows["filesystem"]
    assert (row["file_name"], row["size_in_bytes"]) == ("a.csv", 4)
    assert type(row["modification_date"]) is datetime
    assert row["modification_date"] == datetime.fromtimestamp(1_700_000_000, UTC)


def test_csv_and_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    write(tmp_path, "a.csv", "n\n1\n", 1_700_000_000)
    pq.write_table(pa.table({"n": [2]}), tmp_path / "b.parquet")
    csv = filesystem(tmp_path.as_uri(), file_glob="*.csv") | read_csv()
    parquet = filesystem(tmp_path.as_uri(), file_glob="*.parquet") | read_parquet()
    assert take([csv.with_name("csv"), parquet.with_name("parquet")]).rows == {
        "csv": [{"n": 1}],
        "parquet": [{"n": 2}],
    }
