"""Python that is killed while it makes rows, or while they land or load: nothing lost, nothing twice."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from crash_mill import ALL, GROUPS, Kind, Mill, files_below, random_batch
from crash_nursery import KILLED, Nursery
from crash_points import READS, SHOWN
from test_crash_disk import LARGE, PAGE, Mount, fill, remount
from test_crash_disk import small_disk as small_disk

SHARDS = 2
PATIENCE_S = 60.0
MOST, MANY = 6, 4000  # rows of a table in a batch


def mill_of(place: Path, kind: Kind, group: str, batches: int = 2) -> Mill:
    """A project with some batches that nobody has read."""
    mill = Mill(place / "ready", kind, GROUPS[group], group == "flowing").make()
    return fed(mill, f"{kind} {group}", batches)


def fed(mill: Mill, seed: str, batches: int) -> Mill:
    """The project with more batches."""
    rng = random.Random(seed)
    for _ in range(batches):
        mill.add(random_batch(rng, mill.dispositions, MOST))
    return mill


def ran(nursery: Nursery, mill: Mill, *command: str) -> Mill:
    """The project after a command that ended well."""
    ended = nursery.run(mill.folder, *(command or ("run",)))
    assert ended.code == 0, ended.output
    return mill


def calls_of(nursery: Nursery, mill: Mill, *command: str) -> list[str]:
    """The calls that a command makes in a copy of a project."""
    whole, log = mill.copy(mill.folder.with_name("whole")), mill.folder.with_name("calls")
    ended = nursery.run(whole.folder, *command, faults=("--calls", str(log)))
    assert ended.code == 0, ended.output
    whole.check()
    return log.read_text().splitlines()


def changes(calls: Sequence[str]) -> list[int]:
    """The numbers of calls that change something, and of what the producer gives."""
    names = [call.split()[1].partition(".")[2] for call in calls]
    return [n for n, name in enumerate(names, 1) if name not in READS]


def sample(calls: Sequence[str]) -> list[int]:
    """One call of each kind: the second of its kind, where something is done and something is not."""
    kinds: dict[str, list[int]] = {}
    for n in changes(calls):
        words = calls[n - 1].split()
        kind = (
            words[1]
            if words[1].startswith(("source", "transaction", "destination"))
            else " ".join(words[1:3])
        )
        kinds.setdefault(kind, []).append(n)
    return sorted(found[min(1, len(found) - 1)] for found in kinds.values())


def survive(
    nursery: Nursery,
    ready: Mill,
    command: Sequence[str],
    numbers: Sequence[int],
    calls: Sequence[str],
    recovered: Callable[[Mill], None] = Mill.check,
) -> None:
    """Kill a command after each of some calls in copies of a project; a plain run puts it right."""
    assert numbers, "there are no points"
    failures = []
    for number in numbers:
        mill = ready.copy(ready.folder.with_name(f"at-{number}"))
        mill = replace(mill, half_written=calls[number - 1].split()[0].endswith("+"))
        killed = nursery.run(mill.folder, *command, faults=("--kill-at", str(number), "--when", "after"))
        assert killed.code == KILLED, f"it was not killed: {killed}"
        try:
            recovered(ran(nursery, mill))
        except AssertionError as error:
            failures.append(f"after {calls[number - 1]}: {str(error)[:SHOWN]}")
        shutil.rmtree(mill.folder)
    assert not failures, f"{len(failures)} of {len(numbers)} points:\n" + "\n".join(failures)


# ------------------------------------------------------------------------------- killed runs


def test_a_first_run_is_killed(place: Path, nursery: Nursery) -> None:
    ready = mill_of(place, "duckdb", "flowing")
    calls = calls_of(nursery, ready, "run")
    survive(nursery, ready, ["run"], sample(calls)[::2], calls)


def test_a_second_run_is_killed(place: Path, nursery: Nursery) -> None:
    ready = fed(ran(nursery, mill_of(place, "parquet", "whole")), "more", 2)
    calls = calls_of(nursery, ready, "run")
    survive(nursery, ready, ["run"], sample(calls)[1::2], calls)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
class TestEveryChange:
    """Every call that changes something, and everything that the producer gives."""

    @pytest.mark.parametrize(("kind", "group"), [("parquet", "flowing"), ("duckdb", "whole")])
    def test_first_run(self, place: Path, nursery: Nursery, kind: Kind, group: str, shard: int) -> None:
        ready = mill_of(place, kind, group)
        calls = calls_of(nursery, ready, "run")
        survive(nursery, ready, ["run"], changes(calls)[shard::SHARDS], calls)

    @pytest.mark.parametrize(("kind", "group"), [("duckdb", "flowing"), ("parquet", "whole")])
    def test_second_run(self, place: Path, nursery: Nursery, kind: Kind, group: str, shard: int) -> None:
        ready = fed(ran(nursery, mill_of(place, kind, group)), "more", 2)
        calls = calls_of(nursery, ready, "run")
        survive(nursery, ready, ["run"], changes(calls)[shard::SHARDS], calls)


# ------------------------------------------------------------------------------ random sequences


def killed_at_random(
    place: Path, nursery: Nursery, kind: Kind, names: Sequence[str], seed: int, turns: int
) -> None:
    """Batches come, runs are killed anywhere, and now and then one ends: then all is as it must be."""
    rng = random.Random(seed)
    flowing = rng.random() < 0.5
    dispositions = {name: ALL[name] for name in names}
    mill = Mill(place / "p", kind, dispositions, flowing, "cursor" if rng.random() < 0.3 else "state").make()
    mill = replace(mill, half_written=True)
    for _ in range(turns):
        for _ in range(rng.randrange(3)):
            mill.add(random_batch(rng, dispositions, MOST))
        for _ in range(rng.randrange(1, 3)):
            number = str(rng.randrange(1, 40 + 25 * len(names)))
            when = rng.choice(["before", "after"])
            ended = nursery.run(mill.folder, "run", faults=("--kill-at", number, "--when", when))
            assert ended.code in (0, KILLED), ended.output
            if rng.random() < 0.3:
                mill.add(random_batch(rng, dispositions, MOST))
        ran(nursery, mill).check()
    before = mill.tables()
    ran(nursery, mill, "rebuild", "--yes").check()
    assert mill.tables() == before, "a rebuild gives other tables"
    ran(nursery, mill).check()


@pytest.mark.parametrize(("kind", "seed"), [("duckdb", 1), ("parquet", 2)])
def test_random_batches_and_kills(place: Path, nursery: Nursery, kind: Kind, seed: int) -> None:
    names = random.Random(seed).sample(sorted(ALL), 4)
    killed_at_random(place, nursery, kind, names, seed, turns=3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
@pytest.mark.parametrize("part", range(6))
def test_every_disposition_under_kills(place: Path, nursery: Nursery, kind: Kind, part: int) -> None:
    killed_at_random(place, nursery, kind, sorted(ALL)[part::6], 100 + part, turns=3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_all_dispositions_in_one_project(place: Path, nursery: Nursery, kind: Kind) -> None:
    killed_at_random(place, nursery, kind, sorted(ALL), 7, turns=2)


# ------------------------------------------------------------------ rebuilds, and others at work


def test_a_rebuild_is_killed(place: Path, nursery: Nursery) -> None:
    """Also between the landings, each of which is a load of its own."""
    mill = fed(ran(nursery, mill_of(place, "duckdb", "whole")), "more", 1)
    ready = fed(ran(nursery, mill), "most", 1)
    ran(nursery, ready).check()
    before = ready.tables()
    calls = calls_of(nursery, ready, "rebuild", "--yes")

    def recovered(mill: Mill) -> None:
        mill.check()
        assert mill.tables() == before

    begins = [
        n
        for n, call in enumerate(calls, 1)
        if call.split()[1] in ("transaction.commit", "transaction.forget")
    ]
    survive(nursery, ready, ["rebuild", "--yes"], begins, calls, recovered)


@pytest.mark.slow
def test_every_disposition_is_rebuilt_as_it_was(place: Path, nursery: Nursery) -> None:
    """From the landings of several runs, all at once and one table alone."""
    mill = Mill(place / "p", "parquet", ALL).make()
    for turn in range(3):
        ran(nursery, fed(mill, f"turn {turn}", 2)).check()
    before = mill.tables()
    ran(nursery, mill, "rebuild", "--yes").check()
    assert mill.tables() == before
    for command in (["rebuild", "--yes", "-t", "flat_upsert", "-t", "scd2"], ["run"]):
        assert ran(nursery, mill, *command).tables() == before


def test_two_producers_at_once(place: Path) -> None:
    """The second says who is at work, and makes nothing."""
    mill = mill_of(place, "duckdb", "flowing")
    holds, go_on = place / "holds", place / "go-on"
    pause = f"sh -c 'touch {holds}; until [ -e {go_on} ]; do sleep 0.05; done'"
    first = start(mill, "--ports", "source", "--when", "after", "--do-at", "2", pause)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not holds.exists():
            assert time.monotonic() < deadline
            assert first.poll() is None, first.communicate()
            time.sleep(0.02)
        before = files_below(mill.folder / "data")
        second = start(mill)
        said, _ = second.communicate(timeout=PATIENCE_S)
        assert second.returncode == 3, said
        assert f"process {first.pid}" in said
        assert files_below(mill.folder / "data") == before
    finally:
        go_on.touch()
    said, _ = first.communicate(timeout=PATIENCE_S)
    assert first.returncode == 0, said
    mill.check()


def start(mill: Mill, *faults: str) -> subprocess.Popen[str]:
    """A run in a process of its own."""
    command = [sys.executable, "-m", "penstock.testing.faults", *faults, "--", "run"]
    return subprocess.Popen(
        command, cwd=mill.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("batches", [0, 1])
def test_the_disk_is_full_while_files_are_made(
    place: Path, nursery: Nursery, small_disk: Mount, batches: int
) -> None:
    """Many rows gather in the temporary folder before they land, and Arrow tables in any case."""
    disk = place / "tmp"
    small_disk(disk)
    fill(disk, PAGE)
    mill = mill_of(place, "duckdb", "flowing", batches)
    mill.add(random_batch(random.Random(1), mill.dispositions, MANY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(disk))
        ended = nursery.run(mill.folder, "run")
        assert ended.code == 3, ended
        assert "no space left" in ended.output.lower(), ended.output
        assert "hint" in ended.output, ended.output
        (disk / "_filler").unlink()
        ran(nursery, mill).check()


def test_the_landing_area_is_full(place: Path, nursery: Nursery, small_disk: Mount) -> None:
    """What had landed of a landing that is not whole goes away again."""
    full = []
    for pages in (0, 1, 2, 4, 6, 8):
        mill = mill_of(place / str(pages), "parquet", "whole", 3)
        disk = mill.folder / "data" / "land"
        small_disk(disk)
        fill(disk, pages * PAGE)
        ended = nursery.run(mill.folder, "run")
        assert ended.code in (0, 3), ended
        full.append(ended.code == 3)
        (disk / "_filler").unlink(missing_ok=True)
        remount(disk, f"size={LARGE}")
        replace(ran(nursery, mill), half_written=True).check()
    assert full[0]
    assert sum(full) > 2, full


# ----------------------------------------------------------------------------------- refreshes


def survive_refresh(
    place: Path,
    nursery: Nursery,
    kind: Kind,
    group: str,
    mode: str,
    points: Callable[[Sequence[str]], list[int]],
) -> None:
    """Either everything was read anew, or all is as it was; and a rebuild brings nothing back."""
    mill = fed(ran(nursery, mill_of(place, kind, group)), "more", 1)
    ready = fed(ran(nursery, mill), "most", 1)
    command = ["run", "--refresh", mode]
    calls = calls_of(nursery, ready, *command)

    def recovered(mill: Mill) -> None:
        mill.check()
        before = mill.tables()
        assert ran(nursery, mill, "rebuild", "--yes").tables() == before

    survive(nursery, ready, command, points(calls), calls, recovered)


def around_loads(calls: Sequence[str]) -> list[int]:
    """The calls that decide, and the first files on their way."""
    deciding = ("restart", "forget", "commit")
    found = [n for n, call in enumerate(calls, 1) if call.split()[1].partition(".")[2] in deciding]
    kept = [n for n, call in enumerate(calls, 1) if "store.adopt" in call or "store.create" in call]
    return sorted({*found, *kept[::9]})


def test_a_refresh_is_killed(place: Path, nursery: Nursery) -> None:
    survive_refresh(place, nursery, "parquet", "flowing", "drop_data", around_loads)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["drop_data", "drop_resources", "drop_sources"])
@pytest.mark.parametrize(("kind", "group"), [("duckdb", "flowing"), ("parquet", "whole")])
def test_every_refresh_is_killed(place: Path, nursery: Nursery, kind: Kind, group: str, mode: str) -> None:
    survive_refresh(place, nursery, kind, group, mode, around_loads)
