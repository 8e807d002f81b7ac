"""Lineage of columns as Dagster shows it, told when an asset is made: reading SQL takes its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagster import TableColumnDep, TableColumnLineage

from penstock.catalogue import Layer, Node
from penstock.dagster.reading import Reading
from penstock.dagster.standing import Standing


def pipeline_lineage(reading: Reading, node: Node, standing: Standing) -> TableColumnLineage | None:
    """A layer's columns come from those of the same name in the layer before it."""
    shape = standing.shapes.get(node.name)
    if shape is None or len(node.reads) != 1 or node.reads[0] not in reading.specs:
        return None
    before = reading.specs[node.reads[0]].key
    return TableColumnLineage({name: [TableColumnDep(before, name)] for name in shape.names})


def model_lineage(
    reading: Reading, built: Sequence[str], standing: Standing
) -> Mapping[str, TableColumnLineage]:
    """Where the columns of models that were built come from; nothing for a model that cannot be followed."""
    from penstock.app.models import dialect_of, load_models
    from penstock.models.lineage import lineage

    if not built:
        return {}
    loaded = reading.session.loaded
    dialect = dialect_of(loaded)
    models = [m.model for m in load_models(loaded, dialect)]
    columns = {n.relation or n.name: n.table.names for n in reading.catalogue.nodes if n.table.columns}
    columns |= {name: shape.names for name, shape in standing.shapes.items()}
    found = lineage(models, columns, dialect)
    keys = {n.relation or n.name: reading.key(n) for n in reading.catalogue.of(Layer.WAREHOUSE)}
    keys |= {n.name: reading.key(n) for n in reading.models}
    return {
        name: TableColumnLineage(
            {
                column: [
                    TableColumnDep(keys[relation], source) for relation, source in deps if relation in keys
                ]
                for column, deps in found[name].items()
            }
        )
        for name in built
        if found.get(name)
    }
