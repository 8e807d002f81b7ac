"""The parquet destination against the conformance suite, and what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.destinations.parquet import ParquetDestination
from penstock.project.spec import ParquetSpec
from penstock.stores.local import LocalStore
from penstock.testing.destination import DestinationSuite, Factory


class TestParquetOnDisk(DestinationSuite):
    @pytest.fixture
    def destination_factory(self, tmp_path: Path) -> Factory:
        store = LocalStore(str(tmp_path / "lake"))
        return lambda: ParquetDestination(ParquetSpec(path="lake"), tmp_path, store)
