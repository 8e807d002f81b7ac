"""What happened in a run, as plain values: events while it goes on, a result when it is over.

Progress bars, log lines, `--json` and the summary are all drawn from these, and so are the answers
of `plan`, `status` and `quarantine`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from penstock.errors import PenstockError
from penstock.gate.verdict import Broken, Finding
from penstock.ledger import LedgerLoad
from penstock.plan import Step
from penstock.schema.table import Change


class Phase(StrEnum):
    """The phases that a person follows."""

    LAND = "land"
    JUDGE = "judge"
    KEEP = "keep"
    LOAD = "load"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase of a pipeline begins. Units: files and bytes that it will go through."""

    pipeline: str
    phase: Phase
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """More of a phase is done. Units: bytes and rows since the last event of this phase."""

    pipeline: str
    phase: Phase
    size_bytes: int
    rows: int = 0


@dataclass(frozen=True, slots=True)
class FileDone:
    """A file is through a phase."""

    pipeline: str
    phase: Phase
    table: str
    key: str


@dataclass(frozen=True, slots=True)
class PhaseDone:
    """A phase ended. Units: seconds of wall time."""

    pipeline: str
    phase: Phase
    seconds: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth a line: drift, a warning, a file set aside."""

    pipeline: str
    message: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A run waits: for a lock, or until it tries again. Said a few times a second."""

    pipeline: str


@dataclass(frozen=True, slots=True)
class ModelStarted:
    """A model begins to be built; `of` is how many this run builds in all, `number` counts from 1."""

    model: str
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class ModelDone:
    """A model is built, or was not."""

    result: ModelResult


Event: TypeAlias = PhaseStarted | Progress | FileDone | PhaseDone | Notice | Pause | ModelStarted | ModelDone
Observer: TypeAlias = Callable[[Event], None]
"""Is told of events. What it raises ends the run as a kill would, but with everything tidied up."""


class Status(StrEnum):
    """How a pipeline's run ended."""

    LOADED = "loaded"
    NOTHING_NEW = "nothing_new"
    REFUSED = "refused"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class TableResult:
    """One table of one run. Units: counts; `broken` by rule, allowed rows included.

    The rows of a table that is `part_of` another are parts of its rows.
    """

    table: str
    files: int = 0
    rows: int = 0
    loaded: int = 0
    dropped: int = 0
    quarantined: int = 0
    broken: Mapping[str, int] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    discarded: Mapping[str, int] = field(default_factory=dict)
    part_of: str | None = None


@dataclass(frozen=True, slots=True)
class FileFinding:
    """What the gate found about a whole file."""

    table: str
    key: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """One pipeline of one run. `load_ids` in commit order; `error` is the rendered error, if any, and
    `cause` the error itself. `readable` says whether what was loaded can be shown.

    Units: `seconds` of wall time; `files_landed` by this run's extract, `files_drained` found
    waiting before it.
    """

    pipeline: str
    status: Status
    load_ids: tuple[str, ...] = ()
    tables: tuple[TableResult, ...] = ()
    findings: tuple[FileFinding, ...] = ()
    files_landed: int = 0
    files_drained: int = 0
    seconds: float = 0.0
    error: str | None = None
    exit_code: int = 0
    cause: PenstockError | None = field(default=None, repr=False, compare=False)
    readable: bool = field(default=True, repr=False)

    def __str__(self) -> str:
        from penstock.report.summary import result_text

        return result_text(self)

    def _repr_html_(self) -> str:
        from penstock.report.summary import result_html

        return result_html(self)


class ModelStatus(StrEnum):
    """How one model of a run ended."""

    BUILT = "built"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class TestResult:
    """One check of a model that is not a rule of its rows, such as a test of dbt.

    `status` is `pass`, `warn`, `fail` or `error`; `rows` that failed, where they were counted.
    """

    name: str
    status: str
    rows: int | None = None
    message: str | None = None
    column: str | None = None


@dataclass(frozen=True, slots=True)
class ModelResult:
    """One model of one run. `tool` is `sql`, `python` or `dbt`; `why` it was built, skipped or left alone.

    Units: `seconds` of wall time; rows = kept + dropped + quarantined, None where nobody counted them;
    `broken` by rule, allowed rows included. The table of a model that was refused, failed or skipped is as
    it was before.
    """

    model: str
    status: ModelStatus
    materialized: str = "table"
    tool: str = "sql"
    why: str = ""
    rows: int | None = None
    kept: int | None = None
    dropped: int = 0
    quarantined: int = 0
    broken: Mapping[str, int] = field(default_factory=dict)
    tests: tuple[TestResult, ...] = ()
    seconds: float = 0.0
    error: str | None = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class RunResult:
    """A whole run: pipelines in the order in which they ran, then models in the order in which they ended."""

    pipelines: tuple[PipelineResult, ...] = ()
    models: tuple[ModelResult, ...] = ()

    @property
    def exit_code(self) -> int:
        """The first pipeline's or model's that did not succeed; 0 if all did."""
        codes = [*(p.exit_code for p in self.pipelines), *(m.exit_code for m in self.models)]
        return next((code for code in codes if code), 0)


