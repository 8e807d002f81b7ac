"""What a project does to the state of its sources, and to the tables that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from penstock.app.opened import Opened, unheard
from penstock.project.tables import pipeline_of
from penstock.report.facts import Observer, PipelineResult, Status

if TYPE_CHECKING:
    from penstock.run.drop import Drop


class Stating(Opened):
    """A project whose pipelines' state is read, set and dropped."""

    def plan_drop(
        self,
        pipeline: str,
        names: Sequence[str],
        *,
        state_paths: Sequence[str] = (),
        state_only: bool = False,
    ) -> Drop:
        """What `drop` would drop of a pipeline: tables and resources by name, glob or `re:...`.

        `state_paths` are JSONPaths of further state to reset; `state_only` keeps the tables.
        Raises: NotFoundError for a name or a path that matches nothing.
        """
        from penstock.run.drop import plan_drop

        pipeline_of(self.project, pipeline)
        with self._still(pipeline, unheard) as flow:
            facts = flow.destination.facts(pipeline)
            return plan_drop(flow, facts, names, state_paths, state_only=state_only)

    def plan_drop_all(self, pipeline: str, *, state_only: bool = False) -> Drop:
        """What dropping all tables and all state of a pipeline would drop."""
        from penstock.run.drop import plan_drop_all

        pipeline_of(self.project, pipeline)
        with self._still(pipeline, unheard) as flow:
            return plan_drop_all(flow, flow.destination.facts(pipeline), state_only=state_only)

    def drop(self, what: Drop, observe: Observer, *, wait_s: float = 0) -> PipelineResult:
        """Drop tables and reset state, in one commit. Raw history keeps the files.

        What waits is loaded before. `penstock.run.drop` says how it is kept.
        """
        from penstock.run.drop import drop

        if what.is_nothing:
            return PipelineResult(what.pipeline, Status.NOTHING_NEW)
        with self._still(what.pipeline, observe) as flow:
            return drop(flow, self._quiet(what.pipeline), self._runs, what, wait_s)

    def state(self, pipeline: str) -> str | None:
        """The state of a pipeline's source as the last load left it: JSON text, or None."""
        name = self._one(pipeline)
        with self._still(name, unheard) as flow:
            return flow.destination.facts(name).state.get(flow.dataset)

    def set_state(self, pipeline: str, state: str, observe: Observer, *, wait_s: float = 0) -> PipelineResult:
        """Put a state (JSON text) in the place of a pipeline's own. What waits is loaded before."""
        from penstock.app.asking import Stating
        from penstock.app.blocks import BlockOptions
        from penstock.run.pipeline import run_pipeline

        name = self._one(pipeline, BlockOptions(keep=True))
        with self._still(name, observe) as flow:
            stating = replace(flow, producer=Stating(state))
            return run_pipeline(stating, self._quiet(name), wait_s, runs=self._runs, command="state")

    def with_state(self) -> dict[str, str]:
        """The states of all pipelines that have one, by the pipeline's name."""
        found = {name: self.state(name) for name in self._seen([])}
        return {name: state for name, state in found.items() if state is not None}
