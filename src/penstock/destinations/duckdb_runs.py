"""Records of runs in a DuckDB file: written in a transaction of their own, beside the ledger."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import duckdb

from penstock.destinations import duckdb_ledger as ledger
from penstock.destinations.engine import explained
from penstock.destinations.run_rows import SCHEMAS, columns_sql, rows_of_runs
from penstock.ledger import RunRecord

# con: Any throughout, because DuckDB's connection has no types of its own


def create(con: Any, kind: str = "TABLE") -> None:
    """Make the two tables if they are not there; `kind` may be `TEMP TABLE` for a reader."""
    present = ledger.relations(con)
    for name in SCHEMAS:
        if name not in present:
            con.execute(f"CREATE {kind} IF NOT EXISTS {name} ({columns_sql(name)})")


def note(con: Any, run: RunRecord, where: str) -> None:
    """Write the rows of a run, all or none. Raises: StoreError."""
    with explained(where):
        con.execute("BEGIN TRANSACTION")
        try:
            create(con)
            con.execute("SET python_enable_replacements = true")
            rows = rows_of_runs([run])
            for name in rows:
                _penstock_rows = rows[name]  # DuckDB finds the rows by the name of this variable
                con.execute(f"INSERT INTO {name} BY NAME SELECT * FROM _penstock_rows")
            con.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.TransactionException):  # a fatal error has ended the transaction already
                con.execute("ROLLBACK")
            raise
