"""Models are built: the plan of a build is walked in order, and in parallel where models are independent.

What fails keeps back what reads it, and nothing else. Models of dbt are built by dbt itself, as many at
once as are ready, while nobody else has the destination open.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from penstock.errors import BugError, ExitCode, GateError, PenstockError
from penstock.ledger import Built
from penstock.plan import Build, BuildPlan, Leave, built_from, inputs_of
from penstock.report.facts import Event, ModelDone, ModelResult, ModelStarted, ModelStatus, Pause
from penstock.run.build_aside import recover_rejects
from penstock.run.build_flow import BuildFlow, Known, Task
from penstock.run.build_model import begins_anew, build_model

POLL_S = 0.2
DBT = "dbt"
MOST_THREADS = 8


def build_models(
    flow: BuildFlow, plan: BuildPlan, known: Known, results: list[ModelResult], *, full: bool
) -> None:
    """Build what a plan says; what becomes of each model is added to `results` as it ends.

    `known` is what the plan was made of. Called with the destination's lock held.
    """
    recover_rejects(flow, known.built)
    if plan.builds:
        waiting = {step.model: step for step in plan.builds}
        walk = _Walk(flow, waiting, full, results, dict(known.built), dict(known.versions))
        walk.all()


def left_alone(flow: BuildFlow, step: Leave) -> ModelResult:
    """The result of a model that a plan does not build."""
    model = flow.models[step.model].model
    return ModelResult(
        step.model, ModelStatus.UNCHANGED, model.materialized.value, model.tool, step.why, seconds=0.0
    )


def failed(flow: BuildFlow, step: Build, error: PenstockError, seconds: float = 0.0) -> ModelResult:
    """The result of a model that was not built because of an error."""
    model = flow.models[step.model].model
    if error.where == step.model:  # the destination knows a model by its name, people by its file
        error.where = model.path
        error.what = f"`{step.model}`: {error.what}"
    refused = error.exit_code == ExitCode.REFUSED
    return ModelResult(
        model=step.model,
        status=ModelStatus.REFUSED if refused else ModelStatus.FAILED,
        materialized=model.materialized.value,
        tool=model.tool,
        why=step.why,
        broken=error.broken if isinstance(error, GateError) else {},
        seconds=seconds,
        error=str(error),
        exit_code=int(error.exit_code),
    )


def skipped(flow: BuildFlow, step: Build, why: str) -> ModelResult:
    """The result of a model that was not begun."""
    model = flow.models[step.model].model
    return ModelResult(step.model, ModelStatus.SKIPPED, model.materialized.value, model.tool, why)


@dataclass(slots=True)
class _Walk:
    """A build under way. `waiting` are the steps that were not begun, in the order of the plan."""

    flow: BuildFlow
    waiting: dict[str, Build]
    full: bool
    results: list[ModelResult]
    built: dict[str, Built]
    versions: dict[str, str | None]
    running: dict[Future[ModelResult], Task] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    needs: dict[str, frozenset[str]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    stopping: threading.Event = field(default_factory=threading.Event)
    begun: int = 0
    of: int = 0

    def all(self) -> None:
        """Build everything that can be built."""
        self.of = len(self.waiting)
        self.needs = self._order()
        threads = max(1, min(self.flow.threads, MOST_THREADS, self.of))
        with ThreadPoolExecutor(threads, thread_name_prefix="penstock-build") as pool:
            try:
                while self.waiting or self.running:
                    self._skip()
                    self._begin(pool, threads)
                    if self.running:
                        self._collect()
                    elif self.waiting:
                        self._other_programs()
            except BaseException:
                self.stopping.set()  # what is under way is rolled back before the lock is let go
                raise

    def _order(self) -> dict[str, frozenset[str]]:
        """The models of this walk that each has to wait for: those that it reads, through views too."""
        names = {name.casefold(): name for name in self.waiting}
        there = {**dict.fromkeys(self.waiting, ""), **self.versions}
        needs = {}
        for name in self.waiting:
            model = self.flow.models[name].model
            read = {*model.reads, *(i.name for i in inputs_of(model, self.flow.views, there))}
            needs[name] = frozenset(names[r.casefold()] for r in read if r.casefold() in names) - {name}
        return needs

    # ------------------------------------------------------------------------------- choosing

    def _skip(self) -> None:
        """Leave out what reads a model that could not be built."""
        for name, step in list(self.waiting.items()):
            cause = next((self.lost[need] for need in sorted(self.needs[name]) if need in self.lost), None)
            if cause is not None:
                del self.waiting[name]
                self._end(skipped(self.flow, step, f"`{cause}` failed"), lost=cause)

    def _held(self) -> frozenset[str]:
        """The models that others have to wait for."""
        return frozenset(self.waiting) | {task.flow.name for task in self.running.values()}

    def _begin(self, pool: ThreadPoolExecutor, threads: int) -> None:
        held = self._held()
        for name, step in list(self.waiting.items()):
            if len(self.running) >= threads:
                return
            if self.flow.models[name].model.tool != DBT and not self.needs[name] & held:
                del self.waiting[name]
                self._start(pool, step)

    def _start(self, pool: ThreadPoolExecutor, step: Build) -> None:
        self._say_begun(step.model)
        began = self.flow.now()
        try:
            task = self._task(step)
        except PenstockError as error:
            self._end(failed(self.flow, step, error), lost=step.model)
            return
        self.running[pool.submit(self._work, step, task, began)] = task

    def _task(self, step: Build) -> Task:
        model = self.flow.models[step.model]
        there = step.model.casefold() in {name.casefold() for name in self.versions}
        anew = begins_anew(model, self.built.get(step.model), there=there, full=self.full)
        at = datetime.fromtimestamp(self.flow.now(), UTC)
        inputs = built_from(model.model, self.flow.views, self.versions)
        return Task(model, self.flow.new_id(), at, anew=anew, full=self.full, inputs=inputs)

    def _say_begun(self, model: str) -> None:
        self.begun += 1
        self.flow.observe(ModelStarted(model, self.begun, self.of))

    # -------------------------------------------------------------------------------- working

    def _work(self, step: Build, task: Task, began: float) -> ModelResult:
        try:
            return replace(build_model(self.flow, task, began, self.stopping), why=step.why)
        except PenstockError as error:
            return failed(self.flow, step, error, self.flow.now() - began)

    def _collect(self) -> None:
        """Take up what has ended; while nothing does, whoever listens is asked to go on listening."""
        done, _ = wait(self.running, timeout=POLL_S, return_when=FIRST_COMPLETED)
        if not done:
            self.flow.observe(Pause(self.flow.pipeline))
        for future in done:
            task = self.running.pop(future)
            result = future.result()
            lost = None if result.status is ModelStatus.BUILT else result.model
            if lost is None:
                self.versions[result.model] = task.build_id
            self._end(result, lost=lost)

    def _end(self, result: ModelResult, lost: str | None = None) -> None:
        if lost is not None:
            self.lost[result.model] = lost
        self.results.append(result)
        if result.model not in self.told:
            self.flow.observe(ModelDone(result))

    # ------------------------------------------------------------------------- other programs

    def _other_programs(self) -> None:
        """Have dbt build those of its models that wait for nothing but each other."""
        chosen = self._ready_together()
        if not chosen or self.flow.foreign is None:
            raise BugError("models wait for each other", found=", ".join(self.waiting))
        self.flow.destination.close()  # one process at a time can have it open
        steps = {name: self.waiting.pop(name) for name in list(self.waiting) if name in chosen}
        tasks = {name: self._task(step) for name, step in steps.items()}
        try:
            results = list(self.flow.foreign(chosen, self.full, self._heard))
        except PenstockError as error:
            first, *rest = steps.values()
            self._end(failed(self.flow, first, error), lost=first.model)
            for step in rest:
                self._end(skipped(self.flow, step, f"`{first.model}` failed"), lost=first.model)
            return
        self._record(results, tasks)
        told = {result.model for result in results}
        missing = [
            skipped(self.flow, step, "dbt did not build it") for n, step in steps.items() if n not in told
        ]
        for result in (*results, *missing):
            asked = steps.get(result.model)
            said = replace(result, why=result.why or asked.why) if asked else result
            self._end(said, lost=None if result.status is ModelStatus.BUILT else result.model)

    def _heard(self, event: Event) -> None:
        """Pass on what dbt's run says; its models are counted with all others."""
        if isinstance(event, ModelStarted):
            self._say_begun(event.model)
            return
        if isinstance(event, ModelDone):
            self.told.add(event.result.model)
        self.flow.observe(event)

    def _record(self, results: Sequence[ModelResult], tasks: Mapping[str, Task]) -> None:
        done = [r for r in results if r.status is ModelStatus.BUILT and r.model in tasks]
        for result in done:  # each reads the others as they are now
            self.versions[result.model] = tasks[result.model].build_id
        rows = [self._built(result, tasks[result.model]) for result in done]
        if rows:
            self.flow.builder.record(rows)
        known = Known.of(self.flow.builder)
        self.built, self.versions = dict(known.built), dict(known.versions)

    def _built(self, result: ModelResult, task: Task) -> Built:
        model = task.flow.model
        return Built(
            model=model.name,
            build_id=task.build_id,
            version=model.version,
            materialized=result.materialized,
            tool=model.tool,
            started_at=task.at,
            built_at=datetime.fromtimestamp(self.flow.now(), UTC),
            inputs=built_from(model, self.flow.views, self.versions),
            rows=result.rows,
            kept=result.kept,
        )

    def _ready_together(self) -> frozenset[str]:
        """The largest set of dbt's models that wait for no model outside of it."""
        chosen = {n for n in self.waiting if self.flow.models[n].model.tool == DBT}
        while True:
            blocked = {n for n in chosen if self.needs[n] & (self.waiting.keys() - chosen)}
            if not blocked:
                return frozenset(chosen)
            chosen -= blocked
