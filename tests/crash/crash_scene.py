"""A small project whose truth is known: what its sources hold, and what must be true after any run."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
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
Mode = Literal["append", "merge", "replace"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the source: name and bytes, rows that are good, and two that are not.

    `lost` breaks a rule and is good without it; `torn` cannot be read.
    """

    name: str
    data: bytes
    good: tuple[Row, ...]
    lost: Row
    torn: bytes

    @property
    def table(self) -> str:
        """The table that the file goes to."""
        return self.name.partition("_")[0]

    @property
    def number(self) -> int:
        """Its place among all source files."""
        return int(self.name.partition("_")[2].partition(".")[0])

    @property
    def sha256(self) -> str:
        """The SHA-256 (hex) of its bytes."""
        return hashlib.sha256(self.data).hexdigest()


def source_file(table: str, number: int, rows: int = 6, extension: str = "jsonl") -> SourceFile:
    """The file `<table>_<number>`: unique rows, whose ids come again in other files.

    In a merge the newer row of an id is not always in the newer file.
    """
    numbers = [number * 1000 + i for i in range(rows)]
    made: list[Row] = [
        {"n": n, "id": (number * 2 + n) % 9, "at": n * 7919 % 100_003, "status": "paid", "note": f"ß{n}"}
        for n in numbers
    ]
    made[2]["status"] = "lost"
    lines = [line_of(row) for row in made]
    lines[4] = lines[4][:-5]
    data = b"".join(line + b"\n" for line in lines)
    if extension.endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    good = tuple(row for i, row in enumerate(made) if i not in (2, 4))
    return SourceFile(f"{table}_{number}.{extension}", data, good, made[2], lines[4])


def line_of(row: Row) -> bytes:
    """A row as it stands in a file, without the line's end."""
    return json.dumps(row, ensure_ascii=False).encode()


FIRST = (
    source_file("orders", 0),
    source_file("orders", 1, extension="jsonl.gz"),
    source_file("people", 2),
    source_file("orders", 3),
)
LATER = (source_file("people", 4, extension="jsonl.gz"), source_file("orders", 5))

DAMAGED = (
    SourceFile("orders_7.jsonl.gz", source_file("orders", 7, extension="jsonl.gz").data[:-9], (), {}, b""),
    SourceFile("people_8.jsonl", b"", (), {}, b""),
)
"""Files that are refused whole: a torn one and an empty one."""

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
      path: {source_folder}
      incremental: {incremental}
      tables: {{orders: "orders_*", people: "people_*"}}
"""
_DESTINATIONS = {
    "duckdb": "duckdb:///{warehouse}/w.duckdb",
    "parquet": "{{type: parquet, path: {warehouse}}}",
}


@dataclass(frozen=True, slots=True)
class Warehouse:
    """What the warehouse holds: rows by table, and the ledger's files and loads."""

    tables: dict[str, list[Row]]
    files: list[Row]
    loads: list[Row]


