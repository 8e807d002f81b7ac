"""Lineage of columns as Dagster shows it, told when an asset is made: reading SQL takes its time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from dagster import TableColumnDep, TableColumnLineage

from penstock.catalogue import Layer, Node
from penstock.dagster.reading import Reading
from penstock.dagster.standing import Standing
from penstock.schema.table import Table

Origins: TypeAlias = tuple[tuple[str, str], ...]
Columns: TypeAlias = Mapping[str, Mapping[str, Origins]]
"""For each model and each of its columns: the relations and columns that it is made from."""


def pipeline_lineage(reading: Reading, node: Node, standing: Standing) -> TableColumnLineage | None:
    """A layer's columns come from those of the same name in the layer before it."""
    shape = standing.shapes.get(node.name)
    if shape is None or len(node.reads) != 1 or node.reads[0] not in reading.specs:
        return None
    before = reading.specs[node.reads[0]].key
    return TableColumnLineage({name: [TableColumnDep(before, name)] for name in shape.names})


def model_lineage(reading: Reading, shapes: Mapping[str, Table]) -> Columns:
    """Where the columns of models come from; nothing for a model that cannot be followed.

    `shapes` are those of the models as they are now.
    """
    from penstock.app.models import dialect_of, load_models
    from penstock.models.lineage import lineage

    loaded = reading.session.loaded
    dialect = dialect_of(loaded)
    models = [m.model for m in load_models(loaded, dialect)]
    columns = {n.relation or n.name: n.table.names for n in reading.catalogue.nodes if n.table.columns}
    columns |= {name: shape.names for name, shape in shapes.items()}
    return lineage(models, columns, dialect)


def dagster_lineage(reading: Reading, columns: Mapping[str, Origins]) -> TableColumnLineage:
    """The lineage of one model's columns in Dagster's words."""
    keys = {n.relation or n.name: reading.key(n) for n in reading.catalogue.of(Layer.WAREHOUSE)}
    keys |= {n.name: reading.key(n) for n in reading.models}
    return TableColumnLineage(
        {
            column: [TableColumnDep(keys[relation], name) for relation, name in origins if relation in keys]
            for column, origins in columns.items()
        }
    )


def sensitive_columns(
    reading: Reading, lineage: Columns, shapes: Mapping[str, Table]
) -> Mapping[str, frozenset[str]]:
    """The columns of each model whose values are sensitive, or are made from such as are.

    A model that cannot be followed, and reads something sensitive, may have it anywhere.
    """
    nodes = (*reading.catalogue.of(Layer.WAREHOUSE), *reading.models)
    found = {n.relation or n.name: frozenset(c.name for c in n.table.columns if c.sensitive) for n in nodes}
    relations = {n.key: n.relation or n.name for n in nodes}
    for node in reading.models:
        columns = lineage.get(node.name, {})
        made = {c for c, origins in columns.items() if any(n in found.get(r, ()) for r, n in origins)}
        if not columns and any(found.get(relations.get(key, ""), ()) for key in node.reads):
            made = {*(shapes[node.name].names if node.name in shapes else ())}
        found[node.name] = found[relations[node.key]] | made
    return found
