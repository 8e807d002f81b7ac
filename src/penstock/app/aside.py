"""What a project has set aside, to look at, to take out and to bring back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.app.opened import Opened, unheard
from penstock.errors import NotFoundError, RefusedError, suggest
from penstock.ledger import Facts
from penstock.report.facts import Kept, Observer, QuarantinedRow, QuarantineEntry, RunResult

if TYPE_CHECKING:
    from penstock.run.quarantine import Keeping


class Aside(Opened):
    """A project with what lies in its quarantine."""

    def quarantine_list(self, pipelines: Sequence[str]) -> list[QuarantineEntry]:
        """Everything that is set aside, by pipeline."""
        from penstock.run.quarantine import entries

        found: list[QuarantineEntry] = []
        for name in self._seen_with_models(pipelines):
            with self._keeping(name) as (keeping, facts):
                found.extend(entries(keeping, facts()))
        return found

    def quarantine_show(self, what: str, limit: int) -> list[QuarantinedRow]:
        """Quarantined rows of a file (by key) or of a table, oldest first."""
        from penstock.run.quarantine import rows_of

        rows: list[QuarantinedRow] = []
        for entry in self._entries(what):
            with self._keeping(entry.pipeline) as (keeping, _):
                for row in rows_of(keeping, entry.key):
                    if len(rows) == limit:
                        return rows
                    rows.append(row)
        return rows

    def quarantine_export(self, target: Path, what: str | None) -> list[Path]:
        """Write quarantined records, as they came, into a folder: one file for each file of the source."""
        from penstock.run.quarantine import export

        written = []
        for entry in self._entries(what, tuple(Kept)):
            with self._keeping(entry.pipeline) as (keeping, _):
                written.append(export(keeping, entry, target))
        return written

    def quarantine_replay(self, what: Sequence[str], observe: Observer) -> RunResult:
        """Judge quarantined rows (of files or tables; all if none is named) again, and load what passes.

        Raises: RefusedError for rows of a model, which a build makes anew.
        """
        from penstock.run.replay import replay

        entries = [e for w in what for e in self._entries(w)] if what else self._entries(None)
        made = [e for e in entries if self._is_of_models(e.pipeline)]
        if made and what:
            raise RefusedError(
                f"rows of the model `{made[0].table}` cannot be loaded after all",
                found="a model's rows are made by its query",
                hint="mend what it reads, or its query or rules; then build it again: "
                f"penstock build {made[0].table}",
            )
        entries = [e for e in entries if e not in made]
        results = []
        for name in dict.fromkeys(e.pipeline for e in entries):
            keys = list(dict.fromkeys(e.key for e in entries if e.pipeline == name))
            results.append(self._locked(name, observe, "replay", partial(replay, keys=keys)))
        return RunResult(tuple(results))

    @contextmanager
    def _keeping(self, name: str) -> Iterator[tuple[Keeping, Callable[[], Facts]]]:
        """What has rows in the quarantine under a name, and what gives the facts about it."""
        if self._is_of_models(name):
            from penstock.app.kept_models import kept_models

            yield kept_models(self._building), Facts
            return
        with self._flow(name, unheard) as flow:
            yield flow, partial(flow.destination.facts, name)

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
