"""What needs a look, the gravest first. What is stale is told by the page, which knows what time it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from penstock.report.facts import Kept, Status
from penstock.report.site.entities import Entity
from penstock.report.site.facts import SiteFacts
from penstock.report.text import counted

# Any: JSON
_ENDS = {
    Status.REFUSED.value: "was refused",
    Status.FAILED.value: "failed",
    Status.STOPPED.value: "was stopped",
}


def attention(facts: SiteFacts, found: Sequence[Entity]) -> list[dict[str, Any]]:
    """Lines with where they lead: last runs that did not succeed, and what is set aside."""
    return [*_runs(facts), *_aside(facts, found), *({"level": "warn", "text": n} for n in facts.notes)]


def _runs(facts: SiteFacts) -> Iterator[dict[str, Any]]:
    newest = {run.pipeline: run for run in reversed(facts.runs)}
    for name, run in sorted(newest.items()):
        if run.status in _ENDS:
            first = (run.error or "").partition("\n")[0].replace("`", "")
            yield {
                "level": "bad",
                "text": f"the last run of {name} {_ENDS[run.status]}",
                "more": first,
                "to": ["run", run.run_id],
            }


def _aside(facts: SiteFacts, found: Sequence[Entity]) -> Iterator[dict[str, Any]]:
    ids = {(e.node.pipeline, e.node.name): e.id for e in found}
    waiting: dict[tuple[str, str, Kept], int] = {}
    for aside in facts.quarantine:
        entry = aside.entry
        if not entry.replayed:
            what = (entry.pipeline, entry.table, entry.kept)
            waiting[what] = waiting.get(what, 0) + (entry.rows or 0 if entry.kept is Kept.ROWS else 1)
    for (pipeline, table, kept), number in waiting.items():
        place = ids.get((pipeline, table)) or ids.get((None, table))
        noun = "row" if kept is Kept.ROWS else "whole file"
        yield {
            "level": "warn",
            "text": f"{counted(number, noun)} of {table} in quarantine",
            "to": ["table", place] if place else ["quality"],
        }
