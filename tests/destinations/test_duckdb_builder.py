"""Models in a DuckDB file against the conformance suite, and what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.destinations.duckdb import DuckDBDestination
from penstock.destinations.duckdb_builder import DuckDBBuilder
from penstock.project.spec import DuckDBSpec
from penstock.testing.builder import BuilderOf, BuilderSuite
from penstock.testing.loads import Factory


class TestDuckDB(BuilderSuite):
    @pytest.fixture
    def destination_factory(self, tmp_path: Path) -> Factory:
        return lambda: DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=2), tmp_path)

    @pytest.fixture
    def builder_of(self) -> BuilderOf:
        return DuckDBBuilder
