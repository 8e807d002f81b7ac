"""`python -m benchmarks.singer`: what it costs to take in what a Singer tap says, in rows per CPU second.

`recorded` is a run over messages that were written down before: landed, checked, kept and loaded, merged by
their key. `tap` is a live tap of the Singer SDK that reads a table of a SQLite file, into a file; `live` is
what a run with that tap takes beyond it, its discovery included. The rows have the columns of the resale
prices of flats.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.rest import cpu_s
from penstock.project.singer import SingerSpec
from penstock.singer.state import TapState
from penstock.sources.singer.tap import prepare

ROWS, ROUNDS = 1_000_000, 3
LIVE_ROWS, LIVE_ROUNDS = 500_000, 1
STATE_EVERY = 10_000
WORK = Path(__file__).resolve().parent / ".work" / "singer"
ROW = """
TOWNS = ["ANG MO KIO", "BEDOK", "BISHAN", "BUKIT BATOK"]


def row(i):
    return {
        "id": i,
        "month": f"2017-{i % 12 + 1:02}",
        "town": TOWNS[i % 4],
        "flat_type": f"{i % 5 + 1} ROOM",
        "block": str(i * 31 % 999),
        "street_name": "ANG MO KIO AVE 10",
        "storey_range": "10 TO 12",
        "floor_area_sqm": 44.0 + i % 90,
        "flat_model": "Improved",
        "lease_commence_date": 1967 + i % 50,
        "resale_price": 232000.5 + i * 7919 % 700000,
        "updated_at": f"2024-01-{i % 28 + 1:02}T00:00:07.{i % 10**6:06}+00:00",
    }


NUMBER = {"type": ["null", "number"]}
TEXT = {"type": ["null", "string"]}
COLUMNS = {
    "id": {"type": "integer"},
    **dict.fromkeys(["month", "town", "flat_type", "block", "street_name", "storey_range"], TEXT),
    "flat_model": TEXT,
    "lease_commence_date": {"type": ["null", "integer"]},
    "floor_area_sqm": NUMBER,
    "resale_price": NUMBER,
    "updated_at": {**TEXT, "format": "date-time"},
}
"""
TAP = """
from singer_sdk.sql import SQLConnector, SQLStream, SQLTap


class Connector(SQLConnector):
    def get_sqlalchemy_url(self, config):
        return f"sqlite:///{config['path']}"


class Resale(SQLStream):
    connector_class = Connector


class TapResale(SQLTap):
    name = "tap-resale"
    default_stream_class = Resale
    config_jsonschema = {"type": "object", "properties": {"path": {"type": "string"}}}
"""
PACKAGE = """
[project]
name = "tap-resale"
version = "0.1.0"
dependencies = ["singer-sdk[sql]~=0.54"]

