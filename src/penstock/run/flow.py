"""Everything that a run of one pipeline works with, joined beforehand by `penstock.app`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from penstock.gate.arrival import ArrivalRules
from penstock.gate.rules import RowRules
from penstock.gate.verdict import Policy
from penstock.gate.volume import VolumeRules
from penstock.ledger import Facts
from penstock.ports import Destination, Producer, Source, Store
from penstock.records.chunk import Format
from penstock.report.facts import Observer
from penstock.schema.contract import Contract
from penstock.schema.disposition import Disposition
from penstock.schema.hints import Hints
from penstock.schema.naming import DIRECT, Naming
from penstock.schema.nesting import NATIVE, Nesting
from penstock.schema.table import Table
from penstock.schema.types import DataType


@dataclass(frozen=True)
class TableFlow:
    """One table of a pipeline. `known` says whether the project names it.

    `format_of` gives the reader for a file's name and the types that its source said it has.
    """

    declared: Table
    known: bool
    contract: Contract
    disposition: Disposition
    rows: RowRules
    arrival: ArrivalRules
    volume: VolumeRules | None
    format_of: Callable[[str, Mapping[str, DataType]], Format]
    nesting: Nesting = NATIVE
    naming: Naming = DIRECT


@dataclass(frozen=True, slots=True)
class Landing:
    """How a producer's records are written: the extension, and the bytes from which a file is closed.

    `gone` says that what lands without rows tells that its table is dropped.
    """

    extension: str = "jsonl.gz"
    file_bytes: int = 1 << 28
    gone: bool = False


@dataclass(frozen=True)
class Flow:
    """One pipeline, ready to run.

    Data comes from files of a `source` or is made by a `producer`; from neither if others drop it.
    `table` gives a table's flow by name, for tables that the project does not name too, and with
    what a producer said of it. `landing` says how what a producer makes is written, `name_of` under
    which name. `now`
    returns Unix seconds; `new_id` an identifier that no load has had. `min_age_s` is how long a
    file that others put into the landing area must have rested.
    """

    pipeline: str
    dataset: str
    source: Source | None
    producer: Producer | None
    land: Store
    raw_hist: Store
    quarantine: Store
    destination: Destination
    table: Callable[[str, Hints | None], TableFlow]
    policy: Policy
    landing: Landing
    name_of: Callable[[str], str]
    min_age_s: float
    holder: str
    version: str
    threads: int
    now: Callable[[], float]
    new_id: Callable[[], str]
    observe: Observer

    def hides(self, table: str) -> bool:
        """Whether rows of a table hold what not everybody may see."""
        return any(c.sensitive for c in self.table(table, None).declared.columns)


class Holding(Protocol):
    """What takes the lock of a destination."""

    @property
    def pipeline(self) -> str:
        """What it is called."""
        ...

    @property
    def destination(self) -> Destination:
        """What is locked."""
        ...

    @property
    def holder(self) -> str:
        """Who locks it."""
        ...

    @property
    def observe(self) -> Observer:
        """Who is told that it waits."""
        ...


def last_landing(flow: Flow, facts: Facts) -> int:
    """When the newest landing of ours that is in the ledger was made; 0 if there is none.

    Files that others put beside those of a source do not count: their times may be anything.
    Units: Unix seconds.
    """
    own = flow.producer is not None
    return max((f.landed_at for f in facts.files if own or f.origin is not None), default=0)
