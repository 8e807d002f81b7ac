"""Two hundred SQL models in layers over one table: Penstock, dbt, and the same SQL run by hand.

`python -m benchmarks.models hand <warehouse> <models>` runs the models in one DuckDB process, each as one
CREATE, in an order that somebody found out before. All begin with a copy of the same warehouse, in which
a pipeline of Penstock has loaded the table. The graph: views that each see a part of the table, tables that
join and sum up two of them, and tables that sum up some of those.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import Job
from benchmarks.data import PENSTOCK, ask
from benchmarks.peers import Installed
from benchmarks.tools import Command

ROOT = Path(__file__).resolve().parent.parent
STAGING, BETWEEN, MARTS = 60, 90, 50
WAREHOUSE = "w.duckdb"
CHECK = "SELECT sum(n)::BIGINT, sum(total)::BIGINT FROM ({marts})"
EVENTS = """SELECT i AS id, i % 5000 AS customer, i % 60 AS part, (i * 7919 % 500000)::BIGINT AS amount,
    ['US', 'DE', 'FR', 'GB', 'ES', 'IT', 'NL', 'SE'][1 + i % 8] AS country,
    DATE '2026-01-01' + CAST(i % 365 AS INTEGER) AS day FROM range({rows}) AS r(i)"""
PROJECT = """name: bench
destination: duckdb:///w.duckdb
pipelines:
  bench:
    source: {type: filesystem, path: in, tables: {events: '*.parquet'}}
