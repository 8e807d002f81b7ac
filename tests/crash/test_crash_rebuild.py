"""Raw history gives the same tables again, whatever happened to the sources meanwhile."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from crash_nursery import Nursery
from crash_scene import FIRST, Scene, source_file


def test_a_touched_file_is_loaded_once_before_and_after_a_rebuild(place: Path, nursery: Nursery) -> None:
    scene = Scene(place / "p").make(*FIRST)
    assert nursery.run(scene.folder, "run").code == 0
    before = scene.warehouse().tables
    for file in FIRST:
        os.utime(scene.source_folder / file.name)
    assert nursery.run(scene.folder, "run").code == 0
    assert {name: numbers(rows) for name, rows in scene.warehouse().tables.items()} == {
        name: numbers(rows) for name, rows in before.items()
    }
    for _ in range(2):
        again = nursery.run(scene.folder, "rebuild", "--yes")
        assert again.code == 0, again.output
        rebuilt = scene.warehouse()
        assert {name: numbers(rows) for name, rows in rebuilt.tables.items()} == {
            name: numbers(rows) for name, rows in before.items()
        }
        assert len(rebuilt.files) == 2 * len(FIRST)


def test_the_newest_of_many_files_wins_before_and_after_a_rebuild(place: Path, nursery: Nursery) -> None:
    """Of rows with one key the last counts, also where a landing has more than ten files."""
    files = tuple(source_file("orders", number) for number in range(12))
    scene = Scene(place / "p", mode="merge").make(*files)
    text = (scene.folder / "penstock.yml").read_text()
    (scene.folder / "penstock.yml").write_text(text.replace("dedup_sort: at", ""))
    last = {row["id"]: row for file in files for row in file.good}
    for command in (["run"], ["rebuild", "--yes"]):
        ended = nursery.run(scene.folder, *command)
        assert ended.code == 0, ended.output
        assert numbers(scene.warehouse().tables["orders"]) == sorted(row["n"] for row in last.values())


def test_landings_of_one_second_are_told_apart(place: Path, nursery: Nursery) -> None:
    """A rebuild replaces a table by each landing in turn, as the runs did."""
    scene = Scene(place / "p", mode="replace").make(source_file("orders", 0))
    for number in (1, 2, 3):
        assert nursery.run(scene.folder, "run").code == 0
        latest = source_file("orders", number)
        scene = replace(scene.add(latest), latest=(latest,))
    for command in (["run"], ["rebuild", "--yes"]):
        ended = nursery.run(scene.folder, *command)
        assert ended.code == 0, ended.output
        scene.check()


def numbers(rows: list[dict[str, int]]) -> list[int]:
    """What tells the rows of a table apart."""
    return sorted(row["n"] for row in rows)
