"""Models in a DuckDB file against the conformance suite, and what is its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from penstock.destinations import engine
from penstock.destinations.duckdb import DuckDBDestination
from penstock.destinations.duckdb_builder import DuckDBBuilder
from penstock.destinations.merging.upsert import graves_of
from penstock.errors import RefusedError, StoreError, UncertainError
from penstock.ledger import FILES_TABLE, MODELS_TABLE
from penstock.project.spec import DuckDBSpec
from penstock.schema import types as t
from penstock.schema.disposition import Disposition, Strategy, WriteMode
from penstock.schema.table import Table
from penstock.testing.builder import BuilderOf, BuilderSuite, built_of
from penstock.testing.loads import APPEND, REPLACE, Factory, Loads, commit_of, file_of, table

CDC = Disposition(WriteMode.MERGE, ("id",), "seq", strategy=Strategy.CDC, hard_delete="gone")


class TestDuckDB(BuilderSuite):
    @pytest.fixture
    def destination_factory(self, tmp_path: Path) -> Factory:
        return lambda: DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=2), tmp_path)

    @pytest.fixture
    def builder_of(self) -> BuilderOf:
        return DuckDBBuilder


@pytest.fixture
def at(tmp_path: Path) -> DuckDBDestination:
    return DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=2), tmp_path)


def build(
    builder: DuckDBBuilder, name: str, sql: str, build_id: str = "B1", how: Disposition = REPLACE
) -> Table:
    made = builder.begin(name, build_id)
    try:
        shape = made.stage(name, sql)
        made.put(shape, how)
        made.commit(built_of(name, build_id, shape))
    finally:
        made.rollback()
    return shape


def values(at: DuckDBDestination, sql: str) -> list[Any]:
    found: list[Any] = at.query(sql).column(0).to_pylist()
    return found


def test_asking_a_file_that_is_not_there_loads_no_driver(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from penstock.destinations.duckdb import DuckDBDestination
from penstock.destinations.duckdb_builder import DuckDBBuilder
from penstock.project.spec import DuckDBSpec
builder = DuckDBBuilder(DuckDBDestination(DuckDBSpec(path="w.duckdb"), Path(sys.argv[1])))
print(builder.built(), builder.versions())
print([name for name in ("duckdb", "pyarrow", "sqlglot") if name in sys.modules])
"""
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines() == ["{} {}", "[]"]
    assert list(tmp_path.iterdir()) == []


def test_asking_what_was_built_needs_no_arrow(at: DuckDBDestination, tmp_path: Path) -> None:
    with at.lock("m", "test"):
        build(DuckDBBuilder(at), "m", "SELECT 1 AS id")
    code = """
import sys
from pathlib import Path
from penstock.destinations.duckdb import DuckDBDestination
from penstock.destinations.duckdb_builder import DuckDBBuilder
from penstock.project.spec import DuckDBSpec
builder = DuckDBBuilder(DuckDBDestination(DuckDBSpec(path="w.duckdb"), Path(sys.argv[1])))
print(list(builder.built()), dict(builder.versions()), "pyarrow" in sys.modules)
"""
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert said.stdout == "['m'] {'m': 'B1'} False\n"


# ------------------------------------------------------------------------------ what is in the file


def test_rows_that_are_as_they_should_be_are_not_written_again(at: DuckDBDestination) -> None:
    """A copy would have been cast to what pipelines' tables have."""
    with at.lock("m", "test"):
        builder = DuckDBBuilder(at)
        build(
            builder, "m", "SELECT sum(range) AS s, 'a'::ENUM('a', 'b') AS e, MAP {'k': 1} AS m FROM range(3)"
        )
        assert values(at, "SELECT [typeof(s), typeof(e), typeof(m)] FROM m") == [
            ["HUGEINT", "ENUM('a', 'b')", "MAP(VARCHAR, INTEGER)"]
        ]
        sql = "SELECT sum(range) AS s, 'a'::ENUM('a', 'b') AS e, MAP {'k': 1} AS m FROM range(3)"
        build(builder, "n", sql, how=APPEND)
        assert values(at, "SELECT [typeof(s), typeof(e), typeof(m)] FROM n") == [
            ["DECIMAL(38,0)", "VARCHAR", 'STRUCT("key" VARCHAR, "value" INTEGER)[]']
        ]
        build(builder, "n", "SELECT 5::HUGEINT AS s, 'c' AS e, MAP {'k': 2} AS m", "B2", APPEND)
        assert values(at, "SELECT e FROM n ORDER BY e") == ["a", "c"]


