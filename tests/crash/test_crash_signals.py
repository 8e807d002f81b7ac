"""Runs that are asked to stop by SIGTERM or SIGINT: where they stop, what they say, what they leave."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from crash_nursery import Nursery
from crash_points import Point, at_each, calls_of, sample
from crash_scene import FIRST, PIPELINE, Kind, Scene

from penstock.app.files import load_project
from penstock.app.parts import open_destination

TERMINATED = 143
INTERRUPTED = 130


def kill(name: str, then: str = "") -> str:
    """A command that sends its parent a signal."""
    return f"sh -c 'kill -{name} $PPID{then}'"


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_terminated_runs_lose_nothing(place: Path, nursery: Nursery, kind: Kind) -> None:
    ready = Scene(place / "ready", kind).make(*FIRST)
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")

    def attempt(scene: Scene, point: Point) -> None:
        number, when, _ = point
        stopped = nursery.run(
            scene.folder, "run", faults=("--do-at", str(number), kill("TERM"), "--when", when)
        )
        assert stopped.code == TERMINATED, stopped
        assert "SIGTERM" in stopped.output, stopped
        assert "run again" in stopped.output, stopped
        with open_destination(load_project(scene.folder), PIPELINE).lock(PIPELINE, "me"):
            pass  # it is free
        again = nursery.run(scene.folder, "run")
        assert again.code == 0, again.output
        scene.check()

    at_each(ready, sample(calls), attempt)


def test_the_file_in_work_is_the_last(place: Path, nursery: Nursery) -> None:
    """A signal while the first file lands: that file is landed whole, and no other is begun."""
    scene = Scene(place / "ready").make(*FIRST)
    calls = calls_of(nursery, scene.copy(place / "whole"), "run")
    first = next(n for n, call in enumerate(calls, 1) if "source.open" in call)
    stopped = nursery.run(scene.folder, "run", faults=("--do-at", str(first), kill("INT")))
    assert stopped.code == INTERRUPTED, stopped
    assert "stopped by SIGINT; nothing is lost: run again, it goes on from here" in stopped.output
    landed = [stat.key for stat in scene.store("land").list() if not stat.key.startswith("_penstock")]
    assert len(landed) == 1
    assert nursery.run(scene.folder, "run").code == 0
    scene.check()


def test_a_signal_during_the_commit_lets_it_finish(place: Path, nursery: Nursery) -> None:
    scene = Scene(place / "ready").make(*FIRST)
    calls = calls_of(nursery, scene.copy(place / "whole"), "run")
    commit = next(n for n, call in enumerate(calls, 1) if "transaction.commit" in call)
    stopped = nursery.run(scene.folder, "run", faults=("--do-at", str(commit), kill("TERM")))
    assert stopped.code == TERMINATED, stopped
    scene.check()


def test_a_second_signal_ends_the_run_at_once(place: Path, nursery: Nursery) -> None:
    """Even in the middle of a call that does not come back."""
    scene = Scene(place / "ready").make(*FIRST)
    calls = calls_of(nursery, scene.copy(place / "whole"), "run")
    middle = next(n for n, call in enumerate(calls, 1) if "transaction.write" in call)
    twice = kill("TERM", "; sleep 0.3; kill -INT $PPID; exec sleep 60 >/dev/null 2>&1")
    began = time.monotonic()
    ended = nursery.run(scene.folder, "run", faults=("--do-at", str(middle), twice))
    assert ended.code == INTERRUPTED, ended
    assert time.monotonic() - began < 50
    assert "once more to stop at once" in ended.output
    assert nursery.run(scene.folder, "run").code == 0
    scene.check()


def test_a_run_that_waits_for_a_lock_stops(place: Path, nursery: Nursery) -> None:
    scene = Scene(place / "ready").make(*FIRST)
    log = place / "calls"
    with open_destination(load_project(scene.folder), PIPELINE).lock(PIPELINE, "somebody else"):
        refused = nursery.run(scene.folder, "run", faults=("--calls", str(log)))
        assert refused.code == 3, refused
        number = next(n for n, c in enumerate(log.read_text().splitlines(), 1) if "destination.lock" in c)
        began = time.monotonic()
        faults = ("--do-at", str(number), kill("TERM"))
        stopped = nursery.run(scene.folder, "run", "--wait", "100", faults=faults)
    assert stopped.code == TERMINATED, stopped
    assert time.monotonic() - began < 50
    assert nursery.run(scene.folder, "run").code == 0
    scene.check()
