"""Where a command can be killed, failed or stopped: its port calls, all of them or some."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from crash_nursery import KILLED, Nursery
from crash_scene import Scene

SHOWN = 600  # characters of each failure
SHARDS = 4  # the parts that a long list of points is cut into, for workers that run at once
# calls that leave the world as it was, so that a kill after one is a kill before the next
READS = (
    "list",
    "stat",
    "open",
    "digest",
    "offers",
    "state",
    "fingerprint",
    "facts",
    "keys",
    "shape",
    "write",
)


class Point(NamedTuple):
    """The number of a call, `before` or `after`, and whether the call is made inside of another."""

    number: int
    when: str
    inside: bool = False


def calls_of(nursery: Nursery, scene: Scene, *command: str) -> list[str]:
    """The port calls that a command makes in a scene, in order."""
    log = scene.folder.with_name("calls")
    ended = nursery.run(scene.folder, *command, faults=("--calls", str(log)))
    assert ended.code == 0, ended.output
    return log.read_text().splitlines()


def every(calls: Sequence[str]) -> list[Point]:
    """Before and after each call; before a call is after the one before it, unless that changed something."""
    before = [Point(n, "before") for n in _changes(calls)]
    after = [Point(n, "after", call.split()[0].endswith("+")) for n, call in enumerate(calls, 1)]
    return [*before, *after]


def around_changes(calls: Sequence[str]) -> list[Point]:
    """Before and after each call that changes something."""
    return [Point(n, when) for n in _changes(calls) for when in ("before", "after")]


def sample(calls: Sequence[str]) -> list[Point]:
    """After one change of each kind: the second of its kind, where files are done and files are not."""
    kinds: dict[tuple[str, ...], list[int]] = {}
    for n in _changes(calls):
        name, where, *about = calls[n - 1].split()[1:]
        slip = bool(about) and "_penstock/" in about[-1]
        kinds.setdefault((name, where, str(slip)), []).append(n)
    return [Point(n, "after") for n in sorted(found[min(1, len(found) - 1)] for found in kinds.values())]


def _changes(calls: Sequence[str]) -> list[int]:
    return [n for n, call in enumerate(calls, 1) if call.split()[1].partition(".")[2] not in READS]


def at_each(ready: Scene, where: Sequence[Point], attempt: Callable[[Scene, Point], None]) -> None:
    """Attempt something in a copy of a scene for each point.

    All points are tried before the test fails, so that the message shows the pattern.
    """
    assert where, "there are no points"
    failures = []
    for point in where:
        number, when, inside = point
        scene = ready.copy(ready.folder.with_name(f"at-{number}-{when}"))
        try:
            attempt(replace(scene, half_written=inside), point)
        except AssertionError as error:
            failures.append(f"{when} call {number}: {str(error)[:SHOWN]}")
        shutil.rmtree(scene.folder)
    assert not failures, f"{len(failures)} of {len(where)} points:\n" + "\n".join(failures)


def survive(
    nursery: Nursery,
    ready: Scene,
    command: Sequence[str],
    where: Sequence[Point],
    recovered: Callable[[Scene], None] = Scene.check,
) -> None:
    """Kill `command` in copies of a scene, run each copy once more, and look at it."""

    def attempt(scene: Scene, point: Point) -> None:
        number, when, _ = point
        killed = nursery.run(scene.folder, *command, faults=("--kill-at", str(number), "--when", when))
        assert killed.code == KILLED, f"it was not killed: {killed}"
        again = nursery.run(scene.folder, "run")
        assert again.code == 0, again.output
        recovered(scene)

    at_each(ready, where, attempt)
