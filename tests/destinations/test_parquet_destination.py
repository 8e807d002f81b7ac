"""The parquet destination against the conformance suite, and what is its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.destinations.parquet import ParquetDestination
from penstock.project.spec import ParquetSpec
from penstock.stores.local import LocalStore
from penstock.stores.object import ObjectStore
from penstock.testing.destination import DestinationSuite, Factory


class TestParquetOnDisk(DestinationSuite):
    @pytest.fixture
    def destination_factory(self, tmp_path: Path) -> Factory:
        store = LocalStore(str(tmp_path / "lake"))
        return lambda: ParquetDestination(ParquetSpec(path="lake"), tmp_path, store)


class TestParquetInMemory(DestinationSuite):
    @pytest.fixture
    def destination_factory(self, tmp_path: Path, request: pytest.FixtureRequest) -> Factory:
        store = ObjectStore(f"memory://{abs(hash(request.node.nodeid))}")
        return lambda: ParquetDestination(ParquetSpec(path="lake"), tmp_path, store)


class TestParquetInS3(DestinationSuite):
    @pytest.fixture
    def destination_factory(self, tmp_path: Path, s3_url: Callable[..., str]) -> Factory:
        store = ObjectStore(s3_url())
        return lambda: ParquetDestination(ParquetSpec(path="lake"), tmp_path, store)
