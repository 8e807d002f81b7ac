"""The input files, from `penstock generate`, and what is in them. Made once, then kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import resale

PENSTOCK = str(Path(sys.executable).parent / "penstock")
MADE = str(Path(__file__).with_name("python_rows.py"))
BAD = ("malformed", "type", "null", "enum", "range", "pattern")
BAD_SHARE = 0.01
SUMS = "count(*), sum(id)::BIGINT, sum(quantity)::BIGINT"

ASK = """
import duckdb, json, sys
connection = duckdb.connect()
connection.execute("SET enable_progress_bar = false")
if sys.argv[2]:
    connection.execute(f"ATTACH '{sys.argv[2]}' AS db (READ_ONLY)")
print(json.dumps(connection.execute(sys.argv[1]).fetchall()))
"""
NEST = "SELECT * REPLACE (uuid::VARCHAR AS uuid) FROM read_json('{file}', format='newline_delimited')"
FLATTEN = """SELECT * EXCLUDE (address, tags) REPLACE (uuid::VARCHAR AS uuid), address.street AS street,
    address.city AS city, address.postcode AS postcode FROM read_json('{file}', format='newline_delimited')"""


def ask(sql: str, attach: Path | None = None) -> list[list[object]]:
    """The rows of `sql`, from a process of its own so that this one loads no driver (see measure)."""
    argv = [sys.executable, "-c", ASK, sql, str(attach or "")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr.strip().splitlines()[-1])
    rows: list[list[object]] = json.loads(done.stdout)
    return rows


@dataclass(frozen=True, slots=True)
class Truth:
    """What a set of files holds, to be found again in what a tool loaded.

    `bad` rows are in neither the count nor the sums; `bad_lines` is the sum of their line numbers.
    """

    rows: int
    sum_id: int
    sum_quantity: int
    bad: int = 0
    bad_lines: int = 0


@dataclass(frozen=True, slots=True)
class DataSet:
    """A folder of files of one format and what is in them."""

    folder: Path
    pattern: str
    truth: Truth

    @property
    def files(self) -> list[Path]:
        """The files in name order."""
        return sorted(self.folder.glob(self.pattern))


def _differences(clean: DataSet, folder: Path) -> Iterator[tuple[int, str]]:
    """Number and clean text of the lines that are not the same in `folder`."""
    for file in clean.files:
        with file.open() as good, (folder / file.name).open() as other:
            for number, (line, twin) in enumerate(zip(good, other, strict=True), 1):
                if line != twin:
                    yield number, line


class Data:
    """The sets of files of one size; each is made when it is first asked for."""

    def __init__(self, work: Path, rows: int, files: int) -> None:
        self.root, self.rows, self.files = work / "data" / f"{rows}_{files}", rows, files

    def __getitem__(self, name: str) -> DataSet:
        """The set `name`: clean, joined (as one file), flat or nested (parquet), bad, five (times as much).

        Of `made` and `made_fifth` there are no files: a program makes the rows. `resale` is a file with
        the URL of a database, which runs as long as this process.
        """
        if name == "resale":
            return self._resale()
        folder, note = self.root / name, self.root / f"{name}.json"
        pattern = "*.parquet" if name in ("flat", "nested") else "*.jsonl"
        if not note.exists():
            print(f"making data: {name}", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            make: Callable[[Path], Truth] = getattr(self, f"_{name}")
            truth = make(folder)
            for file in folder.iterdir():  # a minute old, so that no tool takes it for unfinished
                os.utime(file, (time.time() - 60,) * 2)
            note.write_text(json.dumps(asdict(truth)))
        return DataSet(folder, pattern, Truth(**json.loads(note.read_text())))

    def _resale(self) -> DataSet:
        url, truth = resale.started(self.rows)
        folder = self.root / "resale"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resale.url").write_text(url)
        return DataSet(folder, "*.url", Truth(*truth))

    def _generate(self, folder: Path, files: int, *options: str) -> None:
        counts = ("--rows", str(self.rows // self.files), "--files", str(files))
        argv = [PENSTOCK, "generate", *counts, "--out", str(folder), *options]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)

    def _clean(self, folder: Path, files: int | None = None) -> Truth:
        self._generate(folder, files or self.files)
        found = ask(f"SELECT {SUMS} FROM read_json('{folder}/*.jsonl', format='newline_delimited')")
        return Truth(*map(int, map(str, found[0])))

    def _five(self, folder: Path) -> Truth:
        return self._clean(folder, self.files * 5)

    def _joined(self, folder: Path) -> Truth:
        with (folder / "all.jsonl").open("wb") as out:
            for file in self["clean"].files:
                with file.open("rb") as part:
                    shutil.copyfileobj(part, out, 1 << 22)
        return self["clean"].truth

    def _flat(self, folder: Path, select: str = FLATTEN) -> Truth:
        for file in self["clean"].files:
            rows = select.format(file=file)
            ask(f"COPY ({rows}) TO '{folder}/{file.stem}.parquet' (COMPRESSION zstd)")
        return self["clean"].truth

    def _nested(self, folder: Path) -> Truth:
        return self._flat(folder, NEST)

    def _made(self, _: Path, rows: int | None = None) -> Truth:
        argv = [sys.executable, MADE, str(rows or self.rows)]
        return Truth(*json.loads(subprocess.run(argv, check=True, capture_output=True).stdout))

    def _made_fifth(self, folder: Path) -> Truth:
        return self._made(folder, self.rows // 5)

    def _bad(self, folder: Path) -> Truth:
        shares = [word for kind in BAD for word in ("--bad", f"{kind}={BAD_SHARE / len(BAD):.6f}")]
        self._generate(folder, self.files, *shares)
        good, bad = self["clean"].truth, list(_differences(self["clean"], folder))
        rows = [json.loads(text) for _, text in bad]
        sum_id = good.sum_id - sum(row["id"] for row in rows)
        sum_quantity = good.sum_quantity - sum(row["quantity"] for row in rows)
        return Truth(good.rows - len(bad), sum_id, sum_quantity, len(bad), sum(number for number, _ in bad))
