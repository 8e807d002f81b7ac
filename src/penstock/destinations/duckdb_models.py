"""The ledger of models in a DuckDB file: what was built, and which version every relation has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.destinations.columns import PRIVATE, layout_from_json, root_of
from penstock.destinations.engine import rows_of
from penstock.destinations.model_rows import COLUMNS, built_from, columns_sql, told_sql, values_of
from penstock.ledger import FILES_TABLE, LOADS_TABLE, MODELS_TABLE, RETIRED, SCHEMA_TABLE, Built

# con: Any throughout, because DuckDB's connection has no types of its own

_INSERT = f"INSERT INTO {MODELS_TABLE} VALUES ({', '.join('?' * len(COLUMNS))})"
# what somebody else's program builds may be called otherwise than the model
_RELATION = "CASE tool WHEN 'dbt' THEN coalesce(definition ->> '$.name', model) ELSE model END"
# rows are appended, so the last one of a model is its newest
_NEWEST = f"rowid IN (SELECT max(rowid) FROM {MODELS_TABLE} GROUP BY model)"


def create(con: Any, kind: str = "TABLE") -> None:
    """Make the table if it is not there; `kind` may be `TEMP TABLE` for a reader."""
    if MODELS_TABLE not in kinds(con):
        con.execute(f"CREATE {kind} IF NOT EXISTS {MODELS_TABLE} ({columns_sql()})")


def record(con: Any, built: Built) -> None:
    """Write one row."""
    con.execute(_INSERT, values_of(built))


def newest(con: Any) -> dict[str, Built]:
    """The last build of every model; none in a file where nothing was built."""
    if MODELS_TABLE not in kinds(con):
        return {}
    rows = rows_of(con, f"SELECT {told_sql()} FROM {MODELS_TABLE} WHERE {_NEWEST}")
    return {built.model: built for built in map(built_from, rows)}


def forget(con: Any, models: Sequence[str]) -> None:
    """Delete the rows of models."""
    con.execute(f"DELETE FROM {MODELS_TABLE} WHERE model IN (SELECT unnest(?))", [list(models)])


def has_build(con: Any, model: str, build_id: str) -> bool:
    """Whether a build of a model is in the ledger."""
    if MODELS_TABLE not in kinds(con):
        return False
    sql = f"SELECT 1 FROM {MODELS_TABLE} WHERE model = ? AND build_id = ? LIMIT 1"
    return bool(rows_of(con, sql, [model, build_id]))


def kinds(con: Any) -> dict[str, str]:
    """What there is in the current schema: TABLE or VIEW, by name."""
    here = "database_name = current_database() AND schema_name = current_schema() AND NOT internal"
    found = rows_of(
        con,
        f"SELECT table_name, 'TABLE' FROM duckdb_tables() WHERE {here} "
        f"UNION ALL SELECT view_name, 'VIEW' FROM duckdb_views() WHERE {here}",
    )
    return dict(found)


def loaded(con: Any) -> frozenset[str]:
    """The tables of pipelines, whether they hold rows or not."""
    if SCHEMA_TABLE not in kinds(con):
        return frozenset()
    return frozenset(name for (name,) in rows_of(con, f"SELECT DISTINCT table_name FROM {SCHEMA_TABLE}"))


def versions(con: Any) -> Mapping[str, str | None]:
    """The version of every relation of the file, by the name that a query gives it; None: not ours."""
    there = _names(con)
    known: dict[str, str] = {}
    if there.issuperset((FILES_TABLE, LOADS_TABLE, SCHEMA_TABLE)):
        known |= _loads(con)
    if MODELS_TABLE in there:
        known |= dict(rows_of(con, f"SELECT {_RELATION}, build_id FROM {MODELS_TABLE} WHERE {_NEWEST}"))
    return {name: known.get(name) for name in there if not _is_private(name)}


def _is_private(name: str) -> bool:
    return f".{name.lower()}".find(f".{PRIVATE}") >= 0


def _names(con: Any) -> frozenset[str]:
    """Every relation of the database: bare in the current schema, else with its schema."""
    here = "database_name = current_database() AND NOT internal"
    name = "CASE WHEN schema_name = current_schema() THEN {0} ELSE schema_name || '.' || {0} END"
    selects = [
        f"SELECT {name.format(column)} FROM {function}() WHERE {here}"
        for column, function in (("table_name", "duckdb_tables"), ("view_name", "duckdb_views"))
    ]
    return frozenset(found for (found,) in rows_of(con, " UNION ALL ".join(selects)))


def _loads(con: Any) -> dict[str, str]:
    """The newest load of every table of a pipeline; those that are part of others follow their roots.

    Rows that were retired are told by their number, because taking them away is no load of a file.
    """
    newest_load = (
        f"SELECT f.table_name, arg_max(f.load_id, (l.committed_at, f.load_id)), "
        f"count(*) FILTER (f.outcome = '{RETIRED}') FROM {FILES_TABLE} AS f "
        f"LEFT JOIN {LOADS_TABLE} AS l USING (load_id) GROUP BY ALL"
    )
    found = {
        table: f"{load}-{retired}" if retired else load
        for table, load, retired in rows_of(con, newest_load)
        if load is not None
    }
    shapes = (
        f"SELECT table_name, arg_max(load_id, version), arg_max(columns, version) FROM {SCHEMA_TABLE} "
        "GROUP BY table_name"
    )
    for table, load, columns in rows_of(con, shapes):
        root = root_of(layout_from_json(columns)) if columns and '"root": ' in columns else None
        if root is not None and root in found:
            found[table] = found[root]
        found.setdefault(table, load)
    return found
