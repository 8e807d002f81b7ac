"""A DuckDB file on disk: made so that older DuckDBs can open it, opened for writing or reading."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from penstock.destinations.convert import literal, quote, view
from penstock.destinations.engine import Limits, connect, explained
from penstock.errors import StoreError

# what DuckDB 2 writes by itself cannot be opened by the 1.4 and 1.5 that other tools carry
STORAGE_VERSION = "v1.4.0"


def open_to_write(path: Path, schema: str, limits: Limits) -> Any:  # Any: DuckDB's connection is untyped
    """The one connection that writes, to a file that is made if it is not there.

    Called with the lock held. Raises: LockHeldError when a foreign process has the file open.
    """
    if not path.exists():
        _make(path)
    spill = path.with_name(path.name + ".tmp")
    con = connect(path, limits.settings(spill) | {"python_enable_replacements": "false"})
    shutil.rmtree(spill, ignore_errors=True)  # what a killed run spilled; nobody else has the file open
    with explained(str(path)):
        con.execute("SET GLOBAL TimeZone = 'UTC'")  # of its cursors too
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
        use(con, schema)
    return con


def open_to_read(path: Path, schema: str, limits: Limits, *, bare: bool = False) -> Any:
    """A connection that cannot write. A file that is not there reads as one without tables.

    Tables of the ledger that are not there are empty ones, unless it is wanted `bare`.
    """
    spill = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    settings = limits.settings(spill) | {"python_enable_replacements": "false"}
    if not path.exists():
        con = connect(":memory:", settings)
    else:
        con = connect(path, settings, read_only=True)
        found = con.execute("SELECT 1 FROM duckdb_schemas() WHERE schema_name = ?", [schema]).fetchall()
        if found:
            use(con, schema)
    if not bare:
        from penstock.destinations import duckdb_ledger as ledger

        ledger.create(con, "TEMP TABLE")
    return con


def show(con: Any, path: Path, owner: str, tables: Iterable[str], schema: str | None) -> None:
    """Attach the file to a foreign connection, read-only, and view each table of its schema `owner`.

    The views are temporary, or lie in `schema`. Nothing happens if the file is not there.
    """
    if not path.exists():
        return
    name = f"penstock_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    con.execute(f"ATTACH IF NOT EXISTS {literal(str(path))} AS {quote(name)} (READ_ONLY)")
    if schema is not None:
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
    for table in tables:
        rows = f"SELECT * FROM {quote(name)}.{quote(owner)}.{quote(table)}"
        con.execute(f"CREATE OR REPLACE {view(table, schema)} AS {rows}")


def use(con: Any, schema: str) -> None:
    """Make a connection's session one in that schema."""
    catalog = con.execute("SELECT current_database()").fetchall()[0][0]
    con.execute(f"USE {quote(catalog)}.{quote(schema)}")


def _make(path: Path) -> None:
    """Make the file under another name first, so that a kill leaves no half of one."""
    new = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError("the database cannot be made", where=str(path), found=str(error)) from error
    with explained(str(path)):
        con = connect(":memory:", Limits(threads=1).settings())
        con.execute("ATTACH ? AS made (STORAGE_VERSION '" + STORAGE_VERSION + "')", [str(new)])
        con.execute("DETACH made")
        con.close()
    try:
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StoreError("the database cannot be made", where=str(path), found=str(error)) from error
