"""The ledger as rows of tables: how facts become rows of `_penstock_*`, and how they are read back.

Instants are microseconds since 1970 in UTC; `landed_at` and `modified_at` are Unix seconds in the
facts and instants in the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from penstock.destinations.columns import Layout, layout_to_json
from penstock.ledger import FILES_TABLE, LOADS_TABLE, SCHEMA_TABLE, STATE_TABLE, LedgerFile, LedgerLoad
from penstock.schema.definition import table_to_json
from penstock.schema.table import Table

_TEXT, _COUNT, _AT = pa.string(), pa.int64(), pa.timestamp("us", "UTC")
_KINDS = {"landed_at": _AT, "modified_at": _AT, "started_at": _AT, "committed_at": _AT}
_COUNTS = {"size_bytes", "rows", "loaded", "dropped", "quarantined", "files"}
_SQL = {_TEXT: "VARCHAR", _COUNT: "BIGINT", _AT: "TIMESTAMPTZ", pa.list_(_TEXT): "VARCHAR[]"}
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """One version of a table: its definition, and how it is stored (None: it is not yet)."""

    pipeline: str
    table: Table
    version: int
    layout: Layout | None
    changes: tuple[str, ...]
    load_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class State:
    """The state of one source as the last load left it; `state` is JSON text."""

    pipeline: str
    source: str
    state: str
    load_id: str
    updated_at: datetime


def _schema_of(kind: type[LedgerFile] | type[LedgerLoad]) -> Any:  # Any: pyarrow is untyped
    names = [f.name for f in fields(kind)]
    types = [_KINDS.get(n) or (_COUNT if n in _COUNTS else _TEXT) for n in names]
    return pa.schema(
        [pa.field("table_name" if n == "table" else n, t) for n, t in zip(names, types, strict=True)]
    )


SCHEMAS: Mapping[str, Any] = {
    FILES_TABLE: _schema_of(LedgerFile),
    LOADS_TABLE: _schema_of(LedgerLoad),
    STATE_TABLE: pa.schema(
        {"pipeline": _TEXT, "source": _TEXT, "state": _TEXT, "load_id": _TEXT, "updated_at": _AT}
    ),
    SCHEMA_TABLE: pa.schema(
        {
            "pipeline": _TEXT,
            "table_name": _TEXT,
            "version": _COUNT,
            "definition": _TEXT,
            "columns": _TEXT,
            "changes": pa.list_(_TEXT),
            "load_id": _TEXT,
            "created_at": _AT,
        }
    ),
}


def columns_sql(name: str) -> str:
    """The column definitions of a ledger table, for CREATE TABLE."""
    return ", ".join(f'"{f.name}" {_SQL[f.type]}' for f in SCHEMAS[name])


def files_table(files: Sequence[LedgerFile]) -> Any:
    """Ledger files as rows."""
    columns = {f.name: [getattr(x, f.name) for x in files] for f in fields(LedgerFile)}
    for name in ("landed_at", "modified_at"):
        columns[name] = [None if at is None else round(at * MICRO) for at in columns[name]]
    return _table(FILES_TABLE, list(columns.values()))


def loads_table(loads: Sequence[LedgerLoad]) -> Any:
    """Ledger loads as rows."""
    return _table(LOADS_TABLE, [[getattr(x, f.name) for x in loads] for f in fields(LedgerLoad)])


def states_table(states: Sequence[State]) -> Any:
    """Source states as rows."""
    return _rows(STATE_TABLE, [(s.pipeline, s.source, s.state, s.load_id, s.updated_at) for s in states])


def shapes_table(shapes: Sequence[Shape]) -> Any:
    """Versions of tables as rows."""
    rows = [
        (
            s.pipeline,
            s.table.name,
            s.version,
            table_to_json(s.table),
            None if s.layout is None else layout_to_json(s.layout),
            list(s.changes),
            s.load_id,
            s.created_at,
        )
        for s in shapes
    ]
    return _rows(SCHEMA_TABLE, rows)


def files_from(rows: Any) -> tuple[LedgerFile, ...]:
    """The facts behind rows of `_penstock_files`."""
    columns = {name: rows.column(name).to_pylist() for name in rows.column_names if name not in _KINDS}
    landed = rows.column("landed_at").cast(pa.int64()).to_pylist()
    modified = rows.column("modified_at").cast(pa.int64()).to_pylist()
    columns["landed_at"] = [at // MICRO for at in landed]
    columns["modified_at"] = [None if at is None else at / MICRO for at in modified]
    order = [f.name for f in SCHEMAS[FILES_TABLE]]
    return tuple(map(LedgerFile, *(columns[name] for name in order)))


def load_from(rows: Any) -> LedgerLoad | None:
    """The load behind the first row of `_penstock_loads`, or None."""
    for row in rows.slice(0, 1).to_pylist():
        utc = {n: row[n].astimezone(UTC) for n in ("started_at", "committed_at")}
        return LedgerLoad(**(row | utc))
    return None


def _rows(name: str, rows: Iterable[tuple[Any, ...]]) -> Any:
    return _table(name, list(zip(*rows, strict=True)) or [()] * len(SCHEMAS[name]))


def _table(name: str, columns: Sequence[Sequence[Any]]) -> Any:
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMAS[name], strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMAS[name])
