"""Records of runs as rows of `_penstock_runs` and `_penstock_steps`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from penstock.ledger import RUNS_TABLE, STEPS_TABLE, RunRecord

# Any throughout: pyarrow is untyped

_TEXT, _COUNT, _REAL, _AT = pa.string(), pa.int64(), pa.float64(), pa.timestamp("us", "UTC")
_SQL = {
    _TEXT: "VARCHAR",
    _COUNT: "BIGINT",
    _REAL: "DOUBLE",
    _AT: "TIMESTAMPTZ",
    pa.list_(_TEXT): "VARCHAR[]",
}

SCHEMAS: Mapping[str, Any] = {
    RUNS_TABLE: pa.schema(
        {
            "run_id": _TEXT,
            "pipeline": _TEXT,
            "command": _TEXT,
            "attempt": _COUNT,
            "status": _TEXT,
            "started_at": _AT,
            "ended_at": _AT,
            "files_landed": _COUNT,
            "files_drained": _COUNT,
            "files": _COUNT,
            "rows": _COUNT,
            "loaded": _COUNT,
            "dropped": _COUNT,
            "quarantined": _COUNT,
            "load_ids": pa.list_(_TEXT),
            "findings": _TEXT,
            "notices": pa.list_(_TEXT),
            "error": _TEXT,
            "exit_code": _COUNT,
            "version": _TEXT,
        }
    ),
    STEPS_TABLE: pa.schema(
        {
            "run_id": _TEXT,
            "pipeline": _TEXT,
            "position": _COUNT,
            "phase": _TEXT,
            "table_name": _TEXT,
            "seconds": _REAL,
            "files": _COUNT,
            "rows": _COUNT,
            "size_bytes": _COUNT,
            "loaded": _COUNT,
            "dropped": _COUNT,
            "quarantined": _COUNT,
            "broken": _TEXT,
            "discarded": _TEXT,
            "changes": pa.list_(_TEXT),
        }
    ),
}


def columns_sql(name: str) -> str:
    """The column definitions of one of the two tables, for CREATE TABLE."""
    return ", ".join(f'"{f.name}" {_SQL[f.type]}' for f in SCHEMAS[name])


def rows_of_runs(runs: Sequence[RunRecord]) -> Mapping[str, Any]:
    """Both tables, by name, as Arrow tables."""
    return {
        RUNS_TABLE: pa.Table.from_pylist([_run(r) for r in runs], SCHEMAS[RUNS_TABLE]),
        STEPS_TABLE: pa.Table.from_pylist([s for r in runs for s in _steps(r)], SCHEMAS[STEPS_TABLE]),
    }


def _run(run: RunRecord) -> dict[str, Any]:
    row = {name: getattr(run, name) for name in SCHEMAS[RUNS_TABLE].names if hasattr(run, name)}
    counts = ("files", "rows", "loaded", "dropped", "quarantined")
    row |= {name: sum(getattr(step, name) for step in run.tables) for name in counts}
    return row | {"findings": json.dumps([asdict(f) for f in run.findings], ensure_ascii=False)}


def _steps(run: RunRecord) -> list[dict[str, Any]]:
    rows = []
    for position, step in enumerate(run.steps):
        row = {name: getattr(step, name) for name in SCHEMAS[STEPS_TABLE].names if hasattr(step, name)}
        row |= {"run_id": run.run_id, "pipeline": run.pipeline, "position": position}
        row |= {"table_name": step.table}
        row |= {n: json.dumps(dict(getattr(step, n)), ensure_ascii=False) for n in ("broken", "discarded")}
        rows.append(row)
    return rows
