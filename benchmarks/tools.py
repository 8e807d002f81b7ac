"""The command of each job, and whether what it loaded is what the source holds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import resale
from benchmarks.cases import Job
from benchmarks.data import PENSTOCK, SUMS, DataSet, ask
from benchmarks.peers import Installed

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"duckdb", "pyarrow", "obstore", "numpy", "pandas", "polars", "dlt", "dagster", "boto3", "pyspark"}
SLING_SUMS = "count(*), sum((data->>'id')::BIGINT)::BIGINT, sum((data->>'quantity')::BIGINT)::BIGINT"

COLUMNS = {
    "id": "type: int64, nullable: false",
    "uuid": "type: text, pattern: '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'",
    "name": "type: text, nullable: false, maxLength: 40",
    "email": r"type: text, pattern: '[a-z0-9.]+@[a-z0-9]+\.[a-z]+'",
    "created_at": "type: timestamp_tz, nullable: false",
    "updated_at": "type: timestamp_tz",
    "amount": "type: float64, minimum: 0, maximum: 10000",
    "quantity": "type: int64, minimum: 1, maximum: 100",
    "is_active": "type: bool",
    "country": "type: text, enum: [US, DE, FR, GB, ES, IT, NL, SE, PL, BR, IN, CN, JP, CA, AU, MX]",
}
NESTED = {"address": "type: 'struct<street: text, city: text, postcode: text>'", "tags": "type: 'list<text>'"}
FLAT = {"street": "type: text", "city": "type: text", "postcode": "type: text"}
PROJECT = """name: bench
destination: {destination}
pipelines:
  bench:
    source: {{type: filesystem, path: '{folder}', tables: {{events: '{pattern}'}}}}
    tables:
      events:
        columns:
{columns}
        contract: {{data_type: quarantine}}
        gate:
          expectations: [{{name: updated_after_created, constraint: updated_at >= created_at}}]
"""
# Where each tool puts its rows below the job's folder: its DuckDB table, its parquet files.
TABLES = {"dlt": "db.bench.events"}
FILES = {"penstock": "out/events/**/*.parquet", "dlt": "out/bench/events/*.parquet"}


@dataclass(frozen=True, slots=True)
class Command:
    """A job made ready for one folder: what to run, under what, and on which data."""

    job: Job
    argv: tuple[str, ...]
    folder: Path
    env: Mapping[str, str]
    data: DataSet | None = None

    def prepare(self) -> None:
        """An empty folder or, for a second run, one in which the first run is done."""
        done = self.folder / "first-run.txt"
        if self.job.again and done.exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if self.job.tool == "penstock" and self.data and not self.job.script:
            (self.folder / "penstock.yml").write_text(_project(self.job, self.data))
        if self.job.again:
            with (self.folder / "first-run.partial").open("wb") as log:
                subprocess.run(self.argv, cwd=self.folder, env=self.env, stdout=log, stderr=log, check=False)
            (self.folder / "first-run.partial").rename(done)

    def fault(self) -> str:
        """What is wrong with the outcome: rows, sum of ids and sum of quantities must be the source's."""
        if self.job.prints:
            return ""
        if self.data is None:
            return _heavy(self.argv[1:]) if self.job.tool == "penstock" else ""
        truth = self.data.truth
        want = [truth.rows, truth.sum_id, truth.sum_quantity]
        sums = SLING_SUMS if self.job.tool == "sling" and self.data.pattern == "*.jsonl" else SUMS
        if self.data.pattern == "*.url":
            sums = resale.SUMS
        try:
            found = ask(f"SELECT {sums} FROM {self._rows()}", self._attached())[0]
            if found == want and truth.bad:
                aside = f"read_parquet('{self.folder}/data/quarantine/**/*.parquet')"
                want = [truth.bad, truth.bad, truth.bad_lines]
                reasons = "count(*), count(*) FILTER (len(broken) > 0), sum(row)::BIGINT"
                found = ask(f"SELECT {reasons} FROM {aside}")[0]
        except ValueError as error:
            return str(error)
        return "" if found == want else f"found {found} instead of {want}"

    def _attached(self) -> Path | None:
        return self.folder / "w.duckdb" if self.job.target == "duckdb" else None

    def _rows(self) -> str:
        if self.job.target == "duckdb":
            return TABLES.get(self.job.tool, "db.main.events")
        return f"read_parquet('{self.folder}/{FILES.get(self.job.tool, 'out.parquet')}')"

    def printed(self, log: Path) -> float:
        """The rows per CPU second that the job said of itself, in its first line."""
        said = re.search(r"([\d,]+) rows per CPU second", log.read_text())
        assert said is not None
        return float(said[1].replace(",", ""))


