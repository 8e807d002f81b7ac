"""The results as Markdown: the bars first, then every figure they come from."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.cases import JOBS, NOTES, Bar, Case
from benchmarks.measure import Usage

UNITS = {
    "cpu_s": "CPU s",
    "wall_s": "s wall",
    "peak_mb": "MB",
    "row_cpu_us": "CPU µs a row",
    "printed": "rows per CPU s",
}


@dataclass(slots=True)
class Outcome:
    """All that is known of a job after the run: what it used, and what was wrong with it.

    `rows` are those of its data; `printed` is what it said of its own speed.
    """

    usages: list[Usage] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    printed: list[float] = field(default_factory=list)
    not_run: str = ""
    rows: int = 0

    def median(self, metric: str) -> float | None:
        """The middle value of the runs, None if there is none to trust."""
        if metric == "printed":
            values = self.printed
        elif metric == "row_cpu_us":
            values = [usage.cpu_s * 1e6 / self.rows for usage in self.usages if self.rows]
        else:
            values = [getattr(usage, metric) for usage in self.usages]
        return median(values) if values and not self.faults else None


@dataclass(frozen=True, slots=True)
class Setting:
    """What the figures depend on, for the head of the report. Units: `rows` of the clean set."""

    arguments: Sequence[str]
    rows: int
    size_bytes: int
    rounds: int
    versions: Mapping[str, str]
    load: float


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def judge(bar: Bar, outcomes: Mapping[str, Outcome]) -> tuple[str, str, str]:
    """The bar in words, what was found, and pass, FAIL or why neither."""
    unit, sign = UNITS[bar.metric], "≥" if bar.at_least else "≤"
    job = f"({bar.job} - {bar.beyond})" if bar.beyond else bar.job
    if bar.against:
        words = f"{job} ÷ {bar.against} {sign} {bar.limit:,g} ({unit})"
    else:
        words = f"{job} {sign} {bar.limit:,g} {unit}"
    figures = {name: outcomes[name].median(bar.metric) for name in (bar.job, bar.against, bar.beyond) if name}
    missing = next((name for name, figure in figures.items() if figure is None), None)
    if missing:
        return words, "—", f"no figure for {missing}"
    value = (figures[bar.job] or 0.0) - (figures[bar.beyond] or 0.0 if bar.beyond else 0.0)
    base = (figures[bar.against] or 0.0) if bar.against else 1.0
    found = value / base
    passed = found >= bar.limit if bar.at_least else found <= bar.limit
    shown = f"{_number(found)} ({_number(value)} ÷ {_number(base)})" if bar.against else _number(found)
    return words, shown, "pass" if passed else "**FAIL**"


def _row(job: str, outcome: Outcome, base: Outcome) -> str:
    if not outcome.usages:
        return f"| {job} | not run: {outcome.not_run} | | | | | | |"
    metrics = ("cpu_s", "wall_s", "rss_mb", "tree_mb")
    cpu, *rest = [median(getattr(usage, metric) for usage in outcome.usages) for metric in metrics]
    metric = "row_cpu_us" if outcome.rows and base.rows else "cpu_s"
    own, penstock = outcome.median(metric), base.median(metric)
    ratio = f"{own / penstock:.2f}" if own and penstock else "—"
    spread = [u.cpu_s for u in outcome.usages]
    low_high = f"{_number(min(spread))} to {_number(max(spread))}" if len(spread) > 1 else "one run"
    state = "**wrong**: " + outcome.faults[0].replace("|", "/") if outcome.faults else "right"
    cells = [job, f"{_number(cpu)} ({low_high})", *map(_number, rest), ratio, state, NOTES.get(job, "")]
    return f"| {' | '.join(cells)} |"


def _machine() -> list[str]:
    info = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    cores = len(os.sched_getaffinity(0))
    return [
        f"{(models or [platform.machine()])[0]}, {cores} cores, {memory:.0f} GiB",
        f"{platform.system()} {platform.release()}",
    ]


def render(setting: Setting, cases: Sequence[Case], outcomes: Mapping[str, Outcome]) -> str:
    """The whole report."""
    own = ", ".join(f"{name} {version(name)}" for name in ("penstock", "duckdb", "pyarrow"))
    lines = [
        "# Results",
        "",
        f"Written by `{' '.join(['python -m benchmarks', *setting.arguments])}`; `README.md` explains it.",
        "",
        f"- Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; load at the start: {setting.load:.1f}",
        f"- Machine: {'; '.join(_machine())}",
        f"- Python {sys.version.split()[0]}; {own}",
        *(f"- {name}: {text}" for name, text in setting.versions.items()),
        f"- Data: {setting.rows:,} rows, {setting.size_bytes / 1e6:.0f} MB of JSON lines",
        f"- Rounds: {setting.rounds}",
        "",
        "## Bars",
        "",
        "| work | bar | found | |",
        "|---|---|---|---|",
    ]
    for case in cases:
        lines += [f"| {case.title} | {' | '.join(judge(bar, outcomes))} |" for bar in case.bars]
    for case in cases:
        base = outcomes[next(job for job in case.jobs if JOBS[job].tool == "penstock")]
        lines += ["", f"## {case.title}", ""]
        lines += ["| job | CPU s (range) | wall s | RSS MB | tree MB | per row ÷ penstock | loaded | note |"]
        lines += ["|---|---|---|---|---|---|---|---|"]
        lines += [_row(job, outcomes[job], base) for job in case.jobs]
    return "\n".join(lines) + "\n"
