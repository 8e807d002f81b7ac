"""A run that is killed at a port call, then a plain run: nothing is missing, nothing is there twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from crash_nursery import KILLED, Nursery
from crash_points import SHARDS, Point, around_changes, calls_of, every, sample, survive
from crash_scene import DAMAGED, FIRST, LATER, Kind, Mode, Scene, source_file

SNAPSHOT = (*LATER, source_file("orders", 6), source_file("people", 7))


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


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_a_landing_replaces_a_table_as_a_whole(place: Path, nursery: Nursery, kind: Kind) -> None:
    """A run that is killed while it lands leaves a part, which the rest may not replace."""
    first = Scene(place / "ready", kind, "replace").make(source_file("orders", 9), source_file("people", 10))
    assert nursery.run(first.folder, "run").code == 0
    ready = replace(first.add(*SNAPSHOT), latest=SNAPSHOT)
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")
    landing = [n for n, call in enumerate(calls, 1) if "/land " in call and ".create " in call]
    assert len(landing) == len(SNAPSHOT)
    survive(nursery, ready, ["run"], [Point(n, when) for n in landing for when in ("before", "after")])


def test_a_source_does_not_run_ahead_of_what_has_landed(place: Path, nursery: Nursery) -> None:
    """A run that is killed while it lands leaves older files for the next one, which must take them."""
    ready = Scene(place / "ready", incremental="modified_date").make(*FIRST)
    calls = calls_of(nursery, ready.copy(place / "whole"), "run")
    landing = [n for n, call in enumerate(calls, 1) if "/land " in call and ".create " in call]
    assert len(landing) == len(FIRST)
    survive(nursery, ready, ["run"], [Point(n, "after") for n in landing])


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
