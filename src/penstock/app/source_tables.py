"""Which tables a pipeline fills, as far as can be told without running anything and without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.app.references import find
from penstock.project.loaded import LoadedProject
from penstock.project.rest import RestApiSpec, hints_of
from penstock.project.singer import SingerSpec
from penstock.project.sources import DltSpec, FilesystemSpec, LandSpec, PythonSpec, RefSpec
from penstock.project.spec import PipelineSpec
from penstock.project.sql import SqlDatabaseSpec
from penstock.project.tables import tables_of
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.hints import Hints
from penstock.schema.naming import naming_of
from penstock.schema.table import Column, Table
from penstock.schema.types import parse_type

_WILD = "*?["


@dataclass(frozen=True, slots=True)
class KnownTables:
    """The tables of a pipeline by name, each with what its source says of it; None for what it is silent on.

    `whole` says that there are no others. `intervals` are the columns by whose intervals a scheduler may ask
    for the rows of a table.
    """

    tables: Mapping[str, Hints | None] = field(default_factory=dict)
    whole: bool = True
    intervals: Mapping[str, str] = field(default_factory=dict)


def known_tables(loaded: LoadedProject, name: str, pipeline: PipelineSpec) -> KnownTables:
    """The tables of a pipeline: those that the project names, then those that its source does.

    A module with Python resources is imported; none of its functions is called. Raises: ProjectError if it
    cannot be.
    """
    named: dict[str, Hints | None] = dict.fromkeys(tables_of(pipeline))
    source = pipeline.source
    if isinstance(source, FilesystemSpec):
        return KnownTables(named)
    if isinstance(source, LandSpec):
        return KnownTables(named, whole=bool(named))
    call = naming_of(pipeline.naming).name
    said = _said(loaded, name, pipeline)
    own = {call(table): hinted for table, hinted in said.tables.items()}
    intervals = {call(table): column for table, column in said.intervals.items()}
    return KnownTables({**named, **own}, said.whole, intervals)


def _said(loaded: LoadedProject, name: str, pipeline: PipelineSpec) -> KnownTables:
    source = pipeline.source
    if isinstance(source, RestApiSpec):
        return _rest(source)
    if isinstance(source, SqlDatabaseSpec):
        return _sql(source)
    if isinstance(source, SingerSpec):
        return _singer(source, loaded)
    if isinstance(source, DltSpec):
        return _listed(loaded, name, source, _dlt_tables)
    if isinstance(source, PythonSpec):
        return _listed(loaded, name, source, _python_tables)
    return KnownTables(whole=False)


def _rest(source: RestApiSpec) -> KnownTables:
    cursors = {n: t.incremental for n, t in source.tables.items() if t.incremental is not None}
    intervals = {n: c.cursor_path for n, c in cursors.items() if c.allow_external_schedulers}
    return KnownTables({n: hints_of(n, t) for n, t in source.tables.items()}, intervals=intervals)


def _sql(source: SqlDatabaseSpec) -> KnownTables:
    """Tables that are named; what a glob means only the database tells."""
    tables: dict[str, Hints | None] = {}
    intervals: dict[str, str] = {}
    for written, spec in source.tables.items():
        if any(mark in (spec.table or written) for mark in _WILD):
            continue
        name = written if spec.table or spec.query else written.rpartition(".")[2]
        columns = tuple(Column(c, parse_type(kind), declared=True) for c, kind in spec.types.items())
        table = Table(name, columns, primary_key=spec.primary_key)
        kept = spec.write or (("merge" if spec.primary_key else "append") if spec.incremental else "replace")
        tables[name] = Hints(table, disposition=Disposition(WriteMode(kept), spec.primary_key))
        if spec.incremental is not None and spec.incremental.allow_external_schedulers:
            intervals[name] = spec.incremental.cursor
    return KnownTables(tables, len(tables) == len(source.tables) > 0, intervals)


def _singer(source: SingerSpec, loaded: LoadedProject) -> KnownTables:
    """The selected streams of a catalog file; without one, the streams that are selected by name."""
    if source.catalog is not None:
        from penstock.singer.schema import table_of
        from penstock.singer.selection import chosen, is_selected
        from penstock.sources.singer.tap import read_catalog

        catalog = chosen(read_catalog(loaded.project.root / source.catalog), source.select_filter)
        names = source.names
        return KnownTables(
            {
                names.get(s.name, s.name): Hints(table_of(names.get(s.name, s.name), s.schema, s.keys))
                for s in catalog.streams
                if is_selected(s)
            }
        )
    streams = [text.partition(".")[0] for text in source.select if not text.startswith("!")]
    listed = [s for s in streams if s and not any(mark in s for mark in _WILD)]
    tables = dict.fromkeys(source.names.get(s, s) for s in (*listed, *source.names))
    return KnownTables(tables, len(listed) == len(streams) > 0)


def _listed(
    loaded: LoadedProject,
    name: str,
    source: RefSpec,
    tables: Callable[[Any, RefSpec], Iterator[tuple[str, Hints | None] | None]],
) -> KnownTables:
    """The tables of a resource or source object. A function is not called, so nothing is known of it."""
    found = list(tables(find(loaded, name, source), source))
    known = dict(pair for pair in found if pair is not None)
    return KnownTables(known, bool(found) and None not in found)


# Any below: resources and sources are users' objects.


def _python_tables(made: Any, source: RefSpec) -> Iterator[tuple[str, Hints | None] | None]:
    """A pair for each table, None for a resource whose rows tell where they go."""
    from penstock.sources.python.group import Source
    from penstock.sources.python.resource import Resource

    if isinstance(made, Source):
        chosen = made.with_resources(*source.resources) if source.resources else made
        resources = list(chosen.resources.selected.values())
    elif isinstance(made, Resource):
        resources = [made]
    else:
        yield None
        return
    for resource in resources:
        if not isinstance(resource.table_name, str) or resource.variants:
            yield None
        else:
            hints = resource.template.static().hints(resource.table_name, resource.where)
            if hints is not None:
                yield resource.table_name, hints


def _dlt_tables(made: Any, source: RefSpec) -> Iterator[tuple[str, Hints | None] | None]:
    """The same for dlt's own objects."""
    resources = getattr(made, "resources", None)
    if isinstance(resources, Mapping):
        wanted = source.resources or tuple(getattr(made, "selected_resources", resources))
        listed = [resource for name, resource in resources.items() if name in wanted]
    else:
        listed = [made]
    for resource in listed:
        table = getattr(resource, "table_name", None)
        yield (table, None) if isinstance(table, str) else None
