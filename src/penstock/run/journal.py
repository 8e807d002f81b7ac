"""What a run has done so far, and the result that it comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from penstock.errors import ExitCode, PenstockError
from penstock.report.facts import FileFinding, PipelineResult, Status, TableResult
from penstock.run.commit import Outcome
from penstock.run.flow import Flow


@dataclass(slots=True)
class Journal:
    """What a run has done so far; it becomes the result, whether the run ends well or not."""

    outcomes: list[Outcome] = field(default_factory=list)
    landed: int = 0
    drained: int = 0

    def result(self, flow: Flow, seconds: float, error: PenstockError | None) -> PipelineResult:
        """The result of the run as it ended."""
        error = error or next((o.error for o in self.outcomes if o.error is not None), None)
        loads = tuple(o.load_id for o in self.outcomes if o.load_id is not None)
        findings: list[FileFinding] = [f for o in self.outcomes for f in o.findings]
        if error is None:
            status = Status.LOADED if loads else Status.NOTHING_NEW
        else:
            status = Status.REFUSED if error.exit_code == ExitCode.REFUSED else Status.FAILED
        return PipelineResult(
            pipeline=flow.pipeline,
            status=status,
            load_ids=loads,
            tables=joined([t for o in self.outcomes for t in o.tables]),
            findings=tuple(findings),
            files_landed=self.landed,
            files_drained=self.drained,
            seconds=seconds,
            error=None if error is None else str(error),
            exit_code=0 if error is None else int(error.exit_code),
            cause=error,
        )


def joined(results: Sequence[TableResult]) -> tuple[TableResult, ...]:
    """The results of several loads, one for each table."""
    tables: dict[str, TableResult] = {}
    for r in results:
        if (before := tables.get(r.table)) is None:
            tables[r.table] = r
            continue
        tables[r.table] = TableResult(
            table=r.table,
            files=before.files + r.files,
            rows=before.rows + r.rows,
            loaded=before.loaded + r.loaded,
            dropped=before.dropped + r.dropped,
            quarantined=before.quarantined + r.quarantined,
            broken=_sum(before.broken, r.broken),
            changes=(*before.changes, *r.changes),
            discarded=_sum(before.discarded, r.discarded),
            part_of=r.part_of,
        )
    return tuple(tables.values())


def _sum(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in {**a, **b}}
