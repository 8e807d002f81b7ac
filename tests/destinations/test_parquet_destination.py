"""The parquet destination against the conformance suite, and what is its own."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from shutil import copytree
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.destinations.merging.upsert import graves_of
from penstock.destinations.parquet import ParquetDestination
from penstock.destinations.parquet_load import GRAVE_PARTS
from penstock.destinations.parquet_log import LOG, STAGING, read_log
from penstock.errors import (
    BugError,
    ConflictError,
    LockHeldError,
    ProjectError,
    RefusedError,
    StoreError,
    UncertainError,
)
from penstock.ports import Batches, Put, Stat, Store
from penstock.project.spec import ParquetSpec
from penstock.schema import types as t
from penstock.schema.arrow import arrow_schema
from penstock.schema.disposition import Disposition, Strategy, WriteMode
from penstock.schema.table import Table
from penstock.schema.types import List
from penstock.stores.local import LocalStore
from penstock.stores.object import ObjectStore
from penstock.testing.destination import (
    APPEND,
    MERGE,
    REPLACE,
    DestinationSuite,
    Factory,
    Row,
    batches,
    commit_of,
    file_of,
    table,
)

OF = table("t", id=t.INT64)
_NUMBERS = itertools.count()
PLACES = Table("t", table("t", id=t.INT64, place=t.TEXT).columns, ("id",), ("place",))
load, rows = DestinationSuite.load, DestinationSuite.rows


class TestParquetOnDisk(DestinationSuite):
    @pytest.fixture
    def destination_factory(self, tmp_path: Path) -> Factory:
        return _opener(LocalStore(str(tmp_path / "la[k]e's *? {x}")))


class TestParquetInS3(DestinationSuite):
    @pytest.fixture
    def destination_factory(self, s3_url: Callable[..., str]) -> Factory:
        return _opener(ObjectStore(s3_url()))


def _opener(store: Store, lease_s: float = 60.0, **spec: Any) -> Factory:
    return lambda: ParquetDestination(ParquetSpec(path="lake", **spec), Path(), store, lease_s)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "lake"))


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> ObjectStore:
    """An object store of this test's own, in the memory of this process."""
    return ObjectStore(f"memory://{request.node.originalname}-{next(_NUMBERS)}")


def _files(store: Store) -> set[str]:
    return {stat.key for stat in store.list() if not stat.key.startswith("_penstock/")}


