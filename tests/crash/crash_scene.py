"""A small project whose truth is known: what its sources hold, and what must be true after any run."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow.parquet as pq

from penstock.app.files import load_project
from penstock.app.parts import open_destination, open_store
from penstock.layers import slip_key
from penstock.ledger import FILES_TABLE, LOAD_ID, LOADS_TABLE
from penstock.ports import Destination, Store
from penstock.project.loaded import LoadedProject

PIPELINE = "shop"
SCRATCH = "_penstock/.tmp"
OLD = 1_700_000_000  # when the first source file was written, in Unix seconds

Row = dict[str, Any]
Kind = Literal["duckdb", "parquet"]
Mode = Literal["append", "merge"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the source: its name and bytes, its good rows, and its bad rows as they came."""

    name: str
    data: bytes
    good: tuple[Row, ...]
    bad: tuple[bytes, ...]

    @property
    def table(self) -> str:
        """The table that the file goes to."""
        return self.name.partition("_")[0]

    @property
    def sha256(self) -> str:
        """The SHA-256 (hex) of its bytes."""
        return hashlib.sha256(self.data).hexdigest()


def source_file(table: str, number: int, rows: int = 6, extension: str = "jsonl") -> SourceFile:
    """The file `<table>_<number>`: unique rows whose ids come again in other files, and two bad ones.

    In a merge the newer row of an id is not always in the newer file.
    """
    good: list[Row] = []
    bad: list[bytes] = []
    lines: list[bytes] = []
    for i in range(rows):
        n = number * 1000 + i
        row = {
            "n": n,
            "id": (number * 2 + i) % 9,
            "at": n * 7919 % 100_003,
            "status": "paid",
            "note": f"ß{n}",
        }
        if i == 2:
            row["status"] = "lost"
        line = json.dumps(row, ensure_ascii=False).encode()
        if i == 4:
            line = line[:-5]
        (bad if i in (2, 4) else lines).append(line)
        if i in (2, 4):
            lines.append(line)
        else:
            good.append(row)
    data = b"".join(line + b"\n" for line in lines)
    if extension.endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    return SourceFile(f"{table}_{number}.{extension}", data, tuple(good), tuple(bad))


FIRST = (
    source_file("orders", 0),
    source_file("orders", 1, extension="jsonl.gz"),
    source_file("people", 2),
    source_file("orders", 3),
)
LATER = (source_file("people", 4, extension="jsonl.gz"), source_file("orders", 5))

_PROJECT = """
name: {pipeline}
layers: {{land: {layers}/land, raw_hist: {layers}/raw_hist, quarantine: {layers}/quarantine}}
destination: {destination}
pipelines:
  {pipeline}:
    policy: {policy}
    source:
      type: {source}
      min_age_s: 0
{reads}
    tables:
      orders: &table
        columns:
          n: int64
          id: {{type: int64, nullable: false}}
          at: int64
          status: {{type: text, enum: {allowed}}}
        write: {mode}
        {key}
      people: *table
"""
_READS = """
      path: source
      incremental: {incremental}
      tables: {{orders: "orders_*", people: "people_*"}}
"""
_DESTINATIONS = {"duckdb": "duckdb:///warehouse/w.duckdb", "parquet": "{type: parquet, path: warehouse}"}


@dataclass(frozen=True, slots=True)
class Warehouse:
    """What the warehouse holds: rows by table, and the ledger's files and loads."""

    tables: dict[str, list[Row]]
    files: list[Row]
    loads: list[Row]


