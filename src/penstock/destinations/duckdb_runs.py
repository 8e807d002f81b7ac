"""Records of runs in a DuckDB file: written in a transaction of their own, beside the ledger."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import duckdb

from penstock.destinations.duckdb_relations import relations
from penstock.destinations.engine import explained
from penstock.destinations.run_rows import COLUMNS, columns_sql, plain_rows
from penstock.ledger import RunRecord

# con: Any throughout, because DuckDB's connection has no types of its own


def create(con: Any, kind: str = "TABLE") -> None:
    """Make the two tables if they are not there; `kind` may be `TEMP TABLE` for a reader."""
    present = relations(con)
    for name in COLUMNS:
        if name not in present:
            con.execute(f"CREATE {kind} IF NOT EXISTS {name} ({columns_sql(name)})")


def note(con: Any, run: RunRecord, where: str) -> None:
    """Write the rows of a run, all or none. Raises: StoreError."""
    with explained(where):
        con.execute("BEGIN TRANSACTION")
        try:
            create(con)
            for name, rows in plain_rows([run]).items():
                said = json.dumps(rows, default=str, ensure_ascii=False)
                shape = json.dumps([COLUMNS[name]])
                given = "SELECT unnest(from_json(?, ?), max_depth := 2)"
                con.execute(f"INSERT INTO {name} BY NAME {given}", [said, shape])
            con.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.TransactionException):  # a fatal error has ended the transaction already
                con.execute("ROLLBACK")
            raise
