"""Parquet files in a folder or bucket as a destination, with a commit log that says which count.

A load is true from the moment its entry in the log is there. Readers that come through `query` go
by the log; others see the files of committed loads appear a moment later, each whole. Importing this
module loads neither pyarrow nor DuckDB, and neither does asking for the `fingerprint`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from penstock.destinations import flock, lease
from penstock.destinations.parquet_log import (
    STAGING,
    Entry,
    Snapshot,
    condense,
    newest_entry,
    read_entry,
    read_log,
    write_entry,
)
from penstock.destinations.parquet_names import check_template
from penstock.destinations.parquet_runs import note, runs_in
from penstock.errors import (
    BugError,
    ConflictError,
    LockHeldError,
    OutsideError,
    PenstockError,
    StoreError,
    UncertainError,
)
from penstock.ledger import Facts, RunRecord

if TYPE_CHECKING:
    from penstock.destinations.parquet_load import ParquetTransaction
    from penstock.destinations.parquet_read import Files
    from penstock.ports import Store
    from penstock.project.spec import ParquetSpec

_LOOKS = 4  # a query may meet files on the move; the log says where they went
_log = logging.getLogger(__name__)


class ParquetDestination:
    """Parquet files below `store`. One run writes to it at a time.

    On this machine's disk the lock is one of the kernel's and goes with its process. In a bucket it
    is an object that expires unless it is renewed.
    """

    def __init__(self, spec: ParquetSpec, root: Path, store: Store, lease_s: float = lease.LEASE_S) -> None:  # noqa: ARG002
        check_template(spec.layout)
        self.url = store.url
        self._spec = spec
        self._store = store
        self._lease_s = lease_s
        self._local = local_folder(store.url)
        self._lease: lease.Lease | None = None
        self._held = False
        self._settled = False
        self._snapshot: Snapshot | None = None
        self._reading = RLock()  # models are built by several threads, of which each reads the log

    def fingerprint(self) -> str | None:
        """The newest entry of the log; None while files are not yet where the log says."""
        if next(self._store.list(STAGING), None) is not None:
            return None
        newest = newest_entry(self._store)
        return "absent" if newest is None else " ".join(newest)

    @contextmanager
    def lock(self, pipeline: str, holder: str) -> Iterator[None]:  # noqa: ARG002
        """Hold the folder, which all its pipelines share. Raises: LockHeldError, naming the holder."""
        with self._locked(holder) as self._lease:
            self._held, self._settled = True, False
            try:
                yield
            finally:
                self._held = False

    @contextmanager
    def _locked(self, holder: str) -> Iterator[lease.Lease | None]:
        if self._local is not None:
            with flock.hold(self._lock_file, f"`{self._local}`", holder):
                yield None
        else:
            with lease.hold(self._store, holder, self._lease_s) as held:
                yield held

    @property
    def scratch(self) -> Path | None:
        """The folder for files in the making; None: the system's. Raises: BugError without the lock."""
        if not self._held:
            raise BugError("a model was begun without the lock", where=self.url)
        return self._local / "_penstock" if self._local is not None else None

    @property
    def _lock_file(self) -> Path:
        assert self._local is not None
        return self._local / "_penstock" / "lock"

    def holder(self, pipeline: str) -> str | None:  # noqa: ARG002
        """Who holds the folder, or None."""
        return lease.holder_of(self._store) if self._local is None else flock.holder_of(self._lock_file)

    def facts(self, pipeline: str) -> Facts:
        """What the log says of a pipeline; with the lock held, unfinished moves are finished first."""
        snapshot = self.current()
        if not snapshot.loads:
            return Facts()
        from penstock.schema.definition import table_from_json

        loads = [load for load in snapshot.loads if load.pipeline == pipeline]
        files = [f for f in snapshot.files if f.pipeline == pipeline]
        return Facts(
            files=tuple(sorted(files, key=lambda f: (f.landed_at, f.key))),
            tables={
                name: table_from_json(d.definition)
                for name, d in snapshot.newest().items()
                if d.pipeline == pipeline
            },
            state={s.source: s.state for s in snapshot.states if s.pipeline == pipeline},
            last_load=max(loads, key=lambda load: (load.committed_at, load.load_id), default=None),
        )

    def begin(self, pipeline: str, load_id: str) -> ParquetTransaction:
        """Start a load. Called with the lock held."""
        if not self._held:
            raise BugError("a load was begun without the lock", where=self.url)
        from penstock.destinations.engine import Limits
        from penstock.destinations.parquet_load import ParquetTransaction, Place
        from penstock.destinations.parquet_parts import Writing

        snapshot = self.current()
        place = Place(
            store=self._store,
            template=self._spec.layout,
            writing=Writing(
                self._spec.compression,
                self._spec.compression_level,
                self._spec.row_group_rows,
                self._spec.file_bytes,
            ),
            local=self._local,
            limits=Limits(),
            files=self.files,
            publish=partial(self._publish, snapshot),
        )
        return ParquetTransaction(place, snapshot, pipeline, load_id)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The answer of a query as an Arrow table; it cannot write.

        Raises: NotFoundError for an unknown table; RefusedError for wrong SQL.
        """
        from penstock.destinations.parquet_query import answer

        runs = runs_in(self._store)
        for _ in range(_LOOKS - 1):
            try:
                return answer(self.current(), self.files, sql, parameters, self.url, runs)
            except StoreError:
                self._snapshot = None
        return answer(self.current(), self.files, sql, parameters, self.url, runs)

    def stream(self, sql: str, parameters: Sequence[object], rows: int) -> Iterator[Any]:
        """The answer of a query as record batches of at most so many rows; they are not held in memory.

        It is that of the moment when the first is taken. Raises: as `query`; StoreError when a load
        takes files away meanwhile.
        """
        from penstock.destinations.engine import batches_of
        from penstock.destinations.parquet_query import asking

        with asking(self.current(), self.files, sql, self.url, runs_in(self._store)) as con:
            yield from batches_of(con, sql, parameters, rows, self.url)

    def show_in(self, connection: Any, tables: Sequence[str], schema: str | None = None) -> None:
        """Make a view for each table in a DuckDB connection, of what is committed now.

        Views are temporary, or lie in a `schema` that is made for them.
        """
        from penstock.destinations.engine import explained
        from penstock.destinations.parquet_views import show

        with explained(self.url):
            show(connection, self.files(connection), self.current(), tables, schema)

    def note(self, run: RunRecord) -> None:
        """Keep the record of a run. Called with the lock held."""
        if not self._held:
            raise BugError("a run was noted without the lock", where=self.url)
        note(self._store, run)

    def close(self) -> None:
        """Forget what was read of the log."""
        self._snapshot = None

    def files(self, con: Any) -> Files:
        """How a DuckDB connection gets at the files."""
        if self._local is not None:
            from penstock.destinations.parquet_read import LocalFiles

            return LocalFiles(self._local)
        from penstock.destinations.parquet_remote import RemoteFiles

        return RemoteFiles(self._store, con)

    def current(self) -> Snapshot:
        """What the log says now; with the lock held, unfinished moves are finished first."""
        with self._reading:
            self._snapshot = read_log(self._store, self._snapshot)
            if self._held and not self._settled:
                from penstock.destinations.parquet_settle import settle

                settle(self._store, self._snapshot)
                self._settled = True
            return self._snapshot

    def _publish(self, snapshot: Snapshot, entry: Entry) -> None:
        """Make an entry true, then bring its files to their places.

        Raises: LockHeldError or StoreError if it is not true; UncertainError if that is not known.
        """
        from penstock.destinations.parquet_settle import clear_removed, move_in, note_removed

        assert entry.load is not None
        if self._lease is not None:
            self._lease.check()
        if entry.removed:
            note_removed(self._store, entry.load.load_id, entry.removed)
        with self._reading:
            try:
                write_entry(self._store, entry)
            except (ConflictError, OutsideError) as error:
                if not self._is_true(entry, error):
                    raise _refusal(error, self.url) from error
            snapshot.apply(entry)
            self._snapshot = snapshot
        try:
            move_in(self._store, entry.added)
            clear_removed(self._store, entry.load.load_id)
        except PenstockError as error:
            self._settled = False
            _log.warning("the load is committed; the next run moves its files: %s", error.what)
        condense(self._store, snapshot)

    def _is_true(self, entry: Entry, error: PenstockError) -> bool:
        """Whether an entry is in the log although writing it failed.

        Raises: UncertainError when the log cannot tell, or when a request may still be on its way.
        """
        assert entry.load is not None
        try:
            found = self._store.stat(f"_penstock/log/{entry.sequence:020}.json")
            theirs = read_entry(self._store, entry.sequence).load if found is not None else None
        except OutsideError as second:
            raise self._uncertain(entry, second) from error
        if found is None and self._local is None:
            raise self._uncertain(entry, error) from error
        return theirs is not None and theirs.load_id == entry.load.load_id

    def _uncertain(self, entry: Entry, error: PenstockError) -> UncertainError:
        assert entry.load is not None
        return UncertainError(
            f"load {entry.load.load_id} may or may not have been committed",
            where=self.url,
            found=error.what,
            hint="run again; the commit log will tell",
        )


def _refusal(error: PenstockError, where: str) -> PenstockError:
    if not isinstance(error, ConflictError):
        return error
    return LockHeldError(
        "another run committed first",
        where=where,
        hint="nothing of this load was kept; run again",
    )


def local_folder(url: str) -> Path | None:
    """The folder that a store's URL names, or None for a bucket."""
    if "://" not in url:
        return Path(url)
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
