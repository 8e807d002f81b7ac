"""Runs a project from assets that were written by hand."""

from __future__ import annotations

from pathlib import Path

from dagster import AssetExecutionContext, ConfigurableResource, MaterializeResult
from pydantic import Field

from penstock.app.session import Session, open_session
from penstock.dagster.reading import Options, Reading, read
from penstock.dagster.recording import Made, recorded
from penstock.dagster.running import build, run
from penstock.dagster.translator import PenstockTranslator
from penstock.project.tables import pipeline_of

_COUNTS = ("rows_read", "rows_loaded", "rows_dropped", "rows_quarantined", "rows_kept")


class PenstockResource(ConfigurableResource):
    """A project to run.

        @dg.asset
        def orders(context: dg.AssetExecutionContext, penstock: PenstockResource):
            yield from penstock.run(context, "orders")

    An asset of its own name gets the counts of the run. One that is made with `asset_specs` gives a
    result for each table and check, as the assets of `definitions` do.
    """

    project: str = Field(default=".", description="The project's folder or file.")
    environment: str | None = Field(default=None, description="The environment to apply.")
    preview_rows: int = Field(default=5, description="How many rows of a table are kept with each run.")
    wait_s: float = Field(default=600.0, description="How long to wait for another run's lock, in seconds.")

    def session(self) -> Session:
        """The project, opened anew. Raises: ProjectError; NotFoundError."""
        return open_session(Path(self.project), self.environment)

    def translator(self) -> PenstockTranslator:
        """What decides the keys of assets; to be overridden where that of the assets was."""
        return PenstockTranslator()

    def run(self, context: AssetExecutionContext, pipeline: str) -> Made:
        """Run a pipeline. Raises: Failure when it was refused or failed; NotFoundError for another name."""
        reading = self._read()
        pipeline_of(reading.session.project, pipeline)
        return _given(reading, context, run(reading, pipeline, context.log.info))

    def build(self, context: AssetExecutionContext, *select: str, full: bool = False) -> Made:
        """Build models: those that are selected, or all. Raises: Failure when one was refused or failed."""
        reading = self._read()
        return _given(reading, context, build(reading, select, context.log.info, full=full))

    def _read(self) -> Reading:
        options = Options(preview_rows=self.preview_rows, wait_s=self.wait_s)
        return read(self.session(), self.translator(), options)


def _given(reading: Reading, context: AssetExecutionContext, made: Made) -> Made:
    """What an asset gives back: the results of its own, or, for one that is not the project's, the counts."""
    counts: dict[str, int] = {}
    yield from recorded(context, _counted(made, counts))
    if not {spec.key for spec in reading.specs.values()} & set(context.selected_asset_keys):
        yield MaterializeResult(metadata=counts)


def _counted(made: Made, counts: dict[str, int]) -> Made:
    for result in made:
        if isinstance(result, MaterializeResult):
            for name, value in (result.metadata or {}).items():
                if name in _COUNTS and isinstance(value, int):
                    counts[name] = counts.get(name, 0) + value
        yield result
