"""Random loads by every disposition against the oracle, on DuckDB and on parquet files."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.destinations.duckdb import DuckDBDestination
from penstock.destinations.parquet import ParquetDestination
from penstock.project.spec import DuckDBSpec, ParquetSpec
from penstock.schema import types as t
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.table import Table
from penstock.stores.local import LocalStore
from penstock.stores.object import ObjectStore
from penstock.testing.destination import APPEND, DestinationSuite, Factory, table
from penstock.testing.dispositions import random_loads
from penstock.testing.oracle import DISPOSITIONS

_NUMBERS = itertools.count()


def _duckdb(folder: Path) -> Factory:
    return lambda: DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=1), folder)


def _parquet(folder: Path) -> Factory:
    return lambda: ParquetDestination(ParquetSpec(path="lake"), folder, LocalStore(str(folder / "lake")))


@pytest.mark.parametrize("factory", [_duckdb, _parquet])
@pytest.mark.parametrize("words", DISPOSITIONS)
@settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=3,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rng=st.randoms(use_true_random=False))
def test_random_loads(
    tmp_path: Path, factory: Callable[[Path], Factory], words: str, rng: random.Random
) -> None:
    random_loads(factory(tmp_path), f"t{next(_NUMBERS)}", DISPOSITIONS[words], rng, loads=5)


@pytest.mark.slow
@pytest.mark.parametrize("factory", [_duckdb, _parquet])
@pytest.mark.parametrize("words", DISPOSITIONS)
@pytest.mark.parametrize("seed", range(4))
def test_long_random_loads(tmp_path: Path, factory: Callable[[Path], Factory], words: str, seed: int) -> None:
    rng = random.Random(f"{words} {seed} long")
    random_loads(factory(tmp_path), "t", DISPOSITIONS[words], rng, loads=12)


def test_parts_of_other_layouts_are_overwritten_too() -> None:
    """Partitions that came later: some parts tell their values by their path, others by their rows."""
    store = ObjectStore(f"memory://overwritten-{next(_NUMBERS)}")
    plain = table("t", id=t.INT64, day=t.INT64)
    parted = Table("t", table("t", id=t.INT64, day=t.TEXT).columns, partitions=("day",))
    by_day = Disposition(WriteMode.REPLACE, overwrite=("day",))

    def fresh() -> ParquetDestination:
        return ParquetDestination(ParquetSpec(path="lake"), Path(), store)

    load, rows = DestinationSuite.load, DestinationSuite.rows
    load(fresh, "L1", (plain, APPEND, [{"id": 1, "day": 1}, {"id": 2, "day": 2}]))
    load(fresh, "L2", (parted, APPEND, [{"id": 3, "day": "1"}, {"id": 4, "day": "2"}, {"id": 5}]))
    load(fresh, "L3", (parted, by_day, [{"id": 6, "day": "1"}, {"id": 7}]))
    assert rows(fresh, "t") == [
        {"id": 2, "day": "2"},
        {"id": 4, "day": "2"},
        {"id": 6, "day": "1"},
        {"id": 7, "day": None},
    ]


GAPS = """
import pytest
from penstock.destinations.duckdb import DuckDBDestination
from penstock.project.spec import DuckDBSpec
from penstock.testing.destination import DestinationSuite

class TestIt(DestinationSuite):
    gaps = {gaps}

    @pytest.fixture
    def destination_factory(self, tmp_path):
        return lambda: DuckDBDestination(DuckDBSpec(path="w.duckdb"), tmp_path)
"""


@pytest.mark.parametrize(
    ("gaps", "said"),
    [
        ({}, "1 passed"),
        ({"cdc": "notyet: no deletes"}, "[XPASS(strict)] notyet: no deletes"),
        ({"test_cdc_keeps_its_own_table_private": "never: no names"}, "[XPASS(strict)] never: no names"),
        ({"scd2": "notyet: no versions"}, "1 passed"),
    ],
)
def test_a_gap_that_is_none_fails_the_suite(tmp_path: Path, gaps: dict[str, str], said: str) -> None:
    (tmp_path / "test_it.py").write_text(GAPS.format(gaps=gaps))
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "its_own_table", "."]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said in done.stdout
    assert (done.returncode == 0) == ("passed" in said)
