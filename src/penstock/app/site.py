"""Gathers what the static site of a project shows: its catalogue, and what its destinations remember.

Nothing is asked of a source, and nothing is written there or at a destination.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from itertools import islice
from typing import Any, cast

from penstock.app.catalogue import catalogue_of
from penstock.app.home import Home
from penstock.app.models import dialect_of, load_models
from penstock.app.opened import Opened, unheard
from penstock.app.parts import load_part, open_store, open_warehouse
from penstock.app.profile import Wanted, counted, profiled
from penstock.app.recorded import recorded
from penstock.catalogue import Catalogue, Key, Layer, Node
from penstock.ledger import Facts, RunRecord
from penstock.models.lineage import lineage
from penstock.models.model import Model
from penstock.ports import Builder, Store
from penstock.project.singer_target import SingerTargetSpec
from penstock.project.spec import DestinationSpec
from penstock.project.tables import dataset_of, destination_of, pipeline_of
from penstock.registry import BUILDERS
from penstock.report.facts import Kept
from penstock.report.site.document import document
from penstock.report.site.entities import entities
from penstock.report.site.facts import Aside, SiteFacts
from penstock.report.site.history import RUNS
from penstock.report.site.page import dress, site
from penstock.report.site.privacy import hidden, masked_rows, reason
from penstock.run.build_flow import MODELS
from penstock.version import __version__

SAMPLES = 5
"""So many rows of an entry of the quarantine are shown."""
SAMPLED = 200
"""Of so many entries, the newest, rows are shown."""


class Gathering(Opened):
    """A project whose facts are put together.

    Raises, throughout: OutsideError when a destination cannot be read now.
    """

    def site(self, *, profile: bool = True, tell: Callable[[str], None] = unheard) -> Mapping[str, str]:
        """The files of the site by name, secrets taken out. `tell` hears which table is looked at."""
        told = document(self.facts(profile=profile, tell=tell))
        face = files("penstock.report.site") / "face"
        return site(self._masked(told), dress(lambda name: (face / name).read_text("utf-8")))

    def facts(self, *, profile: bool = True, tell: Callable[[str], None] = unheard) -> SiteFacts:
        """Everything that the site shows; with `profile`, what the columns of each table are like."""
        homes = self._homes
        catalogue = _whole(catalogue_of(self.loaded), [n for h in homes for n in h.found()], self._reads())
        catalogue = replace(
            catalogue, nodes=tuple(replace(n, place=self._near(n.place)) for n in catalogue.nodes)
        )
        keys = {(e.node.pipeline, e.node.name): e.node.key for e in entities(catalogue)}
        known = {keys[k]: t for home in homes for k, t in home.tables().items() if k in keys}
        facts = SiteFacts(
            catalogue,
            known,
            runs=self._records(),
            notes=tuple(_unseen(home) for home in homes if not home.asks),
            destinations={
                name: self._near(home.destination.url) or "" for home in homes for name in home.pipelines
            },
            environment=self.project.environment,
            version=__version__,
        )
        facts = replace(facts, lineage=self._lineage(facts))
        kept = hidden(facts)
        for home in homes:
            facts = _looked_at(facts, home, kept, profile=profile, tell=tell)
        return replace(facts, quarantine=self._set_aside(catalogue, masked_rows(facts, kept)))

    # -------------------------------------------------------------------------------- destinations

    @cached_property
    def _homes(self) -> tuple[Home, ...]:
        """The destinations of the project, each with the pipelines that go there."""
        found: list[tuple[DestinationSpec, list[str]]] = []
        for name in self._seen([]):
            spec = destination_of(self.project, name)
            same = next((names for other, names in found if other == spec), None)
            if same is None:
                found.append((spec, [name]))
            else:
                same.append(name)
        if self.project.models is not None and all(spec != self.project.destination for spec, _ in found):
            found.append((self.project.destination, []))
        return tuple(self._home(spec, tuple(names)) for spec, names in found)

    def _home(self, spec: DestinationSpec, names: tuple[str, ...]) -> Home:
        destination = open_warehouse(self.loaded, spec)
        own = self.project.models is not None and spec == self.project.destination and spec.type in BUILDERS
        builder = load_part(BUILDERS, spec.type, "destination")(destination) if own else None
        asks = not isinstance(spec, SingerTargetSpec)
        return Home(destination, names, cast("Builder | None", builder), spec.type, asks)

    def _near(self, place: str | None) -> str | None:
        """A place from the project's folder where it lies in it: the same on any machine."""
        return None if place is None else place.replace(f"{self.project.root.as_posix()}/", "")

    def _reads(self) -> Mapping[str, Sequence[str]]:
        """The relations that models read, by the model's name; of dbt's the catalogue tells."""
        if self.project.models is None:
            return {}
        return {m.model.name: m.model.reads for m in load_models(self.loaded, dialect_of(self.loaded))}

    def _records(self) -> tuple[RunRecord, ...]:
        """The newest runs, those of this project's folder and those that destinations have on record."""
        names = [*self._seen([]), *([MODELS] if self.project.models is not None else [])]
        there = [run for home in self._homes for run in recorded(home.destination, RUNS)]
        found = {run.run_id: run for run in there if run.pipeline in names}  # others may share a warehouse
        for name in names:
            found |= {run.run_id: run for run in self._runs.newest(name, RUNS)}
        newest = sorted(found.values(), key=lambda run: (run.started_at, run.run_id), reverse=True)
        return tuple(newest[:RUNS])

    # ------------------------------------------------------------------------------------- lineage

    def _lineage(self, facts: SiteFacts) -> Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]]:
        models = _queries(facts.catalogue)
        if not models:
            return {}
        columns: dict[str, Mapping[str, str]] = {}
        for entity in entities(facts.catalogue):
            known = facts.tables.get(entity.node.key)
            table = (known.stored if known else None) or entity.node.table
            names = {c.name: str(c.type) for c in table.columns}
            columns |= {name: names for name in (entity.node.name, entity.node.relation) if name and names}
        return lineage(models, columns, dialect_of(self.loaded))

    # ---------------------------------------------------------------------------------- quarantine

    def _set_aside(self, catalogue: Catalogue, masked: Mapping[Key, bool]) -> tuple[Aside, ...]:
        from penstock.run.quarantine import entries, rows_of

        store = open_store(self.loaded, self.project.layers.quarantine)
        keys = {(e.node.pipeline, e.node.name): e.node.key for e in entities(catalogue)}
        remembered = {name: facts for home in self._homes for name, facts in home.facts.items()}
        shelves = [
            _Shelf(name, dataset_of(name, pipeline_of(self.project, name)), store) for name in self._seen([])
        ]
        if self.project.models is not None:
            shelves.append(_Shelf(MODELS, MODELS, store))
        found = [(s, e) for s in shelves for e in entries(s, remembered.get(s.pipeline, Facts()))]
        found.sort(key=lambda pair: (pair[1].landed_at, pair[1].key), reverse=True)
        asides = []
        for number, (shelf, entry) in enumerate(found):
            place = keys.get((None if shelf.pipeline == MODELS else shelf.pipeline, entry.table))
            secret = place is None or masked[place]
            look = entry.kept is Kept.ROWS and number < SAMPLED
            rows = islice(rows_of(replace(shelf, secret=secret), entry.key), SAMPLES) if look else ()
            asides.append(Aside(entry, tuple(rows)))
        return tuple(asides)

    def _masked(self, value: Any) -> Any:
        """JSON with the project's secrets taken out of its texts."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self.redact(k): self._masked(v) for k, v in value.items()}
        return [self._masked(v) for v in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class _Shelf:
    """A folder of the quarantine. `secret`: nothing of a row may be shown but which rules it broke."""

    pipeline: str
    dataset: str
    quarantine: Store
    secret: bool = True

    def hides(self, table: str) -> bool:  # noqa: ARG002 - the port's
        """Whether rows of a table hold what not everybody may see."""
        return self.secret


def _whole(catalogue: Catalogue, found: Sequence[Node], reads: Mapping[str, Sequence[str]]) -> Catalogue:
    """The catalogue with the tables that only a ledger knows, before the models that may read them.

    They take the place of a node that stands for all tables of a pipeline, also where models read it: `reads`
    are the relations that each does, as far as they are known.
    """
    named = {(n.pipeline, n.name) for n in catalogue.nodes if n.layer is Layer.WAREHOUSE and not n.unlisted}
    new = tuple(n for n in found if (n.pipeline, n.name) not in named)
    told: dict[Key, list[Node]] = {
        n.key: [m for m in new if m.pipeline == n.pipeline] for n in catalogue.nodes if n.unlisted
    }
    gone = {n.key for n in catalogue.nodes if n.unlisted and any(m.pipeline == n.pipeline for m in new)}

    def read(model: Node) -> tuple[Key, ...]:
        wanted = {r.casefold() for r in reads.get(model.name, ())}
        keys = dict.fromkeys(key for key in model.reads if key not in gone)
        for key in gone.intersection(model.reads):
            those = [n.key for n in told[key] if n.name.casefold() in wanted]
            keys |= dict.fromkeys(those or (n.key for n in told[key]))
        return tuple(keys)

    kept = [n for n in catalogue.nodes if n.key not in gone]
    models = tuple(replace(n, reads=read(n)) for n in kept if n.layer is Layer.MODEL)
    return replace(catalogue, nodes=(*(n for n in kept if n.layer is not Layer.MODEL), *new, *models))


def _queries(catalogue: Catalogue) -> list[Model]:
    """The models whose SQL is known."""
    names = {n.key: n.relation or n.name for n in catalogue.nodes}
    return [
        Model(n.name, "", n.tool, n.sql, tuple(names[key] for key in n.reads if key in names))
        for n in catalogue.of(Layer.MODEL)
        if n.sql
    ]


def _unseen(home: Home) -> str:
    names = ", ".join(home.pipelines)
    return f"the rows of {names} are in a Singer target, which takes rows and gives none to look at"


def _looked_at(
    facts: SiteFacts,
    home: Home,
    kept: Mapping[Key, Mapping[str, str]],
    *,
    profile: bool,
    tell: Callable[[str], None],
) -> SiteFacts:
    """The facts with the row counts of a destination's tables and, if wanted, their profiles."""
    own = {
        e.node.key: (e.node, home.relations[name])
        for e in entities(facts.catalogue)
        if e.node.key in facts.tables  # others may have a table of that name there
        and (e.node.pipeline in home.pipelines or (e.is_model and home.builder is not None))
        and (name := e.node.relation or e.node.name) in home.relations
    }
    counts = counted(home.destination, [relation.name for _, relation in own.values()])
    wanted = [
        Wanted(relation, rows, node.table.primary_key, {c: reason(kept[key], c) for c in relation.columns})
        for key, (node, relation) in own.items()
        if profile and (rows := counts[relation.name])
    ]
    looked = profiled(home.destination, wanted, tell)
    tables = dict(facts.tables)
    for key, (_, relation) in own.items():
        tables[key] = replace(tables[key], rows=counts[relation.name], profile=looked.get(relation.name))
    return replace(facts, tables=tables)
