"""Builds of models that are killed: each table is the old one or the new one, and the next build ends it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from crash_nursery import KILLED, Nursery
from crash_points import SHOWN

from model_bed import ModelBed
from penstock.layers import PRIVATE

DESTINATIONS = ("duckdb:///w.duckdb", "parquet://w")
OLD = [{"id": n, "town": "AB"[n % 2], "price": n} for n in range(6)]
NEW = [{"id": n, "town": "BC"[n % 2], "price": n * 10} for n in range(6, 11)]
GATE = "columns: {price: {type: int64, minimum: 2}}"
MODELS = {
    "base": (GATE, "SELECT id, town, price FROM sales"),
    "total": ("", "SELECT town, count(*) AS n, sum(price) AS total FROM base GROUP BY town"),
    "added": ("materialized: incremental\ncursor: id", "SELECT id, price FROM base"),
    "merged": ("materialized: incremental\nprimary_key: town\ncursor: id", "SELECT town, id FROM base"),
    "parts": ("materialized: partition\npartitions: town", "SELECT id, town FROM base"),
}
# what is undone by a rollback, or changes nothing: a kill after it is a kill before the next call
QUIET = (
    "list", "stat", "open", "digest", "fingerprint", "facts", "query", "built", "versions", "begin", "stage",
    "remove", "holder", "stage_rows", "rollback",
)  # fmt: skip
Rows = dict[str, list[object]]


def made(folder: Path, destination: str) -> ModelBed:
    """A project whose models are built of the old rows, and have new ones to be built of."""
    bed = ModelBed(folder, destination).sales(*OLD)
    for name, (words, sql) in MODELS.items():
        bed.model(name, sql, words)
    bed.builds()
    return bed.sales(*NEW)


def rows(bed: ModelBed) -> Rows:
    columns = {"total": "town, n, total", "added": "id, price", "merged": "town, id", "parts": "id, town"}
    return {name: bed.rows(name, columns.get(name, "id, town, price")) for name in MODELS}


def aside(bed: ModelBed) -> list[str]:
    return sorted(row.raw for row in bed.session().quarantine_show("base", 99))


def check(bed: ModelBed, old: Rows, new: Rows, nursery: Nursery) -> None:
    """Each table is old or new, and a further build makes all of them new."""
    for name, found in rows(bed).items():
        assert found in (old[name], new[name]), f"`{name}` is a mixture: {found}"
    again = nursery.run(bed.root, "build")
    assert again.code == 0, again.output
    assert rows(bed) == new
    assert aside(bed) == ['{"id": 0, "town": "A", "price": 0}', '{"id": 1, "town": "B", "price": 1}']
    assert not list(bed.root.glob(f"data/quarantine/{PRIVATE}staged/**/*.parquet*/*"))
    assert nursery.run(bed.root, "build", "--dry-run").output.endswith("nothing to do\n")


def copy(bed: ModelBed, folder: Path) -> ModelBed:
    shutil.copytree(bed.root, folder)
    other = ModelBed.__new__(ModelBed)
    other.root, other.seen = folder, []
    return other


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_build_is_killed_at_its_changes(place: Path, nursery: Nursery, destination: str, step: int) -> None:
    ready = made(place / "ready", destination)
    old, log = rows(ready), place / "calls"
    whole = copy(ready, place / "whole")
    ended = nursery.run(whole.root, "build", faults=("--calls", str(log)))
    assert ended.code == 0, ended.output
    new = rows(whole)
    assert all(old[name] != new[name] for name in MODELS)
    calls = log.read_text().splitlines()
    changes = [n for n, call in enumerate(calls, 1) if call.split()[1].partition(".")[2] not in QUIET]
    assert sum("build.commit" in call for call in calls) == len(MODELS)
    failures = []
    for number in changes[::step]:
        bed = copy(ready, place / f"at-{number}")
        killed = nursery.run(bed.root, "build", faults=("--kill-at", str(number), "--when", "after"))
        assert killed.code == KILLED, f"it was not killed: {killed}"
        try:
            check(bed, old, new, nursery)
        except AssertionError as error:
            failures.append(f"after {calls[number - 1]}: {str(error)[:SHOWN]}")
        shutil.rmtree(bed.root)
    assert not failures, "\n".join(failures)


@pytest.mark.slow
@pytest.mark.parametrize("destination", DESTINATIONS)
def test_builds_are_killed_at_random(place: Path, nursery: Nursery, destination: str) -> None:
    chance = random.Random(3)
    ready = made(place / "ready", destination)
    old = rows(ready)
    whole = copy(ready, place / "whole")
    seconds = nursery.run(whole.root, "build").seconds
    new = rows(whole)
    killed = 0
    for number in range(30):
        bed = copy(ready, place / f"random-{number}")
        ended = nursery.run(bed.root, "build", kill_after_s=chance.uniform(0, seconds))
        killed += ended.code == KILLED
        check(bed, old, new, nursery)
        shutil.rmtree(bed.root)
    assert killed > 5, "the builds end before they can be killed"
