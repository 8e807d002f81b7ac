"""A process that loads until it is killed, for the tests beside it.

Each load appends to one table, and writes into others by dispositions that the oracle knows.

It imports once, then forks a loader for each line `<kind> <folder> <first load>` on standard input.
The loader prints `started <pid>`, then `<number>` after each commit. The process itself never uses
a thread pool, so its forks are clean.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from penstock.destinations import duckdb_load, parquet_load, parquet_query  # noqa: F401  # before the forks
from penstock.destinations.duckdb import DuckDBDestination
from penstock.destinations.parquet import ParquetDestination
from penstock.ledger import Commit, LedgerFile, LedgerLoad
from penstock.ports import Destination
from penstock.project.spec import DuckDBSpec, ParquetSpec
from penstock.schema import types as t
from penstock.schema.disposition import Disposition
from penstock.schema.table import Table
from penstock.stores.local import LocalStore
from penstock.testing.destination import APPEND, START, Row, batches, table
from penstock.testing.oracle import DISPOSITIONS, KINDS, from_instant, random_row

ROWS = 60
APPENDED = table("appended", load=t.INT64, n=t.INT64)
TRIED = {
    "replaced": "replace",
    "merged": "upsert newest",
    "regrouped": "delete-insert by both",
    "versioned": "scd2 by merge key",
    "changed": "cdc",
    "overwritten": "overwrite",
}


def destination(kind: str, folder: Path) -> Destination:
    """The destination of that kind in a folder."""
    if kind == "duckdb":
        return DuckDBDestination(DuckDBSpec(path="w.duckdb", threads=1), folder)
    return ParquetDestination(ParquetSpec(path="lake"), folder, LocalStore(str(folder / "lake")))


def tried_rows(name: str, number: int) -> list[Row]:
    """The rows that a load writes into a table."""
    rng = random.Random(f"{name} {number}")
    return [random_row(rng, KINDS) | {"id": rng.randrange(40)} for _ in range(20)]


def instant(number: int) -> datetime:
    """From when on the rows of a load hold."""
    return START + timedelta(days=number)


def load(at: Destination, number: int) -> None:
    """One load into all tables."""
    load_id = f"L{number:04}"
    with at.lock("p", "loader"):
        at.facts("p")
        transaction = at.begin("p", load_id)
        rows: list[tuple[Table, Disposition, Sequence[Row]]] = [
            (APPENDED, APPEND, [{"load": number, "n": n} for n in range(ROWS)])
        ]
        for name, words in TRIED.items():
            of = table(name, **KINDS)
            if name == "merged":
                of = Table(name, of.columns, ("id",), ("group",))
            rows.append((of, from_instant(DISPOSITIONS[words], instant(number)), tried_rows(name, number)))
        written = 0
        for of, disposition, given in rows:
            transaction.shape(of, disposition)
            written += transaction.write(of, disposition, batches(of, given[:7], given[7:]))
        now = datetime.now(UTC)
        file = LedgerFile("p", "appended", f"k{number}", "00", 1, 1, load_id, "loaded", ROWS, ROWS, 0, 0)
        done = LedgerLoad(load_id, "p", now, now, "done", 1, written, written, 0, 0, "0")
        schemas = tuple(of for of, _, _ in rows)
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
