"""What the site is drawn from, as plain values: the catalogue, and what destinations remember.

`app.site` gathers them; everything else in this folder only reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from penstock.catalogue import Catalogue, Key
from penstock.ledger import Built, RunRecord
from penstock.report.facts import QuarantinedRow, QuarantineEntry
from penstock.schema.table import Table


@dataclass(frozen=True, slots=True)
class Point:
    """One load or build of a table. Units: counts; `size_bytes` of the files that it read.

    rows = loaded + dropped + quarantined, where they were counted.
    """

    at: datetime
    loaded: int | None
    dropped: int = 0
    quarantined: int = 0
    files: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What the rows say of one column. Units: counts of the rows looked at; texts as a warehouse writes them.

    `quantiles` are the values below which 5, 25, 50, 75 and 95 % lie. `bins` count values in equal steps from
    `low` to `high`; `top` are the most frequent values with their counts. `hidden` says why values are not
    told; nothing but counts is here then. `estimated`: `distinct` is a few per cent off.
    """

    count: int
    nulls: int
    distinct: int | None = None
    low: str | None = None
    high: str | None = None
    mean: float | None = None
    quantiles: tuple[str, ...] = ()
    bins: tuple[int, ...] = ()
    top: tuple[tuple[str, int], ...] = ()
    hidden: str | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class TableProfile:
    """What the rows of a table say. `looked_at` is how many rows its columns were told from; `note` says why
    there is nothing to tell, or not of all.
    """

    looked_at: int = 0
    columns: Mapping[str, ColumnProfile] = field(default_factory=dict)
    note: str | None = None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What is known of one table of a warehouse, or of one model, beyond what the project says.

    `stored` is its shape there, `rows` how many it has now (None: nobody counted), `history` its loads or
    builds, oldest first. `part_of` is the table whose rows it holds parts of.
    """

    stored: Table | None = None
    rows: int | None = None
    history: tuple[Point, ...] = ()
    earlier: int = 0
    profile: TableProfile | None = None
    built: Built | None = None
    part_of: str | None = None


@dataclass(frozen=True, slots=True)
class Aside:
    """Something in the quarantine, with some of its rows; sensitive values are `***` already."""

    entry: QuarantineEntry
    rows: tuple[QuarantinedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """Everything that the site shows. Shape: `tables` by the key of the catalogue's node.

    `lineage` maps model → column → the columns that it is made of, each as relation and column. `notes` are
    what could not be looked at, and why. `sources` tell, by pipeline, where its data comes from. `runs` are
    newest first. Nothing here depends on when it was gathered.
    """

    catalogue: Catalogue
    tables: Mapping[Key, TableFacts] = field(default_factory=dict)
    lineage: Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]] = field(default_factory=dict)
    runs: tuple[RunRecord, ...] = ()
    quarantine: tuple[Aside, ...] = ()
    notes: tuple[str, ...] = ()
    destinations: Mapping[str, str] = field(default_factory=dict)
    environment: str | None = None
    version: str = ""
