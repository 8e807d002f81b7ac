"""A project as definitions of Dagster, for a code location of your own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dagster import AssetCheckSpec, AssetSpec, Definitions

from penstock.app.session import Session, open_session
from penstock.catalogue import Node
from penstock.dagster.assets import assets_of
from penstock.dagster.jobs import automation_of, jobs_of, schedules_of
from penstock.dagster.reading import Options, Reading, read
from penstock.dagster.sensors import sensors_of
from penstock.dagster.translator import PenstockTranslator
from penstock.project.tables import pipeline_of


def definitions(
    project: str | Path | Session,
    environment: str | None = None,
    translator: PenstockTranslator | None = None,
    options: Options | None = None,
) -> Definitions:
    """Assets, checks, jobs, schedules and sensors of a project: its folder, its file, or a session.

    No destination is opened and no source is asked. Put them beside others with `Definitions.merge`.
    Raises: ProjectError telling everything that is wrong with the project; NotFoundError if there is none.
    """
    return definitions_of(read(_opened(project, environment), translator, options))


def definitions_of(reading: Reading) -> Definitions:
    """The definitions of a project that was read."""
    jobs = jobs_of(reading)
    return Definitions(
        assets=assets_of(reading),
        jobs=list(jobs.values()),
        schedules=schedules_of(reading, jobs),
        sensors=[*sensors_of(reading, jobs), *automation_of(reading)],
    )


def asset_specs(
    project: str | Path | Session,
    pipeline: str | None = None,
    environment: str | None = None,
    translator: PenstockTranslator | None = None,
) -> list[AssetSpec]:
    """The assets that a run of a pipeline makes, or (None) of the models: for a `multi_asset` of your own.

    Raises: ProjectError; NotFoundError.
    """
    reading = read(_opened(project, environment), translator)
    return [reading.specs[n.key] for n in _nodes(reading, pipeline)]


def check_specs(
    project: str | Path | Session,
    pipeline: str | None = None,
    environment: str | None = None,
    translator: PenstockTranslator | None = None,
) -> list[AssetCheckSpec]:
    """The checks of those assets. Raises: ProjectError; NotFoundError."""
    reading = read(_opened(project, environment), translator)
    return reading.check_specs(_nodes(reading, pipeline))


def _nodes(reading: Reading, pipeline: str | None) -> Sequence[Node]:
    if pipeline is None:
        return reading.models
    pipeline_of(reading.session.project, pipeline)
    return reading.pipeline(pipeline)


def _opened(project: str | Path | Session, environment: str | None) -> Session:
    return project if isinstance(project, Session) else open_session(Path(project), environment)
