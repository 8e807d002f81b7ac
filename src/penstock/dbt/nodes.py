"""What a dbt project consists of, as plain values: what dbt builds, what it tests, and what both read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from penstock.models.model import Materialization, Model


class Kind(StrEnum):
    """What makes a relation in a dbt project."""

    MODEL = "model"
    SEED = "seed"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class DbtColumn:
    """A column that a project's YAML speaks of; `type` is the warehouse's word for it, where it is said."""

    name: str
    type: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class DbtTest:
    """A test of a model. `unique_id` is dbt's, `severity` is `error` or `warn`, `column` what it is about."""

    unique_id: str
    name: str
    severity: str = "error"
    column: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class DbtNode:
    """A model, seed or snapshot. `name` is how a query at the destination writes it: its table's name, and
    the schema before it if that is another one. `called` is dbt's own name for it.

    `path` is relative to the dbt project, `fqn` what dbt selects it by. `reads` are names of nodes, and
    relations for sources; `sources` are those that it reads as sources. `sql` is what dbt compiled, reading
    those same names; empty before a first run, and for what is not SQL. `version` is a digest of everything
    that decides which rows it has.
    """

    unique_id: str
    name: str
    called: str
    kind: Kind
    relation: str
    schema: str
    path: str
    fqn: tuple[str, ...]
    materialized: str
    version: str
    database: str | None = None
    language: str = "sql"
    reads: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    sql: str = ""
    description: str | None = None
    columns: tuple[DbtColumn, ...] = ()
    tests: tuple[DbtTest, ...] = ()
    tags: tuple[str, ...] = ()
    group: str | None = None
    owners: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    primary_key: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The folder of its file below dbt's folder of models, empty for none."""
        middle = self.path.split("/")[1:-1]
        return "/".join(middle)


_MATERIALIZED = {
    "view": Materialization.VIEW,
    "materialized_view": Materialization.VIEW,
    "incremental": Materialization.INCREMENTAL,
    "snapshot": Materialization.SCD2,
}


def model_of(node: DbtNode, folder: str = "") -> Model:
    """A node as plans work with it; `folder` is that of the dbt project. What dbt alone knows how to keep is
    a table to them."""
    return Model(
        name=node.name,
        path=f"{folder}/{node.path}" if folder else node.path,
        tool="dbt",
        reads=node.reads,
        materialized=materialization_of(node),
        version=node.version,
        tags=node.tags,
        folder=node.folder,
    )


def materialization_of(node: DbtNode) -> Materialization:
    """What becomes of a node's rows, in our words."""
    return _MATERIALIZED.get(node.materialized, Materialization.TABLE)


def stages(nodes: Sequence[DbtNode], chosen: Sequence[DbtNode]) -> list[tuple[DbtNode, ...]]:
    """The chosen ones of all nodes, in the runs of dbt that they take, one after the other.

    Nearly always one. dbt itself does not see that a source may be a table that it makes, such as a seed
    that models read as a source: what is below such a source comes in a run after the one that makes it.
    """
    made = {node.name for node in chosen}
    stage = dict.fromkeys((node.name for node in nodes), 0)
    for _ in nodes:
        before = dict(stage)
        for node in nodes:
            own = made.intersection(node.sources)
            stage[node.name] = max(
                (stage[name] + (name in own) for name in node.reads if name in stage), default=0
            )
        if stage == before:
            break
    else:  # they wait for each other; dbt does as it likes
        return [tuple(chosen)] if chosen else []
    numbers = sorted({stage[node.name] for node in chosen})
    return [tuple(node for node in chosen if stage[node.name] == number) for number in numbers]


def to_document(nodes: Iterable[DbtNode]) -> list[dict[str, Any]]:
    """Nodes as JSON can hold them."""
    return [asdict(node) for node in nodes]


def from_document(document: Iterable[Mapping[str, Any]]) -> tuple[DbtNode, ...]:
    """Nodes as `to_document` wrote them. Raises: TypeError, KeyError, ValueError for anything else."""
    return tuple(_node(raw) for raw in document)


def _node(raw: Mapping[str, Any]) -> DbtNode:
    lists = {k: tuple(raw[k]) for k in ("fqn", "reads", "sources", "tags", "owners", "primary_key")}
    columns = tuple(DbtColumn(**c) for c in raw["columns"])
    tests = tuple(DbtTest(**t) for t in raw["tests"])
    return DbtNode(**{**raw, **lists, "kind": Kind(raw["kind"]), "columns": columns, "tests": tests})
