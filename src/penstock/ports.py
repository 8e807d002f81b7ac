"""The seams between deciding and doing: where files lie, where data comes from, where it goes.

An adapter implements one of these and nothing else; adapters never know each other. What data
comes from is a `Source` if it has files, and a `Producer` if it makes rows. Conformance suites are
in `penstock.testing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from penstock.ledger import Built, Commit, Facts, RunRecord
from penstock.plan import Offer as Offer
from penstock.schema.disposition import Disposition
from penstock.schema.hints import Hints
from penstock.schema.table import Table

if TYPE_CHECKING:
    import pyarrow as pa


# ---------------------------------------------------------------------------------------- stores


@dataclass(frozen=True, slots=True)
class Stat:
    """A stored object. `modified_at` in Unix seconds; `etag` changes whenever the bytes do."""

    key: str
    size_bytes: int
    modified_at: float
    etag: str


@dataclass(frozen=True, slots=True)
class Put:
    """What was written: its size and the SHA-256 (hex) of the bytes that were read for it."""

    key: str
    size_bytes: int
    sha256: str


class Store(Protocol):
    """A folder or a bucket prefix. Keys are relative, with `/` between their parts.

    Every write is atomic (readers see all of it or nothing) and durable when the call returns.
    """

    url: str

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Every object below `prefix`, in no order; nothing for a folder that is not there."""
        ...

    def stat(self, key: str) -> Stat | None:
        """The object at `key`, or None."""
        ...

    def open(self, key: str) -> BinaryIO:
        """The bytes at `key` as a stream. Raises: NotFoundError."""
        ...

    def create(self, key: str, data: BinaryIO | bytes) -> Put:
        """Write a new object from a stream, hashing as it goes.

        Raises: ConflictError when `key` exists (its bytes are untouched); StoreError.
        """
        ...

    def replace(self, key: str, data: bytes) -> Put:
        """Write an object whether or not `key` exists. For small private files."""
        ...

    def adopt(self, source: Store, source_key: str, key: str) -> Put:
        """Make the object `source_key` of another store a new object here, bytes unchanged.

        The answer's SHA-256 is of the bytes read back from here after the write. A local store
        links files of the same file system instead of copying them.
        Raises: ConflictError when `key` exists; NotFoundError; StoreError.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if it is not there."""
        ...

    def digest(self, key: str) -> str:
        """The SHA-256 (hex) of the bytes at `key`, read now. Raises: NotFoundError."""
        ...


# --------------------------------------------------------------------------------------- sources


class Source(Protocol):
    """Something that data comes from."""

    def offers(self, taken: frozenset[str], state: str | None) -> Sequence[Offer]:
        """The files that are ready and whose identity is not in `taken`, oldest first.

        `state` is the JSON text that the last committed extract left, or None.
        """
        ...

    def open(self, offer: Offer) -> BinaryIO:
        """The bytes of an offered file. Raises: StoreError."""
        ...

    def state(self, taken: Sequence[Offer], state: str | None) -> str | None:
        """The state after these offers were taken, or None if the source keeps none."""
        ...

    def fingerprint(self) -> str | None:
        """A cheap digest of everything on offer, taken or not; None if only `offers` can tell."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of one table, in order, as a producer made them.

    `data` is a list of rows (mappings of column name to Python value), an Arrow table or record
    batch, or the path of a file to take as it is. `hints` say what the producer knows of the table;
    those of the last block of a table hold for all of it.
    """

    table: str
    data: Sequence[Mapping[str, object]] | pa.Table | pa.RecordBatch | Path
    hints: Hints | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All blocks so far are whole without those that follow; `state` (JSON text) is theirs."""

    state: str | None


class Producer(Protocol):
    """Something that makes rows, tables and state while it is asked, and has no files of its own.

    What it gave since the last checkpoint is landed whole or not at all: a run that is killed in
    between asks again from the state of the last checkpoint that was landed.
    """

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:
        """Everything that is new since `state`, the JSON text of the last checkpoint, or None.

        The end is a checkpoint only if one is yielded: without any, no state is kept.
        Raises: what the producer's own code raises.
        """
        ...

    def restart(self, state: str | None) -> str | None:
        """The state without how far everything that this producer makes has come."""
        ...


# ---------------------------------------------------------------------------------- destinations


@dataclass(frozen=True, slots=True)
class Batches:
    """Accepted rows of one table as a stream of record batches of one schema.

    `schema` is an Arrow schema that agrees with the table by `records.arrow.arrow_schema`.
    """

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]


class Transaction(Protocol):
    """One load in the making; nothing is visible before `commit`, and `rollback` leaves nothing.

    For each table: `shape` first, then any number of `write`s, with a further `shape` in between
    whenever the table grew.
    """

    def shape(self, table: Table, disposition: Disposition) -> None:
        """Create the table or grow it to `table`: new columns, wider types; never narrower.

        The load-id column `_penstock_load_id` (text) is added by the destination.
        Columns of type `null` are left out until their type is known.
        """
        ...

    def write(self, table: Table, disposition: Disposition, data: Batches) -> int:
        """Write rows; returns how many were received. `replace` empties the table once a load."""
        ...

    def keys(self, table: str, columns: Sequence[str]) -> pa.Table | None:
        """The distinct values of some columns of a table as this load sees it; None: no such table."""
        ...

    def clashes(self, table: str, columns: Sequence[str], keys: pa.RecordBatchReader) -> pa.Table:
        """Those of some keys that rows of earlier loads have.

        Shape: `keys` and the answer have text columns called as `columns`; a value is compared as
        DuckDB writes it as text in UTC.
        """
        ...

    def forget(self, tables: Sequence[str] | None) -> None:
        """Drop tables of this pipeline and their ledger rows; all of them if None. For a rebuild."""
        ...

    def commit(self, commit: Commit) -> None:
        """Make the rows, the ledger, the shapes and the state true at once, durably.

        Raises: UncertainError when it cannot be known whether the commit happened.
        """
        ...

    def rollback(self) -> None:
        """Undo everything of this load."""
        ...


class Destination(Protocol):
    """A warehouse: tables, and the ledger that says what is in them."""

    url: str

    def fingerprint(self) -> str | None:
        """A cheap digest of the present state, told without loading a driver; None: cannot tell."""
        ...

    def lock(self, pipeline: str, holder: str) -> AbstractContextManager[None]:
        """Hold the pipeline. Raises: LockHeldError, naming the holder."""
        ...

    def holder(self, pipeline: str) -> str | None:
        """Who holds the pipeline now, or None."""
        ...

    def facts(self, pipeline: str) -> Facts:
        """What is remembered of a pipeline; empty facts for a destination that is new."""
        ...

    def begin(self, pipeline: str, load_id: str) -> Transaction:
        """Start a load. Called with the lock held."""
        ...

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Read with SQL; every table, the ledger included, is there under its own name.

        Raises: NotFoundError for an unknown table; RefusedError for wrong SQL.
        """
        ...

    def note(self, run: RunRecord) -> None:
        """Keep the record of a run, which `query` shows in `_penstock_runs` and `_penstock_steps`.

        Called with the lock held and no load open. A destination that holds nothing yet may leave it
        out. Raises: OutsideError; no load is undone by it.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files."""
        ...


