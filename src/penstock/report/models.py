"""Models as lines: what a build did, what it would do, and how they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from penstock.report.facts import (
    ModelResult,
    ModelStanding,
    ModelStatus,
    PlannedModel,
    TestResult,
)
from penstock.report.text import (
    Line,
    Span,
    Tone,
    ago,
    bad,
    clean,
    count,
    counted,
    duration,
    faint,
    good,
    grid,
    line,
    strong,
    warn,
)

MOST = 40
"""So many models are listed one by one; of more, those that need no look are only counted."""
_TONES = {
    ModelStatus.BUILT: Tone.GOOD,
    ModelStatus.UNCHANGED: Tone.FAINT,
    ModelStatus.SKIPPED: Tone.WARN,
    ModelStatus.REFUSED: Tone.BAD,
    ModelStatus.FAILED: Tone.BAD,
}
_UNHAPPY = ("warn", "fail", "error")


def is_idle(models: Sequence[ModelResult]) -> bool:
    """Whether nothing was built, and nothing had to be."""
    return all(m.status is ModelStatus.UNCHANGED for m in models)


def model_lines(models: Sequence[ModelResult]) -> list[Line]:
    """What became of models: how many ended which way, then those that were built, then the others."""
    lines = [heading(models)]
    built = [m for m in models if m.status is ModelStatus.BUILT]
    shown = built if len(built) <= MOST else [m for m in built if _is_odd(m)]
    if shown:
        lines += [(), *_built(shown)]
    if len(shown) < len(built):
        lines.append(line(faint(f"  {counted(len(built) - len(shown), 'model')} more built, all of it well")))
    lines += _not_built([m for m in models if m.status not in (ModelStatus.BUILT, ModelStatus.UNCHANGED)])
    return lines + _tests([(m, t) for m in models for t in m.tests if t.status in _UNHAPPY])


def heading(models: Sequence[ModelResult]) -> Line:
    """`models: 3 built, 1 refused, 12 unchanged`."""
    if is_idle(models):
        return line(strong("models"), ": ", faint("nothing new"), f", {counted(len(models), 'model')}")
    numbers = Counter(m.status for m in models)
    parts: list[str | Span] = [strong("models"), ": "]
    for status in (s for s in ModelStatus if numbers[s]):
        parts += [", " if len(parts) > 2 else "", Span(f"{numbers[status]:,} {status.value}", _TONES[status])]
    return line(*parts)


def _is_odd(m: ModelResult) -> bool:
    return bool(m.dropped or m.quarantined or m.broken or any(t.status in _UNHAPPY for t in m.tests))


def _built(models: Sequence[ModelResult]) -> list[Line]:
    words = ("model", "kind", "took", "rows", "kept", "dropped", "quarantined")
    heads: list[str | Span] = [faint(word) for word in words]
    body: list[list[str | Span]] = [
        [
            m.model,
            _kind(m.materialized, m.tool),
            duration(m.seconds),
            count(m.rows),
            good(count(m.kept)) if m.kept else count(m.kept),
            warn(count(m.dropped)) if m.dropped else count(0),
            warn(count(m.quarantined)) if m.quarantined else count(0),
        ]
        for m in models
    ]
    return grid([heads, *body], "llrrrrr")


def _kind(materialized: str, tool: str) -> str:
    return materialized if tool == "sql" else f"{materialized}, {tool}"


def _not_built(models: Sequence[ModelResult]) -> list[Line]:
    rows: list[list[str | Span]] = [
        [m.model, Span(m.status.value, _TONES[m.status]), clean((m.error or m.why).partition("\n")[0])]
        for m in models
    ]
    return [(), line(faint("  not built")), *grid(rows, "lll", indent=4)] if rows else []


def _tests(found: Sequence[tuple[ModelResult, TestResult]]) -> list[Line]:
    rows: list[list[str | Span]] = [
        [
            m.model,
            clean(t.name),
            warn(t.status) if t.status == "warn" else bad(t.status),
            counted(t.rows, "row") if t.rows is not None else "",
            clean(t.message or ""),
        ]
        for m, t in found
    ]
    return [(), line(faint("  tests")), *grid(rows, "lllrl", indent=4)] if rows else []


# ------------------------------------------------------------------------------------ what would


def planned_lines(models: Sequence[PlannedModel], *, everything: bool = False) -> list[Line]:
    """What would be built and why; with `everything` those that would be left alone, too."""
    if not models:
        return []
    builds = [m for m in models if m.builds]
    rest = len(models) - len(builds)
    if not builds:
        head = line(strong("models"), ": ", faint("nothing new"), f", {counted(rest, 'model')}")
    else:
        more = f", {rest:,} unchanged" if rest else ""
        head = line(strong("models"), ": ", f"{len(builds):,} to build{more}")
    shown = models if everything else builds
    rows: list[list[str | Span]] = [
        [
            strong("build") if m.builds else faint("leave"),
            m.model,
            _kind(m.materialized, m.tool),
            clean(m.why) if m.builds else faint(clean(m.why)),
        ]
        for m in shown
    ]
    return [head, *([(), *grid(rows, "llll")] if rows else [])]


# --------------------------------------------------------------------------------------- what is


def standing_lines(models: Sequence[ModelStanding], now: datetime) -> list[Line]:
    """How models stand; `now` is what `ago` counts from."""
    if not models:
        return []
    words = ("model", "kind", "built", "rows", "dropped", "quarantined", "")
    heads: list[str | Span] = [faint(word) for word in words]
    body: list[list[str | Span]] = [
        [
            m.model,
            _kind(m.materialized, m.tool),
            ago(m.built_at, now) if m.built_at else "never",
            count(m.rows),
            warn(count(m.dropped)) if m.dropped else count(0),
            warn(count(m.quarantined)) if m.quarantined else count(0),
            warn(clean(m.stale)) if m.stale else "",
        ]
        for m in models
    ]
    return [line(strong("models")), *grid([heads, *body], "lllrrrl")]
