"""From a project's words to a `Flow` that runs."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import cast

from penstock.app.parts import open_destination, open_source, open_store
from penstock.gate.volume import VolumeRules
from penstock.ports import Destination, Producer, Source
from penstock.project.loaded import LoadedProject
from penstock.project.maker import MakerSpec
from penstock.project.rules import arrival_rules_of, row_rules_of
from penstock.project.spec import TableSpec
from penstock.project.tables import dataset_of, nesting_of, pipeline_of, tables_of
from penstock.records.chunk import Format
from penstock.report.facts import Observer
from penstock.run.flow import Flow, Landing, TableFlow
from penstock.schema.hints import Hints
from penstock.schema.naming import naming_of
from penstock.schema.types import DataType
from penstock.version import __version__

DROPPED_MIN_AGE_S = 2.0  # for files that others put into the landing area of a producer


def flow_of(
    loaded: LoadedProject,
    name: str,
    observe: Observer,
    destination: Destination | None = None,
    producer: Producer | None = None,
) -> Flow:
    """A pipeline of the project, ready to run; `producer` stands in for the source that it names."""
    project = loaded.project
    pipeline = pipeline_of(project, name)
    layers = project.layers
    source = producer or open_source(loaded, name, pipeline)
    spec = pipeline.source
    return Flow(
        pipeline=name,
        dataset=dataset_of(name, pipeline),
        source=None if isinstance(spec, MakerSpec) else cast(Source, source),
        producer=cast(Producer, source) if isinstance(spec, MakerSpec) else None,
        land=open_store(loaded, layers.land),
        raw_hist=open_store(loaded, layers.raw_hist),
        quarantine=open_store(loaded, layers.quarantine),
        destination=destination or open_destination(loaded, name),
        table=cache(lambda table, hints: table_flow(loaded, name, table, hints)),
        policy=pipeline.policy,
        landing=Landing(spec.land_as, spec.file_bytes) if isinstance(spec, MakerSpec) else Landing(),
        name_of=naming_of(pipeline.naming).name,
        min_age_s=DROPPED_MIN_AGE_S if isinstance(spec, MakerSpec) else spec.min_age_s,
        holder=holder(),
        version=__version__,
        threads=len(os.sched_getaffinity(0)),
        now=time.time,
        new_id=new_load_id,
        observe=observe,
    )


def table_flow(loaded: LoadedProject, pipeline: str, table: str, hints: Hints | None = None) -> TableFlow:
    """What the project says of one table, and its source where the project is silent."""
    spec = loaded.spec(pipeline, table)
    declared = loaded.table(pipeline, table, hints.declared if hints else None)
    disposition = loaded.disposition(pipeline, table, hints)
    contract = loaded.contract(pipeline, table)
    if hints is not None and hints.contract is not None and "contract" not in spec.model_fields_set:
        contract = hints.contract
    nesting = nesting_of(spec)
    if hints is not None and hints.nesting is not None and "nesting" not in spec.model_fields_set:
        nesting = hints.nesting
    volume = spec.gate.volume
    return TableFlow(
        declared=declared,
        known=table in tables_of(pipeline_of(loaded.project, pipeline)),
        contract=contract,
        disposition=disposition,
        rows=row_rules_of(spec, loaded.table(pipeline, table), disposition),
        arrival=arrival_rules_of(spec),
        volume=VolumeRules(volume.tolerance, volume.min_history, volume.action) if volume else None,
        format_of=lambda file, seen: _format_of(file, spec, seen),
        nesting=nesting,
        naming=naming_of(pipeline_of(loaded.project, pipeline).naming),
    )


def _format_of(file: str, spec: TableSpec, seen: Mapping[str, DataType]) -> Format:
    from penstock.records.csv_header import CsvDialect
    from penstock.records.dated import Dated
    from penstock.records.formats import format_of

    dialect = CsvDialect(**spec.csv.model_dump())
    found: Format = Dated(format_of(file, spec.format, dialect, seen), seen, dialect.null_values)
    if spec.detect:
        from penstock.records.detect import Detection
        from penstock.records.options import Detecting

        found = Detecting(found, [Detection(word) for word in spec.detect], datetime.now(UTC))
    if spec.variants:
        from penstock.records.options import Varying

        found = Varying(found)
    return found


def holder() -> str:
    """Who we are, for the lock: user, machine and process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # containers run under numbers that have no name
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}, process {os.getpid()}"


def new_load_id() -> str:
    """An identifier that no load has had, in order of time: `20261121T114500123456-3f2a9c`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"
