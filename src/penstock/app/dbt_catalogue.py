"""The models of a dbt project as nodes of the catalogue: what dbt said when it last read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.catalogue import Check, Layer, Node
from penstock.gate.verdict import Action
from penstock.models.model import Model
from penstock.project.loaded import LoadedProject
from penstock.schema.table import Column, Table
from penstock.schema.types import NULL, DataType, parse_type

if TYPE_CHECKING:
    from penstock.dbt.nodes import DbtNode, DbtTest

TOOL = "dbt"


def dbt_nodes(loaded: LoadedProject) -> dict[str, tuple[Model, Node]]:
    """Each model, seed and snapshot by name, without what it reads; none where dbt has not read it yet."""
    from penstock.app.dbt import known_nodes

    spec = loaded.project.models.dbt if loaded.project.models else None
    nodes = known_nodes(loaded) if spec is not None else ()
    if spec is None or not nodes:
        return {}
    from penstock.dbt.nodes import model_of

    models = [model_of(node, spec.path.rstrip("/")) for node in nodes]
    return {m.name: (m, _node(node, m)) for node, m in zip(nodes, models, strict=True)}


def _node(said: DbtNode, model: Model) -> Node:
    columns = tuple(Column(c.name, _type(c.type), description=c.description) for c in said.columns)
    return Node(
        key=(Layer.MODEL, said.name),
        layer=Layer.MODEL,
        table=Table(said.name, columns, primary_key=said.primary_key, description=said.description),
        tool=TOOL,
        relation=said.name,
        checks=tuple(map(_check, said.tests)),
        materialized=said.materialized,
        sql=said.sql.strip() or None,
        version=said.version,
        place=model.path,
        group=said.group,
        owners=said.owners,
        tags=said.tags,
        meta=said.meta,
    )


def _check(test: DbtTest) -> Check:
    action = Action.FAIL if test.severity == "error" else Action.ALLOW
    return Check(test.name, action, test.column, test.description)


def _type(text: str | None) -> DataType:
    """The type of a warehouse's word, where it is one of ours too."""
    try:
        return parse_type(text.lower()) if text else NULL
    except ValueError:  # a word of the warehouse's own
        return NULL
