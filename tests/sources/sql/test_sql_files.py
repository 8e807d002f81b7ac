"""SQLite and DuckDB files, and SQLAlchemy's way to anything else."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from sql_bench import Bench, given, source

from penstock.errors import ProjectError


def lite(folder: Path, script: str) -> str:
    with closing(sqlite3.connect(folder / "s.db")) as connection, connection:
        connection.executescript(script)
    return "sqlite:///s.db"


def duck(folder: Path, *statements: str) -> str:
    with duckdb.connect(folder / "d.duckdb") as connection:
        for sql in statements:
            connection.execute(sql)
    return "duckdb:///d.duckdb"


# ------------------------------------------------------------------------------------- SQLite


def test_values_of_sqlite_arrive_as_what_they_are(bench: Bench) -> None:
    url = lite(bench.root, """
        CREATE TABLE t (
          id INTEGER PRIMARY KEY, n INTEGER, mixed INTEGER, r REAL, big NUMERIC, d DATE, b BLOB, x
        );
        INSERT INTO t VALUES (1, 9223372036854775807, 5, 0.1, 1.5, '2024-01-01', x'00ff', NULL),
                             (2, NULL, 'five', 1e300, 9007199254740993, 20240101, x'', NULL),
                             (3, 1, 2.5, NULL, 2, NULL, NULL, NULL);
    """)  # fmt: skip
    bench.loads(url)
    assert bench.types("t") == {
        "id": "BIGINT", "n": "BIGINT", "mixed": "VARCHAR", "r": "DOUBLE", "big": "VARCHAR", "d": "VARCHAR",
        "b": "BLOB", "x": "VARCHAR",
    }  # fmt: skip
    assert bench.sql("SELECT * EXCLUDE _penstock_load_id FROM t ORDER BY id") == [
        (1, 9223372036854775807, "5", 0.1, "1.5", "2024-01-01", b"\x00\xff", None),
        (2, None, "five", 1e300, "9007199254740993", "20240101", b"", None),
        (3, 1, "2.5", None, "2", None, None, None),
    ]


def test_a_text_that_comes_late_loses_no_number(bench: Bench) -> None:
    url = lite(bench.root, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    with closing(sqlite3.connect(bench.root / "s.db")) as connection, connection:
        rows = [(i, i if i < 250 else "late" if i == 250 else i * 1.5) for i in range(300)]
        connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
        stored = connection.execute("SELECT id, CAST(n AS TEXT) FROM t ORDER BY id").fetchall()
    bench.loads(url, chunk_rows=100)
    assert bench.sql("SELECT id, n FROM t ORDER BY id") == stored


def test_long_rows_come_a_few_at_a_time(tmp_path: Path) -> None:
    url = lite(tmp_path, "CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)")
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection, connection:
        connection.executemany("INSERT INTO t VALUES (?, zeroblob(1000000))", [(n,) for n in range(130)])
    blocks, _ = given(source(url, tmp_path))
    assert [len(block.data) for block in blocks] == [100, 8, 8, 8, 6]  # type: ignore[arg-type]


def test_bytes_among_texts_are_refused_by_name(bench: Bench) -> None:
    url = lite(bench.root, "CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('x'), (x'ff')")
    error = bench.refuses(url)
    assert "`a` holds bytes among other values" in error
    bench.loads(url, tables={"t": {"types": {"a": "binary"}}})
    assert bench.sql("SELECT a FROM t") == [(b"x",), (b"\xff",)]


def test_text_that_is_no_utf8_is_refused_by_name(bench: Bench) -> None:
    url = lite(bench.root, "CREATE TABLE t (a TEXT); INSERT INTO t VALUES (CAST(x'ff41' AS TEXT))")
    assert "`a` holds what is no UTF-8 text" in bench.refuses(url)
    bench.loads(url, tables={"t": {"types": {"a": "binary"}}})
    assert bench.sql("SELECT a FROM t") == [(b"\xffA",)]


def test_strict_tables_keys_and_views_of_sqlite(tmp_path: Path) -> None:
    url = lite(tmp_path, """
        CREATE TABLE a (id INTEGER PRIMARY KEY, n INT NOT NULL) STRICT;
        CREATE TABLE b (k TEXT NOT NULL, j INTEGER NOT NULL, v, PRIMARY KEY (j, k)) WITHOUT ROWID;
        CREATE VIEW v AS SELECT count(*) AS c FROM a;
        INSERT INTO a VALUES (1, 2)
    """)  # fmt: skip
    blocks, _ = given(source(url, tmp_path, include_views=True))
    tables = {block.table: block.hints.declared for block in blocks if block.hints}
    assert {n: d.primary_key for n, d in tables.items()} == {"a": ("id",), "b": ("j", "k"), "v": ()}
    assert [(c.name, str(c.type), c.nullable) for c in tables["a"].columns] == [
        ("id", "int64", False), ("n", "int64", False),
    ]  # fmt: skip


@pytest.mark.parametrize("made", [lite, duck])
def test_foreign_keys_of_files(bench: Bench, made: Callable[..., str]) -> None:
    url = made(
        bench.root,
        """
        CREATE TABLE a (x INTEGER, y INTEGER, PRIMARY KEY (x, y));
        CREATE TABLE b (p INTEGER, q INTEGER, FOREIGN KEY (q, p) REFERENCES a (x, y));
        INSERT INTO a VALUES (1, 2); INSERT INTO b VALUES (2, 1)
        """,
    )
    tables = {b.table: b.hints.declared for b in given(source(url, bench.root))[0] if b.hints}
    assert tables["b"].extra["references"] == [
        {"columns": ["q", "p"], "referenced_table": "a", "referenced_columns": ["x", "y"]}
    ]
    assert "references" not in tables["a"].extra


def test_a_cursor_goes_by_bytes_whatever_the_collation(tmp_path: Path) -> None:
    """By the table's own collation `b` comes before `C`: a cursor would lose rows."""
    url = lite(tmp_path, "CREATE TABLE t (k TEXT COLLATE NOCASE); INSERT INTO t VALUES ('B'), ('a')")
    made = source(url, tmp_path, tables={"t": {"incremental": "k"}})
    blocks, checkpoints = given(made)
    assert [r["k"] for b in blocks for r in b.data.to_pylist()] == ["B", "a"]  # type: ignore[union-attr]
    lite(tmp_path, "INSERT INTO t VALUES ('C'), ('b')")
    blocks, _ = given(made, checkpoints[-1].state)
    assert [r["k"] for b in blocks for r in b.data.to_pylist()] == ["b"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:///nowhere.db", "the SQLite database is not there"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("duckdb:///nowhere.duckdb", "the DuckDB database is not there"),
        ("nosuch://me:s3cret@host/db", "no dialect or driver for `nosuch`"),
    ],
)
def test_databases_that_are_not_there(bench: Bench, url: str, told: str) -> None:
    bench.loads(lite(bench.root, "CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1)"))
    result = bench.run(url)
    assert result.error is not None
    assert told in result.error
    assert "s3cret" not in result.error


