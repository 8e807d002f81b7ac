"""Models over parquet files against the conformance suite, and what is their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from penstock.destinations import parquet_log
from penstock.destinations.parquet import ParquetDestination
from penstock.destinations.parquet_builder import ParquetBuilder
from penstock.destinations.parquet_log import LOG, STAGING, read_log
from penstock.errors import RefusedError, StoreError, UncertainError
from penstock.ledger import LOADS_TABLE, MODELS_TABLE, SCHEMA_TABLE
from penstock.ports import Store
from penstock.project.spec import ParquetSpec
from penstock.schema.disposition import Disposition, WriteMode
from penstock.stores.local import LocalStore
from penstock.stores.object import ObjectStore
from penstock.testing.builder import BuilderOf, BuilderSuite, built_of
from penstock.testing.faults import Faults, FaultyStore, When
from penstock.testing.loads import MERGE, REPLACE, Factory

GAPS = {"views": "never: parquet files keep rows and no queries"}
_NUMBERS = itertools.count()


class TestParquetOnDisk(BuilderSuite):
    gaps = GAPS

    @pytest.fixture
    def destination_factory(self, tmp_path: Path) -> Factory:
        store = LocalStore(str(tmp_path / "la[k]e's *? {x}"))
        return lambda: ParquetDestination(ParquetSpec(path="lake"), tmp_path, store)

    @pytest.fixture
    def builder_of(self) -> BuilderOf:
        return ParquetBuilder


@pytest.mark.slow
class TestParquetInABucket(BuilderSuite):
    gaps = GAPS

    @pytest.fixture
    def destination_factory(self, tmp_path: Path) -> Factory:
        """A bucket in the memory of this process."""
        store = ObjectStore(f"memory://models-{next(_NUMBERS)}")
        return lambda: ParquetDestination(ParquetSpec(path="lake"), tmp_path, store)

    @pytest.fixture
    def builder_of(self) -> BuilderOf:
        return ParquetBuilder


BY_DAY = Disposition(WriteMode.REPLACE, overwrite=("day",))


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "lake"))


def opened(store: Store) -> ParquetDestination:
    return ParquetDestination(ParquetSpec(path="lake"), Path(), store)


@contextmanager
def building(store: Store) -> Iterator[ParquetBuilder]:
    at = opened(store)
    with at.lock("m", "test"):
        yield ParquetBuilder(at)


def build(
    builder: ParquetBuilder, name: str, sql: str, build_id: str = "B1", how: Disposition = REPLACE
) -> None:
    made = builder.begin(name, build_id)
    try:
        shape = made.stage(name, sql)
        made.put(shape, how)
        made.commit(built_of(name, build_id, shape))
    finally:
        made.rollback()


def values(store: Store, sql: str) -> list[Any]:
    found: list[Any] = opened(store).query(sql).column(0).to_pylist()
    return found


def files(store: Store) -> list[str]:
    return sorted(stat.key for stat in store.list() if not stat.key.startswith("_penstock/"))


def test_replaced_partitions_are_folders(store: LocalStore) -> None:
    with building(store) as builder:
        for build_id, days in (("B1", "20, 21"), ("B2", "21, 22")):
            sql = f"SELECT 1 AS id, make_date(2026, 11, d) AS day FROM unnest([{days}]) AS x(d)"
            build(builder, "m", sql, build_id, BY_DAY)
    assert [key.rpartition("_")[0] for key in files(store)] == [
        "m/day=2026-11-20/B1",
        "m/day=2026-11-21/B2",
        "m/day=2026-11-22/B2",
    ]


def test_views_are_refused_with_a_way_out(store: LocalStore) -> None:
    with building(store) as builder:
        made = builder.begin("v", "B1")
        with pytest.raises(RefusedError, match="materialized: table"):
            made.view("v", "SELECT 1 AS id")
        made.rollback()
        build(builder, "v", "SELECT 1 AS id")


def test_builds_are_no_loads(store: LocalStore) -> None:
    with building(store) as builder:
        build(builder, "m", "SELECT 1 AS id")
    for name in (LOADS_TABLE, SCHEMA_TABLE):
        assert values(store, f"SELECT * FROM {name}") == []
    assert values(store, f"SELECT model FROM {MODELS_TABLE}") == ["m"]


def test_a_build_may_ask_the_ledger(store: LocalStore) -> None:
    with building(store) as builder:
        build(builder, "m", "SELECT 1 AS id")
        build(builder, "n", f"SELECT model FROM {MODELS_TABLE} UNION ALL SELECT 'x' FROM \"m\"")
    assert sorted(values(store, "SELECT model FROM n")) == ["m", "x"]


def test_who_asks_while_models_are_built_reads_each_commit_once(store: LocalStore) -> None:
    done = Event()
    with building(store) as builder, ThreadPoolExecutor(5) as pool:

        def ask() -> None:
            while not done.is_set():
                builder.versions()

        asking = pool.submit(ask)
        names = [f"m{number}" for number in range(12)]
        for _ in pool.map(lambda name: build(builder, name, "SELECT 1 AS id"), names):
            pass
        done.set()
        asking.result()
        told = builder._destination.current()
        assert sorted(b.model for b in told.builds) == sorted(names)
        assert told.sequence == len(told.loads) == len(names)


def test_old_builds_are_forgotten_and_checkpoints_know_the_others(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_log, "KEPT_BUILDS", 2)
    monkeypatch.setattr(parquet_log, "CHECKPOINT_EVERY", 3)
    with building(store) as builder:
        build(builder, "n", "SELECT 1 AS id", "A1")
        for number in range(5):
            build(builder, "m", f"SELECT {number} AS id", f"B{number}")
        builder.drop(["n"])
    for _ in range(2):  # from the entries, and from a checkpoint
        snapshot = read_log(store)
        assert [b.build_id for b in snapshot.builds] == ["B3", "B4"]
        assert [load.load_id for load in snapshot.loads] == ["B3", "B4", "models-7"]
        assert [(d.table, d.load_id) for d in snapshot.definitions] == [("m", "B4")]
        assert values(store, "SELECT id FROM m") == [4]
        for stat in list(store.list(LOG)):
            if stat.key.endswith("1.json") and "checkpoint" not in stat.key:
                store.delete(stat.key)
    assert files(store) == ["m/B4_00001.parquet"]


def test_what_killed_builds_left_is_swept(store: LocalStore, tmp_path: Path) -> None:
    with building(store) as builder:
        build(builder, "m", "SELECT 1 AS id")
    left = tmp_path / "lake" / "_penstock" / "penstock-build-of-another-day"
    left.mkdir()
    store.create(f"{STAGING}B2/00001.parquet", b"half of one")
    with building(store) as builder:
        build(builder, "m", "SELECT 2 AS id", "B3")
    assert not left.exists()
    assert list(store.list(STAGING)) == []
    assert values(store, "SELECT id FROM m") == [2]


@pytest.mark.slow
@pytest.mark.parametrize("how", [REPLACE, MERGE])
def test_a_store_that_fails_at_any_call_leaves_the_old_rows_or_the_new(
    store: LocalStore, how: Disposition
) -> None:
    with building(store) as builder:
        build(builder, "m", "SELECT 1 AS id, 'old' AS what", "B0", how)
    number, committed = 0, 0
    while not committed or number < committed:
        number += 1
        when = When.AFTER if number % 2 else When.BEFORE
        faults = Faults(number, _fail, when)
        try:
            with building(FaultyStore(store, faults)) as builder:
                build(builder, "m", f"SELECT 1 AS id, '{number}' AS what", f"B{number}", how)
        except (StoreError, UncertainError):
            pass
        if faults.count < number:
            committed = number  # the fault came too late to be met
        [what] = values(store, "SELECT what FROM m")
        [told] = [b.build_id for b in ParquetBuilder(opened(store)).built().values()]
        assert told == f"B{0 if what == 'old' else what}"
    with building(store) as builder:
        build(builder, "m", "SELECT 1 AS id, 'last' AS what", "B-last", how)
    assert values(store, "SELECT what FROM m") == ["last"]
    assert len(files(store)) == 1
    assert list(store.list(STAGING)) == []


def _fail() -> None:
    raise StoreError("the store is out of order")
