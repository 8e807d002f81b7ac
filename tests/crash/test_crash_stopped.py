"""Runs that a person stops with Ctrl-C: they say so, tidy up only what is theirs, and lose nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from crash_nursery import Nursery
from crash_points import Point, around_changes, at_each, calls_of
from crash_scene import FIRST, Kind, Mode, Scene

STOPPED = 130
INTERRUPT = "sh -c 'kill -INT $PPID'"


def stop(nursery: Nursery, ready: Scene, where: list[Point]) -> None:
    """Interrupt runs of copies of a scene, run each copy once more, and look at it."""

    def attempt(scene: Scene, point: Point) -> None:
        number, when, _ = point
        options = ("--do-at", str(number), INTERRUPT, "--when", when)
        stopped = nursery.run(scene.folder, "run", faults=options)
        assert stopped.code == STOPPED, stopped
        assert "run again" in stopped.output, stopped
        again = nursery.run(scene.folder, "run")
        assert again.code == 0, again.output
        scene.check()

    at_each(ready, where, attempt)


def test_stopped_in_the_middle_of_a_commit(place: Path, nursery: Nursery) -> None:
    """Parts that the commit log names stay where they are until they are moved."""
    ready = Scene(place / "ready", "parquet").make(*FIRST)
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")
    within = [n for n, call in enumerate(calls, 1) if "/warehouse " in call and ".lock " not in call]
    stop(nursery, ready, [Point(n, "before") for n in within if ".adopt " in calls[n - 1]])


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "mode"), [("duckdb", "append"), ("parquet", "merge")])
def test_stopped_around_changes(place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
    ready = Scene(place / "ready", kind, mode).make(*FIRST)
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")
    stop(nursery, ready, around_changes(calls))
