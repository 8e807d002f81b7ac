"""A project as definitions of Dagster, for a code location of your own."""

from __future__ import annotations

from pathlib import Path

from dagster import Definitions

from penstock.app.session import Session, open_session
from penstock.dagster.assets import assets_of
from penstock.dagster.jobs import automation_of, jobs_of, schedules_of
from penstock.dagster.reading import Options, Reading, read
from penstock.dagster.sensors import sensors_of
from penstock.dagster.translator import PenstockTranslator


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
    session = project if isinstance(project, Session) else open_session(Path(project), environment)
    return definitions_of(read(session, translator, options))


def definitions_of(reading: Reading) -> Definitions:
    """The definitions of a project that was read."""
    jobs = jobs_of(reading)
    return Definitions(
        assets=assets_of(reading),
        jobs=list(jobs.values()),
        schedules=schedules_of(reading, jobs),
        sensors=[*sensors_of(reading, jobs), *automation_of(reading)],
    )
