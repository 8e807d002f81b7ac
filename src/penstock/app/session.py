"""A project in use: what every command of the command line is made of."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.app.aside import Aside
from penstock.app.conditions import wrong_conditions
from penstock.app.files import load_project
from penstock.app.opened import MODELS, unheard
from penstock.app.retrying import retried
from penstock.app.stating import Stating
from penstock.errors import ProjectError, RefusedError, UsageError
from penstock.gate.rules import identifier
from penstock.ledger import Facts, Refresh, RunRecord
from penstock.project.maker import MakerSpec
from penstock.project.singer_target import SingerTargetSpec
from penstock.project.tables import destination_of, tables_of
from penstock.report.facts import (
    ModelStanding,
    Observer,
    PipelineResult,
    PipelineStatus,
    PlannedModel,
    PlannedPipeline,
    PlanResult,
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
    from penstock.schema.table import Table


def open_session(start: Path | None = None, environment: str | None = None) -> Session:
    """The project in a folder (or the nearest above it). Raises: ProjectError; NotFoundError."""
    return Session(load_project(start, environment))


class Session(Stating, Aside):
    """One project, with one environment applied."""

    def check(self) -> None:
        """Check what reading the project cannot tell: that SQL conditions are SQL.

        Raises: ProjectError telling everything that is wrong, with lines.
        """
        faults: list[ProjectError] = []
        for name, pipeline in self.project.pipelines.items():
            for table, spec in pipeline.tables.items():
                faults += wrong_conditions(spec, self.loaded.below(name, table))
        if self._has_models:
            from penstock.app.models import check_models

            faults += check_models(self.loaded)
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
        building = self._building if not pipelines else None
        if not pipelines and not self.project.pipelines and self._has_plugins and not self._has_models:
            raise UsageError(
                "it is not said what to run",
                expected="an extractor and where its data goes, such as `tap-github target-jsonl`, or a job",
            )
        if pipelines and self.project.plugins.utilities:
            from penstock.app.steps import has_commands, run_steps

            if has_commands(self.loaded, pipelines):
                again = partial(self.run, observe=observe, wait_s=wait_s, refresh=refresh, blocks=blocks)
                return run_steps(self.loaded, pipelines, again)
        if building is not None:
            building.check()  # nothing is loaded if models could not be read afterwards
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
        if building is None:
            return RunResult(tuple(results))
        from penstock.app.building import Wish

        return RunResult(tuple(results), building.build(observe, Wish(), wait_s))

    def build(
        self,
        select: Sequence[str] = (),
        observe: Observer = unheard,
        *,
        exclude: Sequence[str] = (),
        full: bool = False,
        wait_s: float = 0,
    ) -> RunResult:
        """Build models (all if none is selected) as far as they or what they read changed; `full` anyway.

        `select` and `exclude` are words such as `orders`, `+orders`, `tag:daily` or `path:marts`. `wait_s`
        (seconds) is how long to wait for a lock that another run holds.
        Raises: ProjectError for models that cannot be read; NotFoundError for a word that names none.
        """
        from penstock.app.building import Wish

        self._need_models()
        wish = Wish(tuple(select), tuple(exclude), full)
        return RunResult(models=self._building.build(observe, wish, wait_s))

    def plan_build(
        self, select: Sequence[str] = (), *, exclude: Sequence[str] = (), full: bool = False
    ) -> PlanResult:
        """What `build` would do."""
        from penstock.app.building import Wish

        self._need_models()
        return PlanResult((), models=self._building.plan(Wish(tuple(select), tuple(exclude), full)))

    def _need_models(self) -> None:
        if not self._has_models:
            raise ProjectError(
                "the project has no models",
                where=f"project `{self.project.name}`",
                expected="`models: models/` in the project file: a folder of `.sql` and `.py` files",
            )

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
            result = run_pipeline(flow, quiet, wait_s, refresh, runs=self._runs, attempt=attempt)
        sent = isinstance(destination_of(self.project, name), SingerTargetSpec)
        return replace(result, readable=not sent)

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
        models: tuple[PlannedModel, ...] = ()
        if not pipelines and self._has_models:
            from penstock.app.building import Wish

            models = self._building.plan(Wish(), self._about_to_be_loaded(planned))
        return PlanResult(tuple(planned), quick, models)

    def _about_to_be_loaded(self, planned: Sequence[PlannedPipeline]) -> list[str]:
        """The tables beside the models that a plan brings rows or columns to."""
        home = self.project.destination
        beside = [p for p in planned if destination_of(self.project, p.pipeline) == home]
        return [t.table for p in beside for t in p.tables if t.files or t.changes]

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

    # ------------------------------------------------------------------------------ looking

    def status(self, pipelines: Sequence[str]) -> list[PipelineStatus]:
        """How pipelines (all if none is named) stand."""
        from penstock.run.extract import taken_before
        from penstock.run.shelf import Shelf

        found = []
        others = [name for name in pipelines if not self._is_of_models(name)]
        for name in self._seen(others) if others or not pipelines else ():
            with self._flow(name, unheard) as flow:
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

    def model_names(self) -> list[str]:
        """The names of the project's own models; those of dbt are known to dbt."""
        return self._building.own_names

    def model_status(self) -> tuple[ModelStanding, ...]:
        """How the models of the project stand."""
        return self._building.standing()

    def last_runs(self, pipelines: Sequence[str], count: int = 1) -> list[RunRecord]:
        """The last runs of pipelines (of all if none is named) that this project knows of, newest first.

        `count` is how many of each pipeline.
        """
        runs = self._runs
        return [run for name in self._seen_with_models(pipelines) for run in runs.newest(name, count)]

    def show(
        self, table: str | None, *, sql: str | None = None, limit: int = 20, pipeline: str | None = None
    ) -> pa.Table:
        """Rows of a warehouse table, or of a query, or (neither given) the tables and their counts.

        A query asks the destination of `pipeline`, or of the first one.
        """
        if sql is None and table is None:
            return self._list_tables()
        if self._has_models and (not self.project.pipelines or self._is_model(table)):
            return self._show_model(sql or f"SELECT * FROM {identifier(table or '')} LIMIT {int(limit)}")
        name = self._home_of(table) if table else self._seen([pipeline] if pipeline else [])[0]
        with self._flow(name, unheard) as flow:
            bare = (
                table.rpartition(".")[2]
                if table and table not in flow.destination.facts(name).tables
                else table
            )
            query = sql or f"SELECT * FROM {identifier(bare or '')} LIMIT {int(limit)}"
            return flow.destination.query(query)

    def _is_model(self, table: str | None) -> bool:
        if table is None or any(table in tables_of(p) for p in self.project.pipelines.values()):
            return False
        return table in self._building.names

    def _show_model(self, sql: str) -> pa.Table:
        from penstock.app.parts import open_warehouse

        destination = open_warehouse(self.loaded, self.project.destination)
        try:
            return destination.query(sql)
        finally:
            destination.close()

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
            with self._flow(name, unheard) as flow:
                for table in flow.destination.facts(name).tables:
                    counted = flow.destination.query(f"SELECT count(*) AS n FROM {identifier(table)}")
                    count = counted.column("n")[0].as_py()
                    rows.append({"pipeline": name, "table": table, "rows": count})
        if self._has_models:
            rows += [
                {"pipeline": MODELS, "table": name, "rows": count} for name, count in self._building.counts()
            ]
        schema = pa.schema([("pipeline", pa.string()), ("table", pa.string()), ("rows", pa.int64())])
        return pa.Table.from_pylist(rows, schema=schema)

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
        with self._flow(pipeline, unheard) as flow:
            return versions_of(flow.destination, pipeline, table.removeprefix(f"{pipeline}."))


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
