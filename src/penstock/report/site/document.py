"""The facts of a project as the JSON that the page's script draws from.

Keys with nothing to say are left out. Instants are ISO 8601 in UTC, ids are those of `entities`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.catalogue import Layer, Node
from penstock.ledger import Built
from penstock.report.document import instant, json_value
from penstock.report.site.attention import attention
from penstock.report.site.columns import columns_of
from penstock.report.site.entities import Entity, by_relation, entities
from penstock.report.site.facts import Point, SiteFacts, TableFacts
from penstock.report.site.graph import positions
from penstock.report.site.history import Veil, asides, rules, runs
from penstock.report.site.privacy import hidden, masked_rows

# Any: JSON
POINTS = 50
"""So many loads of a table are drawn; of earlier ones their number is told."""


def document(facts: SiteFacts) -> dict[str, Any]:
    """Everything that the page shows. Nothing in it depends on when it is made."""
    found = entities(facts.catalogue)
    sources = _sources(facts.catalogue.nodes)
    reads = {f"source {name}": () for name in sources} | {e.id: _reads(e, sources) for e in found}
    places = positions(reads)
    kept = hidden(facts)
    ids = {(e.node.pipeline, e.node.name): e.id for e in found}
    tables = [
        _table(e, facts.tables.get(e.node.key, TableFacts()), kept[e.node.key], places[e.id]) for e in found
    ]
    shown = runs(facts.runs, ids)
    masked = masked_rows(facts, kept)
    veils = {e.id: Veil(kept[e.node.key], masked[e.node.key]) for e in found}
    told: dict[str, Any] = plain(
        {
            "project": facts.catalogue.project,
            "environment": facts.environment,
            "version": facts.version,
            "as_of": _as_of(facts),
            "notes": facts.notes,
            "pipelines": [
                {
                    "name": name,
                    "tool": node.tool,
                    "place": node.place,
                    "schedule": facts.catalogue.schedules.get(name) or node.schedule,
                    "destination": facts.destinations.get(name),
                    "at": places[f"source {name}"],
                }
                for name, node in sources.items()
            ],
            "tables": tables,
            "lineage": _lineage(facts, found),
            "runs": shown,
            "rules": rules(facts.runs, found, facts.tables),
            "aside": asides(facts.quarantine, ids, veils),
            "attention": attention(facts, found),
        }
    )
    return told


def plain(value: Any) -> Any:
    """JSON without keys that say nothing (None, empty texts and containers, False)."""
    if isinstance(value, Mapping):
        said = ((str(k), plain(v)) for k, v in value.items())
        return {k: v for k, v in said if v is not None and v is not False and v not in ("", [], {})}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return json_value(value)


def _sources(nodes: Sequence[Node]) -> dict[str, Node]:
    """By pipeline the node that says most of where its data comes from."""
    found: dict[str, Node] = {}
    for node in sorted(nodes, key=lambda n: list(Layer).index(n.layer)):
        if node.pipeline is not None:
            found.setdefault(node.pipeline, node)
    return found


def _reads(entity: Entity, sources: Mapping[str, Node]) -> tuple[str, ...]:
    pipeline = entity.node.pipeline
    return (f"source {pipeline}", *entity.reads) if pipeline in sources else entity.reads


def _table(
    entity: Entity, known: TableFacts, kept: Mapping[str, str], place: tuple[int, int]
) -> dict[str, Any]:
    node = entity.node
    promised = next((n.table for n in reversed(entity.layers) if n.table.description), node.table)
    looked = known.profile
    return {
        "id": entity.id,
        "name": node.name,
        "kind": "model" if entity.is_model else "foreign" if entity.is_foreign else "table",
        "tool": node.tool,
        "pipeline": node.pipeline,
        "group": node.group,
        "owners": node.owners,
        "tags": node.tags,
        "description": promised.description or (known.stored.description if known.stored else None),
        "materialized": node.materialized,
        "schedule": node.schedule,
        "partitions": node.table.partitions or ((node.partition,) if node.partition else ()),
        "part_of": known.part_of,
        "version": node.version,
        "sql": node.sql,
        "fresh": node.freshness
        and {"fail": node.freshness.fail_after_s, "warn": node.freshness.warn_after_s},
        "layers": [{"layer": n.layer, "place": n.place, "tool": n.tool} for n in entity.layers],
        "columns": columns_of(entity, known, kept),
        "checks": _checks(entity),
        "reads": entity.reads,
        "at": place,
        "rows": known.rows,
        "points": [_point(p) for p in known.history[-POINTS:]],
        "earlier": known.earlier + max(0, len(known.history) - POINTS),
        "looked_at": looked.looked_at if looked else None,
        "note": looked.note if looked else None,
        "built": known.built and _built(known.built),
    }


def _checks(entity: Entity) -> list[dict[str, Any]]:
    found = {(c.rule, c.column): c for node in entity.layers for c in node.checks}
    return [
        {"rule": c.rule, "action": c.action, "column": c.column, "description": c.description}
        for c in found.values()
    ]


def _point(point: Point) -> list[Any]:
    """Unix seconds, then counts: there are many points, and a file to be sent should be small."""
    counts = (point.loaded, point.dropped, point.quarantined, point.files, point.size_bytes)
    return [int(point.at.timestamp()), *counts]


def _built(built: Built) -> dict[str, Any]:
    return {
        "at": instant(built.built_at),
        "seconds": round(built.seconds, 3),
        "rows": built.rows,
        "kept": built.kept,
        "dropped": built.dropped,
        "quarantined": built.quarantined,
        "broken": built.broken,
        "materialized": built.materialized,
        "version": built.version[:12],
    }


def _lineage(facts: SiteFacts, found: Sequence[Entity]) -> dict[str, Any]:
    names = by_relation(found)
    models = {e.node.name: e.id for e in found if e.is_model}
    return {
        models[model]: {
            column: [[names.get(relation.casefold(), relation), source] for relation, source in made]
            for column, made in columns.items()
        }
        for model, columns in facts.lineage.items()
        if model in models
    }


def _as_of(facts: SiteFacts) -> str | None:
    """The newest instant that the facts know of."""
    known = [p.at for t in facts.tables.values() for p in t.history[-1:]]
    known += [t.built.built_at for t in facts.tables.values() if t.built]
    known += [run.ended_at for run in facts.runs]
    return instant(max(known)) if known else None
