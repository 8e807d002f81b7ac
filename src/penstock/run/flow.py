"""Everything that a run of one pipeline works with, joined beforehand by `penstock.app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from penstock.gate.arrival import ArrivalRules
from penstock.gate.rules import RowRules
from penstock.gate.verdict import Policy
from penstock.gate.volume import VolumeRules
from penstock.ports import Destination, Source, Store
from penstock.records.chunk import Format
from penstock.report.facts import Observer
from penstock.schema.contract import Contract
from penstock.schema.disposition import Disposition
from penstock.schema.table import Table


@dataclass(frozen=True)
class TableFlow:
    """One table of a pipeline. `known` says whether the project names it.

    `format_of` gives the reader for a file's name.
    """

    declared: Table
    known: bool
    contract: Contract
    disposition: Disposition
    rows: RowRules
    arrival: ArrivalRules
    volume: VolumeRules | None
    format_of: Callable[[str], Format]


@dataclass(frozen=True)
class Flow:
    """One pipeline, ready to run.

    `table` gives a table's flow by name, for tables that the project does not name too. `now`
    returns Unix seconds; `new_id` an identifier that no load has had. `min_age_s` is how long a
    file that others put into the landing area must have rested.
    """

    pipeline: str
    dataset: str
    source: Source
    land: Store
    raw_hist: Store
    quarantine: Store
    destination: Destination
    table: Callable[[str], TableFlow]
    policy: Policy
    min_age_s: float
    holder: str
    version: str
    threads: int
    now: Callable[[], float]
    new_id: Callable[[], str]
    observe: Observer
