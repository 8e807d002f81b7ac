"""The models of a project, joined to its destination: planned, built, and how they stand."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.app.model_flow import model_flow
from penstock.errors import PenstockError, ProjectError
from penstock.project.loaded import LoadedProject
from penstock.report.facts import ModelResult, ModelStanding, ModelStatus, Observer, PlannedModel
from penstock.run.build_quiet import BuildQuiet, Look, files_digest, today
from penstock.version import __version__

if TYPE_CHECKING:
    from penstock.app.models import LoadedModel
    from penstock.ledger import Built
    from penstock.models.model import Model
    from penstock.plan import BuildPlan
    from penstock.ports import Destination
    from penstock.run.build_flow import BuildFlow, Known, ModelFlow
    from penstock.run.recording import Runs

MODELS = "models"
_SKIPPED = {".git", "__pycache__"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be built: models by the words of `--select`, without those of `exclude`; `full` anyway."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    full: bool = False

    @property
    def is_all(self) -> bool:
        """Whether it is about all models, as far as they need it."""
        return not (self.select or self.exclude or self.full)


class Building:
    """The models of one project. `now` returns Unix seconds."""

    now: Callable[[], float] = staticmethod(time.time)

    def __init__(self, loaded: LoadedProject, private: Path, runs: Runs | None = None) -> None:
        self.loaded = loaded
        self._quiet = BuildQuiet(private / "quiet")
        self._runs = runs

    @property
    def has_models(self) -> bool:
        """Whether the project has models."""
        return self.loaded.project.models is not None

    def check(self) -> None:
        """Read the models, unless their files are those of the last build. Raises: ProjectError."""
        if self.has_models:
            beside = self._quiet.beside()
            if beside is None or not self._quiet.knows(self.loaded.digest, self._digest(beside)):
                _ = self._native

    # ------------------------------------------------------------------------------ building

    def build(self, observe: Observer, wish: Wish, wait_s: float = 0) -> tuple[ModelResult, ...]:
        """Build what a wish comes to, and say what became of every model that it is about."""
        if not self.has_models:
            return ()
        destination = self._open()
        try:
            if wish.is_all and (known := self._known(destination)) is not None:
                return known
            flow = self._flow(destination, observe)
            return self._build(flow, wish, wait_s)
        finally:
            destination.close()

    def _known(self, destination: Destination) -> tuple[ModelResult, ...] | None:
        """Every model as unchanged, if everything looks as it did when nothing was left to do."""
        return self._quiet.holds(self._look(destination, self._quiet.beside()))

    def _build(self, flow: BuildFlow, wish: Wish, wait_s: float) -> tuple[ModelResult, ...]:
        from penstock.run.build import failed, skipped
        from penstock.run.build_aside import is_unfinished
        from penstock.run.build_flow import Known

        before = flow.destination.fingerprint()
        known = Known.of(flow.builder)
        plan = self._plan(flow, wish, known)
        if not plan.builds and not is_unfinished(flow):
            left = self._left(flow, plan, wish)
            if wish.is_all and before is not None and before == flow.destination.fingerprint():
                self._quiet.note(self._look(flow.destination, self._beside), left, self._beside)
            return left
        try:
            return self._locked(flow, wish, wait_s, (before, known))
        except PenstockError as error:
            first, *rest = plan.builds
            others = [skipped(flow, step, f"`{first.model}` failed") for step in rest]
            return (*self._left(flow, plan, wish), failed(flow, first, error), *others)

    def _locked(
        self, flow: BuildFlow, wish: Wish, wait_s: float, seen: tuple[str | None, Known]
    ) -> tuple[ModelResult, ...]:
        """Build under the lock; `seen` is what was known before it, and how the destination looked then."""
        from penstock.run.build import build_models
        from penstock.run.build_flow import Known
        from penstock.run.build_record import BuildRecording
        from penstock.run.locking import lock

        recording = BuildRecording.begin(flow, self._runs)
        results: list[ModelResult] = []
        left: tuple[ModelResult, ...] = ()
        done = False
        with lock(flow, wait_s):
            before = flow.destination.fingerprint()
            try:
                same = before is not None and before == seen[0]
                known = seen[1] if same else Known.of(flow.builder)
                plan = self._plan(flow, wish, known)
                left = self._left(flow, plan, wish)
                build_models(flow, plan, known, results, full=wish.full)
            except BaseException as stopped:
                recording.keep((*left, *results), stopped)
                raise
            if results:
                recording.note(results)
            done = wish.is_all and not self._plan(flow, Wish()).builds
            flow.destination.close()
            self._quiet.move_others(before, flow.destination.fingerprint())
        if results:
            recording.keep(results)
        if done:
            after = self._look(flow.destination, self._beside)
            self._quiet.note(after, [*left, *map(_as_left, results)], self._beside)
        return (*left, *results)

    # ------------------------------------------------------------------------------- looking

    def plan(self, wish: Wish, loading: Sequence[str] = ()) -> tuple[PlannedModel, ...]:
        """What a build would do; `loading` are tables that pipelines are about to load."""
        if not self.has_models:
            return ()
        destination = self._open()
        try:
            flow = self._flow(destination, _unheard)
            plan = self._plan(flow, wish, loading=loading)
        finally:
            destination.close()
        chosen = self._chosen(wish)
        found = []
        for step in plan.steps:
            model = flow.models[step.model].model
            builds = step in plan.builds
            if builds or chosen is None or step.model in chosen:
                kind = model.materialized.value
                found.append(PlannedModel(step.model, builds, step.why, kind, model.tool))
        return tuple(found)

    def standing(self) -> tuple[ModelStanding, ...]:
        """How every model stands, each after those that it reads."""
        if not self.has_models:
            return ()
        destination = self._open()
        try:
            flow = self._flow(destination, _unheard)
            plan = self._plan(flow, Wish())
            built = flow.builder.built()
        finally:
            destination.close()
        stale = {step.model: step.why for step in plan.builds}
        return tuple(
            _standing(flow.models[s.model].model, built.get(s.model), stale.get(s.model)) for s in plan.steps
        )

    def counts(self) -> list[tuple[str, int]]:
        """The models that are built, with the rows that they have now."""
        from penstock.gate.rules import identifier

        destination = self._open()
        try:
            flow = self._flow(destination, _unheard)
            there = flow.builder.versions()
            found = []
            for name in flow.models:
                if name in there:
                    answer = destination.query(f"SELECT count(*) AS n FROM {identifier(name)}")
                    found.append((name, int(answer.column("n")[0].as_py())))
            return found
        finally:
            destination.close()

    @property
    def names(self) -> frozenset[str]:
        """The names of all models."""
        return frozenset(model.name for model in self._models) if self.has_models else frozenset()

    @property
    def own_names(self) -> list[str]:
        """The names of the models in the project's folder."""
        return [model.model.name for model in self._native]

    def promised(self, name: str) -> ModelFlow:
        """What is promised of a model of the project's folder. Raises: KeyError."""
        return {m.model.name: model_flow(m) for m in self._native}[name]

    # ------------------------------------------------------------------------------- joining

    def _open(self) -> Destination:
        from penstock.app.parts import open_warehouse

        return open_warehouse(self.loaded, self.loaded.project.destination)

    @cached_property
    def _native(self) -> tuple[LoadedModel, ...]:
        from penstock.app.models import dialect_of, load_models

        if MODELS in self.loaded.project.pipelines:
            raise ProjectError(
                "a pipeline cannot be called `models` in a project that has models",
                where=self.loaded.where_of(("pipelines", MODELS)),
                hint="give the pipeline another name; `dataset: models` keeps its folders",
            )
        return tuple(load_models(self.loaded, dialect_of(self.loaded)))

    @cached_property
    def _foreign(self) -> tuple[Model, ...]:
        models = self.loaded.project.models
        if models is None or models.dbt is None:
            return ()
        from penstock.app.dbt import dbt_models

        return tuple(dbt_models(self.loaded))

    @cached_property
    def _models(self) -> tuple[Model, ...]:
        native = tuple(m.model for m in self._native)
        twins = {m.name.casefold(): m for m in native}
        for model in self._foreign:
            if twin := twins.get(model.name.casefold()):
                raise ProjectError(
                    f"two models are called `{model.name}`",
                    where=twin.path,
                    found=f"{model.path} of the dbt project is one already",
                )
        return (*native, *self._foreign)

    def _chosen(self, wish: Wish) -> frozenset[str] | None:
        if not (wish.select or wish.exclude):
            return None
        from penstock.models.select import select

        return select(self._models, wish.select, wish.exclude)

    def _plan(
        self, flow: BuildFlow, wish: Wish, known: Known | None = None, loading: Sequence[str] = ()
    ) -> BuildPlan:
        from penstock.plan import plan_build
        from penstock.run.build_flow import Known

        known = known or Known.of(flow.builder)
        chosen = self._chosen(wish)
        day = today(flow.now)
        return plan_build(
            self._models, known.built, known.versions, chosen, full=wish.full, loading=loading, today=day
        )

    def _left(self, flow: BuildFlow, plan: BuildPlan, wish: Wish) -> tuple[ModelResult, ...]:
        """What a plan leaves alone of what the wish is about."""
        from penstock.plan import Leave
        from penstock.run.build import left_alone

        chosen = self._chosen(wish)
        steps = [s for s in plan.steps if isinstance(s, Leave) and (chosen is None or s.model in chosen)]
        return tuple(left_alone(flow, step) for step in steps)

    def _flow(self, destination: Destination, observe: Observer) -> BuildFlow:
        from penstock.app.flows import holder, new_load_id
        from penstock.app.git_version import version_of_files
        from penstock.app.parts import load_part, open_store
        from penstock.registry import BUILDERS
        from penstock.run.build_flow import BuildFlow, ModelFlow
        from penstock.schema.table import Table

        project = self.loaded.project
        models = {m.model.name: model_flow(m) for m in self._native}
        models |= {m.name: ModelFlow(m, Table(m.name)) for m in self._foreign}
        builder = load_part(BUILDERS, project.destination.type, "builder of models")
        threads = getattr(project.destination, "threads", None)
        return BuildFlow(
            models=models,
            builder=builder(destination),
            destination=destination,
            quarantine=open_store(self.loaded, project.layers.quarantine),
            holder=holder(),
            version=__version__,
            threads=threads or len(os.sched_getaffinity(0)),
            now=self.now,
            new_id=new_load_id,
            observe=observe,
            version_of=cache(lambda: version_of_files(Path(project.root))),
            foreign=self._run_dbt if self._foreign else None,
        )

    def _run_dbt(self, chosen: frozenset[str], full: bool, observe: Observer) -> Sequence[ModelResult]:
        from penstock.app.dbt import run_dbt

        return run_dbt(self.loaded, chosen, full, observe)

    # --------------------------------------------------------------------------------- quiet

    def _look(self, destination: Destination, beside: Sequence[str] | None) -> Look | None:
        """How everything looks; None if that cannot be told. `beside` are the files of metadata."""
        mark = destination.fingerprint()
        if mark is None or beside is None or any(":" in name for name in beside):
            return None
        day = today(self.now).isoformat()
        return Look(self.loaded.digest, __version__, self._digest(beside), mark, day)

    @property
    def _beside(self) -> list[str]:
        """The files of metadata that models name; those with a colon are code."""
        return sorted({m.spec.metadata.partition("#")[0] for m in self._native if m.spec.metadata})

    def _digest(self, beside: Sequence[str]) -> str:
        """A digest of everything that models are read from."""
        root = Path(self.loaded.project.root)
        found = dict(self._texts)
        for name in beside:
            with suppress(OSError):  # reading the models tells that it is not there
                found[name] = (root / name).read_bytes()
        return files_digest(found)

    @cached_property
    def _texts(self) -> tuple[tuple[str, bytes], ...]:
        return tuple(self._read_texts())

    def _read_texts(self) -> Iterator[tuple[str, bytes]]:
        models = self.loaded.project.models
        assert models is not None
        root = Path(self.loaded.project.root)
        folder = models.folder
        for path in _files_below(root / Path(folder).expanduser()) if folder else ():
            with suppress(OSError):  # a link to nowhere, or gone meanwhile
                yield str(path), path.read_bytes()
        if models.dbt is not None:
            from penstock.app.dbt import dbt_digest

            yield models.dbt.path, dbt_digest(self.loaded).encode()


def _files_below(folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED)
        yield from (Path(path) / name for name in sorted(names))


def _standing(model: Model, built: Built | None, stale: str | None) -> ModelStanding:
    known = ModelStanding(model.name, model.materialized.value, model.tool, stale=stale)
    if built is None:
        return known
    return replace(
        known,
        built_at=built.built_at,
        rows=built.kept,
        dropped=built.dropped,
        quarantined=built.quarantined,
    )


def _as_left(result: ModelResult) -> ModelResult:
    """A model that was built, as the next run finds it."""
    why = "nothing that it is made of changed"
    return ModelResult(result.model, ModelStatus.UNCHANGED, result.materialized, result.tool, why)


def _unheard(_: object) -> None:
    """An observer that does not look."""
