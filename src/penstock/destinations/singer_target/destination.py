"""A Singer target as a destination. The ledger lies in a DuckDB file of the project.

The rows are the target's and the ledger is ours, so the two cannot become true in one act. Rows are sent
first, and noted when the target has acknowledged them; a process that is killed in between sends them again.
Importing this module loads no driver, and neither does asking for the `fingerprint`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.destinations.flock import hold, holder_of
from penstock.errors import BugError, NotFoundError, PenstockError, RefusedError, UncertainError
from penstock.ledger import Facts, RunRecord

if TYPE_CHECKING:
    from penstock.destinations.engine import Limits
    from penstock.destinations.singer_target.target import Target
    from penstock.destinations.singer_target.transaction import SingerTransaction
    from penstock.project.singer_target import SingerTargetSpec

GAPS: Mapping[str, str] = {
    "crash between the target's end and our commit": "never: a target has no transaction that a ledger could "
    "be part of; the rows are sent again, and a merge by key makes that harmless",
    "query of tables": "never: Singer has no message that asks for rows",
    "keys, clashes": "never: foreign keys cannot be looked up, and uniqueness is judged within a load",
    "merges but by upsert, hard deletes, dedup_sort, overwrite": "never: Singer has no messages for them",
    "replace, rebuild": "only targets that activate versions can take rows away",
}
"""What a target cannot do for us, each with the reason."""


class SingerTargetDestination:
    """A Singer target, and the file that remembers what was loaded into it."""

    def __init__(self, spec: SingerTargetSpec, root: Path) -> None:
        self.path = root / Path(spec.path).expanduser()
        self.url = f"singer_target://{spec.target}"
        self._spec = spec
        self._root = root
        self._lock = self.path.with_name(self.path.name + ".lock")
        self._wal = self.path.with_name(self.path.name + ".wal")
        self._held = False
        self._con: Any = None  # Any: DuckDB's connection is untyped

    @cached_property
    def target(self) -> Target:
        """The target, installed if need be. Raises: as `singer_target.target.prepare`."""
        from penstock.destinations.singer_target.target import prepare

        return prepare(self._spec, self._root)

    def fingerprint(self) -> str | None:
        """Size, time and identity of the ledger's file and of its write-ahead log."""
        return ", ".join(_stat(p) for p in (self.path, self._wal))

    @contextmanager
    def lock(self, pipeline: str, holder: str) -> Iterator[None]:  # noqa: ARG002
        """Hold the ledger, which all pipelines of the target share. Raises: LockHeldError."""
        with hold(self._lock, f"`{self._spec.target}`", holder):
            self._held = True
            try:
                yield
            finally:
                self._held = False
                self.close()

    def holder(self, pipeline: str) -> str | None:  # noqa: ARG002
        """Who holds the ledger, or None."""
        return holder_of(self._lock)

    def facts(self, pipeline: str) -> Facts:
        """What the ledger says of a pipeline."""
        if not self.path.exists():
            return Facts()
        from penstock.destinations import duckdb_ledger as ledger
        from penstock.destinations.engine import explained

        with self._reading() as con, explained(str(self.path)):
            return ledger.facts(con, pipeline)

    def begin(self, pipeline: str, load_id: str) -> SingerTransaction:
        """Start a load. Called with the lock held."""
        if not self._held:
            raise BugError("a load was begun without the lock", where=str(self.path))
        from penstock.destinations.singer_target.transaction import SingerTransaction

        con = self._writer()
        return SingerTransaction(con, self.path, pipeline, load_id, lambda: self.target, self._outcome)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The answer of a query of the ledger as an Arrow table.

        Raises: RefusedError for a table that is in the target, which cannot be asked, and for wrong SQL;
        NotFoundError for an unknown table.
        """
        from penstock.destinations import duckdb_ledger as ledger
        from penstock.destinations import duckdb_runs as runs
        from penstock.destinations.duckdb_relations import relations
        from penstock.destinations.engine import explained, table_of

        with self._reading() as con:
            runs.create(con, "TEMP TABLE")
            known = relations(con)
            tables = tuple(ledger.shapes(con)) if self.path.exists() else ()
            con.execute("BEGIN TRANSACTION READ ONLY")
            try:
                with explained(str(self.path), [*known, *tables]):
                    return table_of(con, sql, parameters)
            except NotFoundError as error:
                for name in tables:
                    if f"`{name}`" in error.what:
                        raise RefusedError(
                            f"`{name}` is in `{self._spec.target}`, which takes rows and gives none",
                            hint="ask the place that the target writes to",
                        ) from error
                raise
            finally:
                con.execute("ROLLBACK")

    def note(self, run: RunRecord) -> None:
        """Keep the record of a run, unless the file was never made. Called with the lock held."""
        if not self._held:
            raise BugError("a run was noted without the lock", where=str(self.path))
        if self.path.exists():
            from penstock.destinations import duckdb_runs as runs

            runs.note(self._writer(), run, str(self.path))

    def close(self) -> None:
        """Let go of the ledger."""
        if self._con is not None:
            con, self._con = self._con, None
            con.close()

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        """A connection that sees what is committed."""
        from penstock.destinations.duckdb_file import open_to_read

        if self._held and self._wal.exists():
            self._writer()  # a killed run's last commit is in there; closing moves it into the file
        if self._con is not None:
            con = self._con.cursor()
            con.execute("SET TimeZone = 'UTC'")
        else:
            con = open_to_read(self.path, "main", self._limits())
        try:
            yield con
        finally:
            con.close()

    def _writer(self) -> Any:
        from penstock.destinations.duckdb_file import open_to_write

        if self._con is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._con = open_to_write(self.path, "main", self._limits())
        return self._con

    def _limits(self) -> Limits:
        from penstock.destinations.engine import Limits

        return Limits()

    def _outcome(self, load_id: str) -> bool:
        """Whether the ledger has a load, after its COMMIT failed.

        Raises: UncertainError: the target has the rows, and the ledger does not say so.
        """
        from penstock.destinations import duckdb_ledger as ledger

        self.close()
        found = "the ledger does not have it"
        try:
            if ledger.has_load(self._writer(), load_id):
                return True
        except PenstockError as error:
            found = error.what
        raise UncertainError(
            f"load {load_id} is in `{self._spec.target}`, but could not be noted",
            where=str(self.path),
            found=found,
            hint="the next run sends its rows again; with `write: merge` nothing is there twice",
        )


def _stat(path: Path) -> str:
    try:
        found = path.stat()
    except FileNotFoundError:
        return "absent"
    return f"{found.st_size}-{found.st_mtime_ns}-{found.st_ino}"
