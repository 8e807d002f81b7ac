"""Models over parquet files against the conformance suite, and what is their own."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from penstock.destinations.parquet import ParquetDestination
from penstock.destinations.parquet_builder import ParquetBuilder
from penstock.project.spec import ParquetSpec
from penstock.stores.local import LocalStore
from penstock.stores.object import ObjectStore
from penstock.testing.builder import BuilderOf, BuilderSuite
from penstock.testing.loads import Factory

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
