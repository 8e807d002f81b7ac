"""What the names in an expression mean: relations, their columns, and what the query around it has. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from penstock.models.lineage import NOTHING, Origins, Shape

Node: TypeAlias = Any
"""A node of sqlglot's tree, whose own types are not the same from one of its releases to the next."""


@dataclass(slots=True)
class Source:
    """One relation of a FROM: under which name, its columns, and those that USING has merged into others."""

    alias: str
    shape: Shape
    merged: frozenset[str] = frozenset()
    hidden: bool = False


@dataclass(slots=True)
class Frame:
    """What an expression sees: CTEs, the relations of its FROM, earlier columns of its SELECT; then what the
    query around it sees.
    """

    ctes: Mapping[str, Shape]
    outer: Frame | None
    sources: list[Source] = field(default_factory=list)
    merged: dict[str, Origins] = field(default_factory=dict)
    named: dict[str, Origins] = field(default_factory=dict)
    windows: dict[str, Node] = field(default_factory=dict)
    bound: frozenset[str] = frozenset()

    def source(self, alias: str) -> Source | None:
        """The relation of that name, here or further out."""
        folded = alias.casefold()
        own = next((s for s in self.sources if s.alias == folded), None)
        return own or (self.outer.source(alias) if self.outer else None)

    def column(self, parts: Sequence[str]) -> Origins:
        """What a column is made of, whose name may have a relation before it and fields behind it."""
        for at, part in enumerate(parts[:-1][:3]):  # `orders.id`, `main.orders.id`, `db.main.orders.id`
            if source := self.source(part):
                return _column(source.shape, parts[at + 1])
        return self.bare(parts[0])

    def bare(self, name: str) -> Origins:
        """What a column without a relation before it is made of."""
        folded = name.casefold()
        if folded in self.bound:
            return NOTHING
        if folded in self.merged:
            return self.merged[folded]
        if known := next((s for s in self.sources if s.shape.has(name)), None):
            return known.shape.origins(name) or NOTHING
        possible = [o for s in self.sources if (o := s.shape.origins(name)) is not None]
        if possible or folded in self.named:  # the engine knows which; an earlier column comes second to it
            return NOTHING.union(*possible, self.named.get(folded, NOTHING))
        if row := next((s for s in self.sources if s.alias == folded), None):
            return row.shape.whole
        if self.outer and (found := self.outer.bare(name)):
            return found
        return NOTHING.union(*(_column(s.shape, name) for s in self.sources))


def _column(shape: Shape, name: str) -> Origins:
    """A column that a relation is said to have, even if nobody told of it."""
    found = shape.origins(name)
    if found is None:
        return frozenset({(shape.own, name)}) if shape.own else NOTHING
    return found
