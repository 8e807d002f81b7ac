"""Kills of runs whose layers, or whose warehouse too, lie in a bucket."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from crash_nursery import KILLED, Nursery
from crash_points import Point, at_each, calls_of, sample, survive
from crash_scene import FIRST, Scene

LOCK = "_penstock/lock.json"
FEW = (".create ", ".adopt ", ".delete ", ".commit ")


def ready_at(place: Path, url: str) -> Scene:
    """A project whose layers lie in a bucket."""
    return Scene(place / "ready", layers=url).make(*FIRST)


def test_one_kill_of_each_kind(place: Path, nursery: Nursery, s3_url: Callable[..., str]) -> None:
    ready = ready_at(place, s3_url())
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")
    firsts = [next(n for n, call in enumerate(calls, 1) if kind in call) for kind in FEW]
    survive(nursery, ready, ["run"], [Point(n, "after") for n in firsts])


@pytest.mark.slow
def test_around_changes(place: Path, nursery: Nursery, s3_url: Callable[..., str]) -> None:
    ready = ready_at(place, s3_url())
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")
    survive(nursery, ready, ["run"], sample(calls))


@pytest.mark.slow
def test_a_warehouse_in_a_bucket(place: Path, nursery: Nursery, s3_url: Callable[..., str]) -> None:
    """A killed run's lock is in the way until it expires; then the next run goes on."""
    ready = Scene(place / "ready", "parquet", "merge", warehouse_at=s3_url()).make(*FIRST)
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")
    locked, unlocked = (next(n for n, c in enumerate(calls, 1) if f".{w} " in c) for w in ("lock", "unlock"))
    where = [point for point in sample(calls) if locked < point.number < unlocked]

    def attempt(scene: Scene, point: Point) -> None:
        number, when, _ = point
        killed = nursery.run(scene.folder, "run", faults=("--kill-at", str(number), "--when", when))
        assert killed.code == KILLED, f"it was not killed: {killed}"
        refused = nursery.run(scene.folder, "run")
        assert refused.code == 3, refused
        assert "expires" in refused.output, refused.output
        expire(scene)
        again = nursery.run(scene.folder, "run")
        assert again.code == 0, again.output
        scene.check()

    at_each(ready, where, attempt)


def expire(scene: Scene) -> None:
    """Let the time pass after which a lock that is not renewed may be taken."""
    warehouse = scene.place(scene.warehouse_at)
    with warehouse.open(LOCK) as stream:
        who = json.loads(stream.read())
    warehouse.replace(LOCK, json.dumps(who | {"expires_at": 0}).encode())
