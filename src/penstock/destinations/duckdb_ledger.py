"""The ledger tables of a DuckDB file: made, written and read with SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.destinations.columns import layout_from_json
from penstock.destinations.duckdb_relations import relations
from penstock.destinations.engine import rows_of, table_of
from penstock.destinations.ledger_rows import (
    SCHEMAS,
    Shape,
    State,
    columns_sql,
    files_from,
    files_table,
    load_from,
    loads_table,
    shapes_table,
    states_table,
)
from penstock.errors import LockHeldError
from penstock.ledger import (
    FILES_TABLE,
    LOADS_TABLE,
    SCHEMA_TABLE,
    STATE_TABLE,
    Commit,
    Facts,
    LedgerFile,
)
from penstock.schema.definition import table_from_json

# con: Any throughout, because DuckDB's connection has no types of its own


def create(con: Any, kind: str = "TABLE") -> None:
    """Make the ledger tables that are not there; `kind` may be `TEMP TABLE` for a reader."""
    present = relations(con)
    for name in SCHEMAS:
        if name not in present:
            con.execute(f"CREATE {kind} {name} ({columns_sql(name)})")


def shapes(con: Any) -> Mapping[str, Shape]:
    """The newest version of every table, of all pipelines."""
    newest = "QUALIFY row_number() OVER (PARTITION BY pipeline, table_name ORDER BY version DESC) = 1"
    found = {}
    for row in table_of(con, f"SELECT * FROM {SCHEMA_TABLE} {newest}").to_pylist():
        layout = None if row["columns"] is None else layout_from_json(row["columns"])
        found[row["table_name"]] = Shape(
            row["pipeline"],
            table_from_json(row["definition"]),
            row["version"],
            layout,
            tuple(row["changes"] or ()),
            row["load_id"],
            row["created_at"],
        )
    return found


def facts(con: Any, pipeline: str) -> Facts:
    """What the ledger says of one pipeline; empty for a file that has no ledger."""
    if FILES_TABLE not in relations(con):
        return Facts()
    mine = "WHERE pipeline = ?"
    files = table_of(con, f"SELECT * FROM {FILES_TABLE} {mine} ORDER BY landed_at, key", [pipeline])
    state = table_of(con, f"SELECT source, state FROM {STATE_TABLE} {mine}", [pipeline]).to_pylist()
    newest = "ORDER BY committed_at DESC, load_id DESC LIMIT 1"
    load = table_of(con, f"SELECT * FROM {LOADS_TABLE} {mine} {newest}", [pipeline])
    return Facts(
        files=files_from(files),
        tables={name: s.table for name, s in shapes(con).items() if s.pipeline == pipeline},
        state={row["source"]: row["state"] for row in state},
        last_load=load_from(load),
    )


def has_load(con: Any, load_id: str) -> bool:
    """Whether a load is in the ledger."""
    if LOADS_TABLE not in relations(con):
        return False
    return bool(rows_of(con, f"SELECT 1 FROM {LOADS_TABLE} WHERE load_id = ?", [load_id]))


def refuse_loaded(con: Any, files: Sequence[LedgerFile], where: str) -> None:
    """Refuse a load that brings a file in a second time.

    Raises: LockHeldError; another run has loaded it since the facts were read.
    """
    keys = [f.key for f in files if f.outcome == "loaded"]
    if not keys:
        return
    pipeline = files[0].pipeline
    sql = f"SELECT key, load_id FROM {FILES_TABLE} WHERE pipeline = ? AND outcome = 'loaded'"
    found = rows_of(con, f"{sql} AND key IN (SELECT unnest(?)) LIMIT 1", [pipeline, keys])
    if found:
        key, load = found[0]
        raise LockHeldError(
            f"`{key}` was loaded by another run meanwhile",
            where=where,
            found=f"load {load}",
            hint="nothing of this load was kept; run again",
        )


def record(con: Any, commit: Commit, new: Sequence[Shape]) -> None:
    """Write the ledger rows of a load."""
    load = commit.load
    states = [
        State(load.pipeline, source, text, load.load_id, load.committed_at)
        for source, text in commit.state.items()
    ]
    for state in states:
        con.execute(
            f"DELETE FROM {STATE_TABLE} WHERE pipeline = ? AND source = ?", [state.pipeline, state.source]
        )
    _insert(con, FILES_TABLE, files_table(commit.files))
    _insert(con, LOADS_TABLE, loads_table([load]))
    _insert(con, STATE_TABLE, states_table(states))
    _insert(con, SCHEMA_TABLE, shapes_table(new))


def forget(con: Any, pipeline: str, tables: Sequence[str] | None) -> None:
    """Delete the rows of a pipeline's files and schemas; of some tables only unless None."""
    for name in (FILES_TABLE, SCHEMA_TABLE):
        sql = f"DELETE FROM {name} WHERE pipeline = ?"
        if tables is None:
            con.execute(sql, [pipeline])
        else:
            con.execute(f"{sql} AND table_name IN (SELECT unnest(?))", [pipeline, list(tables)])


def _insert(con: Any, name: str, rows: Any) -> None:
    if rows.num_rows:
        # DuckDB finds the rows by the name of this variable
        _penstock_rows = rows
        con.execute("SET python_enable_replacements = true")
        con.execute(f"INSERT INTO {name} SELECT * FROM _penstock_rows")
