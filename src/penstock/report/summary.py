"""What a run did, as lines: a block for each pipeline, and what needs a look at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from penstock.gate.verdict import Action
from penstock.report.facts import FileFinding, ModelStatus, PipelineResult, RunResult, Status, TableResult
from penstock.report.look import called, closing, run_looks
from penstock.report.models import heading, is_idle, model_lines
from penstock.report.text import (
    Line,
    Span,
    Tone,
    bad,
    clean,
    count,
    counted,
    duration,
    faint,
    good,
    grid,
    line,
    plain,
    strong,
    warn,
)
from penstock.schema.table import Change


def run_lines(result: RunResult) -> list[Line]:
    """The summary of a run."""
    if all(p.status is Status.NOTHING_NEW for p in result.pipelines) and is_idle(result.models):
        return [
            *(_heading(p) for p in result.pipelines),
            *([heading(result.models)] if result.models else []),
        ]
    lines: list[Line] = []
    for pipeline in result.pipelines:
        lines += [*_pipeline(pipeline), ()]
    if result.models:
        lines += [*model_lines(result.models), *rules((m.model, m.broken) for m in result.models), ()]
    return [*lines, *closing(run_looks(result), _contented(result))]


def result_text(result: PipelineResult) -> str:
    """What one pipeline did, as plain text for a terminal."""
    return "\n".join(plain(row) for row in _pipeline(result)) + (f"\n{result.error}" if result.error else "")


def result_html(result: PipelineResult) -> str:
    """The same as HTML, for a notebook."""
    rows = ("".join(_painted(span) for span in row) or " " for row in _pipeline(result))
    error = (
        f"\n<span style='color:{_COLOURS[Tone.BAD]}'>{escape(result.error)}</span>" if result.error else ""
    )
    return "<pre style='line-height:1.3'>" + "\n".join(rows) + error + "</pre>"


_COLOURS = {Tone.GOOD: "#1a7f37", Tone.WARN: "#9a6700", Tone.BAD: "#cf222e", Tone.FAINT: "#6e7781"}


def _painted(span: Span) -> str:
    text = escape(span.text)
    if span.tone is Tone.STRONG:
        return f"<b>{text}</b>"
    return f"<span style='color:{_COLOURS[span.tone]}'>{text}</span>" if span.tone in _COLOURS else text


def _contented(result: RunResult) -> Line:
    tables = [(p.pipeline, t) for p in result.pipelines for t in p.tables if t.loaded and not t.part_of]
    built = sum(m.status is ModelStatus.BUILT for m in result.models)
    if not tables and built:
        last = next(m.model for m in reversed(result.models) if m.status is ModelStatus.BUILT)
        show = f"penstock show {last}" if built == 1 else "penstock show"
        return line(good(f"{counted(built, 'model')} built"), ", see: ", strong(show))
    if not tables:
        return line("no rows to load")
    rows = counted(sum(t.loaded for _, t in tables), "row")
    show = "penstock show"
    if len(tables) == 1 and not built:
        show = f"penstock show {called(result, tables[0][0], tables[0][1].table)}"
    done = f"{rows} loaded" if rows == "1 row" else f"all {rows} loaded"
    if built:
        done += f", {counted(built, 'model')} built"
    if not built and not any(p.readable for p in result.pipelines if p.tables):
        return line(good(done))
    return line(good(done), ", see: ", strong(show))


def _pipeline(p: PipelineResult) -> list[Line]:
    tables = [t for t in p.tables if t.files or t.rows or t.changes]
    lines = [_heading(p)]
    if tables:
        lines += [(), *_tables(tables)]
    lines += rules((t.table, t.broken) for t in tables)
    lines += values((t.table, t.discarded) for t in tables)
    lines += changes(change for t in tables for change in t.changes)
    return lines + findings(p.findings)


def _heading(p: PipelineResult) -> Line:
    tone = {Status.LOADED: Tone.GOOD, Status.NOTHING_NEW: Tone.FAINT}.get(p.status, Tone.BAD)
    words = p.status.value.replace("_", " ")
    facts = [f"in {duration(p.seconds)}"]
    if p.files_landed:
        facts.append(f"{counted(p.files_landed, 'file')} landed")
    if p.files_drained:
        facts.append(f"{counted(p.files_drained, 'file')} picked up")
    if len(p.load_ids) > 1:
        facts.append(counted(len(p.load_ids), "load"))
    if p.status in (Status.REFUSED, Status.FAILED):
        done = counted(len(p.load_ids), "load") + " committed before" if p.load_ids else "nothing was loaded"
        facts = [facts[0], done]
    return line(strong(p.pipeline), ": ", Span(words, tone), " " + ", ".join(facts))


def _tables(tables: Sequence[TableResult]) -> list[Line]:
    words = ("table", "files", "rows", "loaded", "dropped", "quarantined")
    heads: list[str | Span] = [faint(word) for word in words]
    body: list[list[str | Span]] = [
        [
            t.table,
            count(t.files),
            count(t.rows),
            good(count(t.loaded)) if t.loaded else count(0),
            warn(count(t.dropped)) if t.dropped else count(0),
            warn(count(t.quarantined)) if t.quarantined else count(0),
        ]
        for t in tables
    ]
    return grid([heads, *body], "lrrrrr")


def rules(broken: Iterable[tuple[str, Mapping[str, int]]]) -> list[Line]:
    """The rules that rows broke, by table, the most broken first."""
    return _counts("broken rules", broken, "row")


def values(discarded: Iterable[tuple[str, Mapping[str, int]]]) -> list[Line]:
    """The values that a contract set to null or left out, by table and column."""
    return _counts("values discarded by the contract", discarded, "value")


def _counts(title: str, counts: Iterable[tuple[str, Mapping[str, int]]], noun: str) -> list[Line]:
    rows: list[list[str | Span]] = [
        [table, clean(name), count(number), faint(noun if number == 1 else noun + "s")]
        for table, by_name in counts
        for name, number in sorted(by_name.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return [(), line(faint(f"  {title}")), *grid(rows, "llrl", indent=4)] if rows else []


def changes(found: Iterable[Change]) -> list[Line]:
    """How the shapes of tables grow."""
    lines = [line("    ", clean(str(change))) for change in found]
    return [(), line(faint("  schema")), *lines] if lines else []


def findings(found: Sequence[FileFinding]) -> list[Line]:
    """What the gate says of whole files, and what becomes of them."""
    if not found:
        return []
    rows: list[list[str | Span]] = []
    for f in found:
        word = {Action.ALLOW: "noted", Action.QUARANTINE: "set aside", Action.DROP: "left out"}
        fate = word.get(f.finding.action, "refused")
        tone = warn if f.finding.action is not Action.FAIL else bad
        rows.append([tone(fate) if fate != "noted" else fate, clean(f.key), clean(f.finding.message)])
    return [(), line(faint("  files")), *grid(rows, "lll", indent=4)]
