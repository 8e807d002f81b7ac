"""A run that is killed at a port call, then a plain run: nothing is missing, nothing is there twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest
from crash_nursery import KILLED, Nursery
from crash_scene import DAMAGED, FIRST, LATER, Kind, Mode, Scene

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

Point: TypeAlias = tuple[int, str]


def calls_of(nursery: Nursery, scene: Scene, *command: str) -> list[str]:
    """The port calls that a command makes in a scene, in order."""
    log = scene.folder.with_name("calls")
    ended = nursery.run(scene.folder, *command, faults=("--calls", str(log)))
    assert ended.code == 0, ended.output
    return log.read_text().splitlines()


def every(calls: Sequence[str]) -> list[Point]:
    """Before and after each call; before a call is after the one before it, unless that changed something."""
    before = [(n, "before") for n in _changes(calls)]
    return [*before, *((n, "after") for n in range(1, len(calls) + 1))]


def around_changes(calls: Sequence[str]) -> list[Point]:
    """Before and after each call that changes something."""
    return [(n, when) for n in _changes(calls) for when in ("before", "after")]


def sample(calls: Sequence[str]) -> list[Point]:
    """After one change of each kind: the second of its kind, where files are done and files are not."""
    kinds: dict[tuple[str, ...], list[int]] = {}
    for n in _changes(calls):
        name, where, *about = calls[n - 1].split()[1:]
        slip = bool(about) and "_penstock/" in about[-1]
        kinds.setdefault((name, where, str(slip)), []).append(n)
    return [(n, "after") for n in sorted(found[min(1, len(found) - 1)] for found in kinds.values())]


def _changes(calls: Sequence[str]) -> list[int]:
    return [n for n, call in enumerate(calls, 1) if call.split()[1].partition(".")[2] not in READS]


def survive(
    nursery: Nursery,
    ready: Scene,
    command: Sequence[str],
    where: Sequence[Point],
    recovered: Callable[[Scene], None] = Scene.check,
) -> None:
    """Kill `command` in copies of a scene, run each copy once more, and look at it.

    All points are tried before the test fails, so that the message shows the pattern.
    """
    assert where, "there is nothing to kill"
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


def either_way(scene: Scene) -> None:
    """All of it is as under the old rules, or all of it as under the new ones."""
    try:
        scene.check()
    except AssertionError as new:
        try:
            replace(scene, lenient=False).check()
        except AssertionError as old:
            raise AssertionError(f"neither under the new rules: {new}\nnor under the old: {old}") from None


class Killed:
    """Each kind of run, killed at the points that `points` chooses, of which a shard is taken."""

    points: Callable[[Sequence[str]], list[Point]]
    shards = 1

    def survive(
        self,
        nursery: Nursery,
        ready: Scene,
        command: Sequence[str],
        shard: int,
        recovered: Callable[[Scene], None] = Scene.check,
    ) -> None:
        """Kill `command` at this shard's points."""
        calls = calls_of(nursery, ready.copy(ready.folder.with_name("whole")), *command)
        survive(nursery, ready, command, type(self).points(calls)[shard :: self.shards], recovered)

    def loaded(self, nursery: Nursery, scene: Scene) -> Scene:
        """The scene after a run."""
        ended = nursery.run(scene.folder, "run")
        assert ended.code == 0, ended.output
        return scene

    def lenient(self, scene: Scene) -> Scene:
        """The scene under rules that accept more rows."""
        scene = replace(scene, lenient=True)
        scene.write_project()
        return scene

    def first(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode, shard: int = 0) -> None:
        """A run that finds everything new."""
        ready = Scene(place / "ready", kind, mode).make(*FIRST)
        self.survive(nursery, ready, ["run"], shard)

    def second(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        """A run that finds new files beside those that are loaded."""
        ready = self.loaded(nursery, Scene(place / "ready", kind, mode).make(*FIRST)).add(*LATER)
        self.survive(nursery, ready, ["run"], 0)

    def land(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        """A run that finds files in the landing area, put there by others."""
        ready = Scene(place / "ready", kind, mode, source="land").make().drop(*FIRST)
        self.survive(nursery, ready, ["run"], 0)

    def damaged(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        """Files that are refused whole are set aside once."""
        ready = Scene(place / "ready", kind, mode).make(*FIRST[2:], *DAMAGED)
        self.survive(nursery, ready, ["run"], 0)

    def rebuild(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        """A rebuild changes nothing, whether or not it was in time."""
        ready = self.loaded(nursery, Scene(place / "ready", kind, mode).make(*FIRST))
        self.survive(nursery, ready, ["rebuild", "--yes"], 0)

    def rebuild_under_new_rules(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        """The tables and the quarantine agree, whether or not the rebuild was in time."""
        ready = self.lenient(self.loaded(nursery, Scene(place / "ready", kind, mode).make(*FIRST)))
        self.survive(nursery, ready, ["rebuild", "--yes"], 0, either_way)

    def replay(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        """Each row comes out of quarantine once."""
        ready = self.lenient(self.loaded(nursery, Scene(place / "ready", kind, mode).make(*FIRST)))

        def recovered(scene: Scene) -> None:
            either_way(scene)
            again = nursery.run(scene.folder, "quarantine", "replay")
            assert again.code == 0, again.output
            scene.check()

        self.survive(nursery, ready, ["quarantine", "replay"], 0, recovered)


class TestSample(Killed):
    """One change of each kind."""

    points = staticmethod(sample)

    @pytest.mark.parametrize(("kind", "mode"), [("duckdb", "append"), ("parquet", "merge")])
    def test_first_run(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        self.first(place, nursery, kind, mode)

    def test_second_run(self, place: Path, nursery: Nursery) -> None:
        self.second(place, nursery, "duckdb", "merge")

    def test_damaged_files(self, place: Path, nursery: Nursery) -> None:
        self.damaged(place, nursery, "duckdb", "append")

    def test_rebuild(self, place: Path, nursery: Nursery) -> None:
        self.rebuild(place, nursery, "parquet", "append")

    def test_rebuild_under_new_rules(self, place: Path, nursery: Nursery) -> None:
        self.rebuild_under_new_rules(place, nursery, "duckdb", "append")

    def test_replay(self, place: Path, nursery: Nursery) -> None:
        self.replay(place, nursery, "duckdb", "append")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["append", "merge"])
@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
class TestEveryCall(Killed):
    """Every port call of a first run."""

    points = staticmethod(every)
    shards = SHARDS

    @pytest.mark.parametrize("shard", range(SHARDS))
    def test_first_run(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode, shard: int) -> None:
        self.first(place, nursery, kind, mode, shard)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "mode"), [("duckdb", "append"), ("parquet", "merge")])
class TestEveryChange(Killed):
    """Every call that changes something, of all other runs."""

    points = staticmethod(around_changes)

    def test_second_run(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        self.second(place, nursery, kind, mode)

    def test_files_put_into_land(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        self.land(place, nursery, kind, mode)

    def test_damaged_files(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        self.damaged(place, nursery, kind, mode)

    def test_rebuild(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        self.rebuild(place, nursery, kind, mode)

    def test_rebuild_under_new_rules(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        self.rebuild_under_new_rules(place, nursery, kind, mode)

    def test_replay(self, place: Path, nursery: Nursery, kind: Kind, mode: Mode) -> None:
        self.replay(place, nursery, kind, mode)


def test_a_source_does_not_run_ahead_of_what_has_landed(place: Path, nursery: Nursery) -> None:
    """A run that is killed while it lands leaves older files for the next one, which must take them."""
    ready = Scene(place / "ready", incremental="modified_date").make(*FIRST)
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")
    landing = [n for n, call in enumerate(calls, 1) if "/land " in call and ".create " in call]
    assert len(landing) == len(FIRST)
    survive(nursery, ready, ["run"], [(n, "after") for n in landing])


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
