"""Runs, broken rules and what is set aside, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.catalogue import Key
from penstock.ledger import RunRecord, RunStep
from penstock.report.document import instant
from penstock.report.site.entities import Entity
from penstock.report.site.facts import Aside, TableFacts
from penstock.report.site.privacy import ANY, UNKNOWN, reason

# Any: JSON
RUNS = 100
"""So many runs are shown, the newest."""
_LONGEST = 300
MASK = "***"


def runs(records: Sequence[RunRecord], ids: Mapping[tuple[str | None, str], str]) -> list[dict[str, Any]]:
    """The newest runs: how each ended, where its time went, what became of the rows."""
    return [_run(r, ids) for r in records[:RUNS]]


def _run(run: RunRecord, ids: Mapping[tuple[str | None, str], str]) -> dict[str, Any]:
    return {
        "id": run.run_id,
        "pipeline": run.pipeline,
        "command": run.command,
        "attempt": run.attempt if run.attempt > 1 else None,
        "status": run.status,
        "at": instant(run.started_at),
        "seconds": round(run.seconds, 3),
        "loads": run.load_ids,
        "phases": [
            [s.phase, None if s.seconds is None else round(s.seconds, 3), s.files, s.rows, s.size_bytes]
            for s in run.steps
            if s.table is None
        ],
        "tables": [_step(s, run.pipeline, ids) for s in run.tables],
        "findings": [
            {"table": f.table, "rule": f.rule, "action": f.action, "message": f.message, "key": f.key}
            for f in run.findings
        ],
        "notices": [cut(n) for n in run.notices],
        "error": run.error,
        "version": run.version,
    }


def _step(step: RunStep, pipeline: str, ids: Mapping[tuple[str | None, str], str]) -> dict[str, Any]:
    assert step.table is not None
    return {
        "name": step.table,
        "id": ids.get((pipeline, step.table)) or ids.get((None, step.table)),
        "seconds": None if step.seconds is None else round(step.seconds, 3),
        "counts": [step.files, step.rows, step.loaded, step.dropped, step.quarantined],
        "broken": step.broken,
        "discarded": step.discarded,
        "changes": step.changes,
    }


def rules(
    records: Sequence[RunRecord], found: Sequence[Entity], known: Mapping[Key, TableFacts]
) -> list[dict[str, Any]]:
    """Every rule of every table: what it does, and how many rows broke it, last and in all runs shown."""
    told: dict[tuple[str, str], dict[str, Any]] = {}
    places = {(e.node.pipeline, e.node.name): e.id for e in found}
    for entity in found:
        for check in (c for node in entity.layers for c in node.checks):
            told.setdefault((entity.id, check.rule), {"action": check.action})
    for run in records[:RUNS]:
        for step in run.tables:
            place = places.get((run.pipeline, step.table or "")) or places.get((None, step.table or ""))
            for rule, rows in step.broken.items():
                line = told.setdefault((place or step.table or "", rule), {"action": None})
                line["rows"] = line.get("rows", 0) + rows
                line["runs"] = line.get("runs", 0) + 1
                line.setdefault("last", [run.run_id, rows])
    for entity in found:
        built = known[entity.node.key].built if entity.node.key in known else None
        for rule, rows in (built.broken if built else {}).items():
            line = told.setdefault((entity.id, rule), {"action": None})
            line["rows"] = max(line.get("rows", 0), rows)
    return [{"table": table, "rule": rule, **line} for (table, rule), line in told.items()]


@dataclass(frozen=True, slots=True)
class Veil:
    """What is not told of rows of a table: values of some columns, or (`whole`) any text of a row."""

    columns: Mapping[str, str]
    whole: bool


def asides(
    found: Sequence[Aside], ids: Mapping[tuple[str | None, str], str], veils: Mapping[str, Veil]
) -> list[dict[str, Any]]:
    """What lies in the quarantine, newest first, with its samples; sensitive values are masked."""
    newest = sorted(found, key=lambda a: (a.entry.landed_at, a.entry.key), reverse=True)
    return [_aside(a, ids, veils) for a in newest]


def _aside(
    aside: Aside, ids: Mapping[tuple[str | None, str], str], veils: Mapping[str, Veil]
) -> dict[str, Any]:
    entry = aside.entry
    place = ids.get((entry.pipeline, entry.table)) or ids.get((None, entry.table))
    veil = veils.get(place or "", Veil({ANY: UNKNOWN}, whole=True))
    return {
        "id": place,
        "table": entry.table,
        "pipeline": entry.pipeline,
        "key": entry.key,
        "kept": entry.kept,
        "rows": entry.rows,
        "bytes": entry.size_bytes,
        "broken": entry.broken,
        "reason": entry.reason,
        "replayed": entry.replayed,
        "samples": [
            {
                "row": row.row,
                "broken": [
                    [b.rule, b.column, MASK if b.column and reason(veil.columns, b.column) else cut(b.value)]
                    for b in row.broken
                ],
                "raw": MASK if veil.whole else cut(row.raw),
            }
            for row in aside.rows
        ],
    }


def cut(text: str | None) -> str | None:
    """A text that may be long, as much of it as is worth reading."""
    return text if text is None or len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
