"""SQL over parquet files: every table and the ledger as views of a DuckDB in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from penstock.destinations.columns import PRIVATE, layout_from_json
from penstock.destinations.convert import quote
from penstock.destinations.engine import Limits, connect, explained, table_of
from penstock.destinations.ledger_rows import (
    SCHEMAS,
    Shape,
    State,
    files_table,
    loads_table,
    shapes_table,
    states_table,
)
from penstock.destinations.model_rows import models_table
from penstock.destinations.parquet_log import BUILDS, Snapshot
from penstock.destinations.parquet_models import builds_of
from penstock.destinations.parquet_read import Files, scan
from penstock.ledger import FILES_TABLE, LOADS_TABLE, MODELS_TABLE, SCHEMA_TABLE, STATE_TABLE
from penstock.schema.definition import table_from_json


def answer(
    snapshot: Snapshot,
    files: Callable[[Any], Files],
    sql: str,
    parameters: Sequence[object],
    where: str,
    runs: Callable[[str], Mapping[str, Any]] = lambda _: {},
) -> Any:
    """The answer of a query as an Arrow table. `runs` gives the tables of runs that a query needs.

    Raises: NotFoundError; RefusedError; StoreError also when a file moved meanwhile.
    """
    with asking(snapshot, files, sql, where, runs) as con:
        return table_of(con, sql, parameters)


@contextmanager
def asking(
    snapshot: Snapshot,
    files: Callable[[Any], Files],
    sql: str,
    where: str,
    runs: Callable[[str], Mapping[str, Any]],
) -> Iterator[Any]:
    """A connection for one query. Raises: as `answer`."""
    con = connect(":memory:", Limits().settings() | {"python_enable_replacements": "false"})
    try:
        with explained(where, (*relations(snapshot), *SCHEMAS)):
            show_ledger(con, snapshot, told=PRIVATE in sql.lower())
            show_tables(con, snapshot, files(con), relations(snapshot))
            for name, rows in runs(sql).items():
                con.register(name, rows)
            con.execute("BEGIN TRANSACTION READ ONLY")
            yield con
    finally:
        con.close()


def relations(snapshot: Snapshot) -> tuple[str, ...]:
    """The tables that a query can read."""
    return tuple(name for name, d in snapshot.newest().items() if d.layout is not None)


def show_ledger(con: Any, snapshot: Snapshot, *, told: bool) -> None:
    """Make the ledger's tables: empty ones unless they are to be `told`, which is cheaper."""
    for name, schema in SCHEMAS.items():
        con.register(name, _ledger(name, snapshot) if told else schema.empty_table())
    con.register(MODELS_TABLE, models_table(builds_of(snapshot) if told else ()))


def show_tables(con: Any, snapshot: Snapshot, files: Files, names: Iterable[str]) -> None:
    """Make views of tables that hold anything."""
    newest = snapshot.newest()
    for name in names:
        layout = layout_from_json(newest[name].layout or "")
        rows = scan(files, snapshot.parts_of(name), snapshot.layouts, layout)
        con.execute(f"CREATE VIEW {quote(name)} AS {rows}")


def _ledger(name: str, snapshot: Snapshot) -> Any:
    if name == FILES_TABLE:
        return files_table(snapshot.files)
    if name == LOADS_TABLE:
        return loads_table([load for load in snapshot.loads if load.pipeline != BUILDS])
    if name == STATE_TABLE:
        return states_table(
            [State(s.pipeline, s.source, s.state, s.load_id, s.updated_at) for s in snapshot.states]
        )
    assert name == SCHEMA_TABLE
    return shapes_table(
        [
            Shape(
                d.pipeline,
                table_from_json(d.definition),
                d.version,
                None if d.layout is None else layout_from_json(d.layout),
                d.changes,
                d.load_id,
                d.created_at,
            )
            for d in snapshot.definitions
            if d.pipeline != BUILDS
        ]
    )
