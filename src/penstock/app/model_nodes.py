"""The models of a project as nodes of its catalogue, and the relations that they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from penstock.app.dbt_catalogue import dbt_nodes
from penstock.app.models import LoadedModel, own_models
from penstock.app.node_checks import row_checks
from penstock.app.node_labels import labelled
from penstock.catalogue import Key, Layer, Node
from penstock.models.graph import order
from penstock.project.loaded import LoadedProject
from penstock.project.spec import DuckDBSpec
from penstock.project.tables import destination_of
from penstock.schema.table import Table

EXTERNAL = "external"
"""The tool of a relation that nothing in the project makes."""


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


def model_nodes(loaded: LoadedProject, nodes: Sequence[Node]) -> list[Node]:
    """The models in order, and before them the relations that nothing in the project makes."""
    spec = loaded.project.models
    if spec is None:
        return []
    own = {m.model.name: m for m in own_models(loaded)}
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
