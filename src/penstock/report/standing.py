"""How pipelines stand, as lines: the last load, what waits, what is set aside, who holds the lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from penstock.report.facts import ModelStanding, PipelineStatus, TableTotals
from penstock.report.look import closing, status_looks
from penstock.report.models import standing_lines
from penstock.report.text import (
    Line,
    Span,
    ago,
    clean,
    count,
    counted,
    faint,
    good,
    grid,
    line,
    moment,
    size,
    strong,
    warn,
)


def status_lines(
    statuses: Sequence[PipelineStatus], now: datetime, models: Sequence[ModelStanding] = ()
) -> list[Line]:
    """A block for each pipeline, and one for models; `now` is what `ago` counts from."""
    if not statuses and not models:
        return [line("the project has no pipelines")]
    lines: list[Line] = []
    for status in statuses:
        lines += [*_pipeline(status, now), ()]
    if models:
        lines += [*standing_lines(models, now), ()]
    return [*lines, *closing(status_looks(statuses, models), line(good(_done(statuses))))]


def _done(statuses: Sequence[PipelineStatus]) -> str:
    if not statuses:
        return "all is built"
    return "all is loaded" if any(s.last_load for s in statuses) else "nothing was loaded yet"


def _pipeline(s: PipelineStatus, now: datetime) -> list[Line]:
    facts: list[list[str | Span]] = [
        [faint("destination"), clean(s.destination)],
        [faint("last load"), _last(s, now)],
        [faint("waiting"), _waiting(s)],
        [faint("lock"), warn(f"held by {clean(s.holder)}") if s.holder else "free"],
    ]
    if s.failed:
        facts.insert(2, [faint("last run"), warn(clean(s.failed))])
    lines = [line(strong(s.pipeline)), *grid(facts, "ll")]
    return [*lines, (), *_tables(s.tables)] if s.tables else lines


def _last(s: PipelineStatus, now: datetime) -> str:
    if s.last_load is None:
        return "never"
    load = s.last_load
    rows = f"{counted(load.loaded, 'row')} from {counted(load.files, 'file')}"
    return f"{moment(load.committed_at)} ({ago(load.committed_at, now)}), {rows}"


def _waiting(s: PipelineStatus) -> str | Span:
    words = []
    if s.waiting_files:
        words.append(f"{counted(s.waiting_files, 'file')}, {size(s.waiting_bytes)}, landed")
    if s.on_offer:
        words.append(f"{counted(s.on_offer, 'file')} at the source")
    return warn("; ".join(words)) if words else "nothing"


def _tables(tables: Sequence[TableTotals]) -> list[Line]:
    words = ("table", "files", "rows", "loaded", "dropped", "quarantined", "refused files")
    heads: list[str | Span] = [faint(word) for word in words]
    body: list[list[str | Span]] = [
        [
            t.table,
            count(t.files),
            count(t.rows),
            count(t.loaded),
            count(t.dropped),
            warn(count(t.quarantined)) if t.quarantined else count(0),
            warn(count(t.refused)) if t.refused else count(0),
        ]
        for t in tables
    ]
    return grid([heads, *body], "lrrrrrr")
