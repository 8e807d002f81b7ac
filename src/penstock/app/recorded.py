"""The records of runs that a destination keeps, as values again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from penstock.errors import NotFoundError
from penstock.ledger import RUNS_TABLE, STEPS_TABLE, RunFinding, RunRecord, RunStep
from penstock.ports import Destination

# Any: rows of answers


def recorded(destination: Destination, most: int) -> list[RunRecord]:
    """The newest runs that are on record at a destination, newest first; none for one that keeps none."""
    newest = f'SELECT * FROM "{RUNS_TABLE}" ORDER BY started_at DESC, run_id DESC LIMIT {int(most)}'
    try:
        runs = destination.query(newest).to_pylist()
    except NotFoundError:
        return []
    steps: dict[str, list[RunStep]] = {}
    ids = f"SELECT run_id FROM ({newest})"
    told = f'SELECT * FROM "{STEPS_TABLE}" WHERE run_id IN ({ids}) ORDER BY run_id, position'
    for row in destination.query(told).to_pylist() if runs else []:
        steps.setdefault(row["run_id"], []).append(_step(row))
    return [_run(row, steps.get(row["run_id"], [])) for row in runs]


def _step(row: Mapping[str, Any]) -> RunStep:
    known = {f.name: row[f.name] for f in fields(RunStep) if f.name in row}
    known |= {"table": row["table_name"], "changes": tuple(row["changes"] or ())}
    known |= {name: json.loads(row[name] or "{}") for name in ("broken", "discarded")}
    return RunStep(**known)


def _run(row: Mapping[str, Any], steps: list[RunStep]) -> RunRecord:
    known = {f.name: row[f.name] for f in fields(RunRecord) if f.name in row}
    findings = tuple(RunFinding(**found) for found in json.loads(row["findings"] or "[]"))
    lists = {name: tuple(row[name] or ()) for name in ("load_ids", "notices")}
    return RunRecord(**{**known, **lists, "findings": findings, "steps": tuple(steps)})
