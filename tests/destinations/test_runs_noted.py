"""Records of runs in each destination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.destinations import parquet_runs
from penstock.destinations.duckdb import DuckDBDestination
from penstock.destinations.parquet import ParquetDestination
from penstock.ledger import RUNS_TABLE
from penstock.project.spec import DuckDBSpec, ParquetSpec
from penstock.stores.local import LocalStore
from penstock.stores.object import ObjectStore
from penstock.testing.destination_runs import RunsSuite, run_of
from penstock.testing.loads import START, Factory


class TestDuckDB(RunsSuite):
    @pytest.fixture
    def destination_factory(self, tmp_path: Path) -> Factory:
        return lambda: DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=2), tmp_path)

    def test_no_file_is_made_for_a_note(self, tmp_path: Path, destination_factory: Factory) -> None:
        destination = destination_factory()
        with destination.lock("p", "me"):
            destination.note(run_of("r1"))
        assert not (tmp_path / "w.duckdb").exists()


class TestParquet(RunsSuite):
    @pytest.fixture
    def destination_factory(self, tmp_path: Path) -> Factory:
        store = LocalStore(str(tmp_path / "w"))
        return lambda: ParquetDestination(ParquetSpec(path=str(tmp_path / "w")), tmp_path, store)

    def test_the_oldest_records_go(
        self, destination_factory: Factory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parquet_runs, "KEPT", 2)
        destination = destination_factory()
        with destination.lock("p", "me"):
            for n in range(4):
                run = replace(run_of(f"r{n}"), started_at=START + timedelta(seconds=n))
                destination.note(run)
        found = destination.query(f"SELECT run_id FROM {RUNS_TABLE}").to_pylist()
        assert [r["run_id"] for r in found] == ["r2", "r3"]


class TestParquetOnS3(RunsSuite):
    @pytest.fixture
    def destination_factory(self, tmp_path: Path, s3_url: Callable[[], str]) -> Factory:
        url = s3_url()
        return lambda: ParquetDestination(ParquetSpec(path=url), tmp_path, ObjectStore(url))
