"""Pipelines in Python: what a project file says, said in a program, and the data with it.

    import penstock as ps

    @ps.resource(primary_key="id", write="merge")
    def releases(published_at=ps.incremental("published_at", initial_value="2024-01-01")):
        yield from pages(since=published_at.last_value)

    print(ps.pipeline("github", destination="duckdb:///warehouse.duckdb").run(releases))

The files of the layers lie in the folders that a project file would use, so a project that is written
later, with the same names, goes on where the program left off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.app.retrying import Once, retried
from penstock.errors import ProjectError, suggest
from penstock.ledger import Refresh
from penstock.ports import Block, Checkpoint, Destination, Producer
from penstock.project.load import make_project
from penstock.project.loaded import LoadedProject
from penstock.report.facts import Observer, PipelineResult
from penstock.schema.faults import either
from penstock.sources.dlt import is_dlt

if TYPE_CHECKING:
    from penstock.app.dataset import Dataset
    from penstock.run.drop import Drop

# Any throughout: what a program hands over is looked at when it runs


def pipeline(
    pipeline_name: str = "pipeline",
    *,
    destination: str | Mapping[str, Any] | None = None,
    dataset: str | None = None,
    dataset_name: str | None = None,
    layers: Mapping[str, str] | None = None,
    tables: Mapping[str, Mapping[str, Any]] | None = None,
    root: str | Path | None = None,
    progress: Observer | str | None = None,
    land_as: str | None = None,
    **settings: Any,
) -> Pipeline:
    """A pipeline of that name, with the words of a project file.

    `destination` is a URL or a mapping (`duckdb:///<name>.duckdb` if not given), `tables` says of each
    table what a project file would, `root` is the folder that relative paths are taken from (the
    working folder), `land_as` is how records are written (`jsonl.gz`), `settings` are further keys of
    a pipeline: `policy`, `naming`, `retry`. `progress` is an observer of events, or `log`.
    `dataset_name` is another word for `dataset`.
    Raises: ProjectError telling everything that is wrong.
    """
    own = {"dataset": dataset or dataset_name, "tables": tables, **settings}
    said = {
        "name": pipeline_name,
        "layers": layers,
        "destination": destination or f"duckdb:///{pipeline_name}.duckdb",
        "pipelines": {
            pipeline_name: {
                "source": {
                    "type": "python",
                    "ref": "__main__:data",
                    **({"land_as": land_as} if land_as else {}),
                },
                **{k: v for k, v in own.items() if v is not None},
            }
        },
    }
    folder = Path(root) if root is not None else Path.cwd()
    named = f"penstock.pipeline({pipeline_name!r})"
    loaded = make_project({k: v for k, v in said.items() if v is not None}, folder.absolute(), named)
    return Pipeline(loaded, pipeline_name, progress)


class Pipeline:
    """A pipeline that is given its data when it runs."""

    def __init__(self, loaded: LoadedProject, name: str, progress: Observer | str | None = None) -> None:
        self.loaded = loaded
        self.name = name
        self.last_result: PipelineResult | None = None
        self._progress = progress

    def __repr__(self) -> str:
        return f"penstock.pipeline({self.name!r}, destination={self.loaded.project.destination!r})"

    def run(
        self,
        data: Any = None,
        *,
        table_name: str | None = None,
        write: Any = None,
        write_disposition: Any = None,
        primary_key: Any = None,
        columns: Any = None,
        schema_contract: Any = None,
        refresh: str | None = None,
        wait_s: float = 0,
    ) -> PipelineResult:
        """Land what `data` gives, check it, keep it and load it; and load whatever waited before it.

        `data` is a resource, a source, a list of them, a generator function, rows, a DataFrame or an
        Arrow table, or a source or resource of dlt; without data, what waits is loaded. What is said
        here wins over what a resource says of itself.
        `refresh`: `drop_sources` empties all tables of this pipeline and forgets all state first,
        `drop_resources` those of the resources that run, `drop_data` empties their tables and
        forgets their cursors. Raw history keeps what it has.
        Raises: the error that stopped the run; `last_result` tells what was done before it.
        """
        if refresh is not None and refresh not in [*Refresh]:
            raise ProjectError(
                f"{refresh!r} is no way to refresh",
                expected=either(Refresh),
                hint=suggest(refresh, [*Refresh]),
            )
        said = {
            "table_name": table_name,
            "write": write if write is not None else write_disposition,
            "primary_key": primary_key,
            "columns": columns,
            "contract": schema_contract,
        }
        producer = producer_of(data, {k: v for k, v in said.items() if v is not None}, self)
        once = None if getattr(producer, "repeatable", False) else Once(producer)
        observe = observer_of(self._progress, self.loaded.redact)
        work = partial(self._run, once or producer, refresh, wait_s)
        result = retried(self.loaded, self.name, observe, work, once)
        self.last_result = result
        if result.cause is not None:
            raise result.cause
        return result

    def _run(self, producer: Producer, refresh: str | None, wait_s: float, attempt: int) -> PipelineResult:
        from penstock.app.flows import flow_of
        from penstock.app.hearing import heard
        from penstock.run.pipeline import run_pipeline
        from penstock.run.quiet import Quiet
        from penstock.run.recording import Runs

        observe = observer_of(self._progress, self.loaded.redact)
        anew = refresh is not None
        if isinstance(producer, Once):
            anew = anew and not producer.asked  # what has landed takes the place of what was there
            observe = producer.watched(observe)
        flow = flow_of(self.loaded, self.name, observe, producer=producer)
        quiet = Quiet(self._private / "quiet", self.name, self.loaded.digest)
        runs = Runs(self._private / "runs", self.loaded.redact)
        mode = Refresh(refresh) if anew and refresh else None
        with heard(self.name, observe, self.loaded.redact):
            return run_pipeline(flow, quiet, wait_s, mode, runs=runs, attempt=attempt)

    def drop(
        self, *names: str, state_paths: Sequence[str] = (), state_only: bool = False, wait_s: float = 0
    ) -> Drop:
        """Drop tables and forget the state of resources, by name, glob or `re:...`, in one commit.

        `state_paths` are JSONPaths of further state to forget; `state_only` keeps the tables. Raw
        history keeps what it has. Returns: what was dropped.
        Raises: NotFoundError for what matches nothing; the error that stopped it.
        """
        from penstock.app.session import Session

        session = Session(self.loaded)
        what = session.plan_drop(self.name, names, state_paths=state_paths, state_only=state_only)
        result = session.drop(what, observer_of(self._progress, self.loaded.redact), wait_s=wait_s)
        if result.cause is not None:
            raise result.cause
        return what

    @property
    def state(self) -> str | None:
        """The source's state as the last load left it: JSON text, or None."""
        destination = self._destination()
        try:
            facts = destination.facts(self.name)
        finally:
            destination.close()
        spec = self.loaded.project.pipelines[self.name]
        return facts.state.get(spec.dataset or self.name)

    def dataset(self) -> Dataset:
        """The tables that this pipeline has filled, to read."""
        from penstock.app.dataset import Dataset

        return Dataset(self._destination, self.name)

    def _destination(self) -> Destination:
        from penstock.app.parts import open_destination

        return open_destination(self.loaded, self.name)

    @property
    def _private(self) -> Path:
        return Path(self.loaded.project.root) / ".penstock"


