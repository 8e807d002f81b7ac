"""A run that is killed at a port call, then a plain run: nothing is missing, nothing is there twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from crash_nursery import KILLED, Nursery
from crash_scene import FIRST, LATER, Kind, Mode, Scene

SHARDS = 4
CHANGES = ("create", "replace", "adopt", "delete", "lock", "unlock", "commit", "begin", "forget", "rollback")


def calls_of(nursery: Nursery, scene: Scene, *command: str) -> list[str]:
    """The port calls that a command makes in a scene, in order."""
    log = scene.folder.with_name("calls")
    ended = nursery.run(scene.folder, *command, faults=("--calls", str(log)))
    assert ended.code == 0, ended.output
    return log.read_text().splitlines()


def points(calls: Sequence[str], *, every: bool) -> Iterator[tuple[int, str]]:
    """Where to kill: before and after every call, or only around those that change something."""
    for number, call in enumerate(calls, 1):
        if every or call.split()[1].partition(".")[2] in CHANGES:
            yield number, "before"
            yield number, "after"


def survive(
    nursery: Nursery,
    ready: Scene,
    command: Sequence[str],
    where: Sequence[tuple[int, str]],
    recovered: Callable[[Scene], None],
) -> None:
    """Kill `command` in copies of a scene, run each copy once more, and look at it.

    All points are tried before the test fails, so that the message shows the pattern.
    """
    failures = []
    for number, when in where:
        scene = ready.copy(ready.folder.with_name(f"at-{number}-{when}"))
        try:
            killed = nursery.run(scene.folder, *command, faults=("--kill-at", str(number), "--when", when))
            assert killed.code == KILLED, f"it was not killed: {killed}"
            again = nursery.run(scene.folder, "run")
            assert again.code == 0, again.output
            recovered(scene)
        except AssertionError as error:
            failures.append(f"{when} call {number}: {error}")
    assert not failures, f"{len(failures)} of {len(where)} kills:\n" + "\n".join(failures)


@pytest.mark.parametrize("mode", ["append", "merge"])
@pytest.mark.parametrize("kind", ["duckdb"])
def test_killed_around_every_change(place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
    ready = Scene(place / "ready", kind, mode).make(*FIRST)
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")
    survive(nursery, ready, ["run"], list(points(calls, every=False)), Scene.check)
