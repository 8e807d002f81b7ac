"""Singer taps in runs that are killed: rows and state go together, and versions take each other's place.

The tap reads numbered batches from where its state says. `log` has each row once, `latest` the newest row of
each id, and `whole` is a full table of the last batches, a version for each number of batches. What must
be true follows from the batches and the state that the warehouse holds.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from crash_nursery import KILLED, Nursery
from crash_points import READS

LAST = 2  # batches that `whole` holds
TAP = """
import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--config")
parser.add_argument("--state")
given = parser.parse_args()
state = json.loads(Path(given.state).read_text()) if given.state else {}
batches = [json.loads(p.read_text()) for p in sorted((Path(__file__).parent / "batches").iterdir())]


def say(kind, **members):
    print(json.dumps({"type": kind, **members}))


PROPERTIES = {"id": {"type": "integer"}, "v": {"type": "string"}}
for stream, keys in (("log", []), ("latest", ["id"]), ("whole", ["id"])):
    say("SCHEMA", stream=stream, schema={"properties": PROPERTIES}, key_properties=keys)
for number in range(state.get("next", 0), len(batches)):
    for row in batches[number]:
        say("RECORD", stream="log", record=row)
        say("RECORD", stream="latest", record=row)
    state["next"] = number + 1
    say("STATE", value=state)
for row in {row["id"]: row for batch in batches[-LAST:] for row in batch}.values():
    say("RECORD", stream="whole", record=row, version=len(batches))
say("ACTIVATE_VERSION", stream="whole", version=len(batches))
state["whole"] = len(batches)
say("STATE", value=state)
"""
PROJECT = """
name: taps
destination: {destination}
pipelines:
  p:
    source: {{type: singer, tap: ./tap.py, discover: false, state: {{every_s: 0}}}}
"""
KINDS = {"duckdb": "duckdb:///w.duckdb", "parquet": "{type: parquet, path: warehouse}"}
TABLES = ("log", "latest", "whole")
Row = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Well:
    """The project in a folder."""

    folder: Path
    kind: str

    def make(self) -> Well:
        """Write it, without a batch."""
        (self.folder / "batches").mkdir(parents=True)
        (self.folder / "tap.py").write_text(TAP.replace("LAST", str(LAST)))
        (self.folder / "penstock.yml").write_text(PROJECT.format(destination=KINDS[self.kind]))
        return self

    def fill(self, rng: random.Random) -> Well:
        """Add a batch: ids that may have been there before, values that never were."""
        number = len(self.batches())
        rows = [{"id": rng.randrange(9), "v": f"{number}-{i}"} for i in range(rng.randrange(1, 6))]
        (self.folder / "batches" / f"{number:04}.json").write_text(json.dumps(rows))
        return self

    def copy(self, name: str) -> Well:
        """The same in another folder."""
        return Well(Path(shutil.copytree(self.folder, self.folder.with_name(name))), self.kind)

    def batches(self) -> list[list[Row]]:
        """The batches so far."""
        files = sorted((self.folder / "batches").iterdir())
        return [[(row["id"], row["v"]) for row in json.loads(file.read_text())] for file in files]

    def held(self, nursery: Nursery) -> tuple[object, dict[str, list[Row]]]:
        """The tap's state, and the tables, sorted."""
        tables = " UNION ALL ".join(f"SELECT '{t}' AS t, id, v FROM {t}" for t in TABLES)
        sql = f"{tables} UNION ALL SELECT 'state', NULL, state FROM _penstock_state"
        ended = nursery.run(self.folder, "show", "--sql", sql, "--json", "-n", "100000")
        assert ended.code == 0, ended.output
        found: list[dict[str, Any]] = json.loads(ended.output)["rows"]
        [kept] = [row["v"] for row in found if row["t"] == "state"]
        rows = {t: sorted((row["id"], row["v"]) for row in found if row["t"] == t) for t in TABLES}
        return json.loads(kept)["singer_state"], rows

    def check(self, nursery: Nursery) -> None:
        """After a run that ended well the warehouse has everything, once."""
        state, rows = self.held(nursery)
        batches = self.batches()
        assert state == {"next": len(batches), "whole": len(batches)}
        assert rows == expected(batches)


def expected(batches: Sequence[Sequence[Row]]) -> dict[str, list[Row]]:
    every = [row for batch in batches for row in batch]
    last = [row for batch in batches[-LAST:] for row in batch]
    return {"log": sorted(every), "latest": sorted(dict(every).items()), "whole": sorted(dict(last).items())}


def ready(place: Path, nursery: Nursery, kind: str) -> Well:
    """A project that has run, with more to come."""
    rng = random.Random(kind)
    well = Well(place / "ready", kind).make().fill(rng).fill(rng)
    assert nursery.run(well.folder, "run").code == 0
    return well.fill(rng).fill(rng)


def points(nursery: Nursery, well: Well) -> list[int]:
    """The calls of a run that change something."""
    log = well.folder.with_name("calls")
    whole = well.copy("whole")
    ended = nursery.run(whole.folder, "run", faults=("--calls", str(log)))
    assert ended.code == 0, ended.output
    whole.check(nursery)
    names = [call.split()[1].partition(".")[2] for call in log.read_text().splitlines()]
    return [n for n, name in enumerate(names, 1) if name not in READS]


def survive(nursery: Nursery, well: Well, numbers: Sequence[int]) -> None:
    assert numbers
    for number in numbers:
        killed = well.copy(f"at-{number}")
        ended = nursery.run(killed.folder, "run", faults=("--kill-at", str(number), "--when", "after"))
        assert ended.code == KILLED, f"call {number}: {ended}"
        ended = nursery.run(killed.folder, "run")
        assert ended.code == 0, f"call {number}: {ended.output}"
        killed.check(nursery)
        shutil.rmtree(killed.folder)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_killed(place: Path, nursery: Nursery, kind: str) -> None:
    well = ready(place, nursery, kind)
    survive(nursery, well, points(nursery, well)[::13])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_killed_at_every_change(place: Path, nursery: Nursery, kind: str) -> None:
    well = ready(place, nursery, kind)
    survive(nursery, well, points(nursery, well))


@pytest.mark.parametrize(("kind", "seed"), [("duckdb", 1), ("parquet", 2)])
def test_kills_at_random_moments(place: Path, nursery: Nursery, kind: str, seed: int) -> None:
    rng = random.Random(seed)
    well = Well(place / "p", kind).make()
    for _ in range(3):
        well.fill(rng)
        for _ in range(2):
            nursery.run(well.folder, "run", kill_after_s=rng.uniform(0.05, 1.0))
        ended = nursery.run(well.folder, "run")
        assert ended.code == 0, ended.output
        well.check(nursery)
    before = well.held(nursery)
    ended = nursery.run(well.folder, "rebuild", "--yes")
    assert ended.code == 0, ended.output
    assert well.held(nursery) == before
