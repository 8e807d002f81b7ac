"""A run that is killed at a port call, then a plain run: nothing is missing, nothing is there twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from crash_nursery import KILLED, Nursery
from crash_scene import FIRST, LATER, Kind, Mode, Scene

SHOWN = 600  # characters of each failure
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
            failures.append(f"{when} call {number}: {str(error)[:SHOWN]}")
    assert not failures, f"{len(failures)} of {len(where)} kills:\n" + "\n".join(failures)


@pytest.mark.parametrize("mode", ["append", "merge"])
@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_a_first_run(place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
    ready = Scene(place / "ready", kind, mode).make(*FIRST)
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")
    survive(nursery, ready, ["run"], list(points(calls, every=False)), Scene.check)


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_a_second_run_with_new_files(place: Path, nursery: Nursery, kind: Kind) -> None:
    first = Scene(place / "ready", kind, "merge").make(*FIRST)
    assert nursery.run(first.folder, "run").code == 0
    ready = first.add(*LATER)
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")
    survive(nursery, ready, ["run"], list(points(calls, every=False)), Scene.check)


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_files_that_are_older_than_those_that_landed(place: Path, nursery: Nursery, kind: Kind) -> None:
    """What a source remembers may not run ahead of what has landed."""
    ready = Scene(place / "ready", kind, incremental="modified_date").make(*FIRST)
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")
    landing = [
        (n, w)
        for n, w in points(calls, every=False)
        if " store.create " in calls[n - 1] and "/land " in calls[n - 1]
    ]
    assert len(landing) == 2 * len(FIRST)
    survive(nursery, ready, ["run"], landing, Scene.check)


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_a_rebuild(place: Path, nursery: Nursery, kind: Kind) -> None:
    ready = Scene(place / "ready", kind).make(*FIRST)
    assert nursery.run(ready.folder, "run").code == 0
    calls = calls_of(nursery, ready.copy(place / "whole"), "rebuild", "--yes")
    survive(nursery, ready, ["rebuild", "--yes"], list(points(calls, every=False)), Scene.check)


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_a_rebuild_under_new_rules(place: Path, nursery: Nursery, kind: Kind) -> None:
    """The tables and the quarantine agree, whether or not the rebuild was in time."""
    ready = Scene(place / "ready", kind).make(*FIRST)
    assert nursery.run(ready.folder, "run").code == 0
    ready = replace(ready, lenient=True)
    ready.write_project()
    calls = calls_of(nursery, ready.copy(place / "whole"), "rebuild", "--yes")
    survive(nursery, ready, ["rebuild", "--yes"], list(points(calls, every=False)), either_way)


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_a_replay(place: Path, nursery: Nursery, kind: Kind) -> None:
    """Each row comes out of quarantine once."""
    ready = Scene(place / "ready", kind).make(*FIRST)
    assert nursery.run(ready.folder, "run").code == 0
    ready = replace(ready, lenient=True)
    ready.write_project()
    calls = calls_of(nursery, ready.copy(place / "whole"), "quarantine", "replay")

    def recovered(scene: Scene) -> None:
        either_way(scene)
        again = nursery.run(scene.folder, "quarantine", "replay")
        assert again.code == 0, again.output
        scene.check()

    survive(nursery, ready, ["quarantine", "replay"], list(points(calls, every=False)), recovered)


def test_a_replay_while_nothing_else_is_new(place: Path, nursery: Nursery) -> None:
    """A run that would have nothing to do still finishes what was begun."""
    scene = Scene(place / "ready").make(*FIRST)
    for _ in range(2):
        assert nursery.run(scene.folder, "run").code == 0
    calls = calls_of(nursery, scene.copy(place / "whole"), "quarantine", "replay")
    begun = next(n for n, call in enumerate(calls, 1) if "/quarantine " in call and ".create " in call)
    killed = nursery.run(
        scene.folder, "quarantine", "replay", faults=("--kill-at", str(begun), "--when", "after")
    )
    assert killed.code == KILLED
    assert nursery.run(scene.folder, "run").code == 0
    scene.check()


def either_way(scene: Scene) -> None:
    """All of it is as under the old rules, or all of it as under the new ones."""
    try:
        scene.check()
    except AssertionError as new:
        try:
            replace(scene, lenient=False).check()
        except AssertionError as old:
            raise AssertionError(f"neither under the new rules: {new}\nnor under the old: {old}") from None
