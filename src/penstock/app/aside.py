"""What a project has set aside, to look at, to take out and to bring back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from penstock.app.opened import Opened, unheard
from penstock.errors import NotFoundError, suggest
from penstock.report.facts import Kept, Observer, QuarantinedRow, QuarantineEntry, RunResult


class Aside(Opened):
    """A project with what lies in its quarantine."""

    def quarantine_list(self, pipelines: Sequence[str]) -> list[QuarantineEntry]:
        """Everything that is set aside, by pipeline."""
        from penstock.run.quarantine import entries

        found: list[QuarantineEntry] = []
        for name in self._seen(pipelines):
            with self._flow(name, unheard) as flow:
                found.extend(entries(flow, flow.destination.facts(name)))
        return found

    def quarantine_show(self, what: str, limit: int) -> list[QuarantinedRow]:
        """Quarantined rows of a file (by key) or of a table, oldest first."""
        from penstock.run.quarantine import rows_of

        rows: list[QuarantinedRow] = []
        for entry in self._entries(what):
            with self._flow(entry.pipeline, unheard) as flow:
                for row in rows_of(flow, entry.key):
                    if len(rows) == limit:
                        return rows
                    rows.append(row)
        return rows

    def quarantine_export(self, target: Path, what: str | None) -> list[Path]:
        """Write quarantined records, as they came, into a folder: one file for each file of the source."""
        from penstock.run.quarantine import export

        written = []
        for entry in self._entries(what, tuple(Kept)):
            with self._flow(entry.pipeline, unheard) as flow:
                written.append(export(flow, entry, target))
        return written

    def quarantine_replay(self, what: Sequence[str], observe: Observer) -> RunResult:
        """Judge quarantined rows (of files or tables; all if none is named) again, and load what passes."""
        from penstock.run.replay import replay

        entries = [e for w in what for e in self._entries(w)] if what else self._entries(None)
        results = []
        for name in dict.fromkeys(e.pipeline for e in entries):
            keys = list(dict.fromkeys(e.key for e in entries if e.pipeline == name))
            results.append(self._locked(name, observe, "replay", partial(replay, keys=keys)))
        return RunResult(tuple(results))

    def _entries(self, what: str | None, kept: tuple[Kept, ...] = (Kept.ROWS,)) -> list[QuarantineEntry]:
        rows = [e for e in self.quarantine_list([]) if e.kept in kept]
        if what is None:
            return rows
        chosen = [e for e in rows if what in (e.key, e.table, f"{e.pipeline}.{e.table}")]
        if not chosen:
            known = {name for e in rows for name in (e.table, e.key)}
            raise NotFoundError(
                f"nothing of `{what}` is in the quarantine",
                hint=suggest(what, known) or "`penstock quarantine list` shows what is",
            )
        return chosen