def _project(job: Job, data: DataSet) -> str:
    if data.pattern == "*.url":
        return resale.project(data.files[0].read_text())
    columns = COLUMNS | (FLAT if data.pattern == "*.parquet" else NESTED)
    return PROJECT.format(
        destination=f"{{type: {job.target}, path: {'w.duckdb' if job.target == 'duckdb' else 'out'}}}",
        folder=data.folder,
        pattern=data.pattern,
        columns="\n".join(f"          - {{name: {name}, {rest}}}" for name, rest in columns.items()),
    )


def _heavy(argv: tuple[str, ...]) -> str:
    """Which drivers or extras a Python command loads."""
    trace = [sys.executable, "-X", "importtime", *argv]
    done = subprocess.run(trace, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    return f"loads {', '.join(sorted(loaded & HEAVY))}" if loaded & HEAVY else ""


def _duckdb(job: Job, data: DataSet) -> tuple[str, ...]:
    files = [str(file) for file in data.files]
    flat = data.pattern == "*.parquet"
    rows = f"SELECT * FROM {'read_parquet' if flat else 'read_json'}({files}"
    rows += ")" if flat else ", format='newline_delimited')"
    place, sql = "w.duckdb", f"CREATE TABLE events AS {rows}"
    if job.target == "parquet":
        place, sql = ":memory:", f"COPY ({rows}) TO 'out.parquet' (COMPRESSION zstd)"
    return (sys.executable, "-c", f"import duckdb; duckdb.connect({place!r}).execute({sql!r})")


def _script(job: Job, data: DataSet, python: str) -> tuple[str, ...]:
    """A pipeline that somebody wrote in Python, in a file of the tool's name."""
    script = str(Path(__file__).with_name(f"python_{job.tool}.py"))
    given = str(data.truth.rows) if job.script == "rows" else str(data.folder)
    return (python, script, str(job.script), given, *job.flags)


def _dlt(job: Job, data: DataSet, folder: Path, peer: Installed) -> tuple[str, ...]:
    script = str(Path(__file__).with_name("peer_dlt.py"))
    target = str(folder / ("w.duckdb" if job.target == "duckdb" else "out"))
    return (peer.program("python"), script, str(data.folder), data.pattern, target, *job.flags)


def _ingestr(data: DataSet, folder: Path, peer: Installed) -> tuple[str, ...]:
    flat = data.pattern == "*.parquet"
    source = f"parquet://{data.folder}/*.parquet" if flat else f"jsonl://{data.files[0]}"
    table = "events"
    if data.pattern == "*.url":
        source, table = data.files[0].read_text(), f"public.{resale.TABLE}"
    argv = (peer.program("ingestr"), "ingest", "--yes", "--progress", "log")
    origin = ("--source-uri", source, "--source-table", table)
    return (*argv, *origin, "--dest-uri", f"duckdb:///{folder}/w.duckdb", "--dest-table", "main.events")


def _sling(job: Job, data: DataSet, folder: Path, peer: Installed) -> tuple[str, ...]:
    binary = str(peer.site / "sling_linux_amd64" / "bin" / "sling-linux-amd64")
    argv = (binary, "run", "--src-stream", f"file://{data.folder}/{data.pattern}", *job.flags)
    if job.target == "parquet":
        return (*argv, "--tgt-object", f"file://{folder}/out.parquet")
    return (*argv, "--tgt-conn", f"duckdb://{folder}/w.duckdb", "--tgt-object", "main.events")


def command(job: Job, data: DataSet | None, folder: Path, peer: Installed | None) -> Command:
    """What to run for `job` in `folder`."""
    argv: tuple[str, ...]
    if job.prints:
        argv = (sys.executable, "-m", f"benchmarks.{job.name.partition('-')[2]}", *job.flags)
        return Command(job, argv, folder, {**os.environ, "PYTHONPATH": str(ROOT)})
    if data is None:
        start = {"penstock-help": (PENSTOCK, "--help"), "penstock-import": ("-c", "import penstock")}
        return Command(job, (sys.executable, *start.get(job.name, ("-c", "pass"))), folder, os.environ)
    if job.script:
        python = peer.program("python") if peer else sys.executable
        return Command(job, _script(job, data, python), folder, peer.env if peer else os.environ, data)
    if peer is None:
        argv = (PENSTOCK, "run") if job.tool == "penstock" else _duckdb(job, data)
        return Command(job, argv, folder, os.environ, data)
    if job.tool == "dlt":
        argv = _dlt(job, data, folder, peer)
    elif job.tool == "ingestr":
        argv = _ingestr(data, folder, peer)
    else:
        argv = _sling(job, data, folder, peer)
    return Command(job, argv, folder, peer.env, data)
