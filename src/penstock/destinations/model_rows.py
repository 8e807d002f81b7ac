"""Builds of models as rows of `_penstock_models`, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.ledger import Built
from penstock.schema.definition import table_from_json, table_to_json

_TEXT, _COUNT, _AT = "VARCHAR", "BIGINT", "TIMESTAMPTZ"
COLUMNS: Mapping[str, str] = {
    "model": _TEXT,
    "build_id": _TEXT,
    "version": _TEXT,
    "materialized": _TEXT,
    "tool": _TEXT,
    "started_at": _AT,
    "built_at": _AT,
    "inputs": _TEXT,
    "rows": _COUNT,
    "kept": _COUNT,
    "dropped": _COUNT,
    "quarantined": _COUNT,
    "broken": _TEXT,
    "definition": _TEXT,
}
"""The columns of the table, each with its SQL type."""
_PLAIN = [n for n in COLUMNS if n not in ("inputs", "broken", "definition")]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def columns_sql() -> str:
    """The column definitions of the table, for CREATE TABLE."""
    return ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())


def told_sql() -> str:
    """The columns as `built_from` takes them, for SELECT: instants as microseconds since 1970."""
    return ", ".join(f'epoch_us("{n}")' if kind == _AT else f'"{n}"' for n, kind in COLUMNS.items())


def values_of(built: Built) -> list[Any]:
    """A build as the values of a row; what it read and what it broke are JSON objects."""
    row: dict[str, Any] = {name: getattr(built, name) for name in _PLAIN}
    row["inputs"] = json.dumps(dict(built.inputs), ensure_ascii=False)
    row["broken"] = json.dumps(dict(built.broken), ensure_ascii=False)
    row["definition"] = table_to_json(built.table) if built.table is not None else None
    return [row[name] for name in COLUMNS]


def built_from(values: Sequence[Any]) -> Built:
    """The build behind a row of `told_sql`."""
    row = dict(zip(COLUMNS, values, strict=True))
    plain = {name: row[name] for name in _PLAIN}
    plain |= {n: _EPOCH + timedelta(microseconds=row[n]) for n in ("started_at", "built_at")}
    definition = row["definition"]
    table = table_from_json(definition) if definition is not None else None
    return Built(**plain, inputs=json.loads(row["inputs"]), broken=json.loads(row["broken"]), table=table)


def models_table(builds: Sequence[Built]) -> Any:
    """Builds as an Arrow table of the shape of `_penstock_models`."""
    import pyarrow as pa

    kinds = {_TEXT: pa.string(), _COUNT: pa.int64(), _AT: pa.timestamp("us", "UTC")}
    rows = [values_of(b) for b in builds]
    columns = {
        name: pa.array([row[i] for row in rows], kinds[kind])
        for i, (name, kind) in enumerate(COLUMNS.items())
    }
    return pa.table(columns)