def test_a_url_that_is_none(bench: Bench) -> None:
    with pytest.raises(ProjectError, match="the `url` of a SQL database is none"):
        bench.run("somewhere")


def test_tables_of_the_ledger_are_no_data(bench: Bench) -> None:
    bench.loads(lite(bench.root, "CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1)"))
    [block], _ = given(source("duckdb:///w.duckdb", bench.root))
    assert block.table == "t"


def test_a_file_that_is_no_database_may_be_asked_again(bench: Bench) -> None:
    (bench.root / "s.db").write_bytes(b"no database" * 100)
    assert "cannot be read" in bench.refuses("sqlite:///s.db", code=3)


# ------------------------------------------------------------------------------------- DuckDB

_DUCK = {
    "h": ("'170141183460469231731687303715884105727'::HUGEINT", "VARCHAR", None),
    "u": ("18446744073709551615::UBIGINT", "UBIGINT", 18446744073709551615),
    "n": ("1234567890123456789012345678.0123456789::DECIMAL(38,10)", "DECIMAL(38,10)", None),
    "tz": ("TIMETZ '12:00:00+02'", "VARCHAR", "12:00:00+02"),
    "i": ("INTERVAL 1 MONTH", "VARCHAR", "1 month"),
    "id": ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID::VARCHAR::UUID", "UUID", None),
    "b": ("'101'::BIT", "VARCHAR", "101"),
    "e": ("'x'::ENUM('x', 'y')", "VARCHAR", "x"),
    "ns": ("'2024-01-01 00:00:00.123456789'::TIMESTAMP_NS", "TIMESTAMP_NS", None),
    "s": ("'2024-01-01'::TIMESTAMP_S", "TIMESTAMP", None),
    "at": ("'2024-01-01 10:00:00+02'::TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE", None),
    "far": ("DATE '12024-02-29'", "DATE", None),
    "j": ("'{\"a\": 1.10}'::JSON", "JSON", '{"a": 1.10}'),
    "l": ("[1, NULL]", "INTEGER[]", [1, None]),
    "st": ("{'a': 1, 'b': 'x'}", "STRUCT(a INTEGER, b VARCHAR)", {"a": 1, "b": "x"}),
    "m": ("MAP {'k': 1}", "JSON", '{"k":1}'),
    "bl": ("'\\x00\\xFF'::BLOB", "BLOB", b"\x00\xff"),
}


