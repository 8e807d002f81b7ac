"""The DuckDB destination against the conformance suite, and what is its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from penstock.destinations.duckdb import DuckDBDestination
from penstock.destinations.merging.upsert import graves_of
from penstock.errors import LockHeldError, NotFoundError, OutsideError, RefusedError, UncertainError
from penstock.ledger import Facts
from penstock.ports import Batches
from penstock.project.spec import DuckDBSpec
from penstock.schema import types as t
from penstock.schema.arrow import arrow_schema
from penstock.schema.disposition import Disposition, Strategy, WriteMode
from penstock.testing.destination import (
    APPEND,
    MERGE,
    REPLACE,
    DestinationSuite,
    Factory,
    commit_of,
    table,
)

OF = table("t", id=t.INT64)
load, rows = DestinationSuite.load, DestinationSuite.rows


@pytest.fixture
def fresh(tmp_path: Path) -> Factory:
    return lambda: DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=2), tmp_path)


class TestDuckDB(DestinationSuite):
    @pytest.fixture
    def destination_factory(self, tmp_path: Path) -> Factory:
        return lambda: DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=2), tmp_path)


@contextmanager
def process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has said its first line; it is killed in the end."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline()
        yield child
        child.kill()


def test_module_and_fingerprint_load_no_driver(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from penstock.destinations.duckdb import DuckDBDestination
from penstock.project.spec import DuckDBSpec
at = DuckDBDestination(DuckDBSpec(path="w.duckdb"), Path(sys.argv[1]))
print(at.fingerprint(), at.holder("p"), at.facts("p").files)
print([name for name in ("duckdb", "pyarrow", "msgspec", "obstore") if name in sys.modules])
"""
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines() == ["absent, absent None ()", "[]"]


def test_file_can_be_opened_by_older_duckdbs_and_needs_no_log(fresh: Factory, tmp_path: Path) -> None:
    load(fresh, "L1", (OF, APPEND, [{"id": 1}]))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.duckdb", "w.duckdb.lock"]
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as con:
        tags = con.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'w'").fetchall()
        kinds = con.execute("SELECT DISTINCT data_type FROM duckdb_columns() WHERE NOT internal").fetchall()
    assert tags == [({"storage_version": "v1.4.0+"},)]
    assert {k for (k,) in kinds} == {"BIGINT", "VARCHAR", "VARCHAR[]", "TIMESTAMP WITH TIME ZONE"}


def test_tables_live_in_the_schema_of_the_project(tmp_path: Path) -> None:
    def fresh() -> DuckDBDestination:
        return DuckDBDestination(DuckDBSpec(path="w.duckdb", schema='ra"w'), tmp_path)

    load(fresh, "L1", (OF, APPEND, [{"id": 1}]))
    assert rows(fresh, "t") == [{"id": 1}]
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as con:
        assert con.execute("SELECT DISTINCT schema_name FROM duckdb_tables()").fetchall() == [('ra"w',)]


def test_rows_keep_the_order_of_their_files(fresh: Factory, tmp_path: Path) -> None:
    at = DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=4), tmp_path)
    schema = arrow_schema(OF)
    stream = (
        pa.RecordBatch.from_arrays([pa.arange(i, i + 1000)], schema=schema) for i in range(0, 400_000, 1000)
    )
    with at.lock("p", "test"):
        transaction = at.begin("p", "L1")
        transaction.shape(OF, APPEND)
        transaction.write(OF, APPEND, Batches(schema, stream))
        transaction.commit(commit_of("L1"))
        found = at.query("SELECT id FROM t").column(0).combine_chunks()
    assert found.equals(pa.arange(0, 400_000))


# ------------------------------------------------------------------------------------ locks

