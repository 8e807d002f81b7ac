"""Runs of pipelines and builds of models, as results that Dagster records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from dagster import (
    Failure,
    MaterializeResult,
    TableColumnLineage,
)

from penstock.app.session import Session
from penstock.catalogue import Layer, Node
from penstock.dagster.checks import Breach, breaches_of, model_breaches, results
from penstock.dagster.lineage import (
    dagster_lineage,
    model_lineage,
    pipeline_lineage,
    sensitive_columns,
)
from penstock.dagster.metadata import (
    files_metadata,
    model_metadata,
    result_metadata,
    run_metadata,
    shown_metadata,
    table_metadata,
)
from penstock.dagster.partitions import interval
from penstock.dagster.progress import Lines
from penstock.dagster.reading import Reading
from penstock.dagster.recording import Made
from penstock.dagster.standing import (
    SAMPLES,
    Standing,
    asking,
    models_standing,
    shapes_of,
    standing_of,
)
from penstock.errors import ExitCode, PenstockError
from penstock.project.loaded import LoadedProject
from penstock.report.facts import ModelResult, ModelStatus, Phase, PipelineResult, QuarantinedRow, Status

Lineage: TypeAlias = Mapping[str, TableColumnLineage]
Say: TypeAlias = Callable[[str], object]

_PHASES = {Layer.LAND: Phase.LAND, Layer.RAW_HIST: Phase.KEEP}
_THERE = (ModelStatus.BUILT, ModelStatus.UNCHANGED)
_LATER = (ExitCode.OUTSIDE, ExitCode.UNCERTAIN)


def run(reading: Reading, pipeline: str, say: Say, window: tuple[datetime, datetime] | None = None) -> Made:
    """Run a pipeline, and give what it made and what its checks came to. `say` gets the lines of the log.

    Raises: Failure after everything was given, when the run was refused or failed.
    """
    session = Session(_tried_once(reading.session.loaded, pipeline))
    lines = Lines(say)
    with interval(window), failing(session):
        result = session.run([pipeline], lines, wait_s=reading.options.wait_s).pipelines[0]
    standing = standing_of(session, result, reading.options.preview_rows)
    for note in standing.notes:
        say(note)
    yield from _told(reading, pipeline, result, standing, lines)
    if result.exit_code:
        raise failure(result.error or f"{pipeline}: {result.status}", result.exit_code, session)


def build(reading: Reading, select: Sequence[str], say: Say, *, full: bool = False) -> Made:
    """Build models, and give what was made and what their checks came to. `say` gets the lines of the log.

    Raises: Failure after everything was given, when a model was refused or failed.
    """
    session = Session(reading.session.loaded)
    with failing(session):
        done = session.build(select, Lines(say), full=full, wait_s=reading.options.wait_s).models
    by_name = {node.name: node for node in reading.models if not node.unlisted}
    there = [by_name[r.model] for r in done if r.model in by_name and r.status in _THERE]
    standing, lineage = built_standing(reading, there)
    for note in standing.notes:
        say(note)
    for result in done:
        if (node := by_name.get(result.model)) is not None:
            samples = session.quarantine_show(node.name, SAMPLES) if result.quarantined else []
            yield from _model_told(reading, node, result, standing, lineage.get(node.name), samples)
    yield from _further_models(reading, [r for r in done if r.model not in by_name])
    stopped = next((m for m in done if m.exit_code), None)
    if stopped is not None:
        raise failure(stopped.error or f"{stopped.model}: {stopped.status}", stopped.exit_code, session)


def built_standing(reading: Reading, there: Sequence[Node]) -> tuple[Standing, Lineage]:
    """How models stand after a build, and where their columns come from."""
    if not there:
        return Standing(), {}
    with asking(reading.session.loaded) as ask:
        shapes, notes = shapes_of(reading.session, ask, there)
        lineage = model_lineage(reading, shapes)
        hidden = sensitive_columns(reading, lineage, shapes)
        standing = models_standing(reading.session, ask, there, hidden, reading.options.preview_rows)
    shown = {name: dagster_lineage(reading, lineage[name]) for name in shapes if lineage.get(name)}
    return replace(standing, shapes=shapes, notes=(*notes, *standing.notes)), shown


@contextmanager
def failing(session: Session) -> Iterator[None]:
    """Errors that leave no result behind, as what ends a step."""
    try:
        yield
    except PenstockError as error:
        raise failure(str(error), int(error.exit_code), session) from error


def failure(message: str, exit_code: int, session: Session) -> Failure:
    """The error that ends a step; Dagster tries again only what may work later."""
    return Failure(
        description=session.redact(message),
        metadata={"exit_code": int(exit_code)},
        allow_retries=exit_code in _LATER,
    )


def _tried_once(loaded: LoadedProject, pipeline: str) -> LoadedProject:
    """The project with one try for a pipeline, because trying again is then Dagster's part."""
    spec = loaded.project.pipelines[pipeline]
    once = spec.model_copy(update={"retry": spec.retry.model_copy(update={"attempts": 1})})
    pipelines = {**loaded.project.pipelines, pipeline: once}
    return replace(loaded, project=loaded.project.model_copy(update={"pipelines": pipelines}))


