"""DuckDB connections as both destinations use them, and DuckDB's errors in our words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from penstock.destinations.convert import TOO_LARGE
from penstock.errors import (
    BugError,
    ContractError,
    LockHeldError,
    NotFoundError,
    PenstockError,
    RefusedError,
    StoreError,
    suggest,
)

_MB_PER_THREAD = 96
_CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_MB_PER_COLUMN = 0.5  # a block of 256 kB that is filled, and one that is written
_MISSING = re.compile(r'^Catalog Error: Table with name "?(.+?)"? does not exist')
_LOCKED = re.compile(r"Conflicting lock is held in (.+?)(?:\. See|$)")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may use. Units: `memory` as DuckDB writes it, such as `256MB`."""

    memory: str | None = None
    threads: int | None = None

    @property
    def all_threads(self) -> int:
        """As many threads as this process has cores, unless the project says otherwise."""
        return self.threads or len(os.sched_getaffinity(0))

    @property
    def insert_threads(self) -> int:
        """Half of them for appending rows: the other half is busy making those rows."""
        return max(1, self.all_threads // 2)

    def memory_for(self, threads: int, columns: int, vector_bytes: int) -> str:
        """A memory limit for writing rows of that many columns, if the project sets none.

        `vector_bytes` is the size of the largest 2,048 rows, which are in memory at once. The limit
        is as low as works, because DuckDB fills what it is given before it spills.
        """
        if self.memory:
            return self.memory
        working = threads * (_MB_PER_THREAD + _MB_PER_COLUMN * columns)
        return f"{working + 2 * vector_bytes / 1e6:.0f}MB"

    def memory_for_queries(self) -> str:
        """A memory limit for queries that people wrote, if the project sets none: half of the machine's, or
        of what the container has.

        They join and sort what they like, and are slower for every byte that has to be spilled.
        """
        return self.memory or f"{max(_machine_bytes() / 2e6, self.all_threads * _MB_PER_THREAD):.0f}MB"

    def settings(self, spill: Path | str | None = None) -> dict[str, Any]:
        """DuckDB's settings; a memory limit is always among them."""
        settings = {
            "threads": self.all_threads,
            "memory_limit": self.memory_for(max(self.all_threads, 2), 1, 0),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        return settings | ({"temp_directory": str(spill)} if spill else {})


def _machine_bytes() -> int:
    """The memory of this machine, or of the container that this process runs in."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in _CONTAINER_LIMITS:
        with suppress(OSError, ValueError):  # no such limit, or `max`
            found = min(found, int(file.read_text()))
    return found


def connect(where: Path | str, settings: dict[str, Any], *, read_only: bool = False) -> Any:
    """An open connection whose session runs in UTC. Raises what `explained` makes of DuckDB's errors."""
    with explained(str(where)):
        con = duckdb.connect(str(where), read_only=read_only, config=settings)
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET enable_progress_bar = false")  # it would go to stdout, between the data
    return con


@contextmanager
def explained(where: str, known: Iterable[str] = ()) -> Iterator[None]:
    """Turn an error of DuckDB into one of ours; `known` are the names of tables to suggest from."""
    try:
        yield
    except duckdb.Error as error:
        raise explain(error, where, known) from error


def rows_of(con: Any, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """All rows of a query as tuples. For small answers without instants."""
    rows: list[tuple[Any, ...]] = con.execute(sql, list(parameters)).fetchall()
    return rows


def table_of(con: Any, sql: str, parameters: Sequence[object] = ()) -> Any:
    """The answer of a query as an Arrow table."""
    relation = con.sql(sql, params=list(parameters)) if parameters else con.sql(sql)
    if relation is None:
        raise RefusedError("the SQL is empty", expected="one query")
    return relation.to_arrow_table()


def batches_of(con: Any, sql: str, parameters: Sequence[object], rows: int, where: str) -> Iterator[Any]:
    """The answer of a query as record batches of at most so many rows, made while they are taken."""
    with explained(where):
        relation = con.sql(sql, params=list(parameters)) if parameters else con.sql(sql)
        if relation is None:
            raise RefusedError("the SQL is empty", expected="one query")
        reader = relation.to_arrow_reader(rows)
        for batch in reader:
            for first in range(0, batch.num_rows, rows):
                yield batch.slice(first, rows)


def explain(error: duckdb.Error, where: str, known: Iterable[str] = ()) -> PenstockError:
    """An error of DuckDB as one of ours; `known` are the names of tables to suggest from."""
    text = str(error).split("\n\nLINE", 1)[0].strip()
    missing = _MISSING.match(text)
    if missing and isinstance(error, duckdb.CatalogException):
        return _no_table(missing[1], where, known)
    if locked := _LOCKED.search(text):
        return LockHeldError("another process has the database open", where=locked[1], found=where)
    if "already attached" in text or "different configuration" in text:
        return LockHeldError("this process has the database open elsewhere", where=where)
    if "not a valid DuckDB database" in text or isinstance(error, duckdb.SerializationException):
        return RefusedError("this file is not a database that this DuckDB can read", where=where, found=text)
    if TOO_LARGE in text:
        hint = "declare the column as text or as a decimal with enough digits"
        return ContractError(TOO_LARGE + text.rpartition(TOO_LARGE)[2], where=where, hint=hint)
    if isinstance(error, duckdb.OutOfMemoryException):
        hint = "give the destination a larger `memory_limit`, or free disk space for its temporary files"
        return StoreError("DuckDB ran out of memory", where=where, found=text, hint=hint)
    if isinstance(error, duckdb.IOException | duckdb.FatalException) or "Failed to commit" in text:
        full = "No space left" in text
        hint = "free some space on this disk, then run again" if full else "run again when the disk is well"
        return StoreError("DuckDB could not read or write", where=where, found=text, hint=hint)
    if isinstance(error, duckdb.InternalException):
        return BugError("DuckDB failed internally", where=where, found=text)
    return RefusedError("DuckDB refused this", where=where, found=text)


def _no_table(name: str, where: str, known: Iterable[str]) -> NotFoundError:
    names = sorted(known)
    listed = ", ".join(f"`{n}`" for n in names if not n.startswith("_penstock")) or "no table yet"
    return NotFoundError(f"there is no table `{name}`", where=where, found=listed, hint=suggest(name, names))