HOLD = """
import sys, time
from pathlib import Path
from penstock.destinations.duckdb import DuckDBDestination
from penstock.project.spec import DuckDBSpec
with DuckDBDestination(DuckDBSpec(path="w.duckdb"), Path(sys.argv[1])).lock("p", "the other run"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_lock_between_processes_goes_with_its_process(fresh: Factory, tmp_path: Path) -> None:
    with process(HOLD, str(tmp_path)) as other:
        with (
            pytest.raises(LockHeldError, match=rf"the other run.*process {other.pid}"),
            fresh().lock("p", "us"),
        ):
            pytest.fail("two processes hold the lock")
        assert str(other.pid) in (fresh().holder("p") or "")
        other.kill()
        other.wait()
        assert fresh().holder("p") is None
        load(fresh, "L1", (OF, APPEND, [{"id": 1}]))
    assert rows(fresh, "t") == [{"id": 1}]


def test_foreign_process_that_has_the_file_open_is_named(fresh: Factory, tmp_path: Path) -> None:
    load(fresh, "L1", (OF, APPEND, [{"id": 1}]))
    code = "import sys, time, duckdb; con = duckdb.connect(sys.argv[1]); print(1, flush=True); time.sleep(60)"
    with process(code, str(tmp_path / "w.duckdb")) as other:
        for question in (lambda: load(fresh, "L2"), lambda: fresh().facts("p"), lambda: rows(fresh, "t")):
            with pytest.raises(LockHeldError, match=f"PID {other.pid}"):
                question()


def test_load_needs_the_lock(fresh: Factory) -> None:
    with pytest.raises(Exception, match="without the lock"):
        fresh().begin("p", "L1")


# --------------------------------------------------------------------- what others did to it


def test_tables_of_others_are_left_alone(fresh: Factory, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("CREATE TABLE t AS SELECT 'mine' AS id; CREATE VIEW v AS SELECT 1 AS id")
    for name in ("t", "v"):
        with pytest.raises(RefusedError, match="did not make"):
            load(fresh, "L1", (table(name, id=t.INT64), REPLACE, [{"id": 1}]))
    load(fresh, "L2", (table("mine", id=t.INT64), APPEND, [{"id": 1}]))
    at = fresh()
    with at.lock("p", "test"):
        transaction = at.begin("p", "L3")
        assert transaction.keys("t", ["id"]) is not None  # a foreign key may name such a table
        transaction.forget(None)
        transaction.commit(commit_of("L3"))
    at.close()
    assert fresh().query("SELECT id FROM t").to_pylist() == [{"id": "mine"}]


def test_table_that_somebody_dropped_is_not_made_anew(fresh: Factory, tmp_path: Path) -> None:
    load(fresh, "L1", (OF, APPEND, [{"id": 1}]))
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("DROP TABLE t")
    with pytest.raises(RefusedError, match="penstock rebuild --table t"):
        load(fresh, "L2", (OF, APPEND, [{"id": 2}]))


def test_file_that_is_no_database_is_refused(fresh: Factory, tmp_path: Path) -> None:
    (tmp_path / "w.duckdb").write_bytes(b"id,name\n" * 1000)
    for question in (lambda: load(fresh, "L1"), lambda: fresh().facts("p"), lambda: rows(fresh, "t")):
        with pytest.raises(RefusedError, match="not a database"):
            question()
    assert (tmp_path / "w.duckdb").read_bytes() == b"id,name\n" * 1000


def test_half_made_file_of_a_killed_run_is_no_obstacle(fresh: Factory, tmp_path: Path) -> None:
    (tmp_path / "w.duckdb.new").write_bytes(b"")
    (tmp_path / "w.duckdb.tmp").mkdir()
    (tmp_path / "w.duckdb.tmp" / "duckdb_temp_storage-0.tmp").write_bytes(b"left")
    load(fresh, "L1", (OF, MERGE, [{"id": 1}]))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.duckdb", "w.duckdb.lock"]


# ------------------------------------------------------------------------------- disk trouble

FULL = """
import random, resource, sys
from pathlib import Path
import pyarrow as pa
from penstock.errors import OutsideError
from penstock.schema import types as t
from penstock.testing.destination import *
from penstock.destinations.duckdb import DuckDBDestination
from penstock.project.spec import DuckDBSpec
at = DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=1, memory_limit="64MB"), Path(sys.argv[1]))
of = table("t", id=t.INT64, text=t.TEXT)
limit = int(sys.argv[2])
with at.lock("p", "test"):
    transaction = at.begin("p", "L2")
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        transaction.shape(of, APPEND)
        rng = random.Random(1)
        for _ in range(40):
            rows = [{"id": i, "text": rng.randbytes(100).hex()} for i in range(1000)]
            transaction.write(of, APPEND, batches(of, rows))
        transaction.commit(commit_of("L2"))
    except OutsideError as error:
        print("refused", type(error).__name__)
    else:
        print("done")
    finally:
        transaction.rollback()
