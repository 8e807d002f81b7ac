"""Builds of models as rows of `_penstock_models`, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import pyarrow as pa

from penstock.ledger import Built
from penstock.schema.definition import table_from_json, table_to_json

# Any throughout: pyarrow is untyped

_TEXT, _COUNT, _AT = pa.string(), pa.int64(), pa.timestamp("us", "UTC")
_SQL = {_TEXT: "VARCHAR", _COUNT: "BIGINT", _AT: "TIMESTAMPTZ"}
SCHEMA = pa.schema(
    {
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
)
_PLAIN = [n for n in SCHEMA.names if n not in ("inputs", "broken", "definition")]


def columns_sql() -> str:
    """The column definitions of the table, for CREATE TABLE."""
    return ", ".join(f'"{f.name}" {_SQL[f.type]}' for f in SCHEMA)


def row_of(built: Built) -> dict[str, Any]:
    """A build as a row, in the order of `SCHEMA`; what it read and what it broke are JSON objects."""
    row: dict[str, Any] = {name: getattr(built, name) for name in _PLAIN}
    row["inputs"] = json.dumps(dict(built.inputs), ensure_ascii=False)
    row["broken"] = json.dumps(dict(built.broken), ensure_ascii=False)
    row["definition"] = table_to_json(built.table) if built.table is not None else None
    return {name: row[name] for name in SCHEMA.names}


def built_from(row: Mapping[str, Any]) -> Built:
    """The build behind a row."""
    values = {name: row[name] for name in _PLAIN}
    values |= {name: row[name].astimezone(UTC) for name in ("started_at", "built_at")}
    definition = row["definition"]
    table = table_from_json(definition) if definition is not None else None
    return Built(**values, inputs=json.loads(row["inputs"]), broken=json.loads(row["broken"]), table=table)


def models_table(builds: Sequence[Built]) -> Any:
    """Builds as an Arrow table of the shape of `_penstock_models`."""
    return pa.Table.from_pylist([row_of(b) for b in builds], SCHEMA)


def relation_of(built: Built) -> str:
    """The relation that a build made: the model's own name, unless somebody else's program chose another."""
    return built.table.name if built.table is not None and built.tool == "dbt" else built.model