def test_file_keeps_types_that_older_duckdbs_know(at: DuckDBDestination, tmp_path: Path) -> None:
    sql = (
        "SELECT NULL AS a, [] AS b, {'x': NULL} AS c, TIMESTAMPTZ_NS '2026-11-21 10:00:00.000000001+00' AS d"
    )
    with at.lock("m", "test"):
        shape = build(DuckDBBuilder(at), "m", sql)
        assert values(at, "SELECT CAST(d AS VARCHAR) FROM m") == ["2026-11-21 10:00:00.000000001"]
        for cell in ("1::VARIANT", "row(1, 2)", "1::BIGNUM"):
            with pytest.raises(RefusedError):
                build(DuckDBBuilder(at), "n", f"SELECT {cell} AS x")
    assert [str(c.type) for c in shape.columns] == [
        "int32", "list<int32>", "struct<x: int32>", "timestamp_tz(ns)"
    ]  # fmt: skip
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as con:
        kinds = con.execute("SELECT data_type FROM duckdb_columns() WHERE table_name = 'm'").fetchall()
        tags = con.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'w'").fetchall()
    assert [k for (k,) in kinds] == ["INTEGER", "INTEGER[]", "STRUCT(x INTEGER)", "TIMESTAMP_NS"]
    assert tags == [({"storage_version": "v1.4.0+"},)]


def test_queries_run_in_utc_and_under_the_limits_of_the_project(tmp_path: Path) -> None:
    at = DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=1, memory_limit="100MB"), tmp_path)
    with at.lock("m", "test"):
        sql = "SELECT " + ", ".join(
            f"current_setting('{name}') AS {name}"
            for name in ("TimeZone", "threads", "memory_limit", "python_enable_replacements")
        )
        build(DuckDBBuilder(at), "m", sql)
        [row] = at.query("SELECT * FROM m").to_pylist()
    assert row == {
        "TimeZone": "UTC", "threads": 1, "memory_limit": "95.3 MiB", "python_enable_replacements": False
    }  # fmt: skip


def test_limits_are_those_of_models_again_after_a_load(at: DuckDBDestination) -> None:
    limit = "SELECT current_setting('memory_limit') AS x"
    with at.lock("p", "test"):
        builder = DuckDBBuilder(at)
        build(builder, "before", limit)
        load = at.begin("p", "L1")
        load.shape(table("t", id=t.INT64), APPEND)
        load.commit(commit_of("L1", schemas=(table("t", id=t.INT64),)))
        build(builder, "after", limit)
        with pytest.raises(RefusedError, match="pipeline"):
            builder.begin("t", "B1")
        assert values(at, "SELECT x FROM before") == values(at, "SELECT x FROM after")


def test_queries_get_half_of_what_the_container_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [tmp_path / "memory.max", tmp_path / "not there", tmp_path / "unlimited"]
    limits[0].write_text("1600000000\n")
    limits[2].write_text("max\n")
    monkeypatch.setattr(engine, "_CONTAINER_LIMITS", limits)
    assert engine.Limits(threads=2).memory_for_queries() == "800MB"
    limits[0].write_text("100000000\n")
    assert engine.Limits(threads=2).memory_for_queries() == "192MB"
    assert engine.Limits("1GB").memory_for_queries() == "1GB"


