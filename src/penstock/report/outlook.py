"""What a run would do, as lines: the files that wait, what becomes of their rows, and the steps."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.errors import BugError
from penstock.plan import Clear, Judge, Keep, Land, Load, Step
from penstock.report.facts import PlannedPipeline, PlannedTable, PlanResult
from penstock.report.look import closing, plan_looks
from penstock.report.models import planned_lines
from penstock.report.summary import changes, findings, rules, values
from penstock.report.text import (
    Line,
    Span,
    bad,
    clean,
    count,
    counted,
    faint,
    good,
    grid,
    line,
    size,
    strong,
    warn,
)


def plan_lines(result: PlanResult, *, steps: bool = False) -> list[Line]:
    """The plan; with every single step if `steps`."""
    lines: list[Line] = []
    for pipeline in result.pipelines:
        lines += [*_pipeline(pipeline, result.quick, steps), ()]
    if result.models:
        lines += [*planned_lines(result.models, everything=steps), ()]
    return [*lines, *closing(plan_looks(result), _end(result))]


def _end(result: PlanResult) -> Line:
    builds = any(m.builds for m in result.models)
    if not builds and not any(p.steps or p.asks for p in result.pipelines):
        return line(good("nothing to do"))
    unread = result.quick and any(t.files for p in result.pipelines for t in p.tables)
    note = "; the files were not read, that is done without --quick" if unread else ""
    command = "penstock run" if result.pipelines else "penstock build"
    return line("to do this: ", strong(command), note)


def _pipeline(p: PlannedPipeline, quick: bool, steps: bool) -> list[Line]:
    tables = [t for t in p.tables if t.files or t.changes]
    lines = [_heading(p, tables)]
    if tables:
        lines += [(), *_tables(tables, quick)]
    lines += rules((t.table, t.broken) for t in tables)
    lines += values((t.table, t.discarded) for t in tables)
    lines += changes(change for t in tables for change in t.changes)
    lines += findings([f for t in tables for f in t.findings])
    if steps and p.steps:
        lines += [(), line(faint("  steps")), *grid([_step(s) for s in p.steps], "ll", indent=4)]
    return lines


def _heading(p: PlannedPipeline, tables: Sequence[PlannedTable]) -> Line:
    if p.error:
        return line(strong(p.pipeline), ": ", bad("would end with an error"))
    files = sum(t.files for t in tables)
    if not files and p.asks:
        return line(strong(p.pipeline), ": ", "nothing waits; its source is asked when it runs")
    if not files:
        return line(strong(p.pipeline), ": ", faint("only tidying up" if p.steps else "nothing new"))
    total = size(sum(t.size_bytes for t in tables))
    return line(strong(p.pipeline), ": ", f"{counted(files, 'file')}, {total} to load")


def _tables(tables: Sequence[PlannedTable], quick: bool) -> list[Line]:
    columns: list[tuple[str, list[str | Span]]] = [("table", [t.table for t in tables])]
    for name, numbers in (
        ("on offer", [t.on_offer for t in tables]),
        ("landed", [t.in_land for t in tables]),
        ("kept", [t.in_raw_hist for t in tables]),
    ):
        if any(numbers):
            columns.append((name, [count(n) for n in numbers]))
    columns.append(("size", [size(t.size_bytes) for t in tables]))
    if not quick:
        columns += [
            ("rows", [count(t.rows) for t in tables]),
            ("to load", [count(t.accepted) for t in tables]),
            ("to drop", [warn(count(t.dropped)) if t.dropped else count(t.dropped) for t in tables]),
            (
                "to quarantine",
                [warn(count(t.quarantined)) if t.quarantined else count(t.quarantined) for t in tables],
            ),
        ]
    heads: list[str | Span] = [faint(name) for name, _ in columns]
    body = [list(row) for row in zip(*(cells for _, cells in columns), strict=True)]
    return grid([heads, *body], "l" + "r" * (len(columns) - 1))


def _step(step: Step) -> list[str | Span]:
    match step:
        case Land():
            return ["land", clean(f"{step.offer.origin} as {step.key}")]
        case Judge():
            return ["judge", clean(f"{step.key}, {size(step.size_bytes)}")]
        case Keep():
            return ["keep", clean(step.key)]
        case Load():
            return ["load", clean(f"{counted(len(step.keys), 'file')} into {', '.join(step.tables)}")]
        case Clear():
            return ["clear", clean(step.key)]
    raise BugError(f"a step that the plan cannot print: {step!r}")