@dataclass(frozen=True)
class Scene:
    """A project in `folder`. `layers` is where its layers lie: a folder of its own, or a URL."""

    folder: Path
    kind: Kind = "duckdb"
    mode: Mode = "append"
    layers: str = "data"
    policy: str = "all"
    incremental: str = "identity"
    source: str = "filesystem"
    files: tuple[SourceFile, ...] = ()
    allowed: str = "[paid]"

    # ----------------------------------------------------------------------------- making it

    def make(self, *files: SourceFile) -> Scene:
        """Write the project and source files; returns the scene with them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "source").mkdir(exist_ok=True)
        self.write_project()
        return self.add(*files)

    def write_project(self) -> None:
        """Write the project file as the scene says."""
        key = "primary_key: [id]\n        dedup_sort: at" if self.mode == "merge" else ""
        text = _PROJECT.format(
            pipeline=PIPELINE,
            layers=self.layers,
            destination=_DESTINATIONS[self.kind],
            policy=self.policy,
            source=self.source,
            reads=_READS.format(incremental=self.incremental) if self.source == "filesystem" else "",
            allowed=self.allowed,
            mode=self.mode,
            key=key,
        )
        (self.folder / "penstock.yml").write_text(text)

    def add(self, *files: SourceFile) -> Scene:
        """Put more files at the source, each whole at once and newer than those before it."""
        for file in files:
            path = self.folder / "source" / file.name
            path.write_bytes(file.data)
            age = OLD + 10 * int(file.name.partition("_")[2].partition(".")[0])
            os.utime(path, (age, age))
        return replace(self, files=(*self.files, *files))

    def copy(self, folder: Path, layers: str = "data") -> Scene:
        """The same scene as it is now, elsewhere; layers at a URL are not copied."""
        shutil.copytree(self.folder, folder)
        scene = replace(self, folder=folder, layers=layers)
        scene.write_project()
        return scene

    # ---------------------------------------------------------------------------- looking at it

    @property
    def _loaded(self) -> LoadedProject:
        return _load(self.folder, (self.folder / "penstock.yml").stat().st_mtime_ns)

    def store(self, layer: str) -> Store:
        """The store of a layer."""
        return open_store(self._loaded, f"{self.layers}/{layer}")

    @contextmanager
    def destination(self) -> Iterator[Destination]:
        """The destination, for questions."""
        destination = open_destination(self._loaded, PIPELINE)
        try:
            yield destination
        finally:
            destination.close()

    def query(self, sql: str) -> list[Row]:
        """Rows of the warehouse."""
        with self.destination() as destination:
            return destination.query(sql).to_pylist()

    def warehouse(self) -> Warehouse:
        """Everything that the warehouse holds, read at once."""
        names = [*dict.fromkeys(file.table for file in self.files), FILES_TABLE, LOADS_TABLE]
        texts = [f"SELECT * FROM {name}" for name in names]
        if self.kind == "duckdb":
            # as any other tool would read it; one connection, because opening it takes longest
            with duckdb.connect(self.folder / "warehouse" / "w.duckdb", read_only=True) as con:
                con.execute("SET TimeZone = 'UTC'")
                found = [con.sql(text).to_arrow_table().to_pylist() for text in texts]
        else:
            with self.destination() as destination:
                found = [destination.query(text).to_pylist() for text in texts]
        *tables, ledger, loads = found
        rows = {name: sorted(t, key=lambda r: r["n"]) for name, t in zip(names, tables, strict=False)}
        return Warehouse(rows, sorted(ledger, key=lambda r: (r["key"], r["outcome"])), loads)

    # ------------------------------------------------------------------------------- the truth

    def expected(self, table: str) -> list[Row]:
        """The rows that the table must have, by `n`."""
        rows = [row for file in self.files if file.table == table for row in file.good]
        if self.mode == "merge":
            rows = list({row["id"]: row for row in sorted(rows, key=lambda r: r["at"])}.values())
        return sorted(rows, key=lambda r: r["n"])

    def check(self, *, scratch: bool = False) -> None:
        """Everything that must be true when a run has ended well.

        `scratch` allows half-written files in the private folders of local stores, where a killed
        process leaves them for a later sweep.
        """
        warehouse = self.warehouse()
        self._check_tables(warehouse)
        self._check_ledger(warehouse)
        loaded = [row for row in warehouse.files if row["outcome"] == "loaded"]
        self._check_layers(loaded)
        self._check_quarantine(loaded)
        if not scratch:
            self._check_no_scratch()

    def _check_tables(self, warehouse: Warehouse) -> None:
        known = {row["load_id"] for row in warehouse.loads}
        for table, rows in warehouse.tables.items():
            bare = [{k: v for k, v in row.items() if k != LOAD_ID} for row in rows]
            assert bare == self.expected(table), f"{table}: {differences(bare, self.expected(table))}"
            assert {row[LOAD_ID] for row in rows} <= known, "rows of a load that the ledger does not know"

    def _check_ledger(self, warehouse: Warehouse) -> None:
        rows = [row for row in warehouse.files if row["outcome"] != "replayed"]
        found = Counter((name_of(row), row["sha256"]) for row in rows)
        assert found == Counter((f.name, f.sha256) for f in self.files), f"one row for each file, not {found}"
        by_name = {name_of(row): row for row in rows}
        for file in self.files:
            row = by_name[file.name]
            counts = row["outcome"], row["rows"], row["loaded"], row["dropped"], row["quarantined"]
            good, bad = len(file.good), len(file.bad)
            assert counts == ("loaded", good + bad, good, 0, bad), file.name
            assert row["size_bytes"] == len(file.data)
        for load in warehouse.loads:
            own = [row for row in warehouse.files if row["load_id"] == load["load_id"]]
            counts = tuple(sum(row[c] for row in own) for c in ("rows", "loaded", "dropped", "quarantined"))
            told = load["rows"], load["loaded"], load["dropped"], load["quarantined"]
            assert (load["files"], *told) == (len(own), *counts), load

    def _check_layers(self, loaded: list[Row]) -> None:
        land = [stat.key for stat in self.store("land").list()]
        assert not land, f"left in land: {land}"
        raw_hist = self.store("raw_hist")
        keys = sorted(stat.key for stat in raw_hist.list())
        files = [row["key"] for row in loaded]
        assert keys == sorted([*files, *map(slip_key, files)]), "raw history is not the files and their slips"
        kept = Counter(raw_hist.digest(key) for key in files)
        assert kept == Counter(file.sha256 for file in self.files), (
            "raw history is not byte for byte the source"
        )

    def _check_quarantine(self, loaded: list[Row]) -> None:
        aside = self.quarantined()
        assert sorted(aside) == sorted(row["key"] for row in loaded if row["quarantined"])
        for row in loaded:
            bad = next(file.bad for file in self.files if file.name == name_of(row))
            assert Counter(aside.get(row["key"], ())) == Counter(bad), (
                f"{row['key']}: {aside.get(row['key'])}"
            )

    def quarantined(self) -> dict[str, list[bytes]]:
        """The raw text of all quarantined rows, by the key of their file."""
        quarantine = self.store("quarantine")
        found = {}
        for stat in quarantine.list():
            assert stat.key.endswith(".parquet"), f"left in quarantine: {stat.key}"
            assert not stat.key.startswith("_"), f"left in quarantine: {stat.key}"
            with quarantine.open(stat.key) as stream:
                found[stat.key.removesuffix(".parquet")] = pq.read_table(stream)["raw"].to_pylist()
        return found

    def _check_no_scratch(self) -> None:
        places = [self.folder / self.layers / layer for layer in ("land", "raw_hist", "quarantine")]
        found = [p for place in [*places, self.folder / "warehouse"] for p in files_below(place / SCRATCH)]
        assert not found, f"half-written files: {found}"
        if self.kind == "duckdb":
            names = {p.name for p in files_below(self.folder / "warehouse")}
            assert names <= {"w.duckdb", "w.duckdb.lock"}, f"beside the warehouse: {names}"
        with self.destination() as destination:
            assert destination.holder(PIPELINE) is None


@lru_cache
def _load(folder: Path, changed_ns: int) -> LoadedProject:  # the second argument: a changed file is read anew
    return load_project(folder)


def name_of(row: Row) -> str:
    """The name of the source file that a ledger row is about."""
    return Path(row["origin"]).name


def files_below(folder: Path) -> list[Path]:
    """Every file in a folder and its folders."""
    return sorted(p for p in folder.rglob("*") if p.is_file())


def differences(found: list[Row], expected: list[Row]) -> str:
    """Which rows are missing, and which are too many."""
    text = partial(json.dumps, ensure_ascii=False, sort_keys=True, default=str)
    have, want = Counter(map(text, found)), Counter(map(text, expected))
    return f"missing {sorted((want - have).elements())}, too many {sorted((have - want).elements())}"
