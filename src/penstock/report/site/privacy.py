"""Which columns show no values: those that are sensitive, and those that are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.catalogue import Key
from penstock.report.site.entities import Entity, by_relation, entities
from penstock.report.site.facts import SiteFacts

SENSITIVE = "sensitive"
DERIVED = "made of a sensitive column"
UNKNOWN = "may be made of a sensitive column"
ANY = "*"
"""Stands for every column of a table that is not named beside it."""


def hidden(facts: SiteFacts) -> dict[Key, dict[str, str]]:
    """The columns whose values are not told, with the reason, by the catalogue's key.

    A column of a model is hidden if one that it is made of is. Where nobody can tell what a column of a
    model is made of, and the model reads a table with a hidden column, it is hidden too.
    Shape: names in lower case, as warehouses compare them; `ANY` among them.
    """
    found = entities(facts.catalogue)
    names = by_relation(found)
    reasons: dict[str, dict[str, str]] = {}
    opaque = {e.id for e in found if e.is_model and not facts.lineage.get(e.node.name)}
    for entity in found:  # each comes after those that it reads; of one that does not, nothing is known
        above = {r: reasons.get(r, {ANY: UNKNOWN}) for r in entity.reads}
        vague = any(ANY in reasons.get(r, {}) for r in opaque.intersection(entity.reads))
        own = _own(entity, facts) | _part(entity, facts, found)
        reasons[entity.id] = _derived(entity, facts, names, above, vague=vague) | own
    return {e.node.key: reasons[e.id] for e in found}


def reason(columns: Mapping[str, str], column: str) -> str | None:
    """Why the values of a column are not told, or None."""
    return columns.get(column.lower(), columns.get(ANY)) or None


def masked_rows(facts: SiteFacts, kept: Mapping[Key, Mapping[str, str]]) -> dict[Key, bool]:
    """Whether whole rows of a table may not be shown, because a column in them may not."""
    found = {}
    for entity in entities(facts.catalogue):
        key = entity.node.key
        known = facts.tables.get(key)
        table = (known.stored if known else None) or entity.node.table
        own = kept.get(key, {})
        named = any(why for name, why in own.items() if name != ANY)
        found[key] = named or any(reason(own, name) for name in table.names or (ANY,))
    return found


def _own(entity: Entity, facts: SiteFacts) -> dict[str, str]:
    known = facts.tables.get(entity.node.key)
    shapes = [n.table for n in entity.layers] + ([known.stored] if known and known.stored else [])
    return {c.name.lower(): SENSITIVE for table in shapes for c in table.columns if c.sensitive}


def _derived(
    entity: Entity,
    facts: SiteFacts,
    names: Mapping[str, str],
    above: Mapping[str, Mapping[str, str]],
    *,
    vague: bool,
) -> dict[str, str]:
    """The columns of a model that may tell what a table above it does not.

    `vague`: it reads a model that nobody can follow, so a column made of nothing may be made of anything.
    """
    if not entity.is_model or not any(above.values()):
        return {}
    found = {ANY: UNKNOWN}
    for name, made in facts.lineage.get(entity.node.name, {}).items():
        if not made:  # a constant or a count; or nobody knows
            found[name.lower()] = UNKNOWN if vague else ""
            continue
        tells = [_told(above.get(names.get(relation.casefold(), "")), column) for relation, column in made]
        found[name.lower()] = next((why for why in tells if why), "")
    return found


def _told(columns: Mapping[str, str] | None, column: str) -> str:
    """Why a column that is made of another has no values to show; empty if it has."""
    if columns is None:
        return UNKNOWN
    why = reason(columns, column)
    return "" if why is None else UNKNOWN if why == UNKNOWN else DERIVED


def _part(entity: Entity, facts: SiteFacts, found: Sequence[Entity]) -> dict[str, str]:
    """All columns of a child table that holds what a sensitive list or object of its parent has."""
    known = facts.tables.get(entity.node.key)
    parent = known.part_of if known else None
    if parent is None:
        return {}
    own = (e for e in found if e.node.name == parent and e.node.pipeline == entity.node.pipeline)
    roots = [c.name for e in own for node in e.layers for c in node.table.columns if c.sensitive]
    below = any(entity.node.name.startswith(f"{parent}__{name}") for name in roots)
    return {ANY: SENSITIVE} if below else {}
