"""Everything that a build of models works with, joined beforehand by `penstock.app`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from penstock.gate.arrival import ArrivalRules
from penstock.gate.rules import RowRules
from penstock.ledger import Built
from penstock.models.model import Model
from penstock.plan import views_of
from penstock.ports import Batches, Builder, Destination, Store
from penstock.report.facts import ModelResult, Observer
from penstock.schema.contract import Contract
from penstock.schema.disposition import Disposition
from penstock.schema.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

MODELS = "models"
"""What records of runs and the quarantine call the models of a project, in place of a pipeline."""

Make: TypeAlias = Callable[[Callable[[str], "pa.Table"]], Batches]
"""What makes the rows of a Python model; it is given what answers a query."""

Foreign: TypeAlias = Callable[[frozenset[str], bool, Observer], Sequence[ModelResult]]
"""What builds models that are another program's: their names, whether in full, and who is told."""


@dataclass(frozen=True)
class ModelFlow:
    """One model. `declared` is what is promised of its table, `limits` what is asked of it as a whole.

    `disposition` says how new rows meet those of earlier builds. `cursor` is the column by which rows are
    new, `lookback` how far behind the greatest one they are taken again (as SQL that is subtracted from
    it). `snapshot_column` gets the day of the build, `version_column` the version of the project.
    """

    model: Model
    declared: Table
    disposition: Disposition = field(default_factory=Disposition)
    contract: Contract = field(default_factory=Contract)
    rules: RowRules = field(default_factory=RowRules)
    limits: ArrivalRules = field(default_factory=ArrivalRules)
    cursor: str | None = None
    lookback: str | None = None
    snapshot_column: str | None = None
    version_column: str | None = None
    make: Make | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name


@dataclass(frozen=True)
class BuildFlow:
    """The models of a project, ready to be built at its destination.

    `now` returns Unix seconds, and `new_id` an identifier that no build has had. `version_of` tells the
    version of the project's files. `foreign` builds the models of dbt. `threads` is how many models may be
    built at once.
    """

    models: Mapping[str, ModelFlow]
    builder: Builder
    destination: Destination
    quarantine: Store
    holder: str
    version: str
    threads: int
    now: Callable[[], float]
    new_id: Callable[[], str]
    observe: Observer
    version_of: Callable[[], str] = field(default=lambda: "")
    foreign: Foreign | None = None
    pipeline: str = MODELS
    dataset: str = MODELS

    @cached_property
    def views(self) -> Mapping[str, Model]:
        """The models that are views, as `plan.inputs_of` takes them."""
        return views_of([flow.model for flow in self.models.values()])

    def hides(self, table: str) -> bool:
        """Whether rows of a model hold what not everybody may see."""
        flow = self.models.get(table)
        return flow is not None and any(c.sensitive for c in flow.declared.columns)


@dataclass(frozen=True, slots=True)
class Known:
    """What a destination says of its models and relations (`ports.Builder.built` and `versions`)."""

    built: Mapping[str, Built]
    versions: Mapping[str, str | None]

    @classmethod
    def of(cls, builder: Builder) -> Known:
        """What it says now."""
        return cls(builder.built(), builder.versions())


@dataclass(frozen=True, slots=True)
class Task:
    """One model to be built now: from scratch or not, from which versions of what it reads."""

    flow: ModelFlow
    build_id: str
    at: datetime
    anew: bool
    full: bool = False
    inputs: Mapping[str, str] = field(default_factory=dict)
