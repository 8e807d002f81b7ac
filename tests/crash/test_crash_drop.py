"""A drop that is killed: the tables are there or gone, and so they stay in a warehouse made anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from crash_nursery import KILLED, Nursery
from crash_points import READS, SHOWN

import penstock

PROJECT = """
name: x
destination: {destination}
pipelines:
  p:
    source: {{type: python, ref: "rows:source"}}
    tables: {{t: {{nesting: flatten}}}}
"""
ROWS = """
import penstock as ps

@ps.resource
def t(n=ps.incremental("n", initial_value=0)):
    yield [{"n": 1, "tags": ["a", "b"]}, {"n": 2, "tags": []}]

@ps.resource
def u(n=ps.incremental("n", initial_value=0)):
    yield [{"n": 1}]

@ps.source
def source():
    return t, u
"""
ALL, LEFT = {"t": 2, "t__tags": 2, "u": 1}, {"u": 1}


def made(folder: Path, destination: str, nursery: Nursery) -> Path:
    folder.mkdir(parents=True)
    (folder / "penstock.yml").write_text(PROJECT.format(destination=destination))
    (folder / "rows.py").write_text(ROWS)
    return ran(folder, nursery, "run")


def ran(folder: Path, nursery: Nursery, *command: str) -> Path:
    ended = nursery.run(folder, *command)
    assert ended.code == 0, ended.output
    return folder


def seen(folder: Path) -> tuple[dict[str, int], set[str]]:
    """The tables with their rows, and the resources that the state knows."""
    dataset = penstock.open_session(folder).dataset("p")
    [state] = dataset["_penstock_state"].select("state").fetchall()
    return dataset.row_counts(), set(json.loads(state[0])["resources"])


def check(folder: Path, nursery: Nursery) -> None:
    """A run puts it right: the drop happened and the rows came anew, or it did not and none came."""
    counts, _ = seen(folder)
    assert counts in (ALL, LEFT), f"half of it is gone: {counts}"
    ran(folder, nursery, "run")
    assert seen(folder) == (ALL, {"t", "u"}), "each row is there once"
    ran(folder, nursery, "drop", "p", "t", "--yes")
    assert seen(folder) == (LEFT, {"u"})
    for lost in (folder / "w.duckdb", folder / "w.duckdb.wal"):
        lost.unlink(missing_ok=True)
    shutil.rmtree(folder / "w", ignore_errors=True)
    ran(folder, nursery, "run")
    assert seen(folder) == (ALL, {"t", "u"})


@pytest.mark.parametrize("destination", ["duckdb:///w.duckdb", "parquet://w"])
def test_a_drop_is_killed(place: Path, nursery: Nursery, destination: str) -> None:
    ready = made(place / "ready", destination, nursery)
    whole, log = place / "whole", place / "calls"
    shutil.copytree(ready, whole)
    ended = nursery.run(whole, "drop", "p", "t", "--yes", faults=("--calls", str(log)))
    assert ended.code == 0, ended.output
    assert seen(whole) == (LEFT, {"u"})
    calls = log.read_text().splitlines()
    changes = [n for n, call in enumerate(calls, 1) if call.split()[1].partition(".")[2] not in READS]
    failures = []
    for number in changes[::3]:
        folder = place / f"at-{number}"
        shutil.copytree(ready, folder)
        killed = nursery.run(
            folder, "drop", "p", "t", "--yes", faults=("--kill-at", str(number), "--when", "after")
        )
        assert killed.code == KILLED, f"it was not killed: {killed}"
        try:
            check(folder, nursery)
        except AssertionError as error:
            failures.append(f"after {calls[number - 1]}: {str(error)[:SHOWN]}")
        shutil.rmtree(folder)
    assert not failures, "\n".join(failures)
