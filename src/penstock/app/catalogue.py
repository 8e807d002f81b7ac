"""What a project consists of, as one value: every table in every layer, every model, and what leads to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from penstock.app.model_nodes import model_nodes
from penstock.app.node_checks import file_checks, row_checks
from penstock.app.node_labels import labelled
from penstock.app.source_tables import known_tables
from penstock.catalogue import Catalogue, Key, Layer, Node
from penstock.layers import quote
from penstock.project.labels import Labels
from penstock.project.loaded import LoadedProject
from penstock.project.order import feeds, order_pipelines, table_folder
from penstock.project.places import absolute, join, overlap
from penstock.project.rest import RestApiSpec
from penstock.project.singer import SingerSpec
from penstock.project.sources import FilesystemSpec, RefSpec
from penstock.project.spec import ParquetSpec, PipelineSpec
from penstock.project.sql import SqlDatabaseSpec
from penstock.project.tables import dataset_of, destination_of, disposition_of, globs_of
from penstock.schema.hints import Hints
from penstock.schema.table import Table

FILES = "files"
PARQUET = "parquet"
"""The tools of layers that are files, and of a warehouse of files."""
_LOGIN = re.compile(r"(?<=//)[^@/]*@")


def catalogue_of(loaded: LoadedProject) -> Catalogue:
    """Every node of a project. Neither a destination nor a network is asked.

    Modules with Python resources are imported, and none of their functions is called. Of a dbt project it
    tells what dbt said when it last read it. Raises: ProjectError for models that cannot be read.
    """
    nodes: list[Node] = []
    incomplete = set()
    for name in order_pipelines(loaded.project):
        pipeline = loaded.project.pipelines[name]
        known = known_tables(loaded, name, pipeline)
        if not known.whole:
            incomplete.add(name)
        reader = _Pipeline(loaded, name, pipeline, nodes)
        for table, said in known.tables.items():
            nodes += reader.nodes(table, said, known.intervals.get(table))
        if not known.tables:
            nodes += reader.unlisted()
    nodes += model_nodes(loaded, nodes)
    schedules = {n: p.schedule for n, p in loaded.project.pipelines.items() if p.schedule is not None}
    return Catalogue(loaded.project.name, tuple(nodes), schedules, frozenset(incomplete))


# ---------------------------------------------------------------------------------- pipelines


_PATH = (Layer.SOURCE, Layer.LAND, Layer.RAW_HIST, Layer.WAREHOUSE)


class _Pipeline:
    """The nodes of one pipeline; `others` are those of the pipelines before it."""

    def __init__(self, loaded: LoadedProject, name: str, spec: PipelineSpec, others: Sequence[Node]) -> None:
        self.loaded, self.name, self.spec = loaded, name, spec
        root, layers = loaded.project.root, loaded.project.layers
        self.dataset = dataset_of(name, spec)
        self.land = absolute(root, layers.land)
        self.raw_hist = absolute(root, layers.raw_hist)
        destination = destination_of(loaded.project, name)
        self.destination = destination
        self.near = self.among(others)

    def nodes(self, name: str, hints: Hints | None, interval: str | None) -> Iterator[Node]:
        """The nodes of a table, from its source to the warehouse."""
        spec = self.loaded.spec(self.name, name)
        table = self.loaded.table(self.name, name, hints.declared if hints else None)
        promised = table if hints is None else self.loaded.table(self.name, name)
        hinted, where = hints.disposition if hints else None, self.loaded.below(self.name, name)
        disposition = disposition_of(spec, table, hinted, where=where)
        source, land, raw, warehouse = self.path(table, (self.spec, spec), f"{self.dataset}/{quote(name)}")
        empty = Table(name, description=table.description)
        yield replace(source, table=empty, reads=self.fed_by(name))
        yield replace(land, checks=tuple(file_checks(spec)), partition=interval)
        yield replace(raw, partition=interval)
        checks = tuple(row_checks(spec, promised, disposition))
        yield replace(warehouse, checks=checks, partition=interval, relation=name)

    def unlisted(self) -> Iterator[Node]:
        """The nodes that stand for all tables of the pipeline."""
        table = Table(self.name, description=self.spec.description)
        for node in self.path(table, (self.spec,), self.dataset):
            yield replace(node, unlisted=True)

    def path(self, table: Table, said: Sequence[Labels], folder: str) -> Iterator[Node]:
        """A node in each layer, each reading the one before."""
        places = (
            self.source_of(table.name), _shown(self.loaded, join(self.land, folder)),
            _shown(self.loaded, join(self.raw_hist, folder)), self.warehouse_of(table.name),
        )  # fmt: skip
        tools = (self.spec.source.type, FILES, FILES, self.destination.type)
        before: tuple[Key, ...] = ()
        for layer, tool, place in zip(_PATH, tools, places, strict=True):
            key = (layer, self.name, table.name)
            node = Node(
                key, layer, table, tool, self.name, reads=before, place=place, schedule=self.spec.schedule
            )
            yield labelled(node, *said)
            before = (key,)

    def fed_by(self, table: str) -> tuple[Key, ...]:
        """The nodes of other pipelines whose files are among those that the source takes."""
        if not self.near or not isinstance(self.spec.source, FilesystemSpec):
            return ()
        url, glob = (
            absolute(self.loaded.project.root, self.spec.source.url),
            globs_of(self.spec).get(table, ""),
        )
        endings = {Layer.WAREHOUSE: ".parquet"}
        return tuple(
            n.key for n in self.near if n.place and feeds(url, glob, n.place, endings.get(n.layer, ""))
        )

    def among(self, others: Sequence[Node]) -> Sequence[Node]:
        """The nodes that are files in the places that the source looks at."""
        if not isinstance(self.spec.source, FilesystemSpec):
            return ()
        url = absolute(self.loaded.project.root, self.spec.source.url)
        return [n for n in others if n.tool in (FILES, PARQUET) and n.place and overlap(url, n.place)]

    def warehouse_of(self, table: str) -> str:
        """Where the rows of a table are kept."""
        if isinstance(self.destination, ParquetSpec):
            return _shown(self.loaded, table_folder(self.destination, self.loaded.project.root, table))
        return _shown(self.loaded, self.destination.path)

    def source_of(self, table: str) -> str | None:
        """Where the rows of a table come from, without secrets."""
        source = self.spec.source
        if isinstance(source, FilesystemSpec):
            url = absolute(self.loaded.project.root, source.url)
            return _shown(self.loaded, join(url, globs_of(self.spec).get(table, "")))
        if isinstance(source, RestApiSpec):
            return _shown(self.loaded, source.base_url)
        if isinstance(source, SqlDatabaseSpec):
            return _shown(self.loaded, source.url.partition("?")[0])
        if isinstance(source, RefSpec):
            return source.ref
        if isinstance(source, SingerSpec):
            return source.tap if isinstance(source.tap, str) else source.tap[0]
        return _shown(self.loaded, join(self.land, self.dataset))


def _shown(loaded: LoadedProject, place: str) -> str:
    """A path or URL as people may see it."""
    whole = absolute(loaded.project.root, place) if "://" not in place else place
    return loaded.redact(_LOGIN.sub("", whole))
