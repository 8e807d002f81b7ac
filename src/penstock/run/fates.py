"""What becomes of each file of a load, once the verdicts are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from penstock.errors import GateError
from penstock.gate.verdict import Action, Policy
from penstock.run.flow import Flow
from penstock.run.load import Job
from penstock.run.stream import Selection


@dataclass(slots=True)
class Fates:
    """The files that go on, are set aside whole, are dropped whole, or stay where they are.

    A file that fails holds others back as far as the policy says: all of the run, those of its
    table, or none. Files only ever leave `going`, so judging again comes to an end.
    """

    policy: Policy
    going: list[Job]
    refused: list[Job] = field(default_factory=list)
    dropped: list[Job] = field(default_factory=list)
    held: list[Job] = field(default_factory=list)

    @classmethod
    def of(cls, policy: Policy, jobs: Sequence[Job]) -> Fates:
        """All files going on, less those whose first look was bad enough."""
        fates = cls(policy, list(jobs))
        fates.settle()
        return fates

    def settle(self) -> bool:
        """Sort the files by their verdicts as they stand; whether any left `going`."""
        sorted_out = [job for job in self.going if not job.verdict.passed]
        if not sorted_out:
            return False
        homes = {Action.FAIL: self.held, Action.QUARANTINE: self.refused, Action.DROP: self.dropped}
        for job in sorted_out:
            self.going.remove(job)
            homes[job.verdict.action].append(job)
        self._hold_back({job.waiting.table for job in self.held})
        for job in self.going:
            job.selection = Selection(only=job.selection.only)
        return True

    @property
    def everyone(self) -> list[Job]:
        """All files, whatever became of them."""
        return [*self.going, *self.dropped, *self.refused, *self.held]

    def error(self, flow: Flow) -> GateError | None:
        """What to tell of files that failed; None if none did."""
        failing = [job for job in self.held if not job.verdict.passed]
        if not failing:
            return None
        first = next(f for f in failing[0].tally.findings if f.action is Action.FAIL)
        others = len(self.held) - len(failing)
        with_them = f", and policy `{flow.policy}` holds back {others:,} more" if others else ""
        return GateError(
            f"{len(failing):,} of {flow.pipeline}'s files failed and stay where they are{with_them}",
            where=f"gate, {failing[0].key}",
            found=first.message,
            hint=_hint(failing[0]),
        )

    def _hold_back(self, failing: set[str]) -> None:
        if not failing or self.policy is Policy.PER_FILE:
            return
        for home in (self.going, self.refused, self.dropped):
            reached = [j for j in home if self.policy is Policy.ALL or j.waiting.table in failing]
            self.held.extend(reached)
            home[:] = [j for j in home if j not in reached]


def _hint(job: Job) -> str:
    if job.error is not None and job.error.hint:
        return job.error.hint
    return "mend or remove the file, or set the rule's action to `quarantine`; then run again"
