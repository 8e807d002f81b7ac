"""A process that loads until it is killed, for the tests beside it.

It imports once, then forks a loader for each line `<kind> <folder> <first load>` on standard input.
The loader prints `started <pid>`, then `<number>` after each commit. The process itself never uses
a thread pool, so its forks are clean.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from penstock.destinations import duckdb_load, parquet_load, parquet_query  # noqa: F401  # before the forks
from penstock.destinations.duckdb import DuckDBDestination
from penstock.destinations.parquet import ParquetDestination
from penstock.ledger import Commit, LedgerFile, LedgerLoad
from penstock.ports import Destination
from penstock.project.spec import DuckDBSpec, ParquetSpec
from penstock.schema import types as t
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.table import Table
from penstock.stores.local import LocalStore
from penstock.testing.destination import APPEND, Row, batches, table

ROWS = 60
APPENDED = table("appended", load=t.INT64, n=t.INT64)
MERGED = Table("merged", table("merged", key=t.INT64, load=t.INT64).columns, ("key",), ("half",))
BY_KEY = Disposition(WriteMode.MERGE, ("key",))
REPLACED = table("replaced", load=t.INT64)
REPLACE = Disposition(WriteMode.REPLACE)


def destination(kind: str, folder: Path) -> Destination:
    """The destination of that kind in a folder."""
    if kind == "duckdb":
        return DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=1), folder)
    return ParquetDestination(ParquetSpec(path="lake"), folder, LocalStore(str(folder / "lake")))


def merged_rows(number: int) -> list[Row]:
    """The rows that a load merges: keys of its own, and some of the loads before."""
    return [{"key": (number * 7 + i) % 100, "load": number} for i in range(20)]


def load(at: Destination, number: int) -> None:
    """One load into three tables: appended to, merged into, replaced."""
    load_id = f"L{number:04}"
    with at.lock("p", "loader"):
        at.facts("p")
        transaction = at.begin("p", load_id)
        rows: Sequence[tuple[Table, Disposition, list[Row]]] = (
            (APPENDED, APPEND, [{"load": number, "n": n} for n in range(ROWS)]),
            (MERGED, BY_KEY, merged_rows(number)),
            (REPLACED, REPLACE, [{"load": number}]),
        )
        written = 0
        for of, disposition, given in rows:
            transaction.shape(of, disposition)
            written += transaction.write(of, disposition, batches(of, given[:7], given[7:]))
        now = datetime.now(UTC)
        file = LedgerFile("p", "appended", f"k{number}", "00", 1, 1, load_id, "loaded", ROWS, ROWS, 0, 0)
        done = LedgerLoad(load_id, "p", now, now, "done", 1, written, written, 0, 0, "0")
        schemas = (APPENDED, MERGED, REPLACED)
        transaction.commit(Commit(done, (file,), schemas, state={"s": str(number)}))


def run(kind: str, folder: Path, first: int) -> None:
    """Load for ever."""
    _say(f"started {os.getpid()}")
    at = destination(kind, folder)
    for number in itertools.count(first):
        load(at, number)
        _say(str(number))


def _say(line: str) -> None:
    """One line in one write, so that a kill does not cut it in two."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def main() -> None:
    """Fork a loader for each line of standard input."""
    for line in sys.stdin:
        kind, folder, first = line.split()
        pid = os.fork()
        if pid == 0:
            run(kind, Path(folder), int(first))
        os.waitpid(pid, 0)
        _say("ended")


if __name__ == "__main__":
    main()