def _told(reading: Reading, pipeline: str, result: PipelineResult, standing: Standing, lines: Lines) -> Made:
    for node in reading.pipeline(pipeline):
        metadata = _made(node, result, standing, lines)
        if metadata is not None:
            if (lineage := pipeline_lineage(reading, node, standing)) is not None:
                metadata["dagster/column_lineage"] = lineage
            yield MaterializeResult(asset_key=reading.key(node), metadata=metadata)
        if result.status is not Status.NOTHING_NEW:
            found = breaches_of(result, node.name, standing.samples.get(node.name, ()))
            yield from _checked(reading, node, result, found)
    yield from _further(reading, pipeline, result, standing)


def _checked(
    reading: Reading, node: Node, result: PipelineResult | ModelResult, found: dict[str, Breach]
) -> Made:
    """The checks of a node. When a run was refused, what did not fail was not wholly judged."""
    for told in results(reading.checks[node.key], _plain(reading, found)):
        if not result.exit_code or not told.passed:
            yield told


def _plain(reading: Reading, found: dict[str, Breach]) -> dict[str, Breach]:
    redact = reading.session.redact
    return {r: replace(b, messages=tuple(redact(m) for m in b.messages)) for r, b in found.items()}


def _made(node: Node, result: PipelineResult, standing: Standing, lines: Lines) -> dict[str, Any] | None:
    """What a run made of a node; None when it made nothing of it."""
    table = None if node.unlisted else node.name
    if phase := _PHASES.get(node.layer):
        keys = lines.keys(phase, table)
        return files_metadata(keys, standing, lines.seconds[phase]) if keys else None
    if result.exit_code and not result.load_ids:
        return None
    return {**run_metadata(result, table, standing), **table_metadata(node, standing)}


def _further(reading: Reading, pipeline: str, result: PipelineResult, standing: Standing) -> Made:
    """The tables that only the run told of."""
    known = {node.name for node in reading.pipeline(pipeline) if not node.unlisted}
    for own in result.tables:
        if own.table not in known and own.files:
            metadata = run_metadata(result, own.table, standing) | shown_metadata(own.table, standing)
            yield MaterializeResult(asset_key=reading.further(pipeline, own.table), metadata=metadata)


def _further_models(reading: Reading, done: Sequence[ModelResult]) -> Made:
    """The models that only the build told of, and the node that stands for them."""
    made = [r for r in done if r.status in _THERE]
    for result in made:
        metadata = result_metadata(result)
        yield MaterializeResult(asset_key=reading.further(None, result.model), metadata=metadata)
    for node in reading.models:
        if node.unlisted and made and all(r in made for r in done):
            yield MaterializeResult(asset_key=reading.key(node), metadata={"models": len(made)})


def _model_told(
    reading: Reading,
    node: Node,
    result: ModelResult,
    standing: Standing,
    lineage: TableColumnLineage | None,
    samples: Sequence[QuarantinedRow],
) -> Made:
    if result.status in _THERE:
        metadata = model_metadata(node, result, standing)
        if lineage is not None:
            metadata["dagster/column_lineage"] = lineage
        yield MaterializeResult(asset_key=reading.key(node), metadata=metadata)
    if result.status in (ModelStatus.UNCHANGED, ModelStatus.SKIPPED):
        return
    found = model_breaches(result, samples)
    yield from _checked(reading, node, result, found)
