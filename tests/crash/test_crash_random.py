"""Runs killed at random moments, several in a row, while new files keep coming."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from crash_nursery import KILLED, Nursery
from crash_scene import Kind, Mode, Scene, source_file

NAMES = ("orders", "people")
ENDINGS = ("jsonl", "jsonl.gz")
TRIES = 20  # a run may end before its time is over


def rounds(place: Path, nursery: Nursery, kind: Kind, mode: Mode, seed: int, kills: int) -> None:
    """Add files, kill runs, run once more and look; until so many runs have been killed."""
    chance = random.Random(seed)
    scene = Scene(place / "p", kind, mode).make(source_file("orders", 0), source_file("people", 1))
    whole = nursery.run(scene.copy(place / "whole").folder, "run").seconds
    number, killed, tries = 2, 0, 0
    while killed < kills:
        for _ in range(chance.randint(1, 3)):
            delay_s = chance.uniform(0, whole)
            killed += nursery.run(scene.folder, "run", kill_after_s=delay_s).code == KILLED
            tries += 1
            if chance.random() < 0.5:
                file = source_file(chance.choice(NAMES), number, extension=chance.choice(ENDINGS))
                scene, number = scene.add(file), number + 1
        again = nursery.run(scene.folder, "run")
        assert again.code == 0, again.output
        replace(scene, half_written=True).check()
        scene, number = scene.add(source_file(chance.choice(NAMES), number)), number + 1
        assert tries < TRIES * kills, "the runs end before they can be killed"


@pytest.mark.parametrize(("kind", "mode", "seed"), [("duckdb", "append", 1), ("parquet", "merge", 2)])
def test_some_kills(place: Path, nursery: Nursery, kind: Kind, mode: Mode, seed: int) -> None:
    rounds(place, nursery, kind, mode, seed, kills=10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 103))
@pytest.mark.parametrize("mode", ["append", "merge"])
@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_two_hundred_kills(place: Path, nursery: Nursery, kind: Kind, mode: Mode, seed: int) -> None:
    rounds(place, nursery, kind, mode, seed, kills=18)
