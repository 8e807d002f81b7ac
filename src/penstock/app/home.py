"""One destination of a project as the site sees it: its tables, their loads and builds, and their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import cached_property
from typing import Any

from penstock.app.profile import Relation, relations
from penstock.catalogue import Layer, Node
from penstock.errors import NotFoundError
from penstock.ledger import FILES_TABLE, LOADS_TABLE, MODELS_TABLE, Built, Facts
from penstock.ports import Builder, Destination
from penstock.report.site.document import POINTS
from penstock.report.site.facts import Point, TableFacts
from penstock.schema.nesting import part_of

# Any: rows of answers
_COUNTS = ("loaded", "dropped", "quarantined", "files", "size_bytes")


@dataclass
class Home:
    """A destination, the pipelines that go there, and what builds its models (None: nothing does).

    `asks`: its tables can be asked for rows.
    """

    destination: Destination
    pipelines: tuple[str, ...]
    builder: Builder | None
    tool: str
    asks: bool

    @cached_property
    def relations(self) -> Mapping[str, Relation]:
        """Its tables and views; none where nothing was ever loaded, or where they cannot be asked."""
        return relations(self.destination) if self.asks else {}

    @cached_property
    def facts(self) -> Mapping[str, Facts]:
        """What its ledger says, by pipeline."""
        return {name: self.destination.facts(name) for name in self.pipelines}

    def found(self) -> Iterable[Node]:
        """Tables of the ledger as nodes of a catalogue, which need not know them."""
        for name, facts in self.facts.items():
            for table in facts.tables.values():
                key = (Layer.WAREHOUSE.value, name, table.name)
                yield Node(key, Layer.WAREHOUSE, table, self.tool, pipeline=name, relation=table.name)

    def tables(self) -> dict[tuple[str | None, str], TableFacts]:
        """What is remembered of tables, by pipeline and name, and of models, by None and name."""
        loads = self._loads()
        found: dict[tuple[str | None, str], TableFacts] = {}
        for name, facts in self.facts.items():
            for table in facts.tables.values():
                points = loads.get((name, table.name), ())
                found[name, table.name] = TableFacts(
                    stored=table, history=points[-POINTS:], earlier=max(0, len(points) - POINTS),
                    part_of=part_of(table),
                )  # fmt: skip
        return found | self._models()

    def _models(self) -> dict[tuple[str | None, str], TableFacts]:
        built: Mapping[str, Built] = self.builder.built() if self.builder else {}
        builds = self._builds() if built else {}
        found: dict[tuple[str | None, str], TableFacts] = {}
        for name, last in built.items():
            points = builds.get(name, ())
            found[None, name] = TableFacts(
                stored=last.table, built=last, history=points[-POINTS:], earlier=max(0, len(points) - POINTS)
            )
        return found

    def _loads(self) -> Mapping[tuple[str, str], tuple[Point, ...]]:
        """The loads of every table, oldest first."""
        return self._points(
            f"SELECT f.pipeline, f.table_name, l.committed_at AS at, sum(f.loaded)::BIGINT AS loaded, "
            "sum(f.dropped)::BIGINT AS dropped, sum(f.quarantined)::BIGINT AS quarantined, "
            "count(*) AS files, sum(f.size_bytes)::BIGINT AS size_bytes "
            f'FROM "{FILES_TABLE}" f JOIN "{LOADS_TABLE}" l USING (load_id) '
            "GROUP BY f.pipeline, f.table_name, l.load_id, l.committed_at ORDER BY l.committed_at, l.load_id",
            ("pipeline", "table_name"),
        )

    def _builds(self) -> Mapping[str, tuple[Point, ...]]:
        """The builds of every model, oldest first."""
        told = (
            "SELECT model, built_at AS at, coalesce(kept, rows) AS loaded, dropped, quarantined, "
            f'0 AS files, 0 AS size_bytes FROM "{MODELS_TABLE}" ORDER BY built_at, build_id'
        )
        return {key[0]: points for key, points in self._points(told, ("model",)).items()}

    def _points(self, sql: str, keys: tuple[str, ...]) -> dict[Any, tuple[Point, ...]]:
        try:
            rows = self.destination.query(sql).to_pylist()
        except NotFoundError:
            return {}
        found: dict[Any, list[Point]] = {}
        for row in rows:
            counts = {name: row[name] for name in _COUNTS}
            point = Point(row["at"].astimezone(UTC), **counts)
            found.setdefault(tuple(row[k] for k in keys), []).append(point)
        return {key: tuple(points) for key, points in found.items()}
