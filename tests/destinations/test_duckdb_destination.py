"""The DuckDB destination against the conformance suite, and what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.destinations.duckdb import DuckDBDestination
from penstock.project.spec import DuckDBSpec
from penstock.testing.destination import DestinationSuite, Factory


class TestDuckDB(DestinationSuite):
    @pytest.fixture
    def destination_factory(self, tmp_path: Path) -> Factory:
        return lambda: DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=2), tmp_path)
