"""A DuckDB file as a destination: the tables, and the ledger beside them in the same file.

A load is one DuckDB transaction, so it is there or it is not. Importing this module loads no
driver, and neither does asking for the `fingerprint`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.destinations.flock import hold, holder_of
from penstock.errors import BugError, PenstockError, UncertainError
from penstock.ledger import Facts, RunRecord

if TYPE_CHECKING:
    from penstock.destinations.duckdb_load import DuckDBTransaction
    from penstock.destinations.engine import Limits
    from penstock.project.spec import DuckDBSpec


class DuckDBDestination:
    """A DuckDB file. One run writes to it at a time, because DuckDB lets one process write.

    The file is made when the first load begins. Before that, and while no lock is held, it is opened
    for reading only and for as long as a question takes, so that other tools can use it.
    """

    def __init__(self, spec: DuckDBSpec, root: Path) -> None:
        self.path = root / Path(spec.path).expanduser()
        self.url = f"duckdb:///{self.path}"
        self._schema = spec.schema_name
        self._spec = spec
        self._lock = self.path.with_name(self.path.name + ".lock")
        self._wal = self.path.with_name(self.path.name + ".wal")
        self._held = False
        self._con: Any = None  # Any: DuckDB's connection is untyped
        self.loads = 0
        """How many loads were begun; each leaves the connection with limits of its own."""

    def fingerprint(self) -> str | None:
        """Size, time and identity of the file and of its write-ahead log."""
        return ", ".join(_stat(p) for p in (self.path, self._wal))

    @contextmanager
    def lock(self, pipeline: str, holder: str) -> Iterator[None]:  # noqa: ARG002
        """Hold the file, which all its pipelines share. Raises: LockHeldError, naming the holder."""
        with hold(self._lock, f"`{self.path.name}`", holder):
            self._held = True
            try:
                yield
            finally:
                self._held = False
                self.close()

    def holder(self, pipeline: str) -> str | None:  # noqa: ARG002
        """Who holds the file, or None."""
        return holder_of(self._lock)

    def facts(self, pipeline: str) -> Facts:
        """What the ledger says of a pipeline."""
        if not self.path.exists():
            return Facts()
        from penstock.destinations import duckdb_ledger as ledger
        from penstock.destinations.engine import explained

        with self.reading() as con, explained(str(self.path)):
            return ledger.facts(con, pipeline)

    def begin(self, pipeline: str, load_id: str) -> DuckDBTransaction:
        """Start a load. Called with the lock held."""
        if not self._held:
            raise BugError("a load was begun without the lock", where=str(self.path))
        from penstock.destinations.duckdb_load import DuckDBTransaction

        limits = self.limits
        self.loads += 1
        return DuckDBTransaction(self.writing(), str(self.path), pipeline, load_id, limits, self._outcome)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The answer of a query as an Arrow table; it cannot write.

        Raises: NotFoundError for an unknown table; RefusedError for wrong SQL; LockHeldError while
        another process writes.
        """
        from penstock.destinations.engine import table_of

        with self._asking() as con:
            return table_of(con, sql, parameters)

    def stream(self, sql: str, parameters: Sequence[object], rows: int) -> Iterator[Any]:
        """The answer of a query as record batches of at most so many rows; they are not held in memory.

        Until the last one is taken nobody can write to the file. Raises: as `query`.
        """
        from penstock.destinations.engine import batches_of

        with self._asking() as con:
            yield from batches_of(con, sql, parameters, rows, str(self.path))

    def show_in(self, connection: Any, tables: Sequence[str], schema: str | None = None) -> None:
        """Make a view for each table in another DuckDB connection, which holds the file from then on.

        Views are temporary, or lie in a `schema` that is made for them.
        """
        from penstock.destinations.duckdb_file import show
        from penstock.destinations.engine import explained

        with explained(str(self.path)):
            show(connection, self.path, self._schema, tables, schema)

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        """A connection for one query, which sees the tables of runs too and cannot write."""
        from penstock.destinations import duckdb_models as models
        from penstock.destinations import duckdb_runs as runs
        from penstock.destinations.duckdb_relations import relations
        from penstock.destinations.engine import explained

        with self.reading() as con:
            runs.create(con, "TEMP TABLE")
            models.create(con, "TEMP TABLE")
            known = relations(con)
            with explained(str(self.path), known):
                con.execute("BEGIN TRANSACTION READ ONLY")
                try:
                    yield con
                finally:
                    con.execute("ROLLBACK")

    def note(self, run: RunRecord) -> None:
        """Keep the record of a run, unless the file was never made. Called with the lock held."""
        if not self._held:
            raise BugError("a run was noted without the lock", where=str(self.path))
        if self.path.exists():
            from penstock.destinations import duckdb_runs as runs

            runs.note(self.writing(), run, str(self.path))

    def close(self) -> None:
        """Let go of the file; what was committed is moved from its write-ahead log into it."""
        if self._con is not None:
            con, self._con = self._con, None
            con.close()

    @contextmanager
    def reading(self, *, bare: bool = False) -> Iterator[Any]:
        """A connection that sees what is committed, with all tables of the ledger unless it is `bare`."""
        from penstock.destinations.duckdb_file import open_to_read

        if self._held and self._wal.exists():
            self.writing()  # a killed run's last commit is in there; closing moves it into the file
        if self._con is not None:
            con = self.cursor()
        else:
            con = open_to_read(self.path, self._schema, self.limits, bare=bare)
        try:
            yield con
        finally:
            con.close()

    def writing(self) -> Any:
        """The connection that writes, opened if it is not. Raises: BugError without the lock."""
        if not self._held:
            raise BugError("the file was opened for writing without the lock", where=str(self.path))
        from penstock.destinations.duckdb_file import open_to_write

        if self._con is None:
            self._con = open_to_write(self.path, self._schema, self.limits)
        return self._con

    def cursor(self) -> Any:
        """Another connection that writes, with transactions of its own. Close it before the file."""
        from penstock.destinations.duckdb_file import use

        con = self.writing().cursor()
        if self._schema != "main":
            use(con, self._schema)
        return con

    @property
    def limits(self) -> Limits:
        """What connections may use."""
        from penstock.destinations.engine import Limits

        return Limits(self._spec.memory_limit, self._spec.threads)

    def _outcome(self, load_id: str) -> bool:
        """Whether a load is in the file, asked of the file itself after its COMMIT failed."""
        from penstock.destinations import duckdb_ledger as ledger

        self.close()
        try:
            return ledger.has_load(self.writing(), load_id)
        except PenstockError as error:
            raise UncertainError(
                f"load {load_id} may or may not have been committed",
                where=str(self.path),
                found=error.what,
                hint="run again when the disk can be read; the ledger will tell",
            ) from error


def _stat(path: Path) -> str:
    try:
        found = path.stat()
    except FileNotFoundError:
        return "absent"
    return f"{found.st_size}-{found.st_mtime_ns}-{found.st_ino}"
