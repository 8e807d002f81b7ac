"""Runs over an HTTP API that are killed anywhere, while the API is busy and its data grow: nothing is lost,
nothing comes twice, and pages that have landed are not asked for again."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from crash_nursery import KILLED, Nursery

import penstock
from penstock.layers import open_landing
from servers.rest_api import Api, Reply, Request

Kind = Literal["duckdb", "parquet"]
DESTINATIONS: Mapping[Kind, Any] = {
    "duckdb": "duckdb:///w.duckdb",
    "parquet": {"type": "parquet", "path": "warehouse"},
}
SIZE = 5
NUMBERED = {"type": "page_number", "total_path": "pages"}
TABLES: dict[str, Any] = {
    "things": {"path": "things", "paginator": NUMBERED, "primary_key": "id", "write": "merge"},
    "parts": {"path": "parts", "params": {"thing": "{resources.things.id}"}, "repeat": 2},
    "notes": {"path": "notes", "paginator": {"type": "json_link"}, "records": "data"},
    "events": {
        "path": "events",
        "paginator": "page_number",
        "params": {"since": "{incremental.start_value}"},
        "primary_key": "id",
        "incremental": {"cursor_path": "at", "initial_value": 0},
    },
    "now": {"path": "now", "write": "replace"},
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    server = Api()
    yield server
    server.close()


@dataclass
class World:
    """What the API has. Some requests meet a busy server, now and then."""

    api: Api
    rng: random.Random
    things: int = 23
    notes: int = 17
    events: list[int] = field(default_factory=lambda: [n // 3 for n in range(31)])
    busy: float = 0.1

    def __post_init__(self) -> None:
        for path in ("things", "parts", "notes", "events", "now"):
            self.api.answers[f"/{path}"] = self._answer

    def _answer(self, request: Request) -> Any:
        if self.rng.random() < self.busy:
            trouble = [Reply("", 500), Reply("", 429, {"Retry-After": "0"}), Reply([{"id": 1}], cut=3)]
            return self.rng.choice(trouble)
        return getattr(self, "_" + request.path[1:])(request)

    def _things(self, request: Request) -> Any:
        first = SIZE * (int(request.params["page"]) - 1)
        rows = [{"id": n, "v": 1.5} for n in range(first, min(first + SIZE, self.things))]
        return {"data": rows, "pages": -(-self.things // SIZE)}

    def _parts(self, request: Request) -> Any:
        return [{"of": int(request.params["thing"]), "n": n} for n in range(2)]

    def _notes(self, request: Request) -> Any:
        first = int(request.params.get("from", 0))
        rows = [{"id": n} for n in range(first, min(first + SIZE, self.notes))]
        return {"data": rows, "next": f"?from={first + SIZE}" if first + SIZE < self.notes else None}

    def _events(self, request: Request) -> Any:
        since, page = int(request.params["since"]), int(request.params["page"])
        rows = [{"id": n, "at": at} for n, at in enumerate(self.events) if at >= since]
        return rows[SIZE * (page - 1) : SIZE * page]

    def _now(self, request: Request) -> Any:
        return [{"id": n} for n in range(4)]


@dataclass
class Project:
    """A project over that API."""

    folder: Path
    world: World
    nursery: Nursery

    def make(self, kind: Kind, checkpoint_s: float, tables: Mapping[str, Any] = TABLES) -> Project:
        source = {
            "type": "rest_api",
            "base_url": self.world.api.url,
            "tables": tables,
            "checkpoint_s": checkpoint_s,
            "retry": {"attempts": 30, "wait_s": 0.001},
            "concurrency": 3,
        }
        self.folder.mkdir()
        project = {"name": "p", "destination": DESTINATIONS[kind], "pipelines": {"p": {"source": source}}}
        (self.folder / "penstock.yml").write_text(json.dumps(project))
        return self

    def run(self, *faults: str, kill_after_s: float | None = None) -> bool:
        """Run once; whether the run was killed."""
        ended = self.nursery.run(self.folder, "run", faults=faults, kill_after_s=kill_after_s)
        assert ended.code in (0, KILLED), ended.output
        return ended.code == KILLED

    def sql(self, text: str) -> list[Any]:
        table = penstock.open_session(self.folder).show(None, sql=text)
        return [tuple(row.values()) for row in table.to_pylist()]

    def landed(self, table: str) -> Counter[str]:
        """The lines of a table that have landed for good."""
        land = self.folder / "data/land"
        names = [p.relative_to(land).as_posix() for p in land.rglob("*.json")] if land.is_dir() else []
        unfinished = {at for name in names if (at := open_landing(name, "p")) is not None}
        found: dict[str, list[str]] = {}
        for layer in ("land", "raw_hist"):
            for path in (self.folder / "data" / layer / "p" / table).rglob("*.jsonl.gz"):
                at = int(path.parent.name.partition("=")[2])
                if layer == "raw_hist" or at not in unfinished:
                    found[path.name] = gzip.decompress(path.read_bytes()).decode().splitlines()
        return Counter(line for lines in found.values() for line in lines)

    def check(self) -> None:
        """Everything that must be true when a run has ended well.

        `notes` and `parts` are appended by each pass: a kill after the end of one lets another begin.
        """
        world = self.world
        assert self.sql("SELECT id FROM things ORDER BY id") == [(n,) for n in range(world.things)]
        notes = self.sql("SELECT id, count(*) FROM notes GROUP BY id ORDER BY id")
        assert [n for n, _ in notes] == [*range(world.notes)]
        passes = notes[0][1]
        assert all(count == passes for n, count in notes[:17]), notes
        assert self.sql("SELECT id FROM events ORDER BY id") == [(n,) for n in range(len(world.events))]
        assert self.sql("SELECT id FROM now ORDER BY id") == [(n,) for n in range(4)]
        parts = self.sql('SELECT "of", n, count(*) FROM parts GROUP BY ALL ORDER BY ALL')
        assert [(of, n) for of, n, _ in parts] == [(of, n) for of in range(world.things) for n in range(2)]
        assert all(count == 2 * passes for of, _, count in parts if of < 23), parts
        [(state,)] = self.sql("SELECT state FROM _penstock_state")
        said = json.loads(state)
        assert "pass" not in said
        assert said["cursors"]["events"]["last_value"] == max(world.events)
        left = [p for p in (self.folder / "data/land").rglob("*") if p.is_file()]
        assert not [p for p in left if ".tmp" not in p.parts]  # what a kill left half-written is swept later


def killed_at_random(
    place: Path, api: Api, nursery: Nursery, kind: Kind, seed: int, turns: int, kills: int
) -> None:
    """Kill runs at calls and at moments; then one that ends, and more data. Data stay as they are within a
    pass, so that each pass gives what the API has."""
    rng = random.Random(seed)
    world = World(api, rng)
    project = Project(place / "p", world, nursery).make(kind, rng.choice([0, 0, 0.02]))
    killed = 0
    for _ in range(turns):
        for _ in range(kills):
            if rng.random() < 0.7:
                number, when = str(rng.randrange(1, 150)), rng.choice(["before", "after"])
                was_killed = project.run("--kill-at", number, "--when", when)
            else:
                was_killed = project.run(kill_after_s=rng.uniform(0.05, 0.6))
            killed += was_killed
            if not was_killed:
                break
        else:
            assert not project.run()
        project.check()
        world.things, world.notes = world.things + rng.randrange(4), world.notes + rng.randrange(4)
        last = max(world.events)
        world.events += sorted(last + rng.randrange(3) for _ in range(rng.randrange(7)))
    assert killed >= turns


@pytest.mark.parametrize(("kind", "seed"), [("duckdb", 1), ("parquet", 2)])
def test_random_kills(place: Path, api: Api, nursery: Nursery, kind: Kind, seed: int) -> None:
    killed_at_random(place, api, nursery, kind, seed, turns=2, kills=4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
@pytest.mark.parametrize("seed", range(10, 16))
def test_many_random_kills(place: Path, api: Api, nursery: Nursery, kind: Kind, seed: int) -> None:
    killed_at_random(place, api, nursery, kind, seed, turns=4, kills=6)


def lines_of(world: World, page: int) -> list[str]:
    """The rows of a page of `things`, as they land."""
    request = Request("GET", "/things", {"page": str(page)}, {}, b"")
    return [json.dumps(row) for row in world._things(request)["data"]]


def test_pages_that_have_landed_are_not_asked_for_again(place: Path, api: Api, nursery: Nursery) -> None:
    """A run is killed at call after call; what has landed by then is not in the next run's requests."""
    world = World(api, random.Random(3), things=48, busy=0)
    tables = {"things": {"path": "things", "paginator": NUMBERED}}
    whole = Project(place / "whole", world, nursery).make("duckdb", 0, tables)
    log = place / "calls"
    assert not whole.run("--calls", str(log))
    calls = log.read_text().splitlines()
    shutil.rmtree(whole.folder)
    partly = 0
    for number in range(3, len(calls), 11):
        project = Project(place / f"at-{number}", world, nursery).make("duckdb", 0, tables)
        assert project.run("--kill-at", str(number), "--when", ["before", "after"][number % 2])
        landed = project.landed("things")
        assert set(landed.values()) <= {1}
        there = [page for page in range(1, 11) if all(line in landed for line in lines_of(world, page))]
        if len(there) == 10:
            break  # from here on the pass is over, and another one may begin
        api.asked.clear()
        assert not project.run()
        asked = [int(r.params["page"]) for r in api.asked]
        assert sorted([*asked, *there]) == [*range(1, 11)], f"killed at {calls[number - 1]}"
        assert project.sql("SELECT count(*), count(DISTINCT id) FROM things") == [(48, 48)]
        partly += len(there) > 0
        shutil.rmtree(project.folder)
    assert partly >= 5
