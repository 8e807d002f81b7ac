"""What the gate says of a row and of a file. Values only; `gate.rules` and `gate.arrival` judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from penstock.records.broken import Broken as Broken


class Action(StrEnum):
    """What happens to what breaks a rule: count it, drop it, set it aside, or stop its batch."""

    ALLOW = "allow"
    DROP = "drop"
    QUARANTINE = "quarantine"
    FAIL = "fail"


class Policy(StrEnum):
    """How far a failure reaches: every file of the run, those of its table, or itself alone."""

    ALL = "all"
    PER_TABLE = "per_table"
    PER_FILE = "per_file"


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that does not go on. `row` counts from 1 in its file; `raw` is its text as it came."""

    row: int
    action: Action
    broken: tuple[Broken, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the gate found about a whole file; `action` says what becomes of the file.

    `broken` names the rules of rows that it is about, if it is about a row.
    """

    rule: str
    action: Action
    message: str
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's word on one file. Units: row counts.

    rows = accepted + dropped + quarantined always; `broken` counts rows by rule, allowed ones too.
    """

    key: str
    table: str
    rows: int
    accepted: int
    dropped: int
    quarantined: int
    broken: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def action(self) -> Action:
        """The strongest action of the findings; `allow` for a file that goes on."""
        order = list(Action)
        return max((f.action for f in self.findings), key=order.index, default=Action.ALLOW)

    @property
    def passed(self) -> bool:
        """Whether the file as a whole goes on to raw history."""
        return self.action is Action.ALLOW