def test_graves_go_when_a_table_is_made_anew_or_dropped(at: DuckDBDestination) -> None:
    deletes = "SELECT 1 AS id, 5 AS seq, true AS gone"
    with at.lock("m", "test"):
        builder = DuckDBBuilder(at)
        for build_id, how in (("B1", CDC), ("B2", REPLACE), ("B3", CDC)):
            build(builder, "m", deletes, build_id, how)
            there = values(at, f"SELECT count(*) FROM duckdb_tables() WHERE table_name = '{graves_of('m')}'")
            assert there == [1 if how is CDC else 0]
        builder.drop(["m"])
        assert values(
            at, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' AND NOT temporary"
        ) == [MODELS_TABLE]


def test_view_leaves_out_the_load_ids_of_what_it_reads(at: DuckDBDestination) -> None:
    Loads.load(lambda: at, "L1", (table("t", id=t.INT64), APPEND, [{"id": 1}]))
    with at.lock("m", "test"):
        made = DuckDBBuilder(at).begin("v", "B1")
        assert made.view("v", "SELECT * FROM t -- all of it").names == ("id",)
        made.commit(built_of("v", "B1"))
    assert at.query("SELECT * FROM v").to_pylist() == [{"id": 1}]


# ------------------------------------------------------------------------------------- other programs


@pytest.mark.parametrize("statement", ["CREATE TABLE m AS SELECT 1 AS id", "CREATE VIEW m AS SELECT 1 AS id"])
def test_what_nobody_made_is_left_alone(at: DuckDBDestination, tmp_path: Path, statement: str) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute(statement)
    builder = DuckDBBuilder(at)
    assert dict(builder.versions()) == {"m": None}
    with at.lock("m", "test"):
        with pytest.raises(RefusedError, match="no model made"):
            builder.begin("m", "B1")
        builder.drop(["m"])
        assert values(at, "SELECT id FROM m") == [1]


def test_other_schemas_are_named_and_other_databases_are_not(tmp_path: Path) -> None:
    at = DuckDBDestination(DuckDBSpec.model_validate({"path": "w.duckdb", "schema": 'mar"ts'}), tmp_path)
    of = table("t", id=t.INT64)
    Loads.load(lambda: at, "L1", (of, APPEND, [{"id": 1}]), files=(file_of("L1", "p/t/1", 1),))
    with at.lock("m", "test"):
        builder = DuckDBBuilder(at)
        build(builder, "m", "SELECT * FROM t")
        at.writing().execute("CREATE TABLE main.seed AS SELECT 1 AS id")
        at.writing().execute("ATTACH ':memory:' AS elsewhere")
        at.writing().execute("CREATE TABLE elsewhere.main.x AS SELECT 1 AS id")
        assert dict(builder.versions()) == {"t": "L1", "m": "B1", "main.seed": None}
        assert set(at.facts("p").tables) == {"t"}
    assert dict(builder.versions()) == {"t": "L1", "m": "B1", "main.seed": None}
    assert values(at, "SELECT id FROM m") == [1]


def test_file_is_let_go_for_another_program_while_the_lock_is_held(
    at: DuckDBDestination, tmp_path: Path
) -> None:
    code = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE OR REPLACE TABLE ' + sys.argv[2])"
    file = str(tmp_path / "w.duckdb")
    with at.lock("m", "test"):
        builder = DuckDBBuilder(at)
        build(builder, "a", "SELECT 1 AS id")
        builder.built()
        at.close()
        for statement in ("d AS SELECT id + 1 AS id FROM a", "schemed AS SELECT 1 AS id"):
            subprocess.run([sys.executable, "-c", code, file, statement], check=True)
        assert builder.versions()["d"] is None
        builder.record([built_of("d", "D1", tool="dbt")])
        builder.record([built_of("x", "D1", table("schemed", id=t.INT64), tool="dbt")])
        assert dict(builder.versions()) == {"a": "B1", "d": "D1", "schemed": "D1"}
        build(builder, "b", "SELECT id + 1 AS id FROM d")
        assert values(at, "SELECT id FROM b") == [3]
    assert set(DuckDBBuilder(at).built()) == {"a", "b", "d", "x"}