models: models/
"""
DBT_PROJECT = """name: bench
version: '1.0'
profile: bench
model-paths: [models]
flags: {send_anonymous_usage_stats: false}
models: {bench: {+materialized: table}}
"""
DBT_PROFILE = "bench: {{target: dev, outputs: {{dev: {{type: duckdb, path: {path}, threads: {threads}}}}}}}\n"
DBT_SOURCES = "sources: [{name: raw, schema: main, tables: [{name: events}]}]\n"


def graph() -> Iterator[tuple[str, str, str]]:
    """Folder, name and query of every model, each after those that it reads."""
    for n in range(STAGING):
        yield (
            "staging",
            f"stg_{n}",
            (f"SELECT id, customer, amount, country, day FROM events WHERE part % {STAGING} = {n}"),
        )
    for n in range(BETWEEN):
        one, other = f"stg_{n % STAGING}", f"stg_{(n * 7 + 1) % STAGING}"
        yield (
            "intermediate",
            f"int_{n}",
            (
                f"SELECT a.country, a.customer % 100 AS segment, count(*) AS n, sum(a.amount) AS total\n"
                f"FROM {one} AS a LEFT JOIN (SELECT DISTINCT customer FROM {other}) AS b USING (customer)\n"
                f"GROUP BY ALL"
            ),
        )
    for n in range(MARTS):
        parts = [f"SELECT * FROM int_{(n * 3 + i * 11) % BETWEEN}" for i in range(4)]
        yield (
            "marts",
            f"mart_{n}",
            (
                "SELECT country, sum(n)::BIGINT AS n, sum(total)::BIGINT AS total\n"
                f"FROM ({' UNION ALL '.join(parts)}) GROUP BY country"
            ),
        )


def sums(warehouse: Path) -> list[object]:
    """What the marts come to."""
    marts = " UNION ALL ".join(f"SELECT n, total FROM db.main.mart_{n}" for n in range(MARTS))
    return ask(CHECK.format(marts=marts), warehouse)[0]


@dataclass(frozen=True, slots=True)
class ModelsCommand(Command):
    """A build of all models in a copy of a project whose table is loaded."""

    ready: Path = Path()

    def prepare(self) -> None:
        """A copy of the project; for a second build, one in which the first is done."""
        if self.job.again and self.folder.exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.ready, self.folder)
        if self.job.tool == "dbt":
            self._for_dbt()
        for _ in range(2 if self.job.again else 0):  # the second one notes that all is done
            subprocess.run(self.argv, cwd=self.folder, env=self.env, check=False, capture_output=True)

    def _for_dbt(self) -> None:
        known = {name for _, name, _ in graph()}
        for file in sorted((self.folder / "models").rglob("*.sql")):
            text = re.sub(
                r"/\*---\nmaterialized: (\w+)\n---\*/", r"{{ config(materialized='\1') }}", file.read_text()
            )
            text = re.sub(r"\bFROM events\b", "FROM {{ source('raw', 'events') }}", text)
            text = re.sub(r"\b(?:FROM|JOIN) (\w+)", lambda m: _referred(m, known), text)
            file.write_text(text)
        (self.folder / "models" / "sources.yml").write_text(DBT_SOURCES)
        (self.folder / "dbt_project.yml").write_text(DBT_PROJECT)
        path, threads = self.folder / WAREHOUSE, len(os.sched_getaffinity(0))
        (self.folder / "profiles.yml").write_text(DBT_PROFILE.format(path=path, threads=threads))

    def fault(self) -> str:
        """What is wrong with the outcome: the marts must come to what they come to by hand."""
        want = json.loads((self.ready / "truth.json").read_text())
        try:
            found = sums(self.folder / WAREHOUSE)
        except ValueError as error:
            return str(error)
        return "" if found == want else f"found {found} instead of {want}"


def _referred(match: re.Match[str], known: set[str]) -> str:
    word, name = match[0].split()
    return f"{word} {{{{ ref('{name}') }}}}" if name in known else match[0]


def command(job: Job, work: Path, rows: int, peer: Installed | None) -> ModelsCommand:
    """What to run for a job, over a table of so many rows."""
    ready, folder = work / "data" / "models" / f"{rows}", work / "runs" / job.name
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    if not (ready / "truth.json").exists():
        print(f"making data: {rows:,} rows and {STAGING + BETWEEN + MARTS} models", file=sys.stderr)
        shutil.rmtree(ready, ignore_errors=True)
        subprocess.run([*_own("make"), str(ready), str(rows)], check=True, env=env)
    argv: tuple[str, ...]
    if peer is not None:
        argv = (peer.program("dbt"), "--quiet", "run", "--project-dir", ".", "--profiles-dir", ".")
        return ModelsCommand(job, argv, folder, peer.env, ready=ready)
    words = ("run",) if job.again else ("build",)
    argv = (PENSTOCK, *words) if job.tool == "penstock" else (*_own("hand"), WAREHOUSE, "models")
    return ModelsCommand(job, argv, folder, env, ready=ready)


def _own(what: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "benchmarks.models", what)


# --------------------------------------------------------------------------- in a process of its own


def _make(folder: Path, rows: int) -> None:
    import duckdb

    (folder / "in").mkdir(parents=True)
    duckdb.sql(f"COPY ({EVENTS.format(rows=rows)}) TO '{folder}/in/events.parquet'")
    (folder / "penstock.yml").write_text(PROJECT)
    for place, name, sql in graph():
        path = folder / "models" / place / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = "view" if place == "staging" else "table"
        path.write_text(f"/*---\nmaterialized: {kind}\n---*/\n{sql}\n")
    subprocess.run([PENSTOCK, "run", "bench"], cwd=folder, check=True, capture_output=True)
    (folder / "in" / "events.parquet").unlink()  # it would be another file in a copy of this folder
    spare = folder / "truth.duckdb"
    shutil.copyfile(folder / WAREHOUSE, spare)
    _by_hand(spare, folder / "models")
    (folder / "truth.json").write_text(json.dumps(sums(spare)))
    spare.unlink()


def _by_hand(warehouse: Path, models: Path) -> None:
    import duckdb

    texts = {path.stem: path.read_text() for path in models.rglob("*.sql")}
    with duckdb.connect(str(warehouse)) as con:
        for _, name, _ in graph():
            kind = "VIEW" if "materialized: view" in texts[name] else "TABLE"
            con.execute(f"CREATE OR REPLACE {kind} {name} AS {texts[name].partition('---*/')[2]}")


def main() -> None:
    """Make the data, or run the models by hand."""
    what, *given = sys.argv[1:]
    if what == "make":
        _make(Path(given[0]).resolve(), int(given[1]))
    else:
        _by_hand(Path(given[0]), Path(given[1]))


if __name__ == "__main__":
    main()