def test_types_of_duckdb(bench: Bench) -> None:
    values = ", ".join(f'{sql} AS "{name}"' for name, (sql, _, _) in _DUCK.items() if name != "h")
    url = duck(bench.root, f"CREATE TABLE t AS SELECT {values}")
    bench.loads(url)
    kinds = {name: kind for name, (_, kind, _) in _DUCK.items() if name != "h"}
    assert bench.types("t") == kinds
    names = ", ".join(f'"{name}"::VARCHAR' for name in kinds)
    with duckdb.connect(bench.root / "d.duckdb") as stored:
        stored.execute("SET TimeZone = 'UTC'")
        [printed] = stored.execute(f"SELECT {names} FROM t").fetchall()
    [arrived] = bench.sql(f"SELECT {names} FROM t")
    for name, before, after in zip(kinds, printed, arrived, strict=True):
        assert after == before or name == "m", name
    for name, (_, _, value) in _DUCK.items():
        if value is not None:
            assert bench.sql(f'SELECT "{name}" FROM t') == [(value,)], name


def test_a_number_beyond_38_digits_is_refused_by_name(bench: Bench) -> None:
    url = duck(bench.root, f"CREATE TABLE t AS SELECT {_DUCK['h'][0]} AS h")
    assert "`t.h` holds what is no decimal(38,0)" in bench.refuses(url)
    bench.loads(url, tables={"t": {"types": {"h": "text"}}})
    assert bench.sql("SELECT h FROM t") == [("170141183460469231731687303715884105727",)]


@pytest.mark.parametrize("value", ["'infinity'::DATE", "'infinity'::TIMESTAMP", "'-infinity'::TIMESTAMPTZ"])
def test_infinities_of_duckdb_are_refused_by_name(bench: Bench, value: str) -> None:
    url = duck(bench.root, f"CREATE TABLE t AS SELECT {value} AS odd")
    assert "`t.odd` holds an infinite date or time" in bench.refuses(url)


