"""Keys of an immutable layer that hold other bytes already: refused, and nothing is overwritten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from crash_nursery import Nursery
from crash_scene import FIRST, Scene, landing_key

OURS = FIRST[0]
THEIRS = b'{"n": 1, "id": 1, "at": 1, "status": "paid", "note": "theirs"}\n'


def scene_with(place: Path, policy: str) -> Scene:
    """Files in the landing area of a project."""
    return Scene(place / "p", policy=policy, source="land").make().drop(*FIRST)


def lies(scene: Scene, layer: str) -> bytes:
    """The bytes at the key of our file."""
    return (scene.folder / "data" / layer / landing_key(OURS)).read_bytes()


def put(scene: Scene, layer: str, data: bytes) -> Path:
    """Put bytes at the key of our file."""
    path = scene.folder / "data" / layer / landing_key(OURS)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("policy", ["all", "per_file"])
def test_raw_history_has_other_bytes(place: Path, nursery: Nursery, policy: str) -> None:
    scene = scene_with(place, policy)
    foreign = put(scene, "raw_hist", THEIRS)
    for _ in range(2):
        ended = nursery.run(scene.folder, "run")
        assert ended.code == 1, ended.output
        assert "other bytes" in ended.output
        assert landing_key(OURS) in ended.output
        assert lies(scene, "raw_hist") == THEIRS
        assert lies(scene, "land") == OURS.data
    others = 0 if policy == "all" else len(FIRST) - 1
    assert len(scene.warehouse().files if others else []) == others
    foreign.unlink()
    assert nursery.run(scene.folder, "run").code == 0
    scene.check()


@pytest.mark.parametrize("policy", ["all", "per_file"])
def test_another_file_under_a_name_that_is_loaded(place: Path, nursery: Nursery, policy: str) -> None:
    """It is refused; with `per_file` the others go on."""
    scene = replace(scene_with(place, policy), files=())
    (scene.folder / "data").rename(scene.folder / "later")
    scene = scene.drop(OURS)
    assert nursery.run(scene.folder, "run").code == 0
    scene = scene.drop(*FIRST[1:])
    foreign = put(scene, "land", THEIRS)
    for _ in range(2):
        ended = nursery.run(scene.folder, "run")
        assert ended.code == 1, ended.output
        assert "other bytes" in ended.output
        assert lies(scene, "land") == THEIRS
        assert lies(scene, "raw_hist") == OURS.data
    assert len(scene.warehouse().files) == (1 if policy == "all" else len(FIRST))
    foreign.unlink()
    assert nursery.run(scene.folder, "run").code == 0
    scene.check()
