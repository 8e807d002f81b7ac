"""Loaders killed at random moments: what is there afterwards is exactly what was committed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import killed_loader as loader
import pytest

from penstock.destinations.parquet_log import STAGING, read_log
from penstock.stores.local import LocalStore
from penstock.testing.dispositions import VERSION
from penstock.testing.oracle import DISPOSITIONS, KINDS, Oracle, Write, text_of

KILLS = 12


@pytest.fixture(scope="module")
def forks() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", loader.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _killed(forks: subprocess.Popen[str], kind: str, folder: Path, first: int, after_s: float) -> int:
    """Run a loader from load `first` on and kill it; returns the last load that it said was committed."""
    assert forks.stdin is not None
    assert forks.stdout is not None
    forks.stdin.write(f"{kind} {folder} {first}\n")
    forks.stdin.flush()
    said = forks.stdout.readline().split()
    assert said[0] == "started"
    timer = threading.Timer(after_s, os.kill, (int(said[1]), signal.SIGKILL))
    timer.start()
    last = first - 1
    for line in iter(forks.stdout.readline, "ended\n"):
        assert line, "the process that forks has ended"
        last = int(line)
    timer.join()
    return last


def _pace(kind: str, folder: Path) -> float:
    """How many seconds a load takes here and now."""
    at = loader.destination(kind, folder)
    started = time.perf_counter()
    for number in range(3):
        loader.load(at, number)
    at.close()
    return (time.perf_counter() - started) / 3


def _check(kind: str, folder: Path, said: int) -> int:
    """Compare what is there with the loads in the ledger; returns the number of the last load."""
    at = loader.destination(kind, folder)
    loads = at.query("SELECT load_id FROM _penstock_loads ORDER BY 1").column(0).to_pylist()
    last = len(loads) - 1
    assert loads == [f"L{n:04}" for n in range(last + 1)]
    assert last in (said, said + 1), "a commit that was reported is lost, or one came from nowhere"
    facts = at.facts("p")
    assert sorted(f.key for f in facts.files) == sorted(f"k{n}" for n in range(last + 1))
    if last >= 0:
        assert facts.state == {"s": str(last)}
        _check_rows(at, last)
    at.close()
    return last


def _check_rows(at: Any, last: int) -> None:
    sql = (
        "SELECT load, count(DISTINCT n), count(*), min(_penstock_load_id) FROM appended GROUP BY 1 ORDER BY 1"
    )
    found = [tuple(row.values()) for row in at.query(sql).to_pylist()]
    assert found == [(n, loader.ROWS, loader.ROWS, f"L{n:04}") for n in range(last + 1)]
    for name, words in loader.TRIED.items():
        oracle = Oracle(DISPOSITIONS[words])
        for number in range(last + 1):
            oracle.load([Write(KINDS, loader.tried_rows(name, number))], loader.instant(number))
        sql = f"SELECT * EXCLUDE (_penstock_load_id) FROM {name}"
        kept = [{k: v for k, v in row.items() if k != VERSION} for row in at.query(sql).to_pylist()]
        assert sorted(map(text_of, kept)) == sorted(map(text_of, oracle.rows)), name


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_killed_loaders_lose_nothing(kind: str, forks: subprocess.Popen[str], tmp_path: Path) -> None:
    rng, last = random.Random(kind), -1
    load_s = _pace(kind, tmp_path / "pace")
    for _ in range(KILLS):
        before = last
        said = _killed(forks, kind, tmp_path, last + 1, load_s * rng.uniform(0.1, 2.5))
        last = _check(kind, tmp_path, said)
        load_s *= 1.4 if last == before else 0.9  # the machine may be busy now and then
    assert last > 0, "no load was ever committed: the test tests nothing"
    if kind == "parquet":
        _check_files(tmp_path / "lake", last)


def _check_files(lake: Path, last: int) -> None:
    """After one more load, the files are those of the log and nothing else."""
    at = loader.destination("parquet", lake.parent)
    loader.load(at, last + 1)
    store = LocalStore(str(lake))
    assert list(store.list(STAGING)) == []
    files = {stat.key for stat in store.list() if not stat.key.startswith("_penstock/")}
    assert files == set(read_log(store).parts)
    _check("parquet", lake.parent, last + 1)