[project.scripts]
tap-resale = "tap_resale:TapResale.cli"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
include = ["tap_resale.py"]
"""
PROJECT = """
name: bench
destination: duckdb:///w.duckdb
pipelines: {{bench: {{source: {source}}}}}
"""
RECORDED = "{type: singer, tap: ./replay, discover: false}"
LIVE = "{type: singer, tap: tap-resale, pip_url: ./tap-resale, config: {path: flats.sqlite}}"
TABLE = """CREATE TABLE resale (id INTEGER PRIMARY KEY, month TEXT, town TEXT, flat_type TEXT, block TEXT,
    street_name TEXT, storey_range TEXT, floor_area_sqm DECIMAL(9, 2), flat_model TEXT,
    lease_commence_date INTEGER, resale_price DECIMAL(12, 2), updated_at TIMESTAMP)"""
PENSTOCK = str(Path(sys.executable).parent / "penstock")


def record(file: Path) -> None:
    """Write the messages of a tap down."""
    words: dict[str, Any] = {}
    exec(ROW, words)  # the text above
    row = words["row"]
    schema = {"type": "object", "properties": words["COLUMNS"]}
    stream = {"stream": "public-resale"}
    with file.with_suffix(".new").open("w") as out:
        said = {"type": "SCHEMA", **stream, "schema": schema, "key_properties": ["id"]}
        out.write(json.dumps(said) + "\n")
        for i in range(ROWS):
            at = f"2026-01-04T00:00:00.{i % 10**6:06}+00:00"
            said = {"type": "RECORD", **stream, "record": row(i), "time_extracted": at}
            out.write(json.dumps(said, separators=(",", ":")) + "\n")
            if i % STATE_EVERY == STATE_EVERY - 1:
                out.write(json.dumps({"type": "STATE", "value": {"bookmarks": {"id": i}}}) + "\n")
    file.with_suffix(".new").rename(file)


def run_s(folder: Path, rows: int, table: str = "public-resale") -> float:
    """The CPU seconds of a run, which must load all rows, into an empty warehouse."""
    subprocess.run(["rm", "-rf", "w.duckdb", "data"], cwd=folder, check=True)
    found = cpu_s([PENSTOCK, "run"], folder)
    asked = [PENSTOCK, "show", "--json", "--sql", f'SELECT count(*) AS n FROM "{table}"']
    told = subprocess.run(asked, cwd=folder, check=True, capture_output=True, text=True).stdout
    if f'"n": {rows}' not in told:
        raise SystemExit(f"not {rows} rows: {told}")
    return found


def recorded_s() -> float:
    """The CPU seconds of a run over recorded messages."""
    file = WORK / f"{ROWS}.jsonl"
    WORK.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        record(file)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "penstock.yml").write_text(PROJECT.format(source=RECORDED))
        (folder / "replay").write_text(f"#!/bin/sh\nexec cat '{file}'\n")
        (folder / "replay").chmod(0o755)
        return median(run_s(folder, ROWS) for _ in range(ROUNDS))


def project() -> Path:
    """A project with the live tap, installed, and what it reads."""
    folder = WORK / "live"
    (folder / "tap-resale").mkdir(parents=True, exist_ok=True)
    (folder / "tap-resale" / "tap_resale.py").write_text(TAP)
    (folder / "tap-resale" / "pyproject.toml").write_text(PACKAGE)
    (folder / "penstock.yml").write_text(PROJECT.format(source=LIVE))
    (folder / "flats.sqlite").unlink(missing_ok=True)
    words: dict[str, Any] = {}
    exec(ROW, words)  # the text above
    with contextlib.closing(sqlite3.connect(folder / "flats.sqlite")) as flats:
        flats.execute(TABLE)
        rows = (tuple(words["row"](i).values()) for i in range(LIVE_ROWS))
        flats.executemany(f"INSERT INTO resale VALUES ({', '.join('?' * 12)})", rows)
        flats.commit()
    run_s(folder, LIVE_ROWS, "main-resale")
    return folder


def tap_s(folder: Path) -> float:
    """The CPU seconds of the tap alone; what it says goes to a file."""
    spec = SingerSpec(tap="tap-resale", pip_url="./tap-resale", config={"path": "flats.sqlite"})
    with tempfile.TemporaryDirectory() as private:
        argv = prepare(spec, folder).command(Path(private), TapState())
        return median(cpu_s(argv, folder) for _ in range(LIVE_ROUNDS))


def main(what: str) -> None:
    """Measure, and print rows per CPU second."""
    if what == "recorded":
        used_s, rows, told = recorded_s(), ROWS, ""
    else:
        folder, rows = project(), LIVE_ROWS
        alone = used_s = tap_s(folder)
        told = f"the tap alone: {alone:.2f} CPU s"
        if what == "live":
            whole = median(run_s(folder, LIVE_ROWS, "main-resale") for _ in range(LIVE_ROUNDS))
            used_s = whole - alone
            told = f"run {whole:.2f} CPU s, {told}: {used_s / alone:.0%} added"
    print(f"{rows / used_s:,.0f} rows per CPU second")
    print(told or f"run {used_s:.2f} CPU s")


if __name__ == "__main__":
    os.environ["NO_COLOR"] = "1"
    main(sys.argv[1])
