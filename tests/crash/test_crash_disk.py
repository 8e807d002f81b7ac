"""Disks that are full or cannot be written to: a clear fault, nothing lost, and a plain run goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from crash_nursery import Nursery
from crash_scene import FIRST, Kind, Scene, files_below

PAGE = 4096
SMALL, LARGE = "8m", "64m"

Mount = Callable[[Path], None]


@pytest.fixture
def small_disk() -> Iterator[Mount]:
    """Makes a folder a small disk of its own; skips the test where that is not allowed."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)]
        if os.geteuid() or shutil.which("mount") is None:
            pytest.skip("a disk that is full needs a small tmpfs, and only root may mount one")
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a disk that is full needs a small tmpfs: {done.stderr.strip()}")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change how a disk is mounted."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def fill(folder: Path, free_bytes: int) -> None:
    """Leave so much room on a disk."""
    free = shutil.disk_usage(folder).free
    with (folder / "_filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - free_bytes)


def survives(nursery: Nursery, scene: Scene, disk: Path, free_bytes: int) -> bool:
    """A run on a disk with little room ends well or says that it is full; one with room ends well.

    Returns: whether the disk was full.
    """
    fill(disk, free_bytes)
    ended = nursery.run(scene.folder, "run")
    assert ended.code in (0, 3), f"{free_bytes:,} bytes free: {ended}"
    if ended.code:
        assert "no space left" in ended.output.lower(), ended.output
        assert "hint" in ended.output, ended.output
    (disk / "_filler").unlink()
    remount(disk, f"size={LARGE}")
    again = nursery.run(scene.folder, "run")
    assert again.code == 0, f"{free_bytes:,} bytes free: {again.output}"
    replace(scene, half_written=True).check()
    return bool(ended.code)


@pytest.mark.parametrize("layer", ["land", "raw_hist", "quarantine"])
def test_a_layer_is_full(place: Path, nursery: Nursery, small_disk: Mount, layer: str) -> None:
    """The more room there is, the later it is full."""
    full = []
    for pages in (0, 1, 2, 3, 5, 7, 9, 12):
        scene = Scene(place / str(pages)).make(*FIRST)
        disk = scene.folder / "data" / layer
        small_disk(disk)
        full.append(survives(nursery, scene, disk, pages * PAGE))
    assert full[0]
    assert sum(full) > 2, full


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_the_warehouse_is_full(place: Path, nursery: Nursery, small_disk: Mount, kind: Kind) -> None:
    """Full from the start, and full for the second load."""
    full = []
    for pages in (0, 1, 2, 4, 8):
        for loaded in (False, True):
            scene = Scene(place / f"{pages}-{loaded}", kind).make(*FIRST[:3])
            disk = scene.folder / "warehouse"
            small_disk(disk)
            if loaded:
                assert nursery.run(scene.folder, "run").code == 0
                scene = scene.add(FIRST[3])
            full.append(survives(nursery, scene, disk, pages * PAGE))
    assert full[:4] == [True] * 4, full


def test_the_temporary_folder_is_full(place: Path, nursery: Nursery, small_disk: Mount) -> None:
    """Quarantined rows are gathered there; a folder without any room is passed over for another."""
    scene = Scene(place / "p").make(*FIRST)
    disk = place / "tmp"
    small_disk(disk)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(disk))
        assert survives(nursery, scene, disk, PAGE)


def test_land_is_read_only(place: Path, nursery: Nursery, small_disk: Mount) -> None:
    scene = Scene(place / "p").make(*FIRST)
    land = scene.folder / "data" / "land"
    small_disk(land)
    remount(land, "ro")
    refused(nursery, scene, "read-only")
    remount(land, "rw")
    assert nursery.run(scene.folder, "run").code == 0
    scene.check()


def test_land_is_read_only_and_files_wait_there(place: Path, nursery: Nursery, small_disk: Mount) -> None:
    """What cannot be moved is not loaded: it would lie there for ever."""
    scene = Scene(place / "p", source="land").make()
    land = scene.folder / "data" / "land"
    small_disk(land)
    scene = scene.drop(*FIRST)
    remount(land, "ro")
    refused(nursery, scene, "read-only")
    remount(land, "rw")
    assert nursery.run(scene.folder, "run").code == 0
    scene.check()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("folder", ["data/land", "data/raw_hist", "data/quarantine", "warehouse"])
def test_a_folder_belongs_to_another(place: Path, nursery: Nursery, folder: str) -> None:
    scene = Scene(place / "p").make(*FIRST)
    path = scene.folder / folder
    path.mkdir(parents=True)
    path.chmod(0o555)
    refused(nursery, scene, "permission denied")
    path.chmod(0o755)
    assert nursery.run(scene.folder, "run").code == 0
    scene.check()


def refused(nursery: Nursery, scene: Scene, why: str) -> None:
    """Two runs in a row end with the same clear fault, and every file is still there."""
    for _ in range(2):
        ended = nursery.run(scene.folder, "run")
        assert ended.code == 3, ended
        assert why in ended.output.lower(), ended.output
        assert "hint" in ended.output, ended.output
    there = {path.read_bytes() for path in files_below(scene.folder)}
    assert {file.data for file in scene.files} <= there
