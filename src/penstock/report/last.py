"""The last runs of pipelines, as lines: how each ended, where its time went, what became of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from penstock.ledger import RunRecord, RunStep
from penstock.report.facts import Status
from penstock.report.summary import rules, values
from penstock.report.text import (
    Line,
    Span,
    Tone,
    ago,
    bad,
    clean,
    count,
    duration,
    faint,
    good,
    grid,
    line,
    moment,
    size,
    strong,
    warn,
)

BUILD = "build"
"""The command of a run that builds models."""
_TONES = {Status.LOADED.value: Tone.GOOD, Status.NOTHING_NEW.value: Tone.FAINT}


def last_lines(runs: Sequence[RunRecord], now: datetime) -> list[Line]:
    """A block for each run; `now` is what `ago` counts from."""
    if not runs:
        return [line("no run is on record in this project"), line(faint(_ELSEWHERE))]
    lines: list[Line] = []
    for run in runs:
        lines += [*_run(run, now), ()]
    return [*lines, line(faint(_ELSEWHERE))]


_ELSEWHERE = 'all runs, those of other machines too: penstock show --sql "SELECT * FROM _penstock_runs"'


def _run(run: RunRecord, now: datetime) -> list[Line]:
    lines = [_heading(run), *grid(_facts(run, now), "ll")]
    phases = [s for s in run.steps if s.table is None]
    if phases:
        lines += [(), *_phases(phases)]
    if run.tables:
        lines += [(), *(_models(run.tables) if run.command == BUILD else _tables(run.tables))]
    lines += rules((t.table or "", t.broken) for t in run.tables)
    lines += values((t.table or "", t.discarded) for t in run.tables)
    title = "not built" if run.command == BUILD else "schema"
    lines += _section(title, [change for t in run.tables for change in t.changes])
    lines += _section("files", [f"{f.action}: {f.key}: {f.message}" for f in run.findings])
    told = {f"schema: {change}" for t in run.tables for change in t.changes}
    lines += _section("notices", [n for n in run.notices if n not in told])
    if run.error:
        first, *rest = run.error.split("\n")
        lines += [(), line("  ", bad("error: "), clean(first)), *(line("  ", clean(text)) for text in rest)]
    return lines


def _heading(run: RunRecord) -> Line:
    words = run.status.replace("_", " ")
    what = "" if run.command in ("run", BUILD) else f" ({run.command})"
    if run.command == BUILD and run.status == Status.LOADED:
        words = "built"
    return line(strong(run.pipeline), ": ", Span(words, _TONES.get(run.status, Tone.BAD)), what)


def _facts(run: RunRecord, now: datetime) -> list[list[str | Span]]:
    loads = ", ".join(run.load_ids) or "none"
    facts: list[list[str | Span]] = [
        [faint("run"), run.run_id],
        [faint("started"), f"{moment(run.started_at)} ({ago(run.started_at, now)})"],
        [faint("took"), duration(run.seconds)],
        [faint("loads"), loads],
    ]
    if run.command == BUILD:
        facts.pop()
    if run.attempt > 1:
        facts.append([faint("attempt"), warn(str(run.attempt))])
    return facts


def _phases(steps: Sequence[RunStep]) -> list[Line]:
    heads: list[str | Span] = [faint(word) for word in ("phase", "took", "files", "rows", "bytes")]
    body: list[list[str | Span]] = [
        [
            s.phase,
            "-" if s.seconds is None else duration(s.seconds),
            count(s.files),
            count(s.rows or None),
            size(s.size_bytes) if s.size_bytes else "-",
        ]
        for s in steps
    ]
    return grid([heads, *body], "lrrrr")


def _tables(steps: Sequence[RunStep]) -> list[Line]:
    words = ("table", "files", "rows", "loaded", "dropped", "quarantined")
    heads: list[str | Span] = [faint(word) for word in words]
    body: list[list[str | Span]] = [
        [
            s.table or "",
            count(s.files),
            count(s.rows),
            good(count(s.loaded)) if s.loaded else count(0),
            warn(count(s.dropped)) if s.dropped else count(0),
            warn(count(s.quarantined)) if s.quarantined else count(0),
        ]
        for s in steps
    ]
    return grid([heads, *body], "lrrrrr")


def _models(steps: Sequence[RunStep]) -> list[Line]:
    words = ("model", "took", "rows", "kept", "dropped", "quarantined")
    heads: list[str | Span] = [faint(word) for word in words]
    body: list[list[str | Span]] = [
        [
            s.table or "",
            duration(s.seconds or 0),
            count(s.rows),
            good(count(s.loaded)) if s.loaded else count(0),
            warn(count(s.dropped)) if s.dropped else count(0),
            warn(count(s.quarantined)) if s.quarantined else count(0),
        ]
        for s in steps
        if not s.changes  # what was not built says so there
    ]
    return grid([heads, *body], "lrrrrr") if body else []


def _section(title: str, texts: Sequence[str]) -> list[Line]:
    return [(), line(faint(f"  {title}")), *(line("    ", clean(t)) for t in texts)] if texts else []