# ---------------------------------------------------------------------------------------- models


STAGED = "_penstock_staged"
"""The relation under which a build's own SQL finds the rows that it holds."""
PLACE = "_penstock_place"
"""A further column of it: where a row stands among those held, as a number that no other row has."""


class Build(Protocol):
    """One model in the making, in a transaction of its own; nothing is visible before `commit`.

    `stage` or `stage_rows` once, then any number of questions and removals, then `put` once, then `commit`;
    or `view` and `commit`. Builds of several models may be open at once, each in a thread of its own.
    """

    def stage(self, table: str, sql: str) -> Table:
        """Run a query and hold its rows. Returns their shape, as a table of that name.

        Raises: RefusedError for wrong SQL, with the engine's words.
        """
        ...

    def stage_rows(self, table: str, data: Batches) -> Table:
        """Hold rows that were made elsewhere. Returns their shape."""
        ...

    def query(self, sql: str) -> pa.Table:
        """Ask of the rows held, which are the relation `STAGED`, and of every table. Raises: RefusedError."""
        ...

    def remove(self, condition: str) -> int:
        """Let go of the held rows for which a SQL condition is true; returns how many they were.

        The condition may name `PLACE`.
        """
        ...

    def put(self, table: Table, disposition: Disposition, *, anew: bool = False) -> int:
        """Make the held rows the model's rows, as the disposition says; returns how many were received.

        With `anew` they meet no rows of earlier builds: the table is made as if there had been none.

        Columns come in the order and with the types of `table`; a value that does not fit its type raises
        RefusedError. A `replace` without `overwrite` makes the table anew, whatever shape it had.
        """
        ...

    def view(self, table: str, sql: str) -> Table:
        """Make the model a view, in place of the view or table that it was. Returns its shape."""
        ...

    def commit(self, built: Built) -> None:
        """Make the rows and the ledger's row true at once. Raises: UncertainError."""
        ...

    def rollback(self) -> None:
        """Undo everything of this build; nothing happens after a commit."""
        ...


class Builder(Protocol):
    """What builds models at a destination. All is called with the destination's lock held but `built` and
    `versions`.
    """

    dialect: str
    """The dialect of SQL in which models are written here, as sqlglot calls it."""

    def built(self) -> Mapping[str, Built]:
        """The last build of every model, by the model's name."""
        ...

    def versions(self) -> Mapping[str, str | None]:
        """Every relation of the destination, and what changes whenever its rows may have: the last load or
        build that wrote it; None for what Penstock did not make, of which nothing is known.
        """
        ...

    def begin(self, model: str, build_id: str) -> Build:
        """Begin to build a model.

        Raises: RefusedError if the name is that of a relation which no model made.
        """
        ...

    def record(self, built: Sequence[Built]) -> None:
        """Keep that models were built by somebody else's program, in one commit."""
        ...

    def drop(self, models: Sequence[str]) -> None:
        """Drop what was built for models, and their rows in the ledger, in one commit."""
        ...
