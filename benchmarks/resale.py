"""A PostgreSQL with Singapore's resale flat prices, as a process beside those that are measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

TESTS = str(Path(__file__).resolve().parent.parent / "tests")
TABLE = "resale_flat_prices_from_jan_2017"
SUMS = "count(*), sum(id)::BIGINT, sum(resale_price * 100)::BIGINT"
RULES = {
    "month": "pattern: '[0-9]{4}-[0-9]{2}'",
    "flat_type": "enum: [1 ROOM, 2 ROOM, 3 ROOM, 4 ROOM, 5 ROOM, EXECUTIVE, MULTI-GENERATION]",
    "floor_area_sqm": "minimum: 10, maximum: 500",
    "resale_price": "minimum: 1",
}
PROJECT = """name: bench
destination: {{type: duckdb, path: w.duckdb}}
pipelines:
  bench:
    source: {{type: sql_database, url: '{url}', tables: {{events: {{table: {table}}}}}}}
    tables:
      events:
        columns:
{columns}
        gate: {{min_rows: 1}}
"""


@cache
def started(rows: int) -> tuple[str, tuple[int, int, int]]:
    """The URL of a server with so many rows, and what they are: count, sum of ids, sum of cents.

    It ends with this process, and is no child of it: a job is over when this process has no children left.
    """
    argv = [sys.executable, __file__, str(rows)]
    server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    line = server.stdout.readline()
    if not line:
        raise ValueError("PostgreSQL did not start")
    server.wait()
    _RUNNING.append(server)  # its standard input stays open
    said = json.loads(line)
    return said["url"], tuple(said["truth"])


_RUNNING: list[subprocess.Popen[str]] = []


def project(url: str) -> str:
    """The project that loads the table, with some rules for its gate."""
    columns = "\n".join(f"          - {{name: {name}, {rule}}}" for name, rule in RULES.items())
    return PROJECT.format(url=url, table=TABLE, columns=columns)


def _serve(rows: int) -> None:
    if os.fork():
        os._exit(0)
    sys.path.insert(0, TESTS)
    from servers import postgres, resale

    server = postgres.start()
    try:
        resale.fill(server.url(), rows)
        server.execute(f"VACUUM ANALYZE {TABLE}")
        [truth] = server.execute(f"SELECT {SUMS} FROM {TABLE}")
        print(json.dumps({"url": server.url(), "truth": [int(n) for n in truth]}), flush=True)
        sys.stdin.read()
    finally:
        server.stop()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
