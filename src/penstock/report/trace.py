"""What the events of a run come to: seconds, files, rows and bytes of each phase, kept as a record.

Pure: nothing is written here, and the clock and the identity of a run come in as arguments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from penstock.ledger import RunFinding, RunRecord, RunStep
from penstock.report.facts import (
    Event,
    FileDone,
    FileFinding,
    Notice,
    Phase,
    PhaseDone,
    PhaseStarted,
    PipelineResult,
    Progress,
    TableResult,
)

MOST = 200
"""So many notices and findings of a run are kept; a run that has more says how many."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Which run a record is of. `attempt` counts from 1; instants are UTC."""

    run_id: str
    command: str
    attempt: int
    started_at: datetime
    version: str


@dataclass(slots=True)
class _Phase:
    seconds: float = 0.0
    rows: int = 0
    size_bytes: int = 0
    files: Counter[str] = field(default_factory=Counter)


class Trace:
    """Events of one run, taken up one by one. Not thread-safe."""

    def __init__(self) -> None:
        self._phases: dict[Phase, _Phase] = {}
        self._notices: list[str] = []

    def take(self, event: Event) -> None:
        """Take up an event."""
        match event:
            case PhaseStarted():
                self._of(event.phase)
            case Progress():
                phase = self._of(event.phase)
                phase.rows += event.rows
                phase.size_bytes += event.size_bytes
            case FileDone():
                self._of(event.phase).files[event.table] += 1
            case PhaseDone():
                self._of(event.phase).seconds += event.seconds
            case Notice():
                self._notices.append(event.message)

    def _of(self, phase: Phase) -> _Phase:
        return self._phases.setdefault(phase, _Phase())

    def steps(self, tables: Sequence[TableResult] = ()) -> tuple[RunStep, ...]:
        """The phases in the order in which they began, then what became of each table's rows."""
        found = []
        for name, phase in self._phases.items():
            total = phase.files.total()
            found.append(RunStep(name.value, None, phase.seconds, total, phase.rows, phase.size_bytes))
            found += [RunStep(name.value, table, files=files) for table, files in phase.files.items()]
        return (*found, *map(_table, tables))

    def record(
        self, occasion: Occasion, result: PipelineResult, ended_at: datetime, redact: Callable[[str], str]
    ) -> RunRecord:
        """The record of the run, which ended with `result`; `redact` takes secrets out of a text."""
        findings = [_finding(f, redact) for f in result.findings]
        return RunRecord(
            run_id=occasion.run_id,
            pipeline=result.pipeline,
            command=occasion.command,
            attempt=occasion.attempt,
            status=result.status.value,
            started_at=occasion.started_at,
            ended_at=ended_at,
            version=occasion.version,
            files_landed=result.files_landed,
            files_drained=result.files_drained,
            load_ids=result.load_ids,
            steps=self.steps(result.tables),
            findings=tuple(findings[:MOST]),
            notices=_few([redact(text) for text in self._notices], len(findings)),
            error=None if result.error is None else redact(result.error),
            exit_code=result.exit_code,
        )


def _table(result: TableResult) -> RunStep:
    return RunStep(
        phase=Phase.LOAD.value,
        table=result.table,
        files=result.files,
        rows=result.rows,
        loaded=result.loaded,
        dropped=result.dropped,
        quarantined=result.quarantined,
        broken=dict(result.broken),
        discarded=dict(result.discarded),
        changes=tuple(map(str, result.changes)),
    )


def _finding(found: FileFinding, redact: Callable[[str], str]) -> RunFinding:
    finding = found.finding
    return RunFinding(found.table, found.key, finding.rule, finding.action.value, redact(finding.message))


def _few(notices: Sequence[str], findings: int) -> tuple[str, ...]:
    kept = list(notices[:MOST])
    if len(notices) > MOST:
        kept.append(f"and {len(notices) - MOST:,} notices more")
    if findings > MOST:
        kept.append(f"and {findings - MOST:,} findings more")
    return tuple(kept)
