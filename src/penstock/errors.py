"""Every error that Penstock raises on purpose, and what the caller may do about it.

    PenstockError
    ├── RefusedError            no: mend the input, the project or the contract     exit 1
    │   ├── ProjectError        the project file or a metadata file is wrong
    │   ├── GateError           data broke a rule whose action is `fail`
    │   ├── ContractError       the data's shape changed and the contract forbids it
    │   │   └── LossyError      a column's next type would lose values that are in it
    │   ├── ConflictError       a key of an immutable layer already holds other bytes
    │   ├── ReconcileError      rows read are not rows loaded + dropped + quarantined
    │   └── NotFoundError       a table, pipeline, file or key that is not there
    ├── UsageError              the command line is wrong                             exit 2
    ├── OutsideError            yes, later: disk, network, quota                      exit 3
    │   ├── StoreError          a store could not read or write
    │   ├── LockHeldError       another run holds the pipeline
    │   └── MissingPartError    an optional package is not installed
    ├── UncertainError          the write may have happened: the next run finds out  exit 4
    └── BugError                a promise of our own is broken                        exit 70

Each is built from facts (what, where, found, expected, hint) and renders itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns. Units: the status byte of a POSIX process."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    OUTSIDE = 3
    UNCERTAIN = 4
    BUG = 70


class PenstockError(Exception):
    """The root of the tree. `str(error)` is the whole message, as the command line prints it."""

    exit_code = ExitCode.BUG

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        found: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.found = found
        self.expected = expected
        self.hint = hint

    def __str__(self) -> str:
        facts = (
            ("where", self.where),
            ("found", self.found),
            ("expected", self.expected),
            ("hint", self.hint),
        )
        return "\n".join([self.what, *(f"  {name}: {text}" for name, text in facts if text)])

    def __reduce__(self) -> tuple[object, ...]:
        facts = {k: getattr(self, k) for k in ("where", "found", "expected", "hint")}
        return _restore, (type(self), self.what, facts)


def _restore(kind: type[PenstockError], what: str, facts: dict[str, str | None]) -> PenstockError:
    return kind(what, **facts)


class RefusedError(PenstockError):
    """The input, the project or the contract must be mended before a run can succeed."""

    exit_code = ExitCode.REFUSED


class ProjectError(RefusedError):
    """The project file, a metadata file or an environment variable is wrong."""


class GateError(RefusedError):
    """Data broke a rule whose action is `fail`; nothing of its batch went on.

    `broken` counts rows by rule, where they were counted.
    """

    def __init__(self, what: str, *, broken: Mapping[str, int] | None = None, **facts: str | None) -> None:
        super().__init__(what, **facts)
        self.broken = broken or {}


class ContractError(RefusedError):
    """The shape of the data changed in a way its contract forbids."""


class LossyError(ContractError):
    """A column's next type would lose values that are in it; the caller must choose a wider one."""

    def __init__(self, what: str, *, column: str = "", **facts: str | None) -> None:
        super().__init__(what, **facts)
        self.column = column


class ConflictError(RefusedError):
    """A key of an immutable layer already holds different bytes."""


class ReconcileError(RefusedError):
    """The counts of a run do not add up; the load was rolled back."""


class NotFoundError(RefusedError):
    """A table, pipeline, file or key that is not there."""


class UsageError(PenstockError):
    """The command line is wrong."""

    exit_code = ExitCode.USAGE


class OutsideError(PenstockError):
    """Disk, network, quota, a lock: run it again later."""

    exit_code = ExitCode.OUTSIDE


class StoreError(OutsideError):
    """A store could not read or write."""


class LockHeldError(OutsideError):
    """Another run holds the pipeline; `where` names the holder."""


class MissingPartError(OutsideError):
    """An optional package is not installed; the hint says which extra brings it."""


class UncertainError(PenstockError):
    """A write may or may not have happened; run again, and the ledger will tell."""

    exit_code = ExitCode.UNCERTAIN


class BugError(PenstockError):
    """A promise of Penstock's own is broken: please report it."""

    exit_code = ExitCode.BUG


def suggest(name: str, known: Iterable[str]) -> str | None:
    """`did you mean 'x'?` for a name that is close to a known one, else None."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else None