def test_module_and_fingerprint_load_no_driver(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from penstock.destinations.parquet import ParquetDestination
from penstock.project.spec import ParquetSpec
from penstock.stores.local import LocalStore
at = ParquetDestination(ParquetSpec(path="lake"), Path(), LocalStore(sys.argv[1] + "/lake"))
print(at.fingerprint(), at.holder("p"), at.facts("p").files)
print([name for name in ("duckdb", "pyarrow", "obstore") if name in sys.modules])
"""
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines() == ["absent None ()", "[]"]


# ------------------------------------------------------------------------------- the files


def test_files_lie_where_the_layout_says(store: LocalStore) -> None:
    load(_opener(store), "L1", (OF, APPEND, [{"id": 1}]), (_places("u"), APPEND, [{"id": 1, "place": "DE"}]))
    assert _files(store) == {"t/L1_00001.parquet", "u/place=DE/L1_00002.parquet"}
    template = "x/{load_id}/{table}-{part}/{partitions}.parquet"
    fresh = _opener(store, layout=template)
    load(fresh, "L2", (_places("u"), APPEND, [{"id": 2, "place": "FR"}]))
    assert "x/L2/u-00001/place=FR.parquet" in _files(store)
    assert rows(fresh, "u") == [{"id": 1, "place": "DE"}, {"id": 2, "place": "FR"}]


def _places(name: str) -> Table:
    return Table(name, PLACES.columns, PLACES.primary_key, PLACES.partitions)


@pytest.mark.parametrize(
    "layout",
    ["{table}.parquet", "{table}/{part}.parquet", "{nosuch}/{table}/{load_id}/{part}.parquet",
     "_penstock/{table}{load_id}{part}.parquet", "/{table}{load_id}{part}.parquet", "{table}{load_id}{part}"],
)  # fmt: skip
def test_layouts_that_would_lose_files_are_refused(store: LocalStore, layout: str) -> None:
    with pytest.raises(ProjectError, match="layout"):
        _opener(store, layout=layout)()


@pytest.mark.parametrize("compression", ["snappy", "gzip", "lz4", "brotli", "none"])
def test_other_compressions(store: LocalStore, compression: str) -> None:
    fresh = _opener(store, compression=compression)
    load(fresh, "L1", (OF, APPEND, [{"id": 1}]))
    assert rows(fresh, "t") == [{"id": 1}]


HOSTILE = [None, "", "DE", "a/b", "a=b", "..", "%41", "naïve \U0001f40e", "'; DROP TABLE t; --",
           "__HIVE_DEFAULT_PARTITION__", "_x", '"', "a\nb"]  # fmt: skip


def test_partition_values_are_kept_whatever_they_are(store: LocalStore, tmp_path: Path) -> None:
    given = [{"id": i, "place": place} for i, place in enumerate(HOSTILE)]
    fresh = _opener(store)
    load(fresh, "L1", (PLACES, APPEND, given * 2))
    assert rows(fresh, "t", "id") == [r for r in given for _ in range(2)]
    assert len(_files(store)) == len(HOSTILE)
    # a reader that knows nothing of the log finds the same, hive's null apart
    options = "hive_partitioning = true, hive_types_autocast = false"
    files = f"read_parquet('{tmp_path}/lake/t/*/*.parquet', {options})"
    found = duckdb.sql(f"SELECT DISTINCT id, place FROM {files} ORDER BY id")
    names = {"__HIVE_DEFAULT_PARTITION__": None}
    assert [names.get(p, p) for _, p in found.fetchall()] == [names.get(p or "", p) for p in HOSTILE]


def test_partition_columns_of_every_plain_type(store: LocalStore) -> None:
    kinds: dict[str, tuple[t.DataType, Any]] = {
        "a": (t.INT64, -5),
        "b": (t.BOOL, True),
        "c": (t.DATE, date(2026, 1, 4)),
        "d": (t.FLOAT64, float("inf")),
        "e": (t.TIMESTAMP_TZ, commit_of("L1").load.started_at),
        "f": (t.BINARY, b"\xff"),
        "g": (t.NULL, None),
        "h": (t.UUID, "00000000-0000-0000-0000-000000000abc"),
    }
    columns = table("t", id=t.INT64, **{n: k for n, (k, _) in kinds.items()}).columns
    of = Table("t", columns, (), tuple(kinds))
    fresh = _opener(store)
    load(fresh, "L1", (of, APPEND, [{"id": 1} | {n: v for n, (_, v) in kinds.items() if n != "g"}]))
    (found,) = rows(fresh, "t")
    assert found == {"id": 1} | {n: v for n, (_, v) in kinds.items() if n != "g"}
    wide = Table("t", table("t", id=t.INT64, a=t.TEXT, g=t.INT64).columns, (), tuple(kinds))
    load(fresh, "L2", (wide, APPEND, [{"id": 2, "a": "x", "g": 7}]))
    assert [(r["a"], r["g"]) for r in rows(fresh, "t")] == [("-5", None), ("x", 7)]


def test_partitions_by_nested_columns_are_refused(store: LocalStore) -> None:
    of = Table("t", table("t", id=List(t.INT64)).columns, (), ("id",))
    with pytest.raises(RefusedError, match="partitioned"):
        load(_opener(store), "L1", (of, APPEND, []))


def test_merge_rewrites_only_the_files_it_touches(store: LocalStore) -> None:
    fresh = _opener(store)
    given = [{"id": i, "place": "ABC"[i % 3]} for i in range(9)]
    load(fresh, "L1", (PLACES, MERGE, given))
    before = _files(store)
    load(fresh, "L2", (PLACES, MERGE, [{"id": 0, "place": "B"}, {"id": 99, "place": "D"}]))
    after = _files(store)
    assert {k.split("/")[1] for k in before & after} == {"place=B", "place=C"}
    expected = {r["id"]: r["place"] for r in given} | {0: "B", 99: "D"}
    assert {r["id"]: r["place"] for r in rows(fresh, "t")} == expected


def test_replaced_files_are_removed(store: LocalStore) -> None:
    fresh = _opener(store)
    load(fresh, "L1", (OF, REPLACE, [{"id": 1}]))
    load(fresh, "L2", (OF, REPLACE, [{"id": 2}]))
    assert _files(store) == {"t/L2_00001.parquet"}
    assert list(store.list(STAGING)) == []


def test_how_files_are_written(store: LocalStore, tmp_path: Path) -> None:
    of = table("t", id=t.INT64, few=t.TEXT, many=t.TEXT, at=t.TIMESTAMP_TZ)
    schema = arrow_schema(of)

    def stream() -> Iterator[Any]:
        for i in range(0, 600_000, 10_000):
            ids = pa.arange(i, i + 10_000)
            columns = [ids, pa.repeat("x", 10_000), ids.cast(pa.string()), ids.cast(schema.field("at").type)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    at = _opener(store)()
    with at.lock("p", "test"):
        transaction = at.begin("p", "L1")
        transaction.shape(of, APPEND)
        assert transaction.write(of, APPEND, Batches(schema, stream())) == 600_000
        transaction.commit(commit_of("L1"))
    file = pq.ParquetFile(tmp_path / "lake" / "t" / "L1_00001.parquet")
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    assert [g.num_rows for g in groups] == [262_144, 262_144, 75_712]
    columns = {c.path_in_schema: c for c in (groups[0].column(i) for i in range(5))}
    assert {c.compression for c in columns.values()} == {"ZSTD"}
    for name, encoding in (
        ("id", "DELTA_BINARY_PACKED"), ("at", "DELTA_BINARY_PACKED"),
        ("few", "RLE_DICTIONARY"), ("many", "PLAIN"), ("_penstock_load_id", "RLE_DICTIONARY"),
    ):  # fmt: skip
        assert encoding in columns[name].encodings
        assert ("RLE_DICTIONARY" in columns[name].encodings) == (encoding == "RLE_DICTIONARY")


def test_more_partitions_than_files_that_may_be_open(store: LocalStore) -> None:
    given = [{"id": i, "place": f"p{i % 70}"} for i in range(300)]
    fresh = _opener(store)
    load(fresh, "L1", (PLACES, APPEND, given))
    assert rows(fresh, "t", "id") == given


# --------------------------------------------------------------------------- the commit log


def test_log_is_condensed(store: LocalStore) -> None:
    fresh = _opener(store)
    for n in range(52):
        writes = [(OF, APPEND, [{"id": n}])] if n % 10 == 0 else []
        load(fresh, f"L{n:02}", *writes, files=(file_of(f"L{n:02}", f"k{n}", 1),))
    names = {stat.key for stat in store.list(LOG)}
    assert f"{LOG}{50:020}.checkpoint.json" in names
    for n in range(1, 51):
        store.delete(f"{LOG}{n:020}.json")  # as they would be after a day
    assert [r["id"] for r in rows(fresh, "t")] == [0, 10, 20, 30, 40, 50]
    assert fresh().facts("p").done == {f"k{n}" for n in range(52)}
    store.delete(f"{LOG}{51:020}.json")
    with pytest.raises(StoreError, match="gap"):
        fresh().facts("p")


def test_log_that_cannot_be_read_is_not_taken_for_an_empty_one(store: LocalStore) -> None:
    load(_opener(store), "L1", (OF, APPEND, [{"id": 1}]))
    store.replace(f"{LOG}{1:020}.json", b'{"sequence": 1, "load": ')
    with pytest.raises(StoreError, match="cannot be read"):
        _opener(store)().facts("p")


class Dies(BaseException):
    """The process ends here."""


class FailingStore:
    """A store whose `number`-th write raises `error`, before or after it was done, and all after it."""

    def __init__(self, inner: Store, number: int, error: BaseException, *, done: bool) -> None:
        self.inner, self.url = inner, inner.url
        self._left, self._error, self._done = number, error, done

    def _write(self, what: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left > 0:
            return what()
        if self._left == 0 and self._done:
            what()
        raise self._error

    def list(self, prefix: str = "") -> Iterator[Stat]:
        return self.inner.list(prefix)

    def stat(self, key: str) -> Stat | None:
        return self.inner.stat(key)

    def open(self, key: str) -> BinaryIO:
        return self.inner.open(key)

    def create(self, key: str, data: BinaryIO | bytes) -> Put:
        return self._write(lambda: self.inner.create(key, data))  # type: ignore[no-any-return]

    def replace(self, key: str, data: bytes) -> Put:
        return self._write(lambda: self.inner.replace(key, data))  # type: ignore[no-any-return]

    def adopt(self, source: Store, source_key: str, key: str) -> Put:
        inner = source.inner if isinstance(source, FailingStore) else source
        return self._write(lambda: self.inner.adopt(inner, source_key, key))  # type: ignore[no-any-return]

    def delete(self, key: str) -> None:
        self._write(lambda: self.inner.delete(key))

    def digest(self, key: str) -> str:
        return self.inner.digest(key)


OLD: list[Row] = [{"id": i, "place": "AB"[i % 2]} for i in range(6)]
NEW: list[Row] = [{"id": 0, "place": "B"}, {"id": 7, "place": "A"}, {"id": 8, "place": "C"}]


@pytest.mark.parametrize("disposition", [APPEND, MERGE, REPLACE], ids=lambda d: d.mode)
def test_death_at_every_write_is_all_or_nothing(disposition: Any, tmp_path: Path) -> None:
    load(_opener(LocalStore(str(tmp_path / "old"))), "L1", (PLACES, APPEND, OLD))
    survived = committed = 0
    for number in range(1, 60):
        copytree(tmp_path / "old", tmp_path / f"lake{number}")
        store = LocalStore(str(tmp_path / f"lake{number}"))
        fresh = _opener(store)
        dying = _opener(FailingStore(store, number, Dies(), done=False))
        try:
            load(dying, "L2", (PLACES, disposition, NEW))
            survived += 1
        except Dies:
            pass
        loaded = fresh().facts("p").last_load.load_id == "L2"  # type: ignore[union-attr]
        committed += loaded
        expected = _expected(disposition) if loaded else OLD
        assert rows(fresh, "t", "id, place") == expected
        at = fresh()
        with at.lock("p", "next"):
            at.facts("p")
        assert list(store.list(STAGING)) == []
        assert rows(fresh, "t", "id, place") == expected
        assert _files(store) == set(read_log(store).parts)
        if survived:
            assert number > 5
            assert committed > 1, "no death came after the commit"
            return
    pytest.fail("the load never came to its end")


def _expected(disposition: Any) -> list[Row]:
    if disposition == REPLACE:
        return NEW
    if disposition == APPEND:
        return sorted(OLD + NEW, key=lambda r: (r["id"], r["place"]))
    return sorted({r["id"]: r for r in OLD + NEW}.values(), key=lambda r: r["id"])


def test_files_that_could_not_be_moved_are_read_where_they_are(store: LocalStore) -> None:
    fresh = _opener(store)
    # the writes of this load are the part, the log's entry, and then the move
    load(_opener(FailingStore(store, 3, StoreError("no"), done=False)), "L1", (OF, APPEND, [{"id": 1}]))
    assert _files(store) == set()
    assert rows(fresh, "t") == [{"id": 1}]
    assert fresh().fingerprint() is None
    load(fresh, "L2")
    assert _files(store) == {"t/L1_00001.parquet"}
    assert rows(fresh, "t") == [{"id": 1}]
    assert fresh().fingerprint() is not None


FULL = """
import random, resource, sys
from pathlib import Path
from penstock.errors import StoreError
from penstock.schema import types as t
from penstock.testing.destination import *
from penstock.destinations.parquet import ParquetDestination
from penstock.project.spec import ParquetSpec
from penstock.stores.local import LocalStore
at = ParquetDestination(ParquetSpec(path="lake"), Path(), LocalStore(sys.argv[1] + "/lake"))
of = table("t", id=t.INT64)
with at.lock("p", "test"):
    transaction = at.begin("p", "L2")
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    try:
        transaction.shape(of, APPEND)
        rng = random.Random(1)
        transaction.write(of, APPEND, batches(of, [{"id": rng.randrange(2**60)} for _ in range(20_000)]))
        transaction.commit(commit_of("L2"))
    except StoreError as error:
        print("refused")
    finally:
        transaction.rollback()
"""


def test_full_disk_leaves_the_last_load(store: LocalStore, tmp_path: Path) -> None:
    fresh = _opener(store)
    load(fresh, "L1", (OF, APPEND, [{"id": 1}]))
    said = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert said.stdout == "refused\n", said.stderr
    assert rows(fresh, "t") == [{"id": 1}]
    load(fresh, "L3", (OF, APPEND, [{"id": 2}]))
    assert rows(fresh, "t") == [{"id": 1}, {"id": 2}]


# -------------------------------------------------------------------- commits of unknown fate


def test_commit_whose_answer_was_lost_is_found_in_the_log(bucket: ObjectStore) -> None:
    failing = FailingStore(bucket, 3, StoreError("the answer was lost"), done=True)
    # the writes of this load are the lock, the part and the log's entry
    with pytest.raises(StoreError):
        pass_through(failing, "L1")
    assert rows(_opener(bucket), "t") == [{"id": 1}]


def pass_through(failing: FailingStore, load_id: str) -> None:
    """One load; what follows the commit fails as well, and that is only noted."""
    load(_opener(failing), load_id, (OF, APPEND, [{"id": 1}]))
    raise StoreError("the load came to its end")


def test_commit_that_may_still_arrive_is_uncertain_and_fenced(bucket: ObjectStore) -> None:
    failing = FailingStore(bucket, 3, StoreError("no answer"), done=False)
    with pytest.raises(UncertainError, match="L1"):
        load(_opener(failing), "L1", (OF, APPEND, [{"id": 1}]))
    late = read_late_entry(bucket)
    bucket.delete("_penstock/lock.json")  # it would expire
    fresh = _opener(bucket)
    load(fresh, "L2", (OF, APPEND, [{"id": 2}]))
    with pytest.raises(ConflictError):
        bucket.create(f"{LOG}{1:020}.json", late)  # the request that was believed lost
    assert rows(fresh, "t") == [{"id": 2}]
    assert list(bucket.list(STAGING)) == []


def read_late_entry(bucket: ObjectStore) -> bytes:
    assert [stat.key for stat in bucket.list(STAGING)] == [f"{STAGING}L1/00001.parquet"]
    assert bucket.stat(f"{LOG}{1:020}.json") is None
    return json.dumps({"sequence": 1}).encode()


# ------------------------------------------------------------------------------- the lease


def _begun(fresh: Factory, load_id: str) -> Any:
    """A load with one row, begun under a lock that is never let go."""
    at = fresh()
    lock = at.lock("p", f"the run of {load_id}")
    lock.__enter__()
    transaction = at.begin("p", load_id)
    transaction.shape(OF, APPEND)
    transaction.write(OF, APPEND, batches(OF, [{"id": 1}]))
    transaction.keys("t", ["id"])  # the part is staged now
    return at, lock, transaction


def test_run_that_slept_through_its_lease_cannot_commit(bucket: ObjectStore) -> None:
    fresh = _opener(bucket)
    _, lock, transaction = _begun(fresh, "L1")
    bucket.delete("_penstock/lock.json")  # another run found it expired
    load(fresh, "L2", (OF, APPEND, [{"id": 2}]))
    with pytest.raises(LockHeldError, match="committed first"):
        transaction.commit(commit_of("L1"))
    transaction.rollback()
    lock.__exit__(None, None, None)
    assert rows(fresh, "t") == [{"id": 2}]
    assert fresh().facts("p").last_load.load_id == "L2"  # type: ignore[union-attr]


def test_run_whose_files_were_swept_cannot_commit(bucket: ObjectStore) -> None:
    fresh = _opener(bucket)
    _, lock, transaction = _begun(fresh, "L1")
    bucket.delete("_penstock/lock.json")
    other = fresh()
    with other.lock("p", "the next run"):
        other.facts("p")
        assert list(bucket.list(STAGING)) == []
    with pytest.raises(LockHeldError):
        transaction.commit(commit_of("L1"))
    transaction.rollback()
    lock.__exit__(None, None, None)
    assert fresh().facts("p").last_load is None


def test_lease_is_renewed_while_its_holder_lives(bucket: ObjectStore) -> None:
    fresh = _opener(bucket, lease_s=0.4)
    with fresh().lock("p", "ann"):
        ends = time.monotonic() + 1.2
        while time.monotonic() < ends:
            with pytest.raises(LockHeldError, match="ann"), fresh().lock("p", "bob"):
                pytest.fail("two hold the lock")
    with fresh().lock("p", "bob"):
        assert "bob" in (fresh().holder("p") or "")


@pytest.mark.parametrize(
    "left", [b'{"holder": "dead", "pid": 1, "host": "h", "since": "s", "expires_at": 5}', b"{"]
)
def test_lease_of_a_dead_run_is_taken_over(bucket: ObjectStore, left: bytes) -> None:
    bucket.replace("_penstock/lock.json", left)
    fresh = _opener(bucket)
    assert fresh().holder("p") is None
    load(fresh, "L1", (OF, APPEND, [{"id": 1}]))
    assert rows(fresh, "t") == [{"id": 1}]
    assert bucket.stat("_penstock/lock.json") is None


def test_run_notices_that_its_lease_was_taken(bucket: ObjectStore) -> None:
    fresh = _opener(bucket, lease_s=0.2)
    _, lock, transaction = _begun(fresh, "L1")
    taken = {
        "holder": "eve",
        "pid": 1,
        "host": "h",
        "since": "s",
        "expires_at": time.time() + 60,
        "token": "x",
    }
    bucket.replace("_penstock/lock.json", json.dumps(taken).encode())
    time.sleep(0.5)
    with pytest.raises(LockHeldError, match="eve"):
        transaction.commit(commit_of("L1"))
    transaction.rollback()
    lock.__exit__(None, None, None)
    assert "eve" in (fresh().holder("p") or "")


def test_lock_on_disk_goes_with_its_process(store: LocalStore, tmp_path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from penstock.destinations.parquet import ParquetDestination
from penstock.project.spec import ParquetSpec
from penstock.stores.local import LocalStore
store = LocalStore(sys.argv[1] + "/lake")
with ParquetDestination(ParquetSpec(path="lake"), Path(), store).lock("p", "the other run"):
    print("held", flush=True)
    time.sleep(60)
"""
    fresh = _opener(store)
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(LockHeldError, match=rf"the other run.*{other.pid}"), fresh().lock("p", "us"):
            pytest.fail("two processes hold the lock")
        other.kill()
        other.wait()
    assert fresh().holder("p") is None
    load(fresh, "L1", (OF, APPEND, [{"id": 1}]))


def test_load_needs_the_lock(store: LocalStore) -> None:
    with pytest.raises(BugError, match="without the lock"):
        _opener(store)().begin("p", "L1")


def test_overwritten_partitions_are_not_read(store: LocalStore) -> None:
    fresh = _opener(store)
    by_place = Disposition(WriteMode.REPLACE, overwrite=("place",))
    first: list[Row] = [{"id": 1, "place": "a"}, {"id": 2, "place": None}, {"id": 3, "place": "b"}]
    load(fresh, "L1", (PLACES, by_place, first))
    for key in _files(store) - {"t/place=b/L1_00003.parquet"}:
        store.replace(key, b"not parquet")
    load(fresh, "L2", (PLACES, by_place, [{"id": 4, "place": "a"}, {"id": 5, "place": None}]))
    assert [r["id"] for r in rows(fresh, "t", "id")] == [3, 4, 5]
    assert "t/place=b/L1_00003.parquet" in _files(store)


def test_deletes_of_many_loads_are_condensed(store: LocalStore) -> None:
    fresh = _opener(store)
    of = table("t", id=t.INT64, seq=t.INT64, gone=t.BOOL)
    changes = Disposition(WriteMode.MERGE, ("id",), "seq", strategy=Strategy.CDC, hard_delete="gone")
    for i in range(2 * GRAVE_PARTS):
        load(fresh, f"L{i}", (of, changes, [{"id": i % 5, "seq": i, "gone": True}]))
    parts = read_log(store).parts_of(graves_of("t"))
    assert 0 < len(parts) < GRAVE_PARTS
    load(fresh, "late", (of, changes, [{"id": i, "seq": 2 * GRAVE_PARTS - 6} for i in range(5)]))
    assert rows(fresh, "t") == []
    destination = fresh()
    with destination.lock("p", "test"):
        transaction = destination.begin("p", "L99")
        transaction.forget(["t"])
        transaction.commit(commit_of("L99"))
    assert _files(store) == set()
