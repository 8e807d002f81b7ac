"""The graph of models: in which order they are built, what is above and below them. Pure.

Names are those of the engine: `Orders` reads what `orders` is. What a model reads and no model makes is a
table of the warehouse, and has no place in the order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from penstock.errors import NotFoundError, ProjectError, suggest
from penstock.models.model import Model

Edges = Mapping[str, tuple[str, ...]]
"""Relations by the model that they lead to or from, in folded names."""


def order(models: Sequence[Model]) -> tuple[Model, ...]:
    """The models, each after those that it reads; where nothing else decides, by name.

    Raises: ProjectError for two models of one name, a model that reads itself, and a cycle, named whole.
    """
    return tuple(m for wave in waves(models) for m in wave)


def waves(models: Sequence[Model]) -> tuple[tuple[Model, ...], ...]:
    """The models in groups: those of one group read only what is in groups before it. Raises: as `order`."""
    by_name = _by_name(models)
    above, below = parents(models), children(models)
    open_ = {name: len(reads) for name, reads in above.items()}
    ready = [name for name, count in open_.items() if count == 0]
    found: list[tuple[Model, ...]] = []
    while ready:
        found.append(tuple(sorted((by_name[n] for n in ready), key=lambda m: m.name)))
        then = []
        for reader in (r for name in ready for r in below[name]):
            open_[reader] -= 1
            if open_[reader] == 0:
                then.append(reader)
        ready = then
    if any(open_.values()):
        raise _cycle(by_name, above, {n for n, count in open_.items() if count})
    return tuple(found)


def parents(models: Sequence[Model]) -> dict[str, tuple[str, ...]]:
    """The models that each model reads, in folded names."""
    names = {m.name.casefold() for m in models}
    return {
        m.name.casefold(): tuple(dict.fromkeys(r for r in map(str.casefold, m.reads) if r in names))
        for m in models
    }


def children(models: Sequence[Model]) -> dict[str, tuple[str, ...]]:
    """The models that read each relation, in folded names: relations are models and tables."""
    found: dict[str, list[str]] = {m.name.casefold(): [] for m in models}
    for model in models:
        for read in dict.fromkeys(map(str.casefold, model.reads)):
            found.setdefault(read, []).append(model.name.casefold())
    return {name: tuple(readers) for name, readers in found.items()}


def upstream(models: Sequence[Model], names: Iterable[str], steps: int | None = None) -> frozenset[str]:
    """The models above some, so many steps or all the way; those themselves are not among them.

    Returns: names as the models spell them.
    """
    return _reach(models, parents(models), names, steps)


def downstream(models: Sequence[Model], names: Iterable[str], steps: int | None = None) -> frozenset[str]:
    """The models below some models or tables, so many steps or all the way; those themselves left out."""
    return _reach(models, children(models), names, steps)


def unread(models: Sequence[Model], relations: Collection[str]) -> tuple[tuple[Model, str], ...]:
    """What models read and nothing makes: neither a model nor one of the relations."""
    known = {m.name.casefold() for m in models} | {r.casefold() for r in relations}
    return tuple((m, read) for m in models for read in m.reads if read.casefold() not in known)


def refuse_unread(models: Sequence[Model], relations: Collection[str]) -> None:
    """Refuse models that read what nothing makes. Raises: NotFoundError, naming the first."""
    for model, read in unread(models, relations):
        known = sorted({*(m.name for m in models), *relations})
        raise NotFoundError(
            f"model `{model.name}` reads `{read}`, which no model and no pipeline makes",
            where=model.path,
            hint=suggest(read, known),
        )


def _reach(models: Sequence[Model], edges: Edges, names: Iterable[str], steps: int | None) -> frozenset[str]:
    own = {m.name.casefold(): m.name for m in models}
    start = {name.casefold() for name in names}
    seen, front = set(start), start
    while front and (steps is None or steps > 0):
        front = {n for name in front for n in edges.get(name, ())} - seen
        seen |= front
        steps = None if steps is None else steps - 1
    return frozenset(own[n] for n in seen - start if n in own)


def _by_name(models: Sequence[Model]) -> dict[str, Model]:
    found: dict[str, Model] = {}
    for model in models:
        other = found.setdefault(model.name.casefold(), model)
        if other is not model:
            raise ProjectError(
                f"two models are called `{model.name}`"
                if other.name == model.name
                else f"the models `{other.name}` and `{model.name}` have one name to the engine",
                where=f"{other.path} and {model.path}",
                hint="a model's name is that of its file, whatever the folder; rename one of them",
            )
        if model.name.casefold() in map(str.casefold, model.reads):
            raise ProjectError(
                f"model `{model.name}` reads itself",
                where=model.path,
                hint="`materialized: incremental` with `cursor: <column>` takes only the rows that are new,"
                " without a word of SQL about it",
            )
    return found


def _cycle(by_name: Mapping[str, Model], above: Edges, stuck: Collection[str]) -> ProjectError:
    """The shortest way back to the first model that is in a cycle."""
    at = min(stuck)
    trail: dict[str, None] = {}
    while at not in trail:  # everything stuck reads something stuck: walking up ends in a cycle
        trail[at] = None
        at = min(n for n in above[at] if n in stuck)
    names = list(trail)[list(trail).index(at) :]
    first = names.index(min(names))
    cycle = [*names[first:], *names[:first], names[first]]
    return ProjectError(
        "models read each other in a circle: " + " → ".join(by_name[n].name for n in cycle),
        where=", ".join(by_name[n].path for n in cycle[:-1]),
        expected="each model reads only what can be built before it",
        hint="`a → b` is `a` reads `b`; take one of these reads away",
    )
