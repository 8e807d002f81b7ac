"""What needs a person's look, and the command that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.gate.verdict import Action
from penstock.report.facts import (
    ModelStanding,
    ModelStatus,
    PipelineStatus,
    PlanResult,
    RunResult,
    Status,
)
from penstock.report.text import Line, Span, counted, grid, line, strong, warn


@dataclass(frozen=True, slots=True)
class Look:
    """Something that needs a look: what it is, and the command that shows more."""

    what: str
    command: str


_ENDS = {Status.REFUSED: "was refused", Status.FAILED: "could not be finished"}


def run_looks(result: RunResult) -> tuple[Look, ...]:
    """What a run leaves to look at, the gravest first."""
    failed = [
        Look(f"`{p.pipeline}` {_ENDS[p.status]}", f"penstock plan {_word(p.pipeline)}")
        for p in result.pipelines
        if p.status in _ENDS
    ]
    aside = {
        p.pipeline: [f.table for f in p.findings if f.finding.action is Action.QUARANTINE]
        for p in result.pipelines
    }
    files = [look for pipeline, tables in aside.items() for look in _aside(pipeline, len(tables))]
    rows = [
        look
        for p in result.pipelines
        for t in p.tables
        # the rows of a file that was set aside whole are quarantined without a broken rule
        if t.broken or t.table not in aside[p.pipeline]
        for look in _quarantined(called(result, p.pipeline, t.table), t.quarantined, "quarantined")
    ]
    dropped = [
        Look(f"{counted(t.dropped, 'row')} of `{t.table}` dropped", f"penstock status {_word(p.pipeline)}")
        for p in result.pipelines
        for t in p.tables
        if t.dropped
    ]
    return (*failed, *_model_failures(result), *files, *rows, *dropped, *_model_rows(result))


_UNBUILT = {ModelStatus.REFUSED: "was refused", ModelStatus.FAILED: "could not be built"}


def _model_failures(result: RunResult) -> list[Look]:
    failed = [
        Look(f"the model `{m.model}` {_UNBUILT[m.status]}", "penstock status models --last")
        for m in result.models
        if m.status in _UNBUILT
    ]
    left = sum(m.status is ModelStatus.SKIPPED for m in result.models)
    if left:
        failed.append(Look(f"{counted(left, 'model')} skipped", "penstock plan"))
    return failed


def _model_rows(result: RunResult) -> list[Look]:
    looks: list[Look] = []
    for m in result.models:
        looks += _quarantined(m.model, m.quarantined, "quarantined")
        if m.dropped:
            looks.append(
                Look(f"{counted(m.dropped, 'row')} of `{m.model}` dropped", "penstock status models")
            )
        looks += [
            Look(f"the test `{t.name}` of `{m.model}` {_TESTED[t.status]}", f"penstock show {_word(m.model)}")
            for t in m.tests
            if t.status in _TESTED
        ]
    return looks


_TESTED = {"warn": "warns", "fail": "fails", "error": "could not be run"}


def plan_looks(result: PlanResult) -> tuple[Look, ...]:
    """The pipelines whose run would not succeed."""
    return tuple(
        Look(
            f"a run of `{p.pipeline}` would end with the error above", f"penstock status {_word(p.pipeline)}"
        )
        for p in result.pipelines
        if p.error
    )


def status_looks(
    statuses: Sequence[PipelineStatus], models: Sequence[ModelStanding] = ()
) -> tuple[Look, ...]:
    """What is left to do or to see."""
    looks: list[Look] = []
    for s in statuses:
        ready = s.waiting_files + (s.on_offer or 0)
        if s.failed:
            told = f"penstock status {_word(s.pipeline)} --last"
            looks.append(Look(f"the last run of `{s.pipeline}` did not succeed", told))
        if ready:
            what = f"{counted(ready, 'file')} of `{s.pipeline}` {'waits' if ready == 1 else 'wait'}"
            looks.append(Look(what, f"penstock run {_word(s.pipeline)}"))
        looks += _aside(s.pipeline, sum(t.refused for t in s.tables))
        for t in s.tables:
            name = _called([(o.pipeline, u.table) for o in statuses for u in o.tables], s.pipeline, t.table)
            looks += _quarantined(name, t.quarantined, "in quarantine")
    for m in models:
        looks += _quarantined(m.model, m.quarantined, "in quarantine")
    if stale := [m for m in models if m.stale]:
        what = (
            f"{counted(len(stale), 'model')} to build" if len(stale) > 1 else f"`{stale[0].model}` to build"
        )
        looks.append(Look(what, "penstock build"))
    return tuple(looks)


def called(result: RunResult, pipeline: str, table: str) -> str:
    """What commands call a table: `pipeline.table` where two pipelines have one of that name."""
    return _called([(p.pipeline, t.table) for p in result.pipelines for t in p.tables], pipeline, table)


def _called(known: Sequence[tuple[str, str]], pipeline: str, table: str) -> str:
    alone = all(p == pipeline for p, t in known if t == table)
    return table if alone else f"{pipeline}.{table}"


def _aside(pipeline: str, files: int) -> list[Look]:
    what = f"{counted(files, 'file')} of `{pipeline}` set aside whole"
    return [Look(what, f"penstock quarantine list {_word(pipeline)}")] if files else []


def _quarantined(table: str, rows: int, state: str) -> list[Look]:
    what = f"{counted(rows, 'row')} of `{table}` {state}"
    return [Look(what, f"penstock quarantine show {_word(table)}")] if rows else []


def _word(name: str) -> str:
    # Quoted as a POSIX shell wants it, so that the command can be pasted.
    plain = name and all(c.isalnum() or c in "_-./" for c in name) and not name.startswith("-")
    return name if plain else "'" + name.replace("'", "'\\''") + "'"


def closing(looks: Sequence[Look], otherwise: Line) -> list[Line]:
    """The end of a summary: what needs a look, or the line that says nothing does."""
    if not looks:
        return [otherwise]
    if len(looks) == 1:
        return [line(warn("needs a look: "), f"{looks[0].what}: ", strong(looks[0].command))]
    rows: list[list[str | Span]] = [[look.what, strong(look.command)] for look in looks]
    return [line(warn("needs a look:")), *grid(rows, "ll")]