def test_keys_comments_and_cursors_of_duckdb(bench: Bench) -> None:
    url = duck(
        bench.root,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, seen TIMESTAMPTZ NOT NULL, v VARCHAR)",
        "COMMENT ON TABLE t IS 'of things'; COMMENT ON COLUMN t.v IS 'its value'",
        "INSERT INTO t SELECT n, TIMESTAMPTZ '2024-01-01 00:00Z' + to_days(n::INT), 'v' FROM range(5) r(n)",
    )
    said: dict[str, Any] = {"tables": {"t": {"incremental": "seen"}}}
    [block], checkpoints = given(source(url, bench.root, **said))
    assert block.hints is not None
    table = block.hints.declared
    assert (table.primary_key, table.description, table.columns[2].description) == (
        ("id",), "of things", "its value",
    )  # fmt: skip
    duck(bench.root, "UPDATE t SET v = 'w' WHERE id = 4; INSERT INTO t VALUES (9, '2024-01-05 00:00Z', 'x')")
    blocks, _ = given(source(url, bench.root, **said), checkpoints[-1].state)
    assert [r["id"] for b in blocks for r in b.data.to_pylist()] == [9]  # type: ignore[union-attr]


# --------------------------------------------------------------------------------- SQLAlchemy


def test_any_dialect_of_sqlalchemy(bench: Bench, postgres_url: Callable[[], str]) -> None:
    url = postgres_url()
    with psycopg.connect(url) as connection:
        connection.execute("""
            CREATE TABLE t (id int PRIMARY KEY, n numeric(38,10), free numeric, z timestamptz, t time,
                            i interval, j jsonb, l int[], u uuid, b bytea, d date, f real, w text);
            COMMENT ON TABLE t IS 'of things';
            INSERT INTO t VALUES (1, 1234567890123456789012345678.0123456789, 1.50, '2024-01-01 10:00+02',
              '10:00', '1 mon', '{"a": 1.10}', '{1,NULL}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
              '\\x00ff', '2024-02-29', 0.1, '50% :of it''s');
            INSERT INTO t (id) VALUES (2);
            CREATE TABLE c (of int REFERENCES t (id)); INSERT INTO c VALUES (1)
        """)
    other = url.replace("postgresql://", "postgresql+psycopg://")
    bench.loads(other, tables={"t": {"where": "w LIKE '50\\%% :of%' OR w IS NULL"}})
    assert bench.sql("SELECT * EXCLUDE (_penstock_load_id, z, u) FROM t ORDER BY id")[0] == (
        1, Decimal("1234567890123456789012345678.0123456789"), "1.50", time(10),
        "1 mon", '{"a": 1.10}', "{1,NULL}", b"\x00\xff", date(2024, 2, 29), pytest.approx(0.1),
        "50% :of it's",
    )  # fmt: skip
    assert bench.sql("SELECT z::VARCHAR, u::VARCHAR FROM t WHERE id = 1") == [
        ("2024-01-01 08:00:00+00", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
    ]
    options = {"incremental": "z", "columns": ["id", "z"], "where": "id = 1"}
    said: dict[str, Any] = {"tables": {"t": options}}
    blocks, checkpoints = given(source(other, bench.root, **said))
    assert sum(len(b.data) for b in blocks) == 1  # type: ignore[arg-type]
    blocks, _ = given(source(other, bench.root, **said), checkpoints[-1].state)
    assert sum(len(b.data) for b in blocks) == 0  # type: ignore[arg-type]
    [child] = given(source(other, bench.root, tables={"c": {}}))[0]
    assert child.hints is not None
    assert child.hints.declared.extra["references"] == [
        {"columns": ["of"], "referenced_table": "t", "referenced_columns": ["id"]}
    ]
    wrong = bench.run(other.replace("s3cret", "s3cret-not"))
    assert wrong.error is not None
    assert "s3cret" not in wrong.error


def test_the_slow_way_refuses_what_is_no_value_of_its_column(bench: Bench) -> None:
    lite(bench.root, "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), ('five')")
    url = f"sqlite+pysqlite:///{bench.root}/s.db"
    assert "`t.n` holds what is no int64" in bench.refuses(url)
    bench.loads(url, tables={"t": {"types": {"n": "text"}}})
    assert bench.sql("SELECT n FROM t ORDER BY n") == [("1",), ("five",)]
