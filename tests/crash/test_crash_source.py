"""Files that come, go and change while a run is at work."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from crash_nursery import Nursery
from crash_scene import FIRST, OLD, Scene, files_below, source_file

NEW = source_file("orders", 6)


def number_of(nursery: Nursery, scene: Scene, *words: str) -> str:
    """The number of the first port call of a run whose line has all the words."""
    log = scene.folder.with_name("calls")
    ended = nursery.run(
        scene.copy(scene.folder.with_name("whole")).folder, "run", faults=("--calls", str(log))
    )
    assert ended.code == 0, ended.output
    lines = log.read_text().splitlines()
    return next(line.split()[0] for line in lines if all(word in line for word in words))


def disturbed(nursery: Nursery, scene: Scene, call: str, command: str) -> tuple[int, str]:
    """Exit code and words of a run that is disturbed by a command just before a port call."""
    ended = nursery.run(scene.folder, "run", faults=("--do-at", call, command))
    return ended.code, ended.output


def finished(nursery: Nursery, scene: Scene) -> None:
    """A plain run ends well, and everything is as it must be."""
    ended = nursery.run(scene.folder, "run")
    assert ended.code == 0, ended.output
    scene.check()


def test_a_file_that_appears_during_a_run_is_taken_by_the_next(place: Path, nursery: Nursery) -> None:
    scene = Scene(place / "p").make(*FIRST)
    late = place / NEW.name
    late.write_bytes(NEW.data)
    os.utime(late, (OLD, OLD))
    unlock = number_of(nursery, scene, "destination.unlock")
    code, said = disturbed(nursery, scene, unlock, f"cp -p {late} {scene.source_folder}")
    assert code == 0, said
    finished(nursery, replace(scene, files=(*FIRST, NEW)))


def test_a_file_that_vanishes_before_it_is_read(place: Path, nursery: Nursery) -> None:
    scene = Scene(place / "p").make(*FIRST)
    gone = FIRST[1]
    opened = number_of(nursery, scene, "source.open", gone.name)
    code, said = disturbed(nursery, scene, opened, f"rm {scene.source_folder / gone.name}")
    assert code == 3, said
    assert "went away" in said
    assert gone.name in said
    finished(nursery, replace(scene, files=tuple(f for f in FIRST if f is not gone)))


def test_a_file_that_grows_before_it_is_read(place: Path, nursery: Nursery) -> None:
    scene = Scene(place / "p").make(*FIRST)
    grown = replace(FIRST[0], data=FIRST[0].data + b"\n")
    opened = number_of(nursery, scene, "source.open", grown.name)
    more = f"sh -c 'echo >> {scene.source_folder / grown.name}'"
    code, said = disturbed(nursery, scene, opened, more)
    assert code == 3, said
    assert "changed while it was read" in said
    finished(nursery, replace(scene, files=(grown, *FIRST[1:])))


def test_a_file_that_is_rewritten_before_it_is_read(place: Path, nursery: Nursery) -> None:
    """The same number of bytes, and yet another file: it is loaded once, as it is in the end."""
    scene = Scene(place / "p").make(*FIRST)
    other = source_file("orders", 7)
    assert len(other.data) > len(FIRST[0].data)
    padded = replace(FIRST[0], data=FIRST[0].data + b"\n" * (len(other.data) - len(FIRST[0].data)))
    path = scene.source_folder / padded.name
    path.write_bytes(padded.data)
    (place / "other").write_bytes(other.data)
    opened = number_of(nursery, scene, "source.open", padded.name)
    code, said = disturbed(nursery, scene, opened, f"cp {place / 'other'} {path}")
    assert code == 3, said
    assert "changed" in said
    finished(nursery, replace(scene, files=(replace(other, name=padded.name), *FIRST[1:])))


def test_a_landed_file_that_vanishes_between_verdict_and_move(place: Path, nursery: Nursery) -> None:
    scene = Scene(place / "p").make(*FIRST)
    adopted = number_of(nursery, scene, "store.adopt", "people_")
    land = scene.folder / "data" / "land"
    code, said = disturbed(nursery, scene, adopted, f"sh -c 'rm {land}/shop/people/*/people_*'")
    assert code == 3, said
    assert "people_" in said
    finished(nursery, scene)


def test_a_landed_file_that_changes_between_verdict_and_move(place: Path, nursery: Nursery) -> None:
    scene = Scene(place / "p").make(*FIRST)
    changed = replace(FIRST[2], data=FIRST[2].data + b"\n")
    (place / "changed").write_bytes(changed.data)
    adopted = number_of(nursery, scene, "store.adopt", "people_")
    land = scene.folder / "data" / "land"
    swap = f"sh -c 'for f in {land}/shop/people/*/people_*; do mv {place}/changed $f; done'"
    code, said = disturbed(nursery, scene, adopted, swap)
    assert code == 3, said
    assert "not the bytes that were judged" in said
    kept = files_below(scene.folder / "data" / "raw_hist" / "shop" / "people")
    assert not kept, "raw history keeps what was not judged"
    finished(nursery, replace(scene, files=(*FIRST[:2], changed, FIRST[3])))
