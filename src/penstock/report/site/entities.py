"""The tables of a catalogue as people think of them: one, whatever layers its rows pass on their way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from penstock.catalogue import Catalogue, Key, Layer, Node

_NEAREST = (Layer.MODEL, Layer.WAREHOUSE, Layer.RAW_HIST, Layer.LAND, Layer.SOURCE)


@dataclass(frozen=True, slots=True)
class Entity:
    """A table or model. `node` is that of its last layer, `layers` all of them in the order of the way.

    `reads` are the ids of the entities that its rows are made of.
    """

    id: str
    node: Node
    layers: tuple[Node, ...]
    reads: tuple[str, ...] = ()

    @property
    def is_foreign(self) -> bool:
        """Whether nothing in the project makes it."""
        return self.node.layer is Layer.SOURCE and self.node.pipeline is None

    @property
    def is_model(self) -> bool:
        """Whether it is built from other tables."""
        return self.node.layer is Layer.MODEL


def entities(catalogue: Catalogue) -> tuple[Entity, ...]:
    """Every table and model, in the catalogue's order."""
    grouped: dict[tuple[str | None, str], list[Node]] = {}
    for node in catalogue.nodes:
        grouped.setdefault((node.pipeline, node.name), []).append(node)
    ids: dict[Key, str] = {}
    taken: set[str] = set()
    for (pipeline, name), nodes in grouped.items():
        free = name if pipeline is None else f"{pipeline}.{name}"
        while free in taken:
            free += "~"
        taken.add(free)
        ids |= dict.fromkeys((n.key for n in nodes), free)
    return tuple(_entity(nodes, ids) for nodes in grouped.values())


def _entity(nodes: list[Node], ids: Mapping[Key, str]) -> Entity:
    own = ids[nodes[0].key]
    way = sorted(nodes, key=lambda n: list(Layer).index(n.layer))
    last = min(nodes, key=lambda n: _NEAREST.index(n.layer))
    reads = dict.fromkeys(ids[key] for node in way for key in node.reads if key in ids)
    reads.pop(own, None)
    return Entity(own, last, tuple(way), tuple(reads))


def by_relation(found: Iterable[Entity]) -> dict[str, str]:
    """Ids by the names under which queries speak of tables. Shape: names are case-folded."""
    names: dict[str, str] = {}
    for entity in found:
        for name in (entity.node.relation, entity.node.name):
            if name is not None:
                names.setdefault(name.casefold(), entity.id)
    return names