def test_retired_files_are_another_version(at: DuckDBDestination) -> None:
    of = table("t", id=t.INT64)
    Loads.load(lambda: at, "L1", (of, APPEND, [{"id": 1}]), files=(file_of("L1", "p/t/1", 1),))
    before = DuckDBBuilder(at).versions()
    with at.lock("p", "test"):
        at.writing().execute(f"UPDATE {FILES_TABLE} SET outcome = 'retired'")
    assert before == {"t": "L1"}
    assert DuckDBBuilder(at).versions()["t"] not in (None, "L1")


# ------------------------------------------------------------------------------ commits that fail


class FailingCommit:
    """A connection whose COMMIT fails, before it is done or after."""

    def __init__(self, con: Any, before: Callable[[], object], *, done: bool) -> None:
        self._con, self._before, self._done = con, before, done

    def execute(self, sql: str, *parameters: Any) -> Any:
        if sql != "COMMIT":
            return self._con.execute(sql, *parameters)
        if self._done:
            self._con.execute(sql)
        self._before()
        raise duckdb.IOException("IO Error: the disk went away")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)


def failing(
    at: DuckDBDestination, monkeypatch: pytest.MonkeyPatch, *, done: bool, before: Callable[[], object] = int
) -> DuckDBBuilder:
    """A builder whose first connection fails at COMMIT; those after it do not."""
    plain = DuckDBDestination.cursor
    used: list[int] = []

    def cursor(self: DuckDBDestination) -> Any:
        used.append(1)
        return FailingCommit(plain(self), before, done=done) if len(used) == 1 else plain(self)

    monkeypatch.setattr(DuckDBDestination, "cursor", cursor)
    return DuckDBBuilder(at)


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("done", [False, True])
def test_failed_commit_asks_the_file_what_happened(
    at: DuckDBDestination, monkeypatch: pytest.MonkeyPatch, done: bool, others: int
) -> None:
    with at.lock("m", "test"):
        builder = failing(at, monkeypatch, done=done)
        made = builder.begin("m", "B1")
        beside = [builder.begin("n", "B2") for _ in range(others)]
        shape = made.stage("m", "SELECT 1 AS id")
        made.put(shape, REPLACE)
        if done:
            made.commit(built_of("m", "B1", shape))
        else:
            with pytest.raises(StoreError, match="could not read or write"):
                made.commit(built_of("m", "B1", shape))
        made.rollback()
        for other in beside:
            other.put(other.stage("n", "SELECT 2 AS id"), REPLACE)
            other.commit(built_of("n", "B2"))
        expected = ({"m": "B1"} if done else {}) | ({"n": "B2"} if others else {})
        assert dict(builder.versions()) == expected
        build(builder, "m", "SELECT 3 AS id", "B3")
        assert values(at, "SELECT id FROM m") == [3]
        assert values(at, "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '%stage%'") == [0]


def test_commit_whose_outcome_cannot_be_told_is_uncertain(
    at: DuckDBDestination, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def lost() -> None:
        at.close()
        (tmp_path / "w.duckdb").write_bytes(b"no database any more")

    with at.lock("m", "test"):
        builder = failing(at, monkeypatch, done=False, before=lost)
        made = builder.begin("m", "B1")
        made.put(made.stage("m", "SELECT 1 AS id"), REPLACE)
        with pytest.raises(UncertainError, match="`m`"):
            made.commit(built_of("m", "B1"))
        made.rollback()


def test_ledger_row_that_cannot_be_written_leaves_the_old_table(at: DuckDBDestination) -> None:
    with at.lock("m", "test"):
        builder = DuckDBBuilder(at)
        build(builder, "m", "SELECT 1 AS id")
        made = builder.begin("m", "B2")
        made.put(made.stage("m", "SELECT 2 AS id"), REPLACE)
        with pytest.raises(RefusedError):
            made.commit(built_of("m", "B2", rows="many"))
        made.rollback()
        assert values(at, "SELECT id FROM m") == [1]
        assert builder.versions() == {"m": "B1"}
