"""What has been loaded: the facts that a destination keeps, and what follows from them.

The unit is the landed file, known by its key and SHA-256. A file whose `LedgerFile` is in the
destination is loaded for good; every other file in land or raw history is still to do.
Pure: no store or destination is touched here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from penstock.errors import ReconcileError
from penstock.schema.nesting import part_of
from penstock.schema.table import Change, Table

FILES_TABLE = "_penstock_files"
LOADS_TABLE = "_penstock_loads"
STATE_TABLE = "_penstock_state"
SCHEMA_TABLE = "_penstock_schema"
RUNS_TABLE = "_penstock_runs"
STEPS_TABLE = "_penstock_steps"
MODELS_TABLE = "_penstock_models"
LOAD_ID = "_penstock_load_id"

_DIGITS = re.compile(r"(\d+)")


class Refresh(StrEnum):
    """What a landing takes the place of: everything that the pipeline ever loaded, the tables that it
    fills, or their rows alone.

    Source: the refresh modes of dlt.
    """

    DROP_SOURCES = "drop_sources"
    DROP_RESOURCES = "drop_resources"
    DROP_DATA = "drop_data"


@dataclass(frozen=True, slots=True)
class Slip:
    """Where a landed file came from; it travels with the file as JSON.

    `reason` says why a file was set aside whole. `more` says that other files of its landing were
    to follow.

    `identity` is what makes a source file the same file (address, size, version), so that it is
    taken once even if its clock is wrong. `state` is the source's state after this extract, as
    JSON text, or None. `hints` are what the source said of the table, as JSON text. `refresh` says
    what the file's landing takes the place of; `gone` that nothing comes in its place: the file has
    no rows, and its table was dropped.
    `sha256` in hex, `landed_at` in Unix seconds.
    """

    key: str
    sha256: str
    size_bytes: int
    landed_at: int
    origin: str | None = None
    identity: str | None = None
    modified_at: float | None = None
    state: str | None = None
    reason: str | None = None
    more: bool = False
    hints: str | None = None
    refresh: Refresh | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """One row of `_penstock_files`: a file that is in the warehouse, or was refused whole.

    `load_id` is the load that brought it in. `outcome` is `loaded`, `refused` (set aside whole),
    `replayed` (rows of it came out of quarantine; `sha256` is then that of the quarantine file) or
    `retired` (its rows were dropped or refreshed away, and a rebuild leaves them out).
    rows = loaded + dropped + quarantined. `landed_at` in Unix seconds.
    """

    pipeline: str
    table: str
    key: str
    sha256: str
    size_bytes: int
    landed_at: int
    load_id: str
    outcome: str
    rows: int
    loaded: int
    dropped: int
    quarantined: int
    origin: str | None = None
    identity: str | None = None
    modified_at: float | None = None


@dataclass(frozen=True, slots=True)
class LedgerLoad:
    """One row of `_penstock_loads`: one commit. Instants are UTC; `status` is `done`."""

    load_id: str
    pipeline: str
    started_at: datetime
    committed_at: datetime
    status: str
    files: int
    rows: int
    loaded: int
    dropped: int
    quarantined: int
    version: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that becomes true at once: a load, its files, new shapes and the source's state.

    `schemas` are whole tables after the load; `state` maps a source's name to JSON text.
    """

    load: LedgerLoad
    files: tuple[LedgerFile, ...]
    schemas: tuple[Table, ...] = ()
    changes: tuple[Change, ...] = ()
    state: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunStep:
    """One row of `_penstock_steps`: what a run did in one phase, as a whole or to one table.

    `table` is None for the phase as a whole, which has its seconds, bytes and the rows that went
    through it; a file that was read twice counts twice there. The phase `load` is told by table:
    rows = loaded + dropped + quarantined, `broken` by rule, `discarded` by column.
    """

    phase: str
    table: str | None = None
    seconds: float | None = None
    files: int = 0
    rows: int = 0
    size_bytes: int = 0
    loaded: int = 0
    dropped: int = 0
    quarantined: int = 0
    broken: Mapping[str, int] = field(default_factory=dict)
    discarded: Mapping[str, int] = field(default_factory=dict)
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunFinding:
    """What the gate found about a whole file in a run."""

    table: str
    key: str
    rule: str
    action: str
    message: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One row of `_penstock_runs` with its steps: what one run of one pipeline did, and how it ended.

    `command` is `run`, `rebuild`, `replay` or `drop`; `attempt` counts from 1 where a run is tried again.
    `status` is `loaded`, `nothing_new`, `refused`, `failed` or `stopped`. `error` has no secrets in it.
    Nothing that loads or decides reads a record. Instants are UTC.
    """

    run_id: str
    pipeline: str
    command: str
    attempt: int
    status: str
    started_at: datetime
    ended_at: datetime
    version: str
    files_landed: int = 0
    files_drained: int = 0
    load_ids: tuple[str, ...] = ()
    steps: tuple[RunStep, ...] = ()
    findings: tuple[RunFinding, ...] = ()
    notices: tuple[str, ...] = ()
    error: str | None = None
    exit_code: int = 0

    @property
    def seconds(self) -> float:
        """How long the run took."""
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def tables(self) -> tuple[RunStep, ...]:
        """What became of the rows of each table."""
        return tuple(s for s in self.steps if s.phase in ("load", "build") and s.table is not None)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a destination remembers of one pipeline."""

    files: tuple[LedgerFile, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)
    last_load: LedgerLoad | None = None

    @property
    def whole_tables(self) -> frozenset[str]:
        """The tables that are not parts of others; those go with them."""
        return frozenset(n for n, table in self.tables.items() if part_of(table) not in self.tables)

    @property
    def done(self) -> frozenset[str]:
        """The keys that need nothing more."""
        return frozenset(f.key for f in self.files if f.outcome != "replayed")

    @property
    def identities(self) -> frozenset[str]:
        """The source files that were taken."""
        return frozenset(f.identity for f in self.files if f.identity)


