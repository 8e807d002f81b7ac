"""A project that is open: what everything that is done to it has in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import NotFoundError, UsageError
from penstock.project.loaded import LoadedProject
from penstock.project.maker import MakerSpec
from penstock.project.order import order_pipelines
from penstock.project.spec import Project
from penstock.project.tables import pipeline_of
from penstock.report.facts import Observer, PipelineResult

if TYPE_CHECKING:
    from penstock.app.blocks import BlockOptions
    from penstock.app.building import Building
    from penstock.run.flow import Flow
    from penstock.run.pipeline import Work
    from penstock.run.quiet import Quiet
    from penstock.run.recording import Runs

MODELS = "models"
"""What the models of a project are called where pipelines are."""


class Opened:
    """One project, with one environment applied."""

    def __init__(self, loaded: LoadedProject) -> None:
        self.loaded = loaded

    @property
    def project(self) -> Project:
        """The project as typed values."""
        return self.loaded.project

    def redact(self, text: str) -> str:
        """`text` with the project's secrets masked."""
        return self.loaded.redact(text)

    def close(self) -> None:
        """Nothing is kept open between calls."""

    @property
    def _private(self) -> Path:
        return Path(self.project.root) / ".penstock"

    def _quiet(self, pipeline: str) -> Quiet:
        from penstock.run.quiet import Quiet

        return Quiet(self._private / "quiet", pipeline, self.loaded.digest)

    @property
    def _runs(self) -> Runs:
        from penstock.run.recording import Runs

        return Runs(self._private / "runs", self.redact)

    @property
    def _building(self) -> Building:
        """The models as their files are now."""
        from penstock.app.building import Building

        return Building(self.loaded, self._private, self._runs)

    def _chosen(
        self, pipelines: Sequence[str], blocks: BlockOptions | None = None, *, running: bool = False
    ) -> list[str]:
        """The pipelines that are named, in order (all if none is); those of blocks join the project."""
        if any(name not in self.project.pipelines for name in pipelines) and self._has_plugins:
            from penstock.app.blocks import BlockOptions, with_pairs

            options = blocks or BlockOptions()
            if running:
                options = replace(options, install=True, keep=True)
            self.loaded, pipelines = with_pairs(self.loaded, pipelines, options)
        order = order_pipelines(self.project)
        for name in pipelines:
            pipeline_of(self.project, name)
        return [name for name in order if not pipelines or name in pipelines]

    def _one(self, name: str, blocks: BlockOptions | None = None) -> str:
        """A pipeline whose source makes records, by name. Raises: UsageError for several, or for files."""
        found = self._chosen([name], blocks)
        if len(found) != 1 or not isinstance(self.project.pipelines[found[0]].source, MakerSpec):
            raise UsageError(
                f"`{name}` keeps no state",
                found=", ".join(found)
                if len(found) > 1
                else "a source of files, which the ledger looks after",
                expected="a pipeline whose source makes records, such as `tap-github-to-target-jsonl`",
            )
        return found[0]

    def _seen(self, pipelines: Sequence[str]) -> list[str]:
        """The pipelines that are named; if none is, all of the project, and the blocks that it has run."""
        if pipelines or not self._has_plugins:
            return self._chosen(pipelines)
        from penstock.app.blocks import remembered

        return self._chosen([*self.project.pipelines, *remembered(self.loaded)])

    def _is_of_models(self, name: str) -> bool:
        """Whether a name in place of a pipeline's means the project's models."""
        return name == MODELS and self.project.models is not None and name not in self.project.pipelines

    def _seen_with_models(self, names: Sequence[str]) -> list[str]:
        """As `_seen`, with the models under the name `models`: after all pipelines, or where it is named."""
        others = [name for name in names if not self._is_of_models(name)]
        found = self._seen(others) if others or not names else []
        models = self._is_of_models(MODELS) and (not names or MODELS in names)
        return [*found, MODELS] if models else found

    @property
    def _has_models(self) -> bool:
        return self.project.models is not None

    @property
    def _has_plugins(self) -> bool:
        return any(self.project.plugins.all()) or bool(self.project.jobs)

    def _pipelines_of(self, tables: Sequence[str]) -> dict[str, list[str]]:
        """The pipelines that fill tables, and which of them: names as `table` or `pipeline.table`."""
        found: dict[str, list[str]] = {}
        for table in tables:
            name = self._home_of(table)
            found.setdefault(name, []).append(table.removeprefix(f"{name}."))
        return found

    def _home_of(self, table: str) -> str:
        """The pipeline that fills a table: as the project says, or as a ledger knows."""
        if table.startswith("_penstock"):
            return self._seen([])[0]
        try:
            return self.loaded.find_table(table)[0]
        except NotFoundError:
            for name in self._seen([]):
                with self._flow(name, unheard) as flow:
                    known = flow.destination.facts(name).tables
                    if table in known or table.removeprefix(f"{name}.") in known:
                        return name
            raise

    @contextmanager
    def _flow(self, name: str, observe: Observer) -> Iterator[Flow]:
        from penstock.app.flows import flow_of

        flow = flow_of(self.loaded, name, observe)
        try:
            yield flow
        finally:
            flow.destination.close()

    @contextmanager
    def _still(self, name: str, observe: Observer) -> Iterator[Flow]:
        """A flow whose source is not asked for anything, and need not even be there."""
        from penstock.app.flows import flow_of
        from penstock.app.pipeline import producer_of

        flow = flow_of(self.loaded, name, observe, producer=producer_of(None, {}))
        try:
            yield flow
        finally:
            flow.destination.close()

    def _locked(self, name: str, observe: Observer, command: str, work: Work) -> PipelineResult:
        """Do some work on a pipeline under its lock, and say what happened."""
        from penstock.run.pipeline import work_on

        self._quiet(name).forget()  # if this is killed, the next run has something to finish
        with self._flow(name, observe) as flow:
            return work_on(flow, command, self._runs, work)


def unheard(_: object) -> None:
    """An observer that does not look."""
