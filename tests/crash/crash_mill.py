"""A project whose data Python makes, batch by batch, and what must be true of it after any run.

The truth does not come from the warehouse: the batches lie in a folder, and the slips in raw history
say how many of them had been read when each landing was made. An oracle takes them from there.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from penstock.app.files import load_project
from penstock.app.parts import open_destination
from penstock.ledger import FILES_TABLE, LOAD_ID, LOADS_TABLE, STATE_TABLE
from penstock.schema.disposition import Disposition, Order, Scd2, WriteMode
from penstock.testing.oracle import DISPOSITIONS, KINDS, Oracle, Row, Write, random_row, text_of

PIPELINE = "mill"
Kind = Literal["duckdb", "parquet"]
Keeps = Literal["state", "cursor"]
DESTINATIONS: Mapping[Kind, Any] = {
    "duckdb": "duckdb:///warehouse/w.duckdb",
    "parquet": {"type": "parquet", "path": "warehouse"},
}
SCD2 = Scd2()
ADDED = (
    LOAD_ID,
    SCD2.version_column,
    "_penstock_id",
    "_penstock_root_id",
    "_penstock_parent_id",
    "_penstock_empty",
)
UPSERT = Disposition(WriteMode.MERGE, ("id",))

FEED = '''
"""Numbered batches from a folder, each of them once: rows, and every other one as Arrow tables."""

import json
from pathlib import Path

import pyarrow as pa

import penstock as ps


def batches(folder, first):
    for path in sorted((Path(__file__).parent / folder).iterdir()):
        number = int(path.stem)
        if number >= first:
            yield number, json.loads(path.read_text())


def told(number, batch, checkpoints):
    for table, rows in batch.items():
        if number % 2 and rows:
            columns = list(dict.fromkeys(name for row in rows for name in row))
            filled = {name: [row.get(name) for row in rows] for name in columns}
            yield ps.mark.with_table_name(pa.table(filled), table)
        else:
            for row in rows:
                yield ps.mark.with_table_name(row, table)
    if checkpoints:
        yield ps.mark.checkpoint()


def by_state(folder, checkpoints=False):
    @ps.resource
    def rows():
        state = ps.current.resource_state()
        for number, batch in batches(folder, state.get("next", 0)):
            state["next"] = number + 1
            yield from told(number, batch, checkpoints)

    return rows


def by_cursor(folder, checkpoints=False):
    @ps.resource
    def rows(batch=ps.incremental("batch", initial_value=-1, row_order="asc", range_start="open")):
        for number, found in batches(folder, batch.start_value + 1):
            yield from told(number, found, checkpoints)

    return rows
'''


@dataclass(frozen=True)
class Mill:
    """A project in `folder` whose tables are loaded by these dispositions.

    `checkpoints` says that each batch may land alone, `keeps` what the source remembers its place by.
    A table whose name begins with `flat` is spread over child tables. `half_written` allows files in
    private folders, where a process that was killed within a port call leaves them for a later sweep.
    """

    folder: Path
    kind: Kind
    dispositions: Mapping[str, Disposition]
    checkpoints: bool = False
    keeps: Keeps = "state"
    half_written: bool = False

    @property
    def batches(self) -> Path:
        """Where the batches lie."""
        return self.folder / "batches"

    # ----------------------------------------------------------------------------- making it

    def make(self) -> Mill:
        """Write the project, and no batch yet."""
        self.batches.mkdir(parents=True)
        (self.folder / "feed.py").write_text(FEED)
        source = {
            "type": "python",
            "ref": f"feed.py:by_{self.keeps}",
            "with": {"folder": "batches", "checkpoints": self.checkpoints},
            "land_as": "jsonl",
        }
        tables = {name: _said(name, by) for name, by in self.dispositions.items()}
        pipelines = {PIPELINE: {"source": source, "tables": tables}}
        project = {"name": PIPELINE, "destination": DESTINATIONS[self.kind], "pipelines": pipelines}
        (self.folder / "penstock.yml").write_text(json.dumps(project))
        return self

    def add(self, batch: Mapping[str, Sequence[Row]]) -> None:
        """One more batch: the rows of each table."""
        number = len(list(self.batches.iterdir()))
        numbered = {name: [row | {"batch": number} for row in rows] for name, rows in batch.items()}
        path = self.batches / f"{number:06}.json"
        path.with_suffix(".new").write_text(json.dumps(numbered))
        path.with_suffix(".new").rename(path)

    def copy(self, folder: Path) -> Mill:
        """The same project as it is now, in another folder."""
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder)

    # ------------------------------------------------------------------------------- the truth

    @cached_property
    def _loaded(self) -> Any:
        return load_project(self.folder)

    def landings(self) -> list[tuple[int, int, int]]:
        """Each landing that counts: when it landed, and the first batch of it and of the next.

        Those before a refresh do not count any more.
        """
        found: dict[int, int] = {}
        anew = 0
        for path in files_below(self.folder / "data" / "raw_hist" / "_penstock"):
            slip = json.loads(path.read_text())
            if slip["state"]:
                assert slip["landed_at"] not in found, "a landing has its state once"
                found[slip["landed_at"]] = self._next(slip["state"])
                anew = max(anew, slip["landed_at"] if slip["refresh"] else 0)
        first, landings = 0, []
        for landed_at, end in sorted((at, end) for at, end in found.items() if at >= anew):
            assert end > first, f"landings overlap: {sorted(found.items())}"
            landings.append((landed_at, first, end))
            first = end
        return landings

    def _next(self, state: str) -> int:
        """The batch that follows by a state of the source."""
        resource = json.loads(state)["resources"]["rows"]
        if self.keeps == "state":
            return int(resource["next"])
        [value] = [v for v in _values_of(resource, "last_value") if v is not None]
        return int(value) + 1

    def rows(self, table: str, first: int, end: int) -> list[Row]:
        """The rows of a table in some batches."""
        found = []
        for number in range(first, end):
            found += json.loads((self.batches / f"{number:06}.json").read_text()).get(table, [])
        return found

    def expected(self, table: str) -> list[Row]:
        """The rows that a table must have, as an oracle finds them landing by landing."""
        oracle = Oracle(self.dispositions[table])
        for landed_at, first, end in self.landings():
            rows = self.rows(table, first, end)
            if rows:  # a landing without rows of the table says nothing of it
                oracle.load([Write(KINDS, rows)], datetime.fromtimestamp(landed_at, UTC))
        return oracle.rows

    # ---------------------------------------------------------------------------- looking at it

    def query(self, sql: str) -> list[Row]:
        """Rows of the warehouse."""
        return self._read([sql])[0]

    def _read(self, questions: Sequence[str]) -> list[list[Row]]:
        destination = open_destination(self._loaded, PIPELINE)
        try:
            assert destination.holder(PIPELINE) is None
            return [destination.query(sql).to_pylist() for sql in questions]
        finally:
            destination.close()

    def tables(self) -> dict[str, list[str]]:
        """Every row of every table as text, without what loads add to it."""
        there = {row["table_name"] for row in self.query(f"SELECT DISTINCT table_name FROM {FILES_TABLE}")}
        names = sorted(there & self.dispositions.keys())
        found = self._read([f"SELECT * FROM {name}" for name in names])
        texts = {name: sorted(_plain(row) for row in rows) for name, rows in zip(names, found, strict=True)}
        for name in names:
            if name.startswith("flat"):
                texts |= self._children(name)
        return texts

    def _children(self, name: str) -> dict[str, list[str]]:
        """The rows of the child tables of a flat table, with the id of the row that they belong to."""
        known = {row["table_name"] for row in self.query("SELECT DISTINCT table_name FROM _penstock_schema")}
        found = {}
        for child in ("lines", "tags"):
            texts: list[str] = []
            if f"{name}__{child}" in known:
                rows = self.query(
                    f"SELECT p.id AS parent, p.n AS parent_n, c.* FROM {name}__{child} c "
                    f"LEFT JOIN {name} p ON c._penstock_root_id = p._penstock_id"
                )
                texts = sorted(_plain(row) for row in rows)
            found[f"{name}__{child}"] = texts
        return found

    def check(self) -> None:
        """Everything that must be true when a run has ended well."""
        landings, total = self.landings(), len(list(self.batches.iterdir()))
        late = range(landings[-1][2] if landings else 0, total)
        assert not any(self.rows(t, n, n + 1) for n in late for t in self.dispositions), (
            f"not every batch has landed: {landings}"
        )
        names = (STATE_TABLE, FILES_TABLE, LOADS_TABLE)
        state, files, loads = self._read([f"SELECT * FROM {name}" for name in names])
        told = [self._next(row["state"]) for row in state]
        assert told == [total] * bool(state or landings), f"state: {told}, batches: {total}"
        self._check_tables()
        self._check_ledger(files, loads)
        self._check_layers(files)

    def _check_tables(self) -> None:
        found = self.tables()
        for name in self.dispositions:
            wanted = _spread(name, self.expected(name))
            for table, rows in wanted.items():
                have, want = Counter(found.get(table, [])), Counter(rows)
                assert have == want, (
                    f"{table}: missing {sorted((want - have).elements())}, "
                    f"too many {sorted((have - want).elements())} of landings {self.landings()}"
                )

    def _check_ledger(self, files: list[Row], loads: list[Row]) -> None:
        assert {row["outcome"] for row in files} <= {"loaded", "retired"}
        total = len(list(self.batches.iterdir()))
        for name in self.dispositions:
            own = [row for row in files if row["table_name"] == name and row["outcome"] == "loaded"]
            given = len(self.rows(name, 0, total))
            assert sum(row["rows"] for row in own) == sum(row["loaded"] for row in own) == given, name
        for load in loads:
            own = [row for row in files if row["load_id"] == load["load_id"]]
            if any(row["outcome"] == "retired" for row in own):
                continue  # of which a refresh took the rows away
            if own or not load["files"]:
                sums = len(own), sum(row["rows"] for row in own), sum(row["loaded"] for row in own)
                assert (load["files"], load["rows"], load["loaded"]) == sums, load

    def _check_layers(self, files: list[Row]) -> None:
        data = self.folder / "data"
        kept = [p.relative_to(data / "raw_hist").as_posix() for p in self._whole(data / "raw_hist")]
        keys = sorted(row["key"] for row in files)
        slips = sorted(key for key in kept if key.startswith("_penstock/"))
        assert sorted(key for key in kept if not key.startswith("_penstock/")) == keys
        assert len(slips) == len(keys), "one slip for each file"
        for layer in ("land", "quarantine"):
            left = list(self._whole(data / layer))
            assert not left, f"left in {layer}: {left}"
        staged = files_below(self.folder / "warehouse" / "_penstock" / "staging")
        assert not staged, f"staged in the warehouse: {staged}"

    def _whole(self, folder: Path) -> Iterator[Path]:
        """The files of a layer, without those that a killed process was writing."""
        for path in files_below(folder):
            if not (self.half_written and ".tmp" in path.parts):
                yield path


# ------------------------------------------------------------------------------------ its words


def files_below(folder: Path) -> list[Path]:
    """Every file in a folder and its folders."""
    return sorted(p for p in folder.rglob("*") if p.is_file())


def _said(name: str, by: Disposition) -> dict[str, Any]:
    """What a project file says of a table that is loaded in this way."""
    kinds = {"id": "int64", "group": "int64", "at": "int64", "gone": "bool", "batch": "int64"}
    write = {
        "mode": by.mode,
        "primary_key": by.primary_key,
        "merge_key": by.merge_key,
        "dedup_sort": by.dedup_sort,
        "dedup_order": by.dedup_order if by.dedup_order is not Order.DESC else None,
        "hard_delete": by.hard_delete,
        "overwrite": by.overwrite,
        "destination_scope": by.destination_scope,
        "skip_unchanged_rows": by.skip_unchanged_rows,
        "strategy": by.strategy if by.mode is WriteMode.MERGE else None,
    }
    said: dict[str, Any] = {"write": {k: v for k, v in write.items() if v}}
    if name.startswith("flat"):
        return said | {"nesting": "flatten", "columns": {"id": "int64", "n": "int64"}}
    return said | {"columns": kinds}


def _values_of(value: Any, key: str) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            else:
                yield from _values_of(inner, key)


def _plain(row: Mapping[str, Any]) -> str:
    return text_of({k: v for k, v in row.items() if k not in ADDED})


def _spread(name: str, rows: Sequence[Row]) -> dict[str, list[str]]:
    """Rows as they are stored: those of a flat table with its child tables."""
    if not name.startswith("flat"):
        return {name: sorted(map(_plain, rows))}
    roots, lines, tags = [], [], []
    for row in rows:
        to = {f"to__{k}": v for k, v in (row["to"] or {}).items()}
        roots.append({k: v for k, v in row.items() if k not in ("to", "lines", "tags")} | to)
        parent = {"parent": row["id"], "parent_n": row["n"]}
        for index, line in enumerate(row["lines"]):
            lines.append(parent | line | {"_penstock_list_index": index})
        for index, tag in enumerate(row["tags"]):
            tags.append(parent | {"value": tag, "_penstock_list_index": index})
    return {
        name: sorted(map(_plain, roots)),
        f"{name}__lines": sorted(map(_plain, lines)),
        f"{name}__tags": sorted(map(_plain, tags)),
    }


def random_batch(
    rng: random.Random, dispositions: Mapping[str, Disposition], most: int = 8
) -> dict[str, list[Row]]:
    """Rows for some of the tables, now and then with a value of another kind or in a new column."""
    batch: dict[str, list[Row]] = {}
    for name, by in dispositions.items():
        if name.startswith("flat"):
            batch[name] = [_nested(rng) for _ in range(rng.randrange(most))]
            continue
        kinds = dict(KINDS)
        rows = [random_row(rng, kinds, by.overwrite) for _ in range(rng.randrange(most))]
        if rng.random() < 0.2:
            rows = [row | {"v": rng.choice(["a", "'", "0"])} for row in rows]
        if rng.random() < 0.2:
            rows = [row | {f"new{rng.randrange(3)}": rng.randrange(2)} for row in rows]
        batch[name] = rows
    return batch


def _nested(rng: random.Random) -> Row:
    return {
        "id": rng.randrange(5),
        "n": rng.randrange(1_000_000),
        "to": rng.choice([None, {"city": "Lund"}, {"city": "Pune", "zip": rng.randrange(9)}]),
        "lines": [{"sku": rng.choice("xyz"), "qty": rng.randrange(3)} for _ in range(rng.randrange(3))],
        "tags": [rng.choice(["a", "b"]) for _ in range(rng.randrange(3))],
    }


FLAT: Mapping[str, Disposition] = {"flat_append": Disposition(), "flat_upsert": UPSERT}
ALL: Mapping[str, Disposition] = {
    **{words.replace(" ", "_").replace("-", "_"): by for words, by in DISPOSITIONS.items()},
    **FLAT,
}
"""Every disposition by a name that a table can have."""

GROUPS: Mapping[str, Mapping[str, Disposition]] = {
    "flowing": {name: ALL[name] for name in ("append", "upsert_newest_with_deletes", "flat_upsert")},
    "whole": {name: ALL[name] for name in ("replace", "delete_insert_by_merge_key", "scd2")},
}
"""Tables whose landings may be made one by one, and tables that take each for the whole of something."""
