"""Random batches, with faults in between: every disposition gives what an oracle says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

import penstock
from crash.crash_mill import ALL, Kind, Mill, random_batch
from penstock.errors import ExitCode
from penstock.testing.faults import Faults, When, fail_full, fail_store, injected

MOST = 6  # rows of a table in a batch


class Broken(Exception):  # noqa: N818 - it is no error of ours
    """A fault that nothing expects."""


def fail_oddly() -> None:
    """Raise what nothing expects. Raises: Broken."""
    raise Broken


def open_files() -> set[str]:
    """The files that this process holds open, where the system tells."""
    fds = Path("/proc/self/fd")
    names = [str(f.readlink()) for f in fds.iterdir() if f.is_symlink()] if fds.is_dir() else []
    return {name for name in names if name.startswith("/") and not name.startswith("/proc")}


def run(mill: Mill, faults: Faults | None = None) -> int:
    """The exit code of a run in this process, after which no file of it is open."""
    before = open_files()
    with injected(faults or Faults()):
        try:
            code = int(penstock.open_session(mill.folder).run([], penstock.ignore).exit_code)
        except (Broken, OSError) as error:
            code = int(ExitCode.BUG)
            assert open_files() <= before, f"after {error!r}"
    assert open_files() <= before
    return code


def faulty_turns(place: Path, kind: Kind, names: Sequence[str], seed: int, turns: int) -> None:
    """Batches come and runs fail anywhere; after a plain run all is as it must be, and a rebuild agrees."""
    rng = random.Random(seed)
    dispositions = {name: ALL[name] for name in names}
    keeps = "cursor" if rng.random() < 0.3 else "state"
    mill = Mill(place / "p", kind, dispositions, rng.random() < 0.5, keeps, half_written=True).make()
    failed = 0
    for _ in range(turns):
        for _ in range(rng.randrange(1, 4)):
            mill.add(random_batch(rng, dispositions, MOST))
            at, act = rng.randrange(1, 30 + 25 * len(names)), rng.choice([fail_full, fail_store, fail_oddly])
            code = run(mill, Faults(at, act, rng.choice([*When])))
            assert code in (0, 3, 4, 70), code
            failed += code != 0
        assert run(mill) == 0
        mill.check()
    assert failed, "no run failed"
    before = mill.tables()
    assert penstock.open_session(mill.folder).rebuild([], None, penstock.ignore).exit_code == 0
    mill.check()
    assert mill.tables() == before, "a rebuild gives other tables"


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_some_sequences(place: Path, kind: Kind, part: int) -> None:
    faulty_turns(place, kind, sorted(ALL)[part::3], part, turns=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_many_sequences(place: Path, kind: Kind, name: str) -> None:
    faulty_turns(place, kind, [name], 1000, turns=5)
