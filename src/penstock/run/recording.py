"""The record of a run: made while it goes on, kept in the project and beside the ledger.

A record is for people. Nothing that loads or decides reads it, and a run is as good without it:
whatever goes wrong in here becomes a notice.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import ExitCode
from penstock.layers import quote
from penstock.ledger import RunRecord
from penstock.report.facts import Event, Notice, PipelineResult, Status
from penstock.report.trace import Occasion, Trace

if TYPE_CHECKING:
    from penstock.run.flow import Flow

KEPT = 50
"""So many records of each pipeline are kept in the project."""


class Runs:
    """The records of runs in a project, `<folder>/<pipeline>/<run_id>.json`.

    `redact` takes secrets out of a text.
    """

    def __init__(self, folder: Path, redact: Callable[[str], str]) -> None:
        self.folder = folder
        self.redact = redact

    def write(self, record: RunRecord) -> None:
        """Write a record, whole or not at all, and remove the oldest. Raises: OSError."""
        import msgspec

        folder = self.folder / quote(record.pipeline)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{quote(record.run_id)}.json"
        half = path.with_name(f".{path.name}.{os.getpid()}")
        half.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
        half.replace(path)
        for old in sorted(folder.glob("*.json"), reverse=True)[KEPT:]:
            old.unlink(missing_ok=True)

    def newest(self, pipeline: str, count: int = 1) -> list[RunRecord]:
        """The newest records of a pipeline, newest first; what is not a record is left out."""
        import msgspec

        found: list[RunRecord] = []
        for path in sorted((self.folder / quote(pipeline)).glob("*.json"), reverse=True):
            if len(found) == count:
                break
            with suppress(OSError, msgspec.DecodeError):  # removed meanwhile, or of another version
                found.append(msgspec.json.decode(path.read_bytes(), type=RunRecord))
        return found


class Recording:
    """The record of one run in the making. `flow` is the flow to run, whose events are heard.

    Without `runs` nothing is recorded.
    """

    def __init__(self, flow: Flow, runs: Runs | None, command: str = "run", attempt: int = 1) -> None:
        self.flow = flow if runs is None else replace(flow, observe=self._hear)
        self._plain = flow
        self._runs = runs
        self._trace = Trace()
        self._lock = threading.Lock()
        started_at = datetime.fromtimestamp(flow.now(), UTC)
        self._occasion = Occasion(flow.new_id(), command, attempt, started_at, flow.version)

    def _hear(self, event: Event) -> None:
        with self._lock:
            self._trace.take(event)
        self._plain.observe(event)

    def note(self, result: PipelineResult) -> None:
        """Keep the record at the destination, unless the run did nothing. Called with the lock held.

        A note of every look at a source would change the destination each time, and no run could
        tell from the outside that nothing is new.
        """
        if self._runs is None or (result.status is Status.NOTHING_NEW and not result.findings):
            return
        record = self._record(result, self._runs)
        self._try("at the destination", lambda: self._plain.destination.note(record))

    def keep(self, result: PipelineResult) -> None:
        """Keep the record in the project."""
        if self._runs is not None:
            runs, record = self._runs, self._record(result, self._runs)
            self._try("in the project", lambda: runs.write(record))

    def keep_broken(self, error: BaseException, result: PipelineResult) -> None:
        """Keep in the project that the run was stopped, or failed in a way that nobody foresaw."""
        if isinstance(error, Exception):
            said, status, code = f"{type(error).__name__}: {error}", Status.FAILED, int(ExitCode.BUG)
        else:  # SIGINT unless the error knows better
            said, status, code = "stopped", Status.STOPPED, 128 + getattr(error, "number", 2)
        self.keep(replace(result, status=status, error=said, exit_code=code))

    def _record(self, result: PipelineResult, runs: Runs) -> RunRecord:
        ended_at = datetime.fromtimestamp(self._plain.now(), UTC)
        return self._trace.record(self._occasion, result, ended_at, runs.redact)

    def _try(self, where: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # the run is done, whatever becomes of its record
            message = getattr(error, "what", None) or f"{type(error).__name__}: {error}"
            self._plain.observe(
                Notice(self._plain.pipeline, f"the record of this run was not kept {where}: {message}")
            )
