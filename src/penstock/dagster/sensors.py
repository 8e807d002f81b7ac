"""Sensors: a run as soon as a source offers new files, or somebody put files into land.

They look at names, sizes and versions of files alone, and open no destination. What a run makes of the
files is found out by the run.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import cast

from dagster import (
    DefaultSensorStatus,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
)

from penstock.app.parts import open_source, open_store
from penstock.dagster.assets import days_of
from penstock.dagster.jobs import Job
from penstock.dagster.keys import identifier
from penstock.dagster.meta import said
from penstock.dagster.reading import Reading
from penstock.errors import PenstockError
from penstock.layers import parse_key
from penstock.ports import Source
from penstock.project.loaded import LoadedProject
from penstock.project.maker import MakerSpec
from penstock.project.sources import FilesystemSpec, LandSpec
from penstock.project.tables import dataset_of

SENSOR = "sensor"
_EVERY_S = 30


def sensors_of(reading: Reading, jobs: Mapping[str, Job]) -> list[SensorDefinition]:
    """A sensor for each pipeline whose source has files; off unless `meta: {dagster: {sensor: true}}`."""
    pipelines = reading.session.project.pipelines
    return [
        _sensor(reading, name, jobs[name])
        for name in reading.pipelines
        if name in jobs
        and not isinstance(pipelines[name].source, MakerSpec)
        and days_of(reading, reading.pipeline(name), name) is None
    ]


def _sensor(reading: Reading, pipeline: str, job: Job) -> SensorDefinition:
    nodes = reading.pipeline(pipeline)
    on = any(bool(said(n.meta, pipeline).get(SENSOR)) for n in nodes)

    def look(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        return asked(reading.session.loaded, pipeline, context.cursor)

    return SensorDefinition(
        name=f"{identifier(pipeline)}_files",
        job=job,
        evaluation_fn=look,
        minimum_interval_seconds=_EVERY_S,
        default_status=DefaultSensorStatus.RUNNING if on else DefaultSensorStatus.STOPPED,
        description=f"Runs `{pipeline}` when there are new files at its source or in land.",
    )


def asked(loaded: LoadedProject, pipeline: str, cursor: str | None) -> SensorResult | SkipReason:
    """A run if anything is there that was not there at the last look; `cursor` is how that one was."""
    before = json.loads(cursor) if cursor else {}
    try:
        source, land = _source(loaded, pipeline), _land(loaded, pipeline)
    except PenstockError as error:
        return SkipReason(loaded.redact(f"{pipeline}: {error.what}"))
    if source is None or land is None:
        return SkipReason("a file is so young that it may still be written")
    now = {"source": source, "land": land}
    new = source != before.get("source") or (land and land != before.get("land"))
    if not new:
        return SensorResult(skip_reason="no new files", cursor=json.dumps(now))
    return SensorResult(run_requests=[RunRequest()], cursor=json.dumps(now))


def _source(loaded: LoadedProject, pipeline: str) -> str | None:
    """A digest of the files on offer; None while one is so young that it may still be written."""
    source = open_source(loaded, pipeline, loaded.project.pipelines[pipeline])
    return cast(Source, source).fingerprint()  # what has no files has no sensor


def _land(loaded: LoadedProject, pipeline: str) -> str | None:
    """A digest of the files in land, empty if there are none; None while one is too young to be taken."""
    spec = loaded.project.pipelines[pipeline]
    dataset = dataset_of(pipeline, spec)
    store = open_store(loaded, loaded.project.layers.land)
    found = [s for s in store.list(f"{dataset}/") if parse_key(s.key, dataset) is not None]
    if any(
        abs(time.time() - s.modified_at) < cast(FilesystemSpec | LandSpec, spec.source).min_age_s
        for s in found
    ):
        return None
    files = sorted(f"{s.key}\0{s.size_bytes}\0{s.etag}" for s in found)
    return hashlib.sha256("\0".join(files).encode()).hexdigest() if files else ""
