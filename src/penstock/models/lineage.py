"""Where each column of each model comes from: the columns that its values are made of.

Only what values are made of counts: not what rows are chosen, joined or grouped by. Lineage goes one step, to
the tables and models that a model reads; several steps are steps of steps. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from penstock.errors import ProjectError
from penstock.models.graph import order
from penstock.models.model import Model

Origins: TypeAlias = frozenset[tuple[str, str]]
"""Columns that a value is made of: relation and column."""

Lineage: TypeAlias = Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]]
"""Model → column → the columns that it is made of, as (relation, column)."""

NOTHING: Origins = frozenset()


@dataclass(slots=True)
class Shape:
    """The columns of a relation or of a query, by folded name, each as it is spelt and with its origins.

    `open` are relations that may have columns nobody told of, and that are columns of this one too; `rest` is
    what a column is made of that only the rows decide the name of, as after PIVOT. `own` is the relation that
    has these columns, if it is one.
    """

    columns: dict[str, tuple[str, Origins]] = field(default_factory=dict)
    open: tuple[str, ...] = ()
    rest: Origins | None = None
    own: str | None = None

    def add(self, name: str, origins: Origins) -> None:
        """One more column; a name that is taken gets a number, as the engine does it."""
        key, number = name.casefold(), 0
        while key in self.columns:
            number += 1
            key = f"{name}_{number}".casefold()
        self.columns[key] = (name if not number else f"{name}_{number}", origins)

    def has(self, name: str) -> bool:
        """Whether a column of that name is known of."""
        return name.casefold() in self.columns

    def origins(self, name: str) -> Origins | None:
        """What a column is made of; None if there can be no such column."""
        if found := self.columns.get(name.casefold()):
            return found[1]
        if self.open:  # it is one of them: too many are better than none
            return frozenset((relation, name) for relation in self.open).union(self.rest or NOTHING)
        return self.rest

    @property
    def whole(self) -> Origins:
        """What all its columns together are made of."""
        return NOTHING.union(self.rest or NOTHING, *(o for _, o in self.columns.values()))

    def renamed(self, names: Sequence[str]) -> Shape:
        """The same with its first columns called otherwise."""
        if not names:
            return self
        found = Shape(open=self.open, rest=self.rest, own=self.own)
        known = list(self.columns.values())
        for name, (_, origins) in zip(names, known, strict=False):
            found.add(name, origins)
        for name in names[len(known) :]:
            found.add(name, self.rest or NOTHING)
        for name, origins in known[len(names) :]:
            found.add(name, origins)
        return found


def lineage(
    models: Sequence[Model], columns: Mapping[str, Sequence[str] | Mapping[str, str]], dialect: str
) -> Lineage:
    """The lineage of every model, in the models' order.

    `columns` are those of tables, by table, as far as they are known; those of models help where a model's
    own columns are known from its last build. A model that cannot be followed, one in Python or of dbt among
    them, gets no columns. Where it cannot be told which of several relations has a column, all of them do.
    """
    from penstock.models.resolve import columns_of

    relations = {name.casefold(): base(name, known) for name, known in columns.items()}
    found: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {m.name: {} for m in models}
    for model in _in_order(models):
        known = next((list(c) for n, c in columns.items() if n.casefold() == model.name.casefold()), [])
        shape = columns_of(model.sql, dialect, relations) if model.sql else None
        if shape is None:
            relations.setdefault(model.name.casefold(), base(model.name, known))
            continue
        shape = _as_built(shape, known)
        found[model.name] = {name: tuple(sorted(origins)) for name, origins in shape.columns.values()}
        own = base(model.name, [name for name, _ in shape.columns.values()])
        own.open = (model.name,) if shape.open or shape.rest is not None else ()
        relations[model.name.casefold()] = own
    return found


def base(name: str, columns: Iterable[str]) -> Shape:
    """The shape of a relation that stands for itself; without columns, any may be in it."""
    shape = Shape()
    for column in columns:
        shape.add(column, frozenset({(name, column)}))
    shape.open, shape.own = () if shape.columns else (name,), name
    return shape


def _as_built(shape: Shape, known: Sequence[str]) -> Shape:
    """A query's columns as the engine called them: by their place, or by name where some were not told of."""
    certain = not shape.open and shape.rest is None
    if certain:
        return shape.renamed(known) if len(known) == len(shape.columns) else shape
    found = Shape(dict(shape.columns), shape.open, shape.rest)
    for name in known:
        if not found.has(name):
            found.add(name, shape.origins(name) or NOTHING)
    return found


def _in_order(models: Sequence[Model]) -> Sequence[Model]:
    """The models in the order in which they are built; as they come where they cannot be built."""
    try:
        return order(models)
    except ProjectError:  # whoever builds them says so; lineage can still tell of most
        return models
