"""Raw history gives the same tables again, whatever happened to the sources meanwhile."""

from __future__ import annotations

import os
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


def numbers(rows: list[dict[str, int]]) -> list[int]:
    """What tells the rows of a table apart."""
    return sorted(row["n"] for row in rows)