def producer_of(data: Any, said: Mapping[str, Any], pipeline: Pipeline | None = None) -> Producer:
    """What makes rows of whatever a program hands over; `said` are hints on top of its own."""
    if data is None:
        return _Nothing()
    if hasattr(data, "produce"):
        return data  # type: ignore[no-any-return]  # it says that it is one
    if is_dlt(data):
        from penstock.sources.dlt import dlt_source

        place = {"pipeline": pipeline.name, "folder": pipeline.loaded.project.root} if pipeline else {}
        return dlt_source(data, {}, (), **place, **said)
    from penstock.sources.python.source import PythonSource

    return PythonSource(data, **said)


class _Nothing:
    """Makes nothing."""

    repeatable = True

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:  # noqa: ARG002 - the port's
        """Nothing."""
        return iter(())

    def restart(self, state: str | None) -> str | None:
        """The state as it is."""
        return state


def observer_of(progress: Observer | str | None, redact: Callable[[str], str] = str) -> Observer:
    """Who is told of what happens: whoever is given, `log` for lines of the module `logging`, or, if
    nobody is named, the notebook that this process serves. `redact` takes secrets out of a text.
    """
    if callable(progress):
        return progress
    if progress == "log":
        return _log
    if progress is not None:
        raise ProjectError(
            f"{progress!r} is no way to show progress", expected="`log`, or a function of events"
        )
    from penstock.report.notebook import notebook_observer

    return notebook_observer(redact) or (lambda _: None)


def _log(event: object) -> None:
    import logging

    logging.getLogger("penstock").info("%s", event)
