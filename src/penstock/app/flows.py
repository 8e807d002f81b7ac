"""From a project's words to a `Flow` that runs."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
from datetime import UTC, datetime
from functools import cache

from penstock.app.parts import open_destination, open_source, open_store
from penstock.gate.arrival import ArrivalRules
from penstock.gate.rules import Expectation, RowRules
from penstock.gate.volume import VolumeRules
from penstock.ports import Destination
from penstock.project.loaded import LoadedProject
from penstock.project.spec import TableSpec
from penstock.project.tables import dataset_of, pipeline_of, tables_of
from penstock.records.chunk import Format
from penstock.report.facts import Observer
from penstock.run.flow import Flow, TableFlow
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.table import Table
from penstock.version import __version__


def flow_of(
    loaded: LoadedProject, name: str, observe: Observer, destination: Destination | None = None
) -> Flow:
    """A pipeline of the project, ready to run."""
    project = loaded.project
    pipeline = pipeline_of(project, name)
    layers = project.layers
    return Flow(
        pipeline=name,
        dataset=dataset_of(name, pipeline),
        source=open_source(loaded, pipeline),
        land=open_store(loaded, layers.land),
        raw_hist=open_store(loaded, layers.raw_hist),
        quarantine=open_store(loaded, layers.quarantine),
        destination=destination or open_destination(loaded, name),
        table=cache(lambda table: table_flow(loaded, name, table)),
        policy=pipeline.policy,
        min_age_s=pipeline.source.min_age_s,
        holder=holder(),
        version=__version__,
        threads=len(os.sched_getaffinity(0)),
        now=time.time,
        new_id=new_load_id,
        observe=observe,
    )


def table_flow(loaded: LoadedProject, pipeline: str, table: str) -> TableFlow:
    """What the project says of one table, the defaults included."""
    spec = loaded.spec(pipeline, table)
    declared = loaded.table(pipeline, table)
    disposition = loaded.disposition(pipeline, table)
    volume = spec.gate.volume
    return TableFlow(
        declared=declared,
        known=table in tables_of(pipeline_of(loaded.project, pipeline)),
        contract=loaded.contract(pipeline, table),
        disposition=disposition,
        rows=_row_rules(spec, declared, disposition),
        arrival=_arrival_rules(spec),
        volume=VolumeRules(volume.tolerance, volume.min_history, volume.action) if volume else None,
        format_of=lambda file: _format_of(file, spec),
    )


def _row_rules(spec: TableSpec, table: Table, disposition: Disposition) -> RowRules:
    gate = spec.gate
    merged = disposition.mode is WriteMode.MERGE
    return RowRules(
        on_broken=gate.on_broken,
        on_unparsable=gate.on_unparsable,
        actions=gate.actions,
        expectations=tuple(Expectation(e.name, e.constraint, e.action) for e in gate.expectations),
        unique_keys=(table.primary_key,) if table.primary_key and not merged else (),
    )


def _arrival_rules(spec: TableSpec) -> ArrivalRules:
    gate = spec.gate
    return ArrivalRules(
        min_rows=gate.min_rows,
        max_rows=gate.max_rows,
        min_bytes=gate.min_bytes,
        max_bytes=gate.max_bytes,
        max_quarantined_share=gate.max_quarantined_share,
        action=gate.arrival,
        duplicate_content=gate.duplicate_content,
        stated=spec.format,
        encoding=spec.csv.encoding,
    )


def _format_of(file: str, spec: TableSpec) -> Format:
    from penstock.records.csv_header import CsvDialect
    from penstock.records.formats import format_of

    return format_of(file, spec.format, CsvDialect(**spec.csv.model_dump()))


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