# ------------------------------------------------------------------------------------ what would


@dataclass(frozen=True, slots=True)
class PlannedTable:
    """What a run would do to one table. Units: counts of files, bytes and rows.

    Files waiting lie in land (`in_land`), in raw history only (`in_raw_hist`) or are still
    `on_offer` at the source. `rows` and what follows from them are None when the files were not
    read, and `findings` are what the gate would say of whole files.
    """

    table: str
    in_land: int = 0
    in_raw_hist: int = 0
    on_offer: int = 0
    size_bytes: int = 0
    rows: int | None = None
    accepted: int | None = None
    dropped: int | None = None
    quarantined: int | None = None
    broken: Mapping[str, int] = field(default_factory=dict)
    discarded: Mapping[str, int] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    findings: tuple[FileFinding, ...] = ()

    @property
    def files(self) -> int:
        """All files that wait, wherever they lie."""
        return self.in_land + self.in_raw_hist + self.on_offer


@dataclass(frozen=True, slots=True)
class PlannedPipeline:
    """What a run of one pipeline would do: the very steps, and what they come to by table.

    `error` is the rendered error that a run would end with, if any. `asks`: what is new at the source
    is only found out by a run.
    """

    pipeline: str
    steps: tuple[Step, ...] = ()
    tables: tuple[PlannedTable, ...] = ()
    error: str | None = None
    exit_code: int = 0
    asks: bool = False


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """What a run would do to one model: `builds` it or leaves it alone, and `why`."""

    model: str
    builds: bool
    why: str
    materialized: str = "table"
    tool: str = "sql"


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What a run would do, pipelines in the order in which they would run, then models.

    `quick` plans did not read the files.
    """

    pipelines: tuple[PlannedPipeline, ...]
    quick: bool = False
    models: tuple[PlannedModel, ...] = ()

    @property
    def exit_code(self) -> int:
        """The first pipeline's whose run would not succeed; 0 if all would."""
        return next((p.exit_code for p in self.pipelines if p.exit_code), 0)


# --------------------------------------------------------------------------------------- what is


@dataclass(frozen=True, slots=True)
class TableTotals:
    """One table over all its loads. Units: counts; `refused` files were set aside whole."""

    table: str
    files: int = 0
    rows: int = 0
    loaded: int = 0
    dropped: int = 0
    quarantined: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class PipelineStatus:
    """How a pipeline stands.

    `waiting_*` lie in land or raw history and are not loaded; `on_offer` counts the files at the
    source that were not taken (None: the source was not asked); `holder` has the lock now. `failed` is
    what stopped the last run of this project, if something did.
    """

    pipeline: str
    destination: str
    last_load: LedgerLoad | None = None
    tables: tuple[TableTotals, ...] = ()
    waiting_files: int = 0
    waiting_bytes: int = 0
    on_offer: int | None = None
    holder: str | None = None
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class ModelStanding:
    """How a model stands: when it was built last and what came of it, and why a run would build it again.

    `stale` is that reason, None if it would be left alone. Counts are those of the last build. UTC.
    """

    model: str
    materialized: str = "table"
    tool: str = "sql"
    built_at: datetime | None = None
    rows: int | None = None
    dropped: int = 0
    quarantined: int = 0
    stale: str | None = None


# ------------------------------------------------------------------------------------ quarantine


class Kept(StrEnum):
    """What an entry of the quarantine holds: rows of a file, or a file as a whole."""

    ROWS = "rows"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """One object of the quarantine.

    `key` is that of the landed file it came from. `rows` is None for a file that was set aside
    whole, `broken` counts rows by rule, `reason` says why a whole file is here. `replayed` entries
    have been loaded since. Units: `landed_at` in Unix seconds.
    """

    pipeline: str
    table: str
    key: str
    kept: Kept
    size_bytes: int
    landed_at: int
    rows: int | None = None
    broken: Mapping[str, int] = field(default_factory=dict)
    reason: str | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """One quarantined row: where it stood (`row` counts from 1), what it broke, its text as it came."""

    table: str
    key: str
    row: int
    broken: tuple[Broken, ...]
    raw: str
