"""What lies in quarantine, as lines: the entries, and single rows with what they broke."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from penstock.report.facts import Kept, QuarantinedRow, QuarantineEntry
from penstock.report.text import (
    Line,
    Span,
    clean,
    count,
    cut,
    faint,
    good,
    grid,
    line,
    moment,
    size,
    strong,
    warn,
)


def quarantine_lines(entries: Sequence[QuarantineEntry]) -> list[Line]:
    """One line an entry, and what the rules say about it below the table."""
    if not entries:
        return [line(good("nothing is in quarantine"))]
    heads: list[str | Span] = [faint(w) for w in ("table", "rows", "size", "landed", "state", "file")]
    body: list[list[str | Span]] = [_entry(e) for e in entries]
    reasons = [_reason(e) for e in entries]
    lines: list[Line] = []
    for row, reason in zip(grid([heads, *body], "lrrlll", indent=0), [None, *reasons], strict=True):
        lines.append(row)
        if reason:
            lines.append(line(faint(f"  {reason}")))
    return [*lines, (), line("to see the rows: ", strong("penstock quarantine show FILE"))]


def _entry(e: QuarantineEntry) -> list[str | Span]:
    landed = moment(datetime.fromtimestamp(e.landed_at, UTC))
    rows = "whole" if e.kept is Kept.FILE else count(e.rows)
    state = faint("replayed") if e.replayed else warn("waiting")
    return [e.table, rows, size(e.size_bytes), landed, state, clean(e.key)]


def _reason(e: QuarantineEntry) -> str:
    by_rule = sorted(e.broken.items(), key=lambda pair: (-pair[1], pair[0]))
    counts = ", ".join(f"{rule} {number:,}" for rule, number in by_rule)
    return clean("; ".join(part for part in (e.reason, counts) if part))


def row_lines(rows: Sequence[QuarantinedRow], width: int | None) -> list[Line]:
    """A block for each row: where it stood, what it broke, its text cut to `width` (None: whole)."""
    if not rows:
        return [line(good("no quarantined rows"))]
    lines: list[Line] = []
    for row in rows:
        lines.append(line(strong(f"{row.table} row {row.row:,}"), faint(f"  {clean(row.key)}")))
        broken: list[list[str | Span]] = [
            [warn(clean(b.rule)), clean(b.column or ""), "" if b.value is None else clean(b.value)]
            for b in row.broken
        ]
        lines += grid(broken, "lll")
        raw = clean(row.raw)
        lines += [line(faint("  " + (raw if width is None else cut(raw, width - 2)))), ()]
    return lines[:-1]
