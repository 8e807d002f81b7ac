"""PostgreSQL: what is found, what is chosen, what is new, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sql_bench import Bench, given, source

from penstock.ports import Checkpoint
from penstock.report.facts import FileDone, Phase
from penstock.schema.disposition import WriteMode
from servers import resale
from servers.postgres import PASSWORD, Postgres

Url = Callable[..., str]


def do(url: str, sql: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(sql)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------ what is there


def test_what_the_database_says_of_a_table_travels_with_its_rows(postgres_url: Url, tmp_path: Path) -> None:
    url = postgres_url()
    do(url, """
        CREATE TABLE orders (
          b int, a text, amount numeric(12,2) NOT NULL, note text, gone int, PRIMARY KEY (a, b)
        );
        ALTER TABLE orders DROP COLUMN gone;
        ALTER TABLE orders ADD COLUMN gone text;
        COMMENT ON TABLE orders IS 'what was ordered';
        COMMENT ON COLUMN orders.amount IS 'in euro';
        INSERT INTO orders VALUES (1, 'x', 1.5)
    """)  # fmt: skip
    blocks, _ = given(source(url, tmp_path))
    [block] = blocks
    assert block.hints is not None
    declared = block.hints.declared
    assert (declared.name, declared.description, declared.primary_key) == (
        "orders", "what was ordered", ("a", "b"),
    )  # fmt: skip
    assert [(c.name, str(c.type), c.nullable, c.description, c.declared) for c in declared.columns] == [
        ("b", "int32", False, None, True),
        ("a", "text", False, None, True),
        ("amount", "decimal(12,2)", False, "in euro", True),
        ("note", "text", True, None, True),
        ("gone", "text", True, None, True),
    ]
    assert block.hints.disposition is not None
    assert block.hints.disposition.mode is WriteMode.REPLACE
    assert "references" not in declared.extra


def test_foreign_keys_are_remarks_of_the_table_that_has_them(postgres_url: Url, tmp_path: Path) -> None:
    url = postgres_url()
    do(url, """
        CREATE TABLE shops (country text, number int, PRIMARY KEY (country, number));
        CREATE TABLE orders (
          id int PRIMARY KEY, shop int, land text, before int CONSTRAINT a REFERENCES orders (id),
          CONSTRAINT b FOREIGN KEY (land, shop) REFERENCES shops (country, number)
        );
        INSERT INTO shops VALUES ('SG', 1); INSERT INTO orders VALUES (1, 1, 'SG', NULL)
    """)  # fmt: skip
    said: dict[str, object] = {"orders": {}, "shops": {}}
    tables = {b.table: b.hints.declared for b in given(source(url, tmp_path, tables=said))[0] if b.hints}
    assert tables["orders"].extra["references"] == [
        {"columns": ["before"], "referenced_table": "orders", "referenced_columns": ["id"]},
        {
            "columns": ["land", "shop"],
            "referenced_table": "shops",
            "referenced_columns": ["country", "number"],
        },
    ]
    [block] = given(source(url, tmp_path, tables={"orders": {"exclude_columns": ["before"]}}))[0]
    assert block.hints is not None
    assert [r["columns"] for r in block.hints.declared.extra["references"]] == [["land", "shop"]]


@pytest.fixture(scope="module")
def shop(postgres_url: Url) -> str:
    url = postgres_url("socket")
    do(url, """
        CREATE TABLE orders (id int PRIMARY KEY, total numeric(9,2));
        CREATE TABLE order_lines (id int PRIMARY KEY, order_id int, secret text, secret2 text);
        CREATE TABLE _internal (id int);
        CREATE VIEW big_orders AS SELECT * FROM orders WHERE total > 10;
        CREATE MATERIALIZED VIEW totals AS SELECT sum(total) AS total FROM orders;
        CREATE TABLE events (id int, day date) PARTITION BY RANGE (day);
        CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE SCHEMA sales; CREATE TABLE sales.orders (id int PRIMARY KEY, region text);
        CREATE TABLE sales."Odd ""name"" %s" (id int, "a ""b"" :c" int);
        INSERT INTO orders VALUES (1, 9), (2, 11);
        INSERT INTO order_lines VALUES (1, 1, 'x', 'y');
        INSERT INTO events VALUES (1, '2024-05-05');
        INSERT INTO sales.orders VALUES (7, 'south');
        INSERT INTO sales."Odd ""name"" %s" VALUES (1, 2)
    """)  # fmt: skip
    return url


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ({}, ["_internal", "events", "order_lines", "orders"]),
        ({"exclude": ["_*", "order_*"]}, ["events", "orders"]),
        ({"include_views": True, "tables": ["*order*"]}, ["big_orders", "order_lines", "orders"]),
        ({"tables": "big_orders"}, ["big_orders"]),
        ({"tables": ["totals", "sales.orders"]}, ["totals", "orders"]),
        ({"tables": {"orders": {}, "south": {"table": "sales.orders"}}}, ["orders", "south"]),
        ({"schema": "sales", "exclude": "Odd*"}, ["orders"]),
        ({"schema": "sales", "exclude": "sales.ord*"}, ['Odd "name" %s']),
        ({"tables": ["public.ord*"], "exclude": "public.orders"}, ["order_lines"]),
    ],
)
def test_tables_are_chosen_by_name_and_glob(
    shop: str, tmp_path: Path, said: dict[str, Any], read: list[str]
) -> None:
    blocks, _ = given(source(shop, tmp_path, **said))
    assert sorted(block.table for block in blocks) == sorted(read)


def test_odd_names_are_read(shop: str, tmp_path: Path) -> None:
    [block], _ = given(source(shop, tmp_path, tables={"t": {"table": 'sales.Odd "name" %s'}}))
    assert block.data.to_pylist() == [{"id": 1, 'a "b" :c': 2}]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"exclude_columns": "secret*"}, [{"id": 1, "order_id": 1}]),
        ({"columns": ["id", "*2"]}, [{"id": 1, "secret2": "y"}]),
        ({"where": "secret LIKE 'x%' AND id < 2 OR false", "columns": "id"}, [{"id": 1}]),
        ({"where": "secret = 'y' -- none"}, []),
    ],
)  # fmt: skip
def test_columns_and_rows_are_chosen(
    shop: str, tmp_path: Path, options: dict[str, Any], rows: list[Any]
) -> None:
    blocks, _ = given(source(shop, tmp_path, tables={"order_lines": options}))
    assert [row for block in blocks for row in block.data.to_pylist()] == rows  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"tables": ["orderz"]}, "did you mean 'orders'?"),
        ({"tables": ["nothing_*"]}, "the database has no table `nothing_*`"),
        ({"tables": {"orders": {"columns": ["totl"]}}}, "did you mean 'total'?"),
        ({"tables": {"orders": {"columns": ["total"], "incremental": "id"}}}, "needs the column `id`"),
        ({"tables": {"events": {"write": "merge"}}}, "nothing tells one row from another"),
        ({"schema": ["public", "sales"]}, "two tables are called `orders`"),
        ({"tables": {"orders": {"where": "nope = 1"}}}, "the SQL of `orders` names what is not there"),
        ({"tables": {"q": {"query": "SELECT * FROM nope"}}}, "the SQL of `q` names what is not there"),
        ({"tables": {"q": {"query": "SELEC 1"}}}, "refuses to read `q`"),
        ({"tables": {"orders": {"where": "1 / (id - 2) > 0"}}}, "division by zero"),
    ],
)
def test_what_cannot_be_read_is_told(bench: Bench, shop: str, said: dict[str, Any], told: str) -> None:
    assert told in bench.refuses(shop, **said)


# ------------------------------------------------------------------------------- what goes wrong


def test_a_wrong_password_is_refused_and_never_told(bench: Bench, postgres_url: Url) -> None:
    error = bench.refuses(postgres_url().replace(PASSWORD, "s3cret-but-wrong"))
    assert "the database does not let us in" in error
    assert "postgresql://penstock:***@127.0.0.1" in error


def test_a_server_that_does_not_answer_may_be_asked_again(bench: Bench) -> None:
    error = bench.refuses("postgres://me:s3cret@127.0.0.1:1/db?connect_timeout=2", code=3)
    assert "the database cannot be reached" in error


def test_a_database_that_is_not_there(bench: Bench, postgres: Postgres) -> None:
    assert "no such database" in bench.refuses(postgres.url("nowhere"))


def test_a_table_that_may_not_be_read(bench: Bench, postgres: Postgres, postgres_url: Url) -> None:
    url = postgres_url("socket")
    do(url, "CREATE TABLE mine (id int); CREATE TABLE yours (id int); GRANT SELECT ON yours TO PUBLIC")
    postgres.execute("CREATE ROLE guest LOGIN")
    guest = url.replace("penstock@", "guest@")
    error = bench.refuses(guest)
    assert "`mine` may not be read" in error
    assert "exclude" in error
    bench.loads(guest, exclude=["mine"])


def test_a_table_that_goes_while_it_is_read_may_be_asked_again(
    postgres_url: Url, tmp_path: Path, bench: Bench
) -> None:
    url = postgres_url()
    do(url, "CREATE TABLE a (id int); INSERT INTO a VALUES (1); CREATE TABLE b (id int)")
    items = source(url, tmp_path).produce(None)
    next(items)  # `b` is known, and not yet looked into
    do(url, "DROP TABLE b")
    with pytest.raises(Exception, match="`b` is not any more what it was") as told:
        list(items)
    assert told.value.exit_code == 3  # type: ignore[attr-defined]


def test_a_connection_that_is_lost_may_be_asked_again(
    postgres: Postgres, postgres_url: Url, tmp_path: Path
) -> None:
    url = postgres_url()
    resale.fill(url, 200_000)
    items = source(url, tmp_path).produce(None)
    next(items)
    name = url.rpartition("/")[2]
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    with pytest.raises(Exception, match="failed on the way") as told:
        list(items)
    assert told.value.exit_code == 3  # type: ignore[attr-defined]


def test_a_lost_connection_is_made_again_and_the_table_gone_on_with(
    bench: Bench, postgres: Postgres, postgres_url: Url
) -> None:
    url = postgres_url()
    resale.fill(url, 150_000)
    name = url.rpartition("/")[2]
    landed = []

    def cut(event: object) -> None:
        if isinstance(event, FileDone) and event.phase is Phase.LAND:
            landed.append(event)
            if len(landed) == 1:
                sql = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                postgres.execute(sql)

    said = {"tables": {resale.TABLE: {"write": "append"}}, "chunk_rows": 2_000, "checkpoint_rows": 10_000}
    session = bench.open(url, retry={"attempts": 3, "wait_s": 0}, **said)
    [result] = session.run(["p"], cut).pipelines
    assert result.error is None
    assert len(landed) > 2
    assert bench.sql("SELECT max(attempt) FROM _penstock_runs") == [(2,)], "it was not cut"
    counts = "count(*), count(DISTINCT id), max(id)"
    assert bench.sql(f"SELECT {counts} FROM {resale.TABLE}") == [(150_000, 150_000, 150_000)]


# ---------------------------------------------------------------------------------- what is new


def test_a_cursor_reads_what_is_new_and_merges_it(bench: Bench, postgres_url: Url) -> None:
    url = postgres_url()
    do(url, """
        CREATE TABLE t (id int PRIMARY KEY, v text, changed timestamptz NOT NULL);
        INSERT INTO t SELECT n, 'old', timestamptz '2024-01-01' + n * interval '1 day'
        FROM generate_series(1, 9) n
    """)  # fmt: skip
    said = {"tables": {"t": {"incremental": {"cursor": "changed", "initial_value": "2024-01-04T00:00:00Z"}}}}
    assert bench.loads(url, **said).tables[0].rows == 7
    do(url, "UPDATE t SET v = 'new', changed = '2024-02-01' WHERE id = 5; "
            "INSERT INTO t VALUES (10, 'more', '2024-01-10'), (11, 'late', '2024-01-02')")  # fmt: skip
    assert bench.loads(url, **said).tables[0].rows == 2
    assert bench.sql("SELECT id, v FROM t ORDER BY id") == [
        (3, "old"), (4, "old"), (5, "new"), (6, "old"), (7, "old"), (8, "old"), (9, "old"), (10, "more"),
    ]  # fmt: skip
    assert bench.loads(url, **said).tables == ()
    assert bench.state()["t"]["cursor"]["last_value"]["$datetime"] == "2024-02-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("options", "first", "then"),
    [
        ({"range_start": "open"}, [1, 2, 3], []),
        ({"lag": 1}, [1, 2, 3], [2, 2.5, 3]),
        ({"initial_value": 2, "end_value": 3}, [2], [2, 2.5]),
        ({"initial_value": 2, "end_value": 3, "range_end": "closed"}, [2, 3], [2, 2.5, 3]),
        ({"func": "min"}, [3, 2, 1], [0]),
        ({"on_missing": "include"}, [1, 2, 3, None], [None]),
    ],
)
def test_the_range_of_a_cursor(
    postgres_url: Url, tmp_path: Path, options: dict[str, Any], first: list[Any], then: list[Any]
) -> None:
    url = postgres_url()
    do(url, "CREATE TABLE t (n numeric(9,1)); INSERT INTO t VALUES (2), (3), (1)")
    if "on_missing" in options:
        do(url, "INSERT INTO t VALUES (NULL)")
    made = source(url, tmp_path, tables={"t": {"incremental": {"cursor": "n", **options}}})
    blocks, checkpoints = given(made)
    assert _numbers(blocks) == first
    do(url, "INSERT INTO t VALUES (2.5)" if "func" not in options else "INSERT INTO t VALUES (0)")
    state = checkpoints[-1].state if checkpoints else None
    assert _numbers(given(made, state)[0]) == then


def _numbers(blocks: list[Any]) -> list[Any]:
    return [n if n is None else float(n) for block in blocks for n in block.data.column("n").to_pylist()]


def test_a_cursor_without_a_value_is_refused_unless_said_otherwise(bench: Bench, postgres_url: Url) -> None:
    url = postgres_url()
    do(url, "CREATE TABLE t (n int); INSERT INTO t VALUES (1), (NULL)")
    assert "`t`" in bench.refuses(url, tables={"t": {"incremental": "n"}})


@pytest.mark.parametrize("kind", ["timestamptz", "date"])
def test_a_scheduler_says_what_range_to_read(
    postgres_url: Url, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    url = postgres_url()
    do(url, f"""
        CREATE TABLE t (id int, day {kind});
        INSERT INTO t SELECT n, date '2024-01-01' + n FROM generate_series(0, 9) n
    """)  # fmt: skip
    monkeypatch.setenv("PENSTOCK_INTERVAL_START", "2024-01-03T00:00:00Z")
    monkeypatch.setenv("PENSTOCK_INTERVAL_END", "2024-01-05T00:00:00Z")
    cursor = {"cursor": "day", "allow_external_schedulers": True}
    made = source(url, tmp_path, tables={"t": {"incremental": cursor}})
    kept = '{"tables": {"t": {"column": "day", "cursor": {"key": null, "last_value": 1, "seen": ""}}}}'
    blocks, checkpoints = given(made, kept)
    assert [r["id"] for b in blocks for r in b.data.to_pylist()] == [2, 3]  # type: ignore[union-attr]
    assert json.loads(checkpoints[-1].state or "") == json.loads(kept)


# ------------------------------------------------------------------------- whole, and in parts


def test_all_tables_are_read_at_one_instant(postgres_url: Url, tmp_path: Path) -> None:
    url = postgres_url()
    do(
        url,
        "CREATE TABLE a AS SELECT 1 AS id; CREATE TABLE b AS SELECT 1 AS id",
    )
    for snapshot, seen in ((True, 1), (False, 2)):
        items = source(url, tmp_path, snapshot=snapshot).produce(None)
        next(items)
        do(url, "INSERT INTO b VALUES (2)")
        assert sum(len(i.data) for i in items if not isinstance(i, Checkpoint)) == seen  # type: ignore[arg-type]
        do(url, "DELETE FROM b WHERE id = 2")


def test_a_table_without_rows_is_emptied(bench: Bench, postgres_url: Url) -> None:
    url = postgres_url()
    do(url, "CREATE TABLE t (id int PRIMARY KEY, n numeric(5,1)); INSERT INTO t VALUES (1, 1.5)")
    bench.loads(url)
    do(url, "DELETE FROM t")
    bench.loads(url)
    assert bench.sql("SELECT count(*) FROM t") == [(0,)]


@pytest.mark.parametrize("options", [{"write": "append"}, {"write": "merge"}, {"incremental": "id"}])
def test_a_read_goes_on_behind_the_last_checkpoint(
    postgres_url: Url, tmp_path: Path, options: dict[str, Any]
) -> None:
    url = postgres_url()
    resale.fill(url, 200_000)
    made = source(url, tmp_path, tables={resale.TABLE: options}, checkpoint_rows=60_000)
    blocks, checkpoints = given(made)
    ids = [n for block in blocks for n in block.data.column("id").to_pylist()]  # type: ignore[union-attr]
    assert ids == list(range(1, 200_001))
    assert len(checkpoints) >= 3
    again, _ = given(made, checkpoints[0].state)
    left = [n for block in again for n in block.data.column("id").to_pylist()]  # type: ignore[union-attr]
    assert 0 < len(left) < 145_000
    assert left == ids[-len(left) :]
    if "incremental" not in options:
        assert json.loads(checkpoints[-1].state or "") == {"tables": {}}


def test_a_key_of_several_columns_is_a_position_too(postgres_url: Url, tmp_path: Path) -> None:
    url = postgres_url()
    do(url, """
        CREATE TABLE t (a numeric(5,1), b text, c timestamptz, PRIMARY KEY (a, b, c));
        INSERT INTO t SELECT n % 7, 'it''s ' || n % 11, timestamptz '2024-01-01' + n * interval '1 us'
        FROM generate_series(1, 200000) n
    """)  # fmt: skip
    made = source(url, tmp_path, tables={"t": {"write": "append"}}, checkpoint_rows=1)
    blocks, checkpoints = given(made)
    whole = [row for block in blocks for row in block.data.to_pylist()]  # type: ignore[union-attr]
    assert len(blocks) > 1
    read = len(blocks[0].data)  # type: ignore[arg-type]
    again, _ = given(made, checkpoints[0].state)
    rest = [row for block in again for row in block.data.to_pylist()]  # type: ignore[union-attr]
    assert rest == whole[read:]


def test_columns_that_come_and_go(bench: Bench, postgres_url: Url) -> None:
    url = postgres_url()
    do(url, "CREATE TABLE t (id int PRIMARY KEY, a int, b text); INSERT INTO t VALUES (1, 1, 'x')")
    said = {"tables": {"t": {"write": "merge"}}}
    bench.loads(url, **said)
    do(
        url,
        "ALTER TABLE t DROP a; ALTER TABLE t ADD a text; INSERT INTO t VALUES (2, 'y', 'z')",
    )
    bench.loads(url, **said)
    assert bench.sql("SELECT id, a, b FROM t ORDER BY id") == [(1, None, "x"), (2, "z", "y")]


def test_the_resale_prices(bench: Bench, postgres_url: Url) -> None:
    url = postgres_url()
    resale.fill(url, 5_000)
    bench.loads(url, pipeline={resale.TABLE: {"gate": {"min_rows": 5_000}}})
    columns = ", ".join(resale.COLUMNS)
    assert bench.sql(f"SELECT {columns} FROM {resale.TABLE} ORDER BY id") == list(resale.rows(5_000))
