"""What happened in a run, as plain values: events while it goes on, a result when it is over.

Progress bars, log lines, `--json` and the summary are all drawn from these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from penstock.gate.verdict import Finding
from penstock.schema.table import Change


class Phase(StrEnum):
    """The phases that a person follows."""

    LAND = "land"
    JUDGE = "judge"
    KEEP = "keep"
    LOAD = "load"


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase of a pipeline begins. Units: files and bytes that it will go through."""

    pipeline: str
    phase: Phase
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """More of a phase is done. Units: bytes and rows since the last event of this phase."""

    pipeline: str
    phase: Phase
    size_bytes: int
    rows: int = 0


@dataclass(frozen=True, slots=True)
class FileDone:
    """A file is through a phase."""

    pipeline: str
    phase: Phase
    table: str
    key: str


@dataclass(frozen=True, slots=True)
class PhaseDone:
    """A phase ended. Units: seconds of wall time."""

    pipeline: str
    phase: Phase
    seconds: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth a line: drift, a warning, a file set aside."""

    pipeline: str
    message: str


Event: TypeAlias = PhaseStarted | Progress | FileDone | PhaseDone | Notice
Observer: TypeAlias = Callable[[Event], None]


class Status(StrEnum):
    """How a pipeline's run ended."""

    LOADED = "loaded"
    NOTHING_NEW = "nothing_new"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TableResult:
    """One table of one run. Units: counts; `broken` by rule, allowed rows included."""

    table: str
    files: int = 0
    rows: int = 0
    loaded: int = 0
    dropped: int = 0
    quarantined: int = 0
    broken: Mapping[str, int] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    discarded: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileFinding:
    """What the gate found about a whole file."""

    table: str
    key: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """One pipeline of one run. `load_ids` in commit order; `error` is the rendered error, if any.

    Units: `seconds` of wall time; `files_landed` by this run's extract, `files_drained` found
    waiting before it.
    """

    pipeline: str
    status: Status
    load_ids: tuple[str, ...] = ()
    tables: tuple[TableResult, ...] = ()
    findings: tuple[FileFinding, ...] = ()
    files_landed: int = 0
    files_drained: int = 0
    seconds: float = 0.0
    error: str | None = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class RunResult:
    """A whole run, pipelines in the order in which they ran."""

    pipelines: tuple[PipelineResult, ...]

    @property
    def exit_code(self) -> int:
        """The first pipeline's that did not succeed; 0 if all did."""
        return next((p.exit_code for p in self.pipelines if p.exit_code), 0)