@dataclass(frozen=True, slots=True)
class Built:
    """One row of `_penstock_models`: one build of one model, which replaced what was there before.

    `version` is a digest of everything that the project says of the model; `inputs` maps each relation that
    it read to the version that this had (`ports.Builder.versions`). `tool` is what built it: `sql`, `python`
    or `dbt`. rows = kept + dropped + quarantined; None where nobody counted. Instants are UTC.
    """

    model: str
    build_id: str
    version: str
    materialized: str
    tool: str
    started_at: datetime
    built_at: datetime
    inputs: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None
    kept: int | None = None
    dropped: int = 0
    quarantined: int = 0
    broken: Mapping[str, int] = field(default_factory=dict)
    table: Table | None = None

    @property
    def seconds(self) -> float:
        """How long the build took."""
        return (self.built_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that the ledger does not know: its key, and the layer that holds it (land first)."""

    key: str
    table: str
    landed_at: int
    size_bytes: int
    in_land: bool
    in_raw_hist: bool
    modified_at: float


RETIRED = "retired"


def retired(facts: Facts, tables: Collection[str]) -> tuple[LedgerFile, ...]:
    """The ledger rows of some tables once their rows are gone for good."""
    own = [f for f in facts.files if f.table in tables and f.outcome != "replayed"]
    return tuple(
        replace(f, outcome=RETIRED, loaded=0, dropped=f.rows - f.quarantined) if f.outcome == "loaded" else f
        for f in own
    )


def waiting(facts: Facts, found: Iterable[Waiting]) -> tuple[Waiting, ...]:
    """The files still to do, in landing order: by landing time, then by key.

    A file that is in the ledger but still lies in land is kept in the answer, because its move is
    not finished.
    """
    todo = (w for w in found if w.in_land or w.key not in facts.done)
    return tuple(sorted(todo, key=landing_order))


def landing_order(file: Waiting | LedgerFile) -> tuple[int, list[str | int]]:
    """Sorts files as they landed: by landing time, then by key, in which `_2` comes before `_10`."""
    texts = _DIGITS.split(file.key)
    return file.landed_at, [int(text) if number % 2 else text for number, text in enumerate(texts)]


def reconcile(files: Sequence[LedgerFile], written: Mapping[str, int]) -> None:
    """Check that rows read are rows loaded + dropped + quarantined, and that the destination took them.

    `written` counts the rows that the destination says it received, by table.
    Raises: ReconcileError; nothing may be committed.
    """
    expected: dict[str, int] = {}
    for f in files:
        if f.rows != f.loaded + f.dropped + f.quarantined:
            raise ReconcileError(
                f"`{f.table}`: the rows of a file do not add up",
                where=f.key,
                found=f"{f.loaded} loaded + {f.dropped} dropped + {f.quarantined} quarantined",
                expected=f"{f.rows} rows",
                hint="nothing was committed; please report this with the file",
            )
        expected[f.table] = expected.get(f.table, 0) + f.loaded
    for table in sorted({*expected, *written}):
        if expected.get(table, 0) != written.get(table, 0):
            raise ReconcileError(
                f"`{table}`: the destination received another number of rows than the gate accepted",
                found=f"{written.get(table, 0)} rows written",
                expected=f"{expected.get(table, 0)} rows accepted",
                hint="nothing was committed; please report this",
            )
