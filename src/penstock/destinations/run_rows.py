"""Records of runs as rows of `_penstock_runs` and `_penstock_steps`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from penstock.ledger import RUNS_TABLE, STEPS_TABLE, RunRecord

# Any throughout: pyarrow is untyped, and rows hold values of every kind

_TEXT, _COUNT, _REAL, _AT, _TEXTS = "VARCHAR", "BIGINT", "DOUBLE", "TIMESTAMPTZ", "VARCHAR[]"

COLUMNS: Mapping[str, Mapping[str, str]] = {
    RUNS_TABLE: {
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
        "load_ids": _TEXTS,
        "findings": _TEXT,
        "notices": _TEXTS,
        "error": _TEXT,
        "exit_code": _COUNT,
        "version": _TEXT,
    },
    STEPS_TABLE: {
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
        "changes": _TEXTS,
    },
}


def columns_sql(name: str) -> str:
    """The column definitions of one of the two tables, for CREATE TABLE."""
    return ", ".join(f'"{column}" {kind}' for column, kind in COLUMNS[name].items())


@cache
def schema_of(name: str) -> Any:
    """One of the two tables as an Arrow schema."""
    import pyarrow as pa

    text, at = pa.string(), pa.timestamp("us", "UTC")
    kinds = {_TEXT: text, _COUNT: pa.int64(), _REAL: pa.float64(), _AT: at, _TEXTS: pa.list_(text)}
    return pa.schema({column: kinds[kind] for column, kind in COLUMNS[name].items()})


def rows_of_runs(runs: Sequence[RunRecord]) -> Mapping[str, Any]:
    """Both tables, by name, as Arrow tables."""
    import pyarrow as pa

    said = plain_rows(runs)
    return {name: pa.Table.from_pylist(rows, schema_of(name)) for name, rows in said.items()}


def plain_rows(runs: Sequence[RunRecord]) -> Mapping[str, list[dict[str, Any]]]:
    """Both tables, by name, as Python values."""
    return {RUNS_TABLE: [_run(r) for r in runs], STEPS_TABLE: [s for r in runs for s in _steps(r)]}


def _run(run: RunRecord) -> dict[str, Any]:
    row = {name: getattr(run, name) for name in COLUMNS[RUNS_TABLE] if hasattr(run, name)}
    counts = ("files", "rows", "loaded", "dropped", "quarantined")
    row |= {name: sum(getattr(step, name) for step in run.tables) for name in counts}
    return row | {"findings": json.dumps([asdict(f) for f in run.findings], ensure_ascii=False)}


def _steps(run: RunRecord) -> list[dict[str, Any]]:
    rows = []
    for position, step in enumerate(run.steps):
        row = {name: getattr(step, name) for name in COLUMNS[STEPS_TABLE] if hasattr(step, name)}
        row |= {"run_id": run.run_id, "pipeline": run.pipeline, "position": position}
        row |= {"table_name": step.table}
        row |= {n: json.dumps(dict(getattr(step, n)), ensure_ascii=False) for n in ("broken", "discarded")}
        rows.append(row)
    return rows
