"""What a project consists of, as one value: every table in every layer, every model, and what leads to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from penstock.app.dbt_catalogue import dbt_nodes
from penstock.app.models import LoadedModel, dialect_of, load_models
from penstock.app.node_checks import file_checks, row_checks
from penstock.app.source_tables import known_tables
from penstock.catalogue import Catalogue, Freshness, Key, Layer, Node
from penstock.layers import quote
from penstock.models.graph import order
from penstock.project import words
from penstock.project.labels import FreshnessSpec, Labels
from penstock.project.loaded import LoadedProject
from penstock.project.order import order_pipelines
from penstock.project.places import absolute, join
from penstock.project.rest import RestApiSpec
from penstock.project.singer import SingerSpec
from penstock.project.sources import FilesystemSpec, RefSpec
from penstock.project.spec import DuckDBSpec, PipelineSpec
from penstock.project.sql import SqlDatabaseSpec
from penstock.project.tables import dataset_of, destination_of, globs_of
from penstock.schema.hints import Hints
from penstock.schema.table import Table

FILES = "files"
EXTERNAL = "external"
"""The tools of layers that are files, and of relations that nothing in the project makes."""
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
        reader = _Pipeline(loaded, name, pipeline)
        for table, said in known.tables.items():
            nodes += reader.nodes(table, said, known.intervals.get(table))
        if not known.tables:
            nodes += reader.unlisted()
    nodes += _models(loaded, nodes)
    schedules = {n: p.schedule for n, p in loaded.project.pipelines.items() if p.schedule is not None}
    return Catalogue(loaded.project.name, tuple(nodes), schedules, frozenset(incomplete))


# ---------------------------------------------------------------------------------- pipelines


_PATH = (Layer.SOURCE, Layer.LAND, Layer.RAW_HIST, Layer.WAREHOUSE)


class _Pipeline:
    """The nodes of one pipeline."""

    def __init__(self, loaded: LoadedProject, name: str, spec: PipelineSpec) -> None:
        self.loaded, self.name, self.spec = loaded, name, spec
        root, layers = loaded.project.root, loaded.project.layers
        self.dataset = dataset_of(name, spec)
        self.land = absolute(root, layers.land)
        self.raw_hist = absolute(root, layers.raw_hist)
        destination = destination_of(loaded.project, name)
        self.destination = destination.type
        self.warehouse = _shown(loaded, destination.path)

    def nodes(self, name: str, hints: Hints | None, interval: str | None) -> Iterator[Node]:
        """The nodes of a table, from its source to the warehouse."""
        spec = self.loaded.spec(self.name, name)
        table = self.loaded.table(self.name, name, hints.declared if hints else None)
        promised = table if hints is None else self.loaded.table(self.name, name)
        disposition = self.loaded.disposition(self.name, name, hints)
        source, land, raw, warehouse = self.path(table, (self.spec, spec), f"{self.dataset}/{quote(name)}")
        yield replace(source, table=Table(name, description=table.description))
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
            _shown(self.loaded, join(self.raw_hist, folder)), self.warehouse,
        )  # fmt: skip
        tools = (self.spec.source.type, FILES, FILES, self.destination)
        before: tuple[Key, ...] = ()
        for layer, tool, place in zip(_PATH, tools, places, strict=True):
            key = (layer, self.name, table.name)
            node = Node(
                key, layer, table, tool, self.name, reads=before, place=place, schedule=self.spec.schedule
            )
            yield labelled(node, *said)
            before = (key,)

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


def labelled(node: Node, *said: Labels) -> Node:
    """A node with what is said of it for people and programs; what is said later wins, words add up."""
    freshness = next((s.freshness for s in reversed(said) if s.freshness is not None), None)
    kept = node.layer not in (Layer.SOURCE, Layer.RAW_HIST)
    meta: dict[str, object] = {}
    for one in said:
        for program, words_ in one.meta.items():
            before = meta.get(program)
            if isinstance(before, dict) and isinstance(words_, dict):
                words_ = {**before, **words_}
            meta[program] = words_
    return replace(
        node,
        group=next((s.group for s in reversed(said) if s.group is not None), None),
        owners=next((s.owners for s in reversed(said) if s.owners), ()),
        tags=tuple(dict.fromkeys(tag for s in said for tag in s.tags)),
        freshness=_freshness(freshness) if freshness is not None and kept else None,
        meta=meta,
    )


def _freshness(said: FreshnessSpec) -> Freshness:
    warn_s = None if said.warn_after is None else words.seconds(said.warn_after)
    return Freshness(words.seconds(said.fail_after), warn_s)


def _shown(loaded: LoadedProject, place: str) -> str:
    """A path or URL as people may see it."""
    whole = absolute(loaded.project.root, place) if "://" not in place else place
    return loaded.redact(_LOGIN.sub("", whole))


# ------------------------------------------------------------------------------------- models


class _Relations:
    """The node behind each relation of the warehouse in which models are built."""

    def __init__(self, loaded: LoadedProject, nodes: Sequence[Node]) -> None:
        project = loaded.project
        home = project.destination
        self.schema = home.schema_name.casefold() if isinstance(home, DuckDBSpec) else ""
        here = [n for n in nodes if n.pipeline and destination_of(project, n.pipeline) == home]
        loaded_to = [n for n in here if n.layer is Layer.WAREHOUSE]
        self.keys = {n.relation.casefold(): n.key for n in loaded_to if n.relation}
        unlisted = [n.key for n in loaded_to if n.unlisted]
        self.rest = unlisted[0] if len(unlisted) == 1 else None
        self.sources: dict[str, Node] = {}

    def add(self, name: str) -> None:
        """A model that is built there."""
        self.keys[name.casefold()] = (Layer.MODEL, name)

    def key(self, relation: str) -> Key:
        """The node of a relation. One that nothing is known by is taken for a table of the pipeline whose
        tables only a run tells, if there is a single one; else it is a source of its own."""
        folded = relation.casefold()
        schema, _, bare = folded.rpartition(".")
        if folded in self.keys:
            return self.keys[folded]
        if schema and schema == self.schema and bare in self.keys:
            return self.keys[bare]
        if self.rest is not None and schema in ("", self.schema):
            return self.rest
        key = (Layer.SOURCE, relation)
        if folded not in self.sources:
            self.sources[folded] = Node(key, Layer.SOURCE, Table(relation), EXTERNAL, relation=relation)
        return self.sources[folded].key


def _models(loaded: LoadedProject, nodes: Sequence[Node]) -> list[Node]:
    """The models in order, and before them the relations that nothing in the project makes."""
    spec = loaded.project.models
    if spec is None:
        return []
    own = {m.model.name: m for m in load_models(loaded, dialect_of(loaded))}
    dbt = dbt_nodes(loaded)
    relations = _Relations(loaded, nodes)
    for name in (*own, *dbt):
        relations.add(name)
    made = []
    for model in order([*(m.model for m in own.values()), *(model for model, _ in dbt.values())]):
        reads = tuple(dict.fromkeys(relations.key(r) for r in model.reads))
        node = _own_node(own[model.name]) if model.name in own else dbt[model.name][1]
        made.append(replace(node, reads=tuple(key for key in reads if key != node.key)))
    return [*relations.sources.values(), *made]


def _own_node(loaded: LoadedModel) -> Node:
    model, spec = loaded.model, loaded.spec
    node = Node(
        key=(Layer.MODEL, model.name),
        layer=Layer.MODEL,
        table=loaded.table,
        tool=model.tool,
        relation=model.name,
        checks=tuple(row_checks(spec, loaded.table, loaded.disposition)),
        materialized=model.materialized.value,
        sql=model.sql.strip() or None,
        version=model.version,
        place=model.path,
    )
    return labelled(node, spec)
