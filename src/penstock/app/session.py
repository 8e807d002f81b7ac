"""A project in use: what every command of the command line is made of."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.app.files import load_project
from penstock.app.retrying import retried
from penstock.errors import NotFoundError, ProjectError, RefusedError, UsageError, suggest
from penstock.gate.rules import identifier
from penstock.ledger import Facts, Refresh, RunRecord
from penstock.project.loaded import LoadedProject
from penstock.project.maker import MakerSpec
from penstock.project.order import order_pipelines
from penstock.project.singer_target import SingerTargetSpec
from penstock.project.spec import Project, TableSpec
from penstock.project.tables import destination_of, pipeline_of
from penstock.report.facts import (
    Kept,
    Observer,
    PipelineResult,
    PipelineStatus,
    PlannedPipeline,
    PlanResult,
    QuarantinedRow,
    QuarantineEntry,
    RunResult,
    Status,
    TableTotals,
)
from penstock.schema.faults import combine
from penstock.schema.nesting import part_of

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.app.blocks import BlockOptions
    from penstock.app.dataset import Dataset
    from penstock.app.shapes import SchemaVersion
    from penstock.run.drop import Drop
    from penstock.run.flow import Flow
    from penstock.run.pipeline import Work
    from penstock.run.quiet import Quiet
    from penstock.run.recording import Runs
    from penstock.schema.table import Table


def open_session(start: Path | None = None, environment: str | None = None) -> Session:
    """The project in a folder (or the nearest above it). Raises: ProjectError; NotFoundError."""
    return Session(load_project(start, environment))


class Session:
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

    def check(self) -> None:
        """Check what reading the project cannot tell: that SQL conditions are SQL.

        Raises: ProjectError telling everything that is wrong, with lines.
        """
        faults = []
        for name, pipeline in self.project.pipelines.items():
            for table, spec in pipeline.tables.items():
                for keys, what, condition in _conditions(spec):
                    from penstock.gate.judge import fault_in

                    if (fault := fault_in(condition)) is None:
                        continue
                    faults.append(
                        ProjectError(
                            f"{what} is not a SQL condition: {fault}",
                            where=self.loaded.where_of(("pipelines", name, "tables", table, *keys)),
                            found=condition,
                        )
                    )
        if faults:
            raise combine(faults, f"project `{self.project.name}`")

    # ---------------------------------------------------------------------------------- run

    def run(
        self,
        pipelines: Sequence[str],
        observe: Observer,
        *,
        wait_s: float = 0,
        refresh: Refresh | None = None,
        blocks: BlockOptions | None = None,
    ) -> RunResult:
        """Run pipelines (all if none is named), each after those whose files it reads.

        In place of pipelines, extractors with their loaders may be named, and jobs; `blocks` is what these
        are told. `wait_s` (seconds) is how long to wait for a lock that another run holds. `refresh` asks
        sources that make records for everything once more, in place of what was loaded.
        Raises: ProjectError when a source to refresh has files, which raw history keeps.
        """
        if not pipelines and not self.project.pipelines and self._has_plugins:
            raise UsageError(
                "it is not said what to run",
                expected="an extractor and where its data goes, such as `tap-github target-jsonl`, or a job",
            )
        if pipelines and self.project.plugins.utilities:
            from penstock.app.steps import has_commands, run_steps

            if has_commands(self.loaded, pipelines):
                again = partial(self.run, observe=observe, wait_s=wait_s, refresh=refresh, blocks=blocks)
                return run_steps(self.loaded, pipelines, again)
        results = []
        for name in self._chosen(pipelines, blocks, running=True):
            anew = blocks is not None and blocks.full_refresh
            made = isinstance(self.project.pipelines[name].source, MakerSpec)
            if (anew or refresh is not None) and not made:
                raise ProjectError(
                    f"the source of `{name}` has files, and is not asked for them again",
                    where=self.loaded.where_of(("pipelines", name, "source")),
                    hint="`penstock rebuild` loads everything again from raw history; "
                    "or name the pipelines to refresh",
                )
            work = partial(self._run, name, observe, wait_s, refresh, anew=anew)
            results.append(retried(self.loaded, name, observe, work))
        return RunResult(tuple(results))

    def _run(
        self,
        name: str,
        observe: Observer,
        wait_s: float,
        refresh: Refresh | None,
        attempt: int,
        *,
        anew: bool = False,
    ) -> PipelineResult:
        from penstock.app.flows import flow_of

        quiet = self._quiet(name)
        flow = flow_of(self.loaded, name, observe)
        if anew and flow.producer is not None:
            if isinstance(destination_of(self.project, name), SingerTargetSpec):
                from penstock.app.asking import Anew

                flow = replace(flow, producer=Anew(flow.producer))
            else:
                refresh = refresh or Refresh.DROP_DATA
        began = time.time()
        if quiet.holds(flow):
            return PipelineResult(name, Status.NOTHING_NEW, seconds=time.time() - began)
        from penstock.app.hearing import heard
        from penstock.run.pipeline import run_pipeline  # loads the engines, which takes its time

        with heard(name, observe, self.loaded.redact):
            return run_pipeline(flow, quiet, wait_s, refresh, runs=self._runs, attempt=attempt)

    def plan(self, pipelines: Sequence[str], observe: Observer, *, quick: bool = False) -> PlanResult:
        """What a run would do; `quick` does not read the files."""
        from penstock.run.preview import preview

        planned = []
        for name in self._chosen(pipelines):
            with self._flow(name, observe) as flow:
                try:
                    planned.append(preview(flow, quick=quick))
                except RefusedError as error:
                    failed = PlannedPipeline(name, error=str(error), exit_code=int(error.exit_code))
                    planned.append(failed)
        return PlanResult(tuple(planned), quick)

    def rebuild(
        self, tables: Sequence[str], as_of: datetime | None, observe: Observer, *, dropped: bool = False
    ) -> RunResult:
        """Make tables (all if none is named) anew from raw history, as of a landing time if given.

        `dropped` brings back what was dropped or refreshed away.
        """
        from penstock.run.rebuild import rebuild

        moment = None if as_of is None else as_of.timestamp()
        chosen: dict[str, list[str] | None] = dict.fromkeys(self._seen([]))
        if tables:
            chosen = {**self._pipelines_of(tables)}
        results = []
        for name, own in chosen.items():
            work = partial(rebuild, tables=own, as_of=moment, dropped=dropped)
            results.append(self._locked(name, observe, "rebuild", work))
        return RunResult(tuple(results))

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
        with self._still(pipeline, _unheard) as flow:
            facts = flow.destination.facts(pipeline)
            return plan_drop(flow, facts, names, state_paths, state_only=state_only)

    def plan_drop_all(self, pipeline: str, *, state_only: bool = False) -> Drop:
        """What dropping all tables and all state of a pipeline would drop."""
        from penstock.run.drop import plan_drop_all

        pipeline_of(self.project, pipeline)
        with self._still(pipeline, _unheard) as flow:
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
        with self._still(name, _unheard) as flow:
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

    # ------------------------------------------------------------------------------ looking

    def status(self, pipelines: Sequence[str]) -> list[PipelineStatus]:
        """How pipelines (all if none is named) stand."""
        from penstock.run.extract import taken_before
        from penstock.run.shelf import Shelf

        found = []
        for name in self._seen(pipelines):
            with self._flow(name, _unheard) as flow:
                holder = flow.destination.holder(name)
                facts = flow.destination.facts(name)
                shelf = Shelf(flow)
                waiting = [w for w in shelf.found.values() if w.in_land or w.key not in facts.done]
                taken = facts.identities | taken_before([shelf.slip(w) for w in waiting])
                state = facts.state.get(flow.dataset)
                offers = None if flow.source is None else flow.source.offers(taken, state)
                found.append(
                    PipelineStatus(
                        pipeline=name,
                        destination=flow.destination.url,
                        last_load=facts.last_load,
                        tables=_totals(facts),
                        waiting_files=len(waiting),
                        waiting_bytes=sum(w.size_bytes for w in waiting),
                        on_offer=None if offers is None else len(offers),
                        holder=holder,
                        failed=_failure(self._runs.newest(name)),
                    )
                )
        return found

    def last_runs(self, pipelines: Sequence[str], count: int = 1) -> list[RunRecord]:
        """The last runs of pipelines (of all if none is named) that this project knows of, newest first.

        `count` is how many of each pipeline.
        """
        runs = self._runs
        return [run for name in self._seen(pipelines) for run in runs.newest(name, count)]

    def show(
        self, table: str | None, *, sql: str | None = None, limit: int = 20, pipeline: str | None = None
    ) -> pa.Table:
        """Rows of a warehouse table, or of a query, or (neither given) the tables and their counts.

        A query asks the destination of `pipeline`, or of the first one.
        """
        if sql is None and table is None:
            return self._list_tables()
        name = self._home_of(table) if table else self._seen([pipeline] if pipeline else [])[0]
        with self._flow(name, _unheard) as flow:
            bare = (
                table.rpartition(".")[2]
                if table and table not in flow.destination.facts(name).tables
                else table
            )
            query = sql or f"SELECT * FROM {identifier(bare or '')} LIMIT {int(limit)}"
            return flow.destination.query(query)

    def dataset(self, pipeline: str | None = None) -> Dataset:
        """The tables of a pipeline (of the first one if none is named), to read from Python."""
        from penstock.app.dataset import Dataset
        from penstock.app.parts import open_destination

        name = self._seen([pipeline] if pipeline else [])[0]
        return Dataset(partial(open_destination, self.loaded, name), name)

    def _list_tables(self) -> pa.Table:
        import pyarrow as pa

        rows = []
        for name in self._seen([]):
            with self._flow(name, _unheard) as flow:
                for table in flow.destination.facts(name).tables:
                    counted = flow.destination.query(f"SELECT count(*) AS n FROM {identifier(table)}")
                    count = counted.column("n")[0].as_py()
                    rows.append({"pipeline": name, "table": table, "rows": count})
        schema = pa.schema([("pipeline", pa.string()), ("table", pa.string()), ("rows", pa.int64())])
        return pa.Table.from_pylist(rows, schema=schema)

    # --------------------------------------------------------------------------- quarantine

    def quarantine_list(self, pipelines: Sequence[str]) -> list[QuarantineEntry]:
        """Everything that is set aside, by pipeline."""
        from penstock.run.quarantine import entries

        found: list[QuarantineEntry] = []
        for name in self._seen(pipelines):
            with self._flow(name, _unheard) as flow:
                found.extend(entries(flow, flow.destination.facts(name)))
        return found

    def quarantine_show(self, what: str, limit: int) -> list[QuarantinedRow]:
        """Quarantined rows of a file (by key) or of a table, oldest first."""
        from penstock.run.quarantine import rows_of

        rows: list[QuarantinedRow] = []
        for entry in self._entries(what):
            with self._flow(entry.pipeline, _unheard) as flow:
                for row in rows_of(flow, entry.key):
                    if len(rows) == limit:
                        return rows
                    rows.append(row)
        return rows

    def quarantine_export(self, target: Path, what: str | None) -> list[Path]:
        """Write quarantined records, as they came, into a folder: one file for each file of the source."""
        from penstock.run.quarantine import export

        written = []
        for entry in self._entries(what, tuple(Kept)):
            with self._flow(entry.pipeline, _unheard) as flow:
                written.append(export(flow, entry, target))
        return written

    def quarantine_replay(self, what: Sequence[str], observe: Observer) -> RunResult:
        """Judge quarantined rows (of files or tables; all if none is named) again, and load what passes."""
        from penstock.run.replay import replay

        entries = [e for w in what for e in self._entries(w)] if what else self._entries(None)
        results = []
        for name in dict.fromkeys(e.pipeline for e in entries):
            keys = list(dict.fromkeys(e.key for e in entries if e.pipeline == name))
            results.append(self._locked(name, observe, "replay", partial(replay, keys=keys)))
        return RunResult(tuple(results))

    def _entries(self, what: str | None, kept: tuple[Kept, ...] = (Kept.ROWS,)) -> list[QuarantineEntry]:
        rows = [e for e in self.quarantine_list([]) if e.kept in kept]
        if what is None:
            return rows
        chosen = [e for e in rows if what in (e.key, e.table, f"{e.pipeline}.{e.table}")]
        if not chosen:
            known = {name for e in rows for name in (e.table, e.key)}
            raise NotFoundError(
                f"nothing of `{what}` is in the quarantine",
                hint=suggest(what, known) or "`penstock quarantine list` shows what is",
            )
        return chosen

    # ------------------------------------------------------------------------------- schema

    def declared(self, table: str) -> Table:
        """What the project and its metadata file promise of a table. Raises: NotFoundError."""
        pipeline, name = self.loaded.find_table(table)
        return self.loaded.table(pipeline, name)

    def versions(self, table: str) -> list[SchemaVersion]:
        """Every shape that a table of the warehouse has had, oldest first; the last is its present one.

        Raises: NotFoundError if the warehouse has no such table.
        """
        from penstock.app.shapes import versions_of

        pipeline = self._home_of(table)
        with self._flow(pipeline, _unheard) as flow:
            return versions_of(flow.destination, pipeline, table.removeprefix(f"{pipeline}."))

    # ------------------------------------------------------------------------------- inside

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
                with self._flow(name, _unheard) as flow:
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


def _conditions(spec: TableSpec) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """The SQL conditions that a project states of a table: where, what each is, and its text."""
    for number, expected in enumerate(spec.gate.expectations):
        keys = ("gate", "expectations", number, "constraint")
        yield keys, f"the expectation `{expected.name}`", expected.constraint
    for word in ("source_filter", "destination_scope"):
        condition = getattr(spec, word)
        if condition is not None:
            yield (word,), f"`{word}`", condition


def _failure(runs: Sequence[RunRecord]) -> str | None:
    """What stopped the last run, if it was refused or failed."""
    stopped = [r.error for r in runs[:1] if r.error and r.status in (Status.REFUSED, Status.FAILED)]
    return stopped[0].partition("\n")[0] if stopped else None


def _totals(facts: Facts) -> tuple[TableTotals, ...]:
    whole = [name for name, table in facts.tables.items() if part_of(table) is None]
    tables = dict.fromkeys([*whole, *(f.table for f in facts.files)])
    totals = []
    for table in tables:
        own = [f for f in facts.files if f.table == table]
        first = [f for f in own if f.outcome != "replayed"]
        again = [f for f in own if f.outcome == "replayed"]
        totals.append(
            TableTotals(
                table=table,
                files=len(first),
                rows=sum(f.rows for f in first),
                loaded=sum(f.loaded for f in own),
                dropped=sum(f.dropped for f in own),
                quarantined=sum(f.quarantined for f in first) - sum(f.rows - f.quarantined for f in again),
                refused=sum(f.outcome == "refused" for f in first),
            )
        )
    return tuple(totals)


def _unheard(_: object) -> None:
    """An observer that does not look."""