@dataclass(frozen=True)
class Scene:
    """A project in `folder`. `layers` and `warehouse_at` say where those lie: a folder of it, or a URL.

    A `lenient` one accepts the rows that are `lost` otherwise. `latest` are the files of the landing
    that has replaced all before it. `half_written` allows such files in private folders, where a
    process that was killed within a port call leaves them for a later sweep.
    """

    folder: Path
    kind: Kind = "duckdb"
    mode: Mode = "append"
    layers: str = "data"
    warehouse_at: str = "warehouse"
    policy: str = "all"
    incremental: str = "identity"
    source: str = "filesystem"
    files: tuple[SourceFile, ...] = ()
    latest: tuple[SourceFile, ...] = ()
    lenient: bool = False
    half_written: bool = False
    origin: Path | None = None

    @property
    def source_folder(self) -> Path:
        """Where the source files lie."""
        return self.origin or self.folder / "source"

    # ----------------------------------------------------------------------------- making it

    def make(self, *files: SourceFile) -> Scene:
        """Write the project and source files; returns the scene with them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.source_folder.mkdir(exist_ok=True)
        self.write_project()
        return self.add(*files)

    def write_project(self) -> None:
        """Write the project file as the scene says."""
        key = "primary_key: [id]\n        dedup_sort: at" if self.mode == "merge" else ""
        reads = _READS.format(source_folder=self.source_folder, incremental=self.incremental)
        text = _PROJECT.format(
            pipeline=PIPELINE,
            layers=self.layers,
            destination=_DESTINATIONS[self.kind].format(warehouse=self.warehouse_at),
            policy=self.policy,
            source=self.source,
            reads=reads if self.source == "filesystem" else "",
            allowed="[paid, lost]" if self.lenient else "[paid]",
            mode=self.mode,
            key=key,
        )
        (self.folder / "penstock.yml").write_text(text)

    def add(self, *files: SourceFile) -> Scene:
        """Put more files at the source, each whole at once and newer than those before it."""
        for file in files:
            path = self.source_folder / file.name
            path.write_bytes(file.data)
            written_at = OLD + 10 * file.number
            os.utime(path, (written_at, written_at))
        return replace(self, files=(*self.files, *files))

    def drop(self, *files: SourceFile) -> Scene:
        """Put files straight into the landing area, as others do."""
        for file in files:
            path = self.folder / self.layers / "land" / landing_key(file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
        return replace(self, files=(*self.files, *files))

    def copy(self, folder: Path) -> Scene:
        """The same scene as it is now, in another folder; at URLs it begins with nothing.

        Both read one source folder, because a file is known by where it lies.
        """
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("source"))
        layers, warehouse_at = (
            f"{place}-{folder.name}" if "://" in place else place
            for place in (self.layers, self.warehouse_at)
        )
        scene = replace(
            self, folder=folder, layers=layers, warehouse_at=warehouse_at, origin=self.source_folder
        )
        scene.write_project()
        return scene

    # ---------------------------------------------------------------------------- looking at it

    @property
    def _loaded(self) -> LoadedProject:
        return _load(self.folder, (self.folder / "penstock.yml").stat().st_mtime_ns)

    def store(self, layer: str) -> Store:
        """The store of a layer."""
        return self.place(f"{self.layers}/{layer}")

    def place(self, where: str) -> Store:
        """The store at a folder or URL, as the project means it."""
        return open_store(self._loaded, where)

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
        if self.kind == "duckdb":
            # as any other tool would read it; one connection, because opening it takes longest
            with duckdb.connect(self.folder / "warehouse" / "w.duckdb", read_only=True) as con:
                con.execute("SET TimeZone = 'UTC'")
                return self._read(lambda sql: con.sql(sql).to_arrow_table().to_pylist())
        with self.destination() as destination:
            return self._read(lambda sql: destination.query(sql).to_pylist())

    def _read(self, query: Callable[[str], list[Row]]) -> Warehouse:
        ledger = query(f"SELECT * FROM {FILES_TABLE} ORDER BY key, outcome")
        there = {row["table_name"] for row in ledger}
        tables = {
            name: query(f"SELECT * FROM {name} ORDER BY n") if name in there else []
            for name in dict.fromkeys(file.table for file in self.whole)
        }
        return Warehouse(tables, ledger, query(f"SELECT * FROM {LOADS_TABLE}"))

    # ------------------------------------------------------------------------------- the truth

    @property
    def whole(self) -> tuple[SourceFile, ...]:
        """The files that are not refused whole."""
        return tuple(file for file in self.files if file not in DAMAGED)

    def accepted(self, file: SourceFile) -> tuple[Row, ...]:
        """The rows of a file that belong in the warehouse."""
        return (*file.good, file.lost) if self.lenient else file.good

    def refused(self, file: SourceFile) -> tuple[bytes, ...]:
        """The rows of a file that belong in the quarantine, as they came."""
        return (file.torn,) if self.lenient else (line_of(file.lost), file.torn)

    def expected(self, table: str) -> list[Row]:
        """The rows that the table must have, by `n`."""
        files = self.latest or self.files
        rows = [row for file in files if file.table == table for row in self.accepted(file)]
        if self.mode == "merge":
            rows = list({row["id"]: row for row in sorted(rows, key=lambda r: r["at"])}.values())
        return sorted(rows, key=lambda r: r["n"])

    def check(self) -> None:
        """Everything that must be true when a run has ended well."""
        warehouse = self.warehouse()
        self._check_tables(warehouse)
        self._check_ledger(warehouse)
        loaded = [row for row in warehouse.files if row["outcome"] == "loaded"]
        self._check_layers(loaded)
        self._check_quarantine(loaded)
        self._check_leftovers()

    def _check_tables(self, warehouse: Warehouse) -> None:
        known = {row["load_id"] for row in warehouse.loads}
        for table, rows in warehouse.tables.items():
            bare = [{k: v for k, v in row.items() if k != LOAD_ID} for row in rows]
            assert bare == self.expected(table), f"{table}: {differences(bare, self.expected(table))}"
            assert {row[LOAD_ID] for row in rows} <= known, "rows of a load that the ledger does not know"
            if self.kind == "parquet":
                store = self.place(self.warehouse_at)
                lying = [row for stat in store.list(f"{table}/") for row in rows_in(store, stat.key)]
                assert not (odd := differences(lying, rows)), (
                    f"{table}: what lies there is not what counts: {odd}"
                )

    def _check_ledger(self, warehouse: Warehouse) -> None:
        first = [row for row in warehouse.files if row["outcome"] != "replayed"]
        found = Counter((name_of(row), row["sha256"], row["outcome"] == "refused") for row in first)
        known = Counter((file.name, file.sha256, file in DAMAGED) for file in self.files)
        assert found == known, f"one row for each file, not {found}"
        for file in self.whole:
            rows = [row for row in warehouse.files if name_of(row) == file.name]
            rows.sort(key=lambda row: row["load_id"])
            assert rows[0]["outcome"] == "loaded", file.name
            assert rows[0]["size_bytes"] == len(file.data), file.name
            assert rows[0]["rows"] == len(file.good) + 2, file.name
            assert sum(row["loaded"] for row in rows) == len(self.accepted(file)), file.name
            assert rows[-1]["quarantined"] == len(self.refused(file)), file.name
        for load in warehouse.loads:
            own = [row for row in warehouse.files if row["load_id"] == load["load_id"]]
            if not own:
                continue  # a rebuild has taken its files over
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
        assert kept == Counter(file.sha256 for file in self.whole), (
            "raw history has other bytes than the source"
        )

    def _check_quarantine(self, loaded: list[Row]) -> None:
        aside = self.quarantined()
        assert sorted(aside) == sorted(row["key"] for row in loaded), "one quarantine file for each file"
        for row in loaded:
            bad = next(self.refused(file) for file in self.files if file.name == name_of(row))
            assert Counter(aside[row["key"]]) == Counter(bad), f"{row['key']}: {aside[row['key']]}"
        quarantine = self.store("quarantine")
        whole = Counter(quarantine.digest(stat.key) for stat in quarantine.list("_files/"))
        assert whole == Counter(file.sha256 for file in self.files if file in DAMAGED), "files refused whole"
        slips = sorted(stat.key for stat in quarantine.list("_penstock/"))
        assert slips == [slip_key(key) for key in sorted(stat.key for stat in quarantine.list("_files/"))]

    def quarantined(self) -> dict[str, list[bytes]]:
        """The raw text of all quarantined rows, by the key of their file."""
        quarantine = self.store("quarantine")
        found = {}
        for stat in quarantine.list():
            if stat.key.startswith(("_files/", "_penstock/_files/")):
                continue
            assert stat.key.endswith(".parquet"), f"left in quarantine: {stat.key}"
            assert not stat.key.startswith("_"), f"left in quarantine: {stat.key}"
            rows = rows_in(quarantine, stat.key)
            found[stat.key.removesuffix(".parquet")] = [row["raw"] for row in rows]
        return found

    def _check_leftovers(self) -> None:
        layers = [self.folder / self.layers / layer for layer in ("land", "raw_hist", "quarantine")]
        warehouse = self.folder / self.warehouse_at
        half = [path for place in [*layers, warehouse] for path in files_below(place / SCRATCH)]
        assert self.half_written or not half, f"half-written files: {half}"
        known = {"duckdb": (".duckdb", ".duckdb.lock"), "parquet": (".parquet", ".json", "lock")}[self.kind]
        staged = files_below(warehouse / "_penstock" / "staging")
        spilled = [path for path in files_below(warehouse) if "penstock-spill-" in str(path)]
        odd = [path for path in files_below(warehouse) if not path.name.endswith(known) and path not in half]
        assert not staged, f"staged in the warehouse: {staged}"
        assert self.half_written or not spilled, f"spilled in the warehouse: {spilled}"
        ahead = [path for path in odd if self.half_written and path.name.endswith(".duckdb.wal")]
        assert not set(odd) - {*spilled, *ahead}, f"in the warehouse: {odd}"
        with self.destination() as destination:
            assert destination.holder(PIPELINE) is None


@lru_cache
def _load(folder: Path, changed_ns: int) -> LoadedProject:  # the second argument: a changed file is read anew
    return load_project(folder)


def name_of(row: Row) -> str:
    """The name of the source file that a ledger row is about."""
    return Path(row["origin"] or row["key"]).name


def landing_key(file: SourceFile) -> str:
    """Where others put a file in the landing area."""
    return f"{PIPELINE}/{file.table}/file_land_timestamp={OLD}/{file.name}"


def files_below(folder: Path) -> list[Path]:
    """Every file in a folder and its folders."""
    return sorted(p for p in folder.rglob("*") if p.is_file())


def rows_in(store: Store, key: str) -> list[Row]:
    """The rows of a parquet file, as any other tool reads it."""
    with store.open(key) as file:
        return pq.ParquetFile(file).read().to_pylist()


def differences(found: list[Row], expected: list[Row]) -> str:
    """Which rows are missing, and which are too many; nothing if the rows are the same."""
    text = partial(json.dumps, ensure_ascii=False, sort_keys=True, default=str)
    have, want = Counter(map(text, found)), Counter(map(text, expected))
    if have == want:
        return ""
    return f"missing {sorted((want - have).elements())}, too many {sorted((have - want).elements())}"
