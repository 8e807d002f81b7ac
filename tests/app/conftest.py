"""A project with some rows in its warehouse, on each destination."""

from __future__ import annotations

from pathlib import Path

import pytest

from bed import Bed
from penstock.app.dataset import Dataset

DESTINATIONS = {"duckdb": "duckdb:///w.duckdb", "parquet": {"type": "parquet", "path": "w"}}


@pytest.fixture(params=[*DESTINATIONS])
def bed(request: pytest.FixtureRequest, tmp_path: Path) -> Bed:
    """A project with one pipeline, on DuckDB and on parquet."""
    return Bed(tmp_path, destination=DESTINATIONS[request.param])


@pytest.fixture
def dataset(bed: Bed) -> Dataset:
    """Six rows in two loads."""
    bed.drop("a.jsonl", *({"id": n, "place": "DE" if n % 2 else "FR", "Größe": n / 4} for n in range(4)))
    bed.loads()
    bed.drop("b.jsonl", {"id": 4, "place": None, "Größe": 9.5}, {"id": 5, "place": "'; DROP TABLE t; --"})
    bed.loads()
    return bed.session().dataset("p")
