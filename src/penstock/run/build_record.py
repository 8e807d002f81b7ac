"""The record of a build, kept as those of other runs are: under the name `models`, a step for each model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from penstock.errors import ExitCode
from penstock.ledger import RunRecord, RunStep
from penstock.report.facts import ModelResult, ModelStatus, Notice, Phase, Status
from penstock.report.trace import MOST
from penstock.run.build_flow import BuildFlow
from penstock.run.recording import Runs


@dataclass(slots=True)
class BuildRecording:
    """The record of one build in the making. Without `runs` nothing is recorded."""

    flow: BuildFlow
    runs: Runs | None
    started_at: datetime
    run_id: str
    notices: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, flow: BuildFlow, runs: Runs | None) -> BuildRecording:
        """A record that begins now."""
        return cls(flow, runs, datetime.fromtimestamp(flow.now(), UTC), flow.new_id())

    def note(self, results: Sequence[ModelResult]) -> None:
        """Keep the record at the destination. Called with the lock held, once nothing else is to be done."""
        if self.runs is not None:
            record = self._record(results, self.runs.redact)
            self._try("at the destination", lambda: self.flow.destination.note(record))

    def keep(self, results: Sequence[ModelResult], stopped: BaseException | None = None) -> None:
        """Keep the record in the project."""
        if self.runs is not None:
            runs, record = self.runs, self._record(results, self.runs.redact, stopped)
            self._try("in the project", lambda: runs.write(record))

    def _record(
        self,
        results: Sequence[ModelResult],
        redact: Callable[[str], str],
        stopped: BaseException | None = None,
    ) -> RunRecord:
        errors = [r for r in results if r.error]
        error, code = (errors[0].error, errors[0].exit_code) if errors else (None, 0)
        status = status_of(results)
        if stopped is not None:
            known = isinstance(stopped, Exception)
            error = f"{type(stopped).__name__}: {stopped}" if known else "stopped"
            status = Status.FAILED if known else Status.STOPPED
            code = int(ExitCode.BUG) if known else 128 + getattr(stopped, "number", 2)
        said = [f"{r.model}: {(r.error or '').partition(chr(10))[0]}" for r in errors[1:]]
        return RunRecord(
            run_id=self.run_id,
            pipeline=self.flow.pipeline,
            command="build",
            attempt=1,
            status=status.value,
            started_at=self.started_at,
            ended_at=max(self.started_at, datetime.fromtimestamp(self.flow.now(), UTC)),
            version=self.flow.version,
            steps=tuple(_step(r) for r in results if r.status is not ModelStatus.UNCHANGED),
            notices=tuple(redact(text) for text in said[:MOST]),
            error=None if error is None else redact(error),
            exit_code=code,
        )

    def _try(self, where: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # the build is done, whatever becomes of its record
            message = getattr(error, "what", None) or f"{type(error).__name__}: {error}"
            text = f"the record of this build was not kept {where}: {message}"
            self.flow.observe(Notice(self.flow.pipeline, text))


def status_of(results: Sequence[ModelResult]) -> Status:
    """How a build ended, by the gravest of its models."""
    found = {r.status for r in results}
    if ModelStatus.FAILED in found:
        return Status.FAILED
    if ModelStatus.REFUSED in found:
        return Status.REFUSED
    return Status.LOADED if ModelStatus.BUILT in found else Status.NOTHING_NEW


def _step(result: ModelResult) -> RunStep:
    why = () if result.status is ModelStatus.BUILT else (f"{result.model}: {result.status.value}",)
    return RunStep(
        phase=Phase.BUILD.value,
        table=result.model,
        seconds=result.seconds,
        rows=result.rows or 0,
        loaded=result.kept or 0,
        dropped=result.dropped,
        quarantined=result.quarantined,
        broken=dict(result.broken),
        changes=why,
    )