"""


@pytest.mark.parametrize("limit", [300_000, 900_000, 2_000_000])
def test_full_disk_leaves_the_last_load(fresh: Factory, tmp_path: Path, limit: int) -> None:
    of = table("t", id=t.INT64, text=t.TEXT)
    load(fresh, "L1", (of, APPEND, [{"id": 1, "text": "x"}]))
    said = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(limit)], capture_output=True, text=True, check=False
    )
    assert said.stdout.startswith("refused"), said.stderr
    assert rows(fresh, "t") == [{"id": 1, "text": "x"}]
    load(fresh, "L3", (of, APPEND, [{"id": 2, "text": "y"}]))
    assert [r["id"] for r in rows(fresh, "t")] == [1, 2]


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    at = DuckDBDestination(DuckDBSpec(path="file/w.duckdb"), tmp_path)
    with pytest.raises(OutsideError, match="file"), at.lock("p", "test"):
        pytest.fail("there is no such folder")


def test_commit_whose_outcome_cannot_be_told_is_uncertain(fresh: Factory, tmp_path: Path) -> None:
    load(fresh, "L1", (OF, APPEND, [{"id": 1}]))
    at = DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=2), tmp_path)
    with at.lock("p", "test"):
        assert at._outcome("L1")
        assert not at._outcome("L2")
        at.close()
        (tmp_path / "w.duckdb").write_bytes(b"no database any more")
        with pytest.raises(UncertainError, match="L2"):
            at._outcome("L2")


def test_empty_facts_cost_no_file(fresh: Factory, tmp_path: Path) -> None:
    assert fresh().facts("p") == Facts()
    assert list(tmp_path.iterdir()) == []


def test_deletes_are_remembered_in_a_private_table(fresh: Factory, tmp_path: Path) -> None:
    of = table("t", id=t.INT64, seq=t.INT64, gone=t.BOOL)
    changes = Disposition(WriteMode.MERGE, ("id",), "seq", strategy=Strategy.CDC, hard_delete="gone")
    for i in range(4):
        load(fresh, f"L{i}", (of, changes, [{"id": i % 2, "seq": i, "gone": True}]))
    private = graves_of("t")
    assert fresh().query(f"SELECT * FROM {private} ORDER BY id").to_pylist() == [
        {"id": 0, "seq": 2},
        {"id": 1, "seq": 3},
    ]
    other_key = Disposition(WriteMode.MERGE, ("seq",), "seq", strategy=Strategy.CDC, hard_delete="gone")
    load(fresh, "L5", (of, other_key, [{"id": 7, "seq": 9, "gone": True}]))
    assert fresh().query(f"SELECT * FROM {private}").to_pylist() == [{"seq": 9}]
    destination = fresh()
    with destination.lock("p", "test"):
        transaction = destination.begin("p", "L6")
        transaction.forget(["t"])
        transaction.commit(commit_of("L6"))
    destination.close()
    with pytest.raises(NotFoundError):
        fresh().query(f"SELECT * FROM {private}")
