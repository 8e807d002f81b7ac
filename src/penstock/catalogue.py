"""What a project consists of, as plain values: every table in every layer, and what leads to it.

Orchestrators, the static site and lineage are readings of this one value, so they cannot disagree. It is
made of the project alone (`penstock.app.catalogue`), and needs no destination: what was loaded and when is
laid over it by whoever shows it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from penstock.schema.table import Table

Key: TypeAlias = tuple[str, ...]
"""What a node is known by: its layer, the pipeline, the table; for a model the layer and its name.

A relation that nothing in the project makes is a source without a pipeline: the layer and its name.
"""


class Layer(StrEnum):
    """Where rows are on their way."""

    SOURCE = "source"
    LAND = "land"
    RAW_HIST = "raw_hist"
    WAREHOUSE = "warehouse"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Check:
    """A rule that rows or files of a table must satisfy.

    `rule` is the name under which results count it (`country.enum`, `min_rows`, an expectation's name,
    a test of dbt). `action` is what happens to what breaks it: `allow`, `drop`, `quarantine` or `fail`.
    """

    rule: str
    action: str
    column: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the newest data of a table may be. Units: seconds."""

    fail_after_s: float
    warn_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One table in one layer.

    `table` is what is promised of its columns; `reads` are the nodes that its rows are made of. `pipeline`
    is None for models. `tool` is the type of the source or destination, or what builds the model (`sql`,
    `python`, `dbt`). `relation` is the table's name in the warehouse, for layers that are in it. `meta` is
    what the project says for other programs, by program. Checks of files stand at
    the landed table, those of rows at the table of the warehouse and at models. `partition` is the column by
    whose intervals a scheduler may ask the source for rows. `unlisted` says that only a run tells which
    tables the pipeline has: the node is called as the pipeline, and stands for all of them.
    """

    key: Key
    layer: Layer
    table: Table
    tool: str
    pipeline: str | None = None
    relation: str | None = None
    reads: tuple[Key, ...] = ()
    checks: tuple[Check, ...] = ()
    materialized: str | None = None
    sql: str | None = None
    version: str | None = None
    place: str | None = None
    group: str | None = None
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    partition: str | None = None
    freshness: Freshness | None = None
    schedule: str | None = None
    meta: Mapping[str, object] = field(default_factory=dict)
    unlisted: bool = False

    @property
    def name(self) -> str:
        """The table's or model's name."""
        return self.table.name


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every node of a project, each after those that it reads."""

    project: str
    nodes: tuple[Node, ...]
    schedules: Mapping[str, str] = field(default_factory=dict)
    """When pipelines are to run, by name: five cron fields."""
    incomplete: frozenset[str] = frozenset()
    """The pipelines that may fill further tables, which only a run tells."""

    def of(self, layer: Layer) -> tuple[Node, ...]:
        """The nodes of one layer."""
        return tuple(n for n in self.nodes if n.layer is layer)

    def node(self, key: Key) -> Node:
        """The node of that key. Raises: KeyError."""
        return next(n for n in self.nodes if n.key == key)
