"""One load: files in, one commit out. Rows are written while they are judged.

The rows of every file stream into one open transaction as they are judged, so a file is read and
parsed once. Only when every file has its verdict is anything kept or committed. If a verdict takes
away what was written already (a file that fails, a key that repeats), the transaction is rolled
back and the load is done again without it: surprises cost a second pass, clean loads never do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeAlias, cast

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import BugError, LossyError, NotFoundError, RefusedError
from penstock.gate.arrival import judge_arrival, judge_content, judge_counts, unreadable
from penstock.gate.rules import UNIQUE, lookups, rule_id, unique_keys
from penstock.gate.unique import KeyBook, Repeat
from penstock.gate.verdict import Action, Broken, Finding, Verdict
from penstock.gate.volume import judge_volume
from penstock.ledger import Facts, Waiting
from penstock.ports import Batches, Transaction
from penstock.records.cast import conform
from penstock.records.compression import open_decompressed
from penstock.records.flatten import flatten
from penstock.report.facts import FileDone, Phase, Progress
from penstock.run.flow import Flow, TableFlow
from penstock.run.rejects import RejectFile
from penstock.run.shape import Shape
from penstock.run.spool import Spool
from penstock.run.stream import Bench, HashingReader, Selection, Tally, stream
from penstock.schema.arrow import arrow_schema
from penstock.schema.disposition import Strategy, WriteMode
from penstock.schema.table import Table
from penstock.schema.types import NULL, DataType

HEAD_BYTES = 4096
ID_DIGITS = 16


@dataclass(slots=True)
class Job:
    """A file on its way through a load, with what earlier passes found out about it.

    `seen` are types that its source said its values have. One that is `gone` tells that its table is
    dropped: no table is made for it.
    """

    waiting: Waiting
    flow: TableFlow
    seen: Mapping[str, DataType] = field(default_factory=dict)
    gone: bool = False
    tally: Tally = field(default_factory=Tally)
    selection: Selection = field(default_factory=Selection)
    rejects: RejectFile | None = None
    error: RefusedError | None = None

    @property
    def key(self) -> str:
        """The file's key."""
        return self.waiting.key

    def close(self) -> None:
        """Forget the rejects that were gathered."""
        if self.rejects is not None:
            self.rejects.close()

    @property
    def verdict(self) -> Verdict:
        """The gate's word on the file as it stands."""
        t = self.tally
        findings = tuple(t.findings)
        return Verdict(
            self.key, self.waiting.table, t.rows, t.accepted, t.dropped, t.quarantined, t.broken, findings
        )


@dataclass(slots=True)
class Draft:
    """What a pass over all files gave: the open transaction, rows written and shapes by table.

    `spread` counts the rows of child tables, which are parts of rows. `repeats` says that rows were
    written whose keys turned out to repeat.
    """

    transaction: Transaction
    written: dict[str, int] = field(default_factory=dict)
    spread: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows of a batch come from: a file, and its first row's number and the others' offsets."""

    key: str
    first_row: int = 0
    places: Sequence[int] | None = None

    def ids(self, rows: int) -> pa.Array:
        """An id for each row, the same whenever this file is loaded."""
        places = pa.arange(0, rows) if self.places is None else pa.array(self.places, pa.int64())
        numbers = pc.add(places, self.first_row).cast(pa.string())
        prefix = hashlib.sha256(self.key.encode()).hexdigest()[:ID_DIGITS]
        return pc.binary_join_element_wise(prefix, numbers, "-")


Rows: TypeAlias = tuple[pa.RecordBatch, Table, Origin]
Opener: TypeAlias = Callable[[Job], BinaryIO]


class Pass:
    """One pass over the files of a load, into one transaction."""

    def __init__(self, flow: Flow, facts: Facts, bench: Bench, load_id: str, opened: Opener) -> None:
        self.flow = flow
        self.facts = facts
        self.bench = bench
        self.load_id = load_id
        self.opened = opened
        self._known = {f.sha256: f.key for f in facts.files if f.outcome == "loaded"}

    def run(self, transaction: Transaction, jobs: Sequence[Job]) -> Draft:
        """Judge and write the files, table after table. A job that fails has it in its tally.

        Raises: whatever stops the load as a whole (the destination, the disk).
        """
        draft = Draft(transaction)
        by_table: dict[str, list[Job]] = {}
        for job in jobs:
            by_table.setdefault(job.waiting.table, []).append(job)
        for table in in_key_order(by_table):
            group = by_table[table]
            shape = Shape(group[0].flow, self.facts.tables)
            if all(job.gone for job in group):
                self._look_through(shape, group)
                continue
            draft.written[table] = self._table(draft, shape, group)
            if shape.holding.columns:  # without any, no table was made
                draft.shapes[table] = shape
        return draft

    def _look_through(self, shape: Shape, jobs: list[Job]) -> None:
        """Read files that have no rows, for what the ledger says of them."""
        for number, job in enumerate(jobs):
            for _ in self._file(shape, job, number, KeyBook([])):
                raise BugError("a file that tells of a dropped table has rows", where=job.key)

    def _table(self, draft: Draft, shape: Shape, jobs: list[Job]) -> int:
        self._bring_keys(draft.transaction, shape)
        owner = shape.reading.primary_key if shape.flow.disposition.mode is WriteMode.MERGE else ()
        keys = unique_keys(shape.reading, shape.flow.rows)
        book = KeyBook([k for k in keys if not owner or not set(owner) <= set(k)], owner)
        try:
            with closing(self._rows(shape, jobs, book)) as rows, closing(_typed(rows, shape)) as typed:
                written = self._write(draft, shape, typed)
            repeats = [*book.repeats(), *self._clashes(draft.transaction, shape, book)]
            draft.repeats |= self._refuse(shape, jobs, repeats)
        finally:
            book.close()
        return written

    def _write(self, draft: Draft, shape: Shape, rows: Iterator[Rows]) -> int:
        """Write batches, and grow the destination's tables in between whenever the shape grew."""
        written = 0
        held = next(rows, None)
        while held is not None:
            self._settle(draft.transaction, shape)
            feed = _Feed(held, rows, shape, shape.holding)
            write = self._plain if shape.plan is None else self._spread
            written += write(draft, shape, feed)
            held = feed.held
        return written

    def _settle(self, transaction: Transaction, shape: Shape) -> None:
        done = False
        while not done:
            done = True
            for table in shape.tables:
                try:
                    transaction.shape(table, shape.disposition(table))
                except LossyError as error:
                    shape.widen_stored(table.name, error.column)
                    done = False
                    break

    def _plain(self, draft: Draft, shape: Shape, feed: _Feed) -> int:
        """Write rows as they are."""
        holding = shape.holding
        data = Batches(arrow_schema(holding), (batch for batch, _ in feed))
        return draft.transaction.write(holding, shape.flow.disposition, data)

    def _spread(self, draft: Draft, shape: Shape, feed: _Feed) -> int:
        """Write rows to the tables that they are spread over; those of children wait for the root's."""
        plan = shape.plan
        assert plan is not None
        root, *children = shape.tables
        spools = {child.name: Spool(arrow_schema(child)) for child in children}
        dispositions = {table.name: shape.disposition(table) for table in (root, *children)}

        def roots() -> Iterator[pa.RecordBatch]:
            for batch, origin in feed:
                parts = flatten(batch, plan, origin.ids(batch.num_rows))
                for name, spool in spools.items():
                    spool.add(parts[name])
                yield parts[root.name]

        try:
            data = Batches(arrow_schema(root), roots())
            written = draft.transaction.write(root, dispositions[root.name], data)
            for child in children:
                spool = spools[child.name]
                data = Batches(spool.schema, spool)
                rows = draft.transaction.write(child, dispositions[child.name], data)
                if rows != spool.rows:
                    raise BugError(f"`{child.name}` received {rows:,} of {spool.rows:,} rows")
                draft.spread[child.name] = draft.spread.get(child.name, 0) + rows
        finally:
            for spool in spools.values():
                spool.close()
        return written

    def _rows(self, shape: Shape, jobs: list[Job], book: KeyBook) -> Generator[Rows]:
        """Good rows of all files of a table in order, then an empty batch so that the table is made."""
        for number, job in enumerate(jobs):
            yield from self._file(shape, job, number, book)
        if len(arrow_schema(shape.reading)):
            yield _empty(shape.reading), shape.reading, Origin("")

    def _file(self, shape: Shape, job: Job, number: int, book: KeyBook) -> Iterator[Rows]:
        flow, waiting = self.flow, job.waiting
        tally = job.tally = Tally()
        job.close()
        job.rejects = RejectFile(job.key, self.load_id)
        reader = HashingReader(self.opened(job))
        name = job.key.rpartition("/")[2]
        with closing(reader.inner):
            try:
                with open_decompressed(cast(Any, reader), name) as plain:
                    for piece in stream(
                        plain, job.flow.format_of(name, job.seen), shape, self.bench, job.selection
                    ):
                        self._count(job, piece)
                        flow.observe(Progress(flow.pipeline, Phase.JUDGE, piece.size_bytes, piece.records))
                        if piece.batch.num_rows:
                            book.add(piece.batch, number, piece.rows() if book.keys else ())
                            yield piece.batch, piece.table, Origin(job.key, piece.first_row, piece.places)
            except RefusedError as error:
                job.error = error
                tally.findings.append(unreadable(error, job.flow.arrival))
            tally.sha256 = reader.drain()
            tally.size_bytes = reader.size_bytes
        self._conclude(job)
        flow.observe(FileDone(flow.pipeline, Phase.JUDGE, waiting.table, job.key))

    def _count(self, job: Job, piece: Any) -> None:
        tally = job.tally
        tally.rows += piece.records
        tally.accepted += piece.batch.num_rows
        tally.broken.update(piece.counts)
        tally.discarded.update(piece.discarded)
        aside = []
        for reject in piece.rejects:
            if reject.action is Action.DROP:
                tally.dropped += 1
                continue
            tally.quarantined += 1
            aside.append(reject)
            if reject.action is Action.FAIL:
                self._fail(job, reject.row, reject.broken)
        assert job.rejects is not None
        job.rejects.add(aside)

    def _fail(self, job: Job, row: int, broken: tuple[Broken, ...]) -> None:
        if any(f.rule == "rows" for f in job.tally.findings):
            return
        said = "; ".join(f"{b.column or ''} {b.rule}: {b.value}".strip() for b in broken)
        message = f"row {row:,} breaks a rule that must hold: {said}"
        rules = tuple(rule_id(b.rule, b.column) for b in broken)
        job.tally.findings.append(Finding("rows", Action.FAIL, message, rules))

    def _conclude(self, job: Job) -> None:
        tally, rules, waiting = job.tally, job.flow.arrival, job.waiting
        if job.error is None and job.selection.only is None:
            tally.findings.extend(judge_counts(tally.rows, tally.quarantined, rules))
            known = {} if self._known.get(tally.sha256) == job.key else self._known
            tally.findings.extend(judge_content(tally.sha256, known, rules))
            if job.flow.volume is not None:
                history = [f for f in self.facts.files if f.table == waiting.table and f.outcome == "loaded"]
                sizes = ([f.rows for f in history], [f.size_bytes for f in history])
                tally.findings.extend(judge_volume(tally.rows, tally.size_bytes, *sizes, job.flow.volume))
        if waiting.in_land and waiting.in_raw_hist and self.flow.raw_hist.digest(job.key) != tally.sha256:
            place = f"{self.flow.raw_hist.url}/{job.key}"
            message = f"raw history holds other bytes at this key: {place}"
            tally.findings.append(Finding("conflict", Action.FAIL, message))
        if job.verdict.passed:
            self._known.setdefault(tally.sha256, job.key)

    def _bring_keys(self, transaction: Transaction, shape: Shape) -> None:
        """Fetch the values that foreign keys may have, as this load sees them."""
        for lookup in lookups(shape.reading):
            found = transaction.keys(lookup.reference.table, lookup.reference.columns)
            values = (
                pa.table({"k": pa.array([], pa.string())}) if found is None else found.rename_columns(["k"])
            )
            engine = self.bench.engine
            engine.register("penstock_incoming", values)
            engine.execute(
                f"CREATE OR REPLACE TABLE {lookup.view} AS SELECT DISTINCT k FROM penstock_incoming"
            )
            engine.unregister("penstock_incoming")

    def _clashes(self, transaction: Transaction, shape: Shape, book: KeyBook) -> list[Repeat]:
        """Rows whose key another row of the table has from an earlier load.

        Where the rows of a load take the place of others that only the destination finds out, nothing
        is compared: the others are about to go.
        """
        disposition = shape.flow.disposition
        versions = disposition.strategy in (Strategy.UPSERT, Strategy.CDC)
        if disposition.mode is WriteMode.REPLACE or (disposition.mode is WriteMode.MERGE and not versions):
            return []
        found: list[Repeat] = []
        for number, columns in enumerate(book.keys):
            keys = book.distinct(number)
            if keys is None:
                continue
            known = _known_keys(transaction, shape, columns, keys)
            own = None
            if book.owner and known.num_rows:
                pairs = book.distinct(number, owned=True)
                own = _known_keys(transaction, shape, (*columns, *book.owner), pairs)
            found.extend(book.rows_with(number, known, own))
        return found

    def _refuse(self, shape: Shape, jobs: list[Job], repeats: Sequence[Repeat]) -> bool:
        """Note the rows that repeat a key, for the next pass; whether there are any."""
        refused: dict[int, dict[int, tuple[Action, tuple[Broken, ...]]]] = {}
        for repeat in repeats:
            column = repeat.columns[0] if len(repeat.columns) == 1 else None
            action = shape.flow.rows.action(UNIQUE, column)
            known = shape.reading.column(column) if column else None
            value = "***" if known is not None and known.sensitive else repeat.value
            broken = Broken(UNIQUE, column or ", ".join(repeat.columns), value)
            if action is Action.ALLOW:
                jobs[repeat.file].tally.broken[f"{broken.column}.{UNIQUE}"] += 1
            else:
                refused.setdefault(repeat.file, {})[repeat.row] = (action, (broken,))
        for number, rows in refused.items():
            before = jobs[number].selection
            jobs[number].selection = Selection({**before.refused, **rows}, before.only)
        return bool(refused)


class _Feed:
    """Batches of one schema: ends where the shape grew, and holds the batch that made it grow."""

    def __init__(self, first: Rows, rest: Iterator[Rows], shape: Shape, holding: Table) -> None:
        self.held: Rows | None = first
        self._rest = rest
        self._shape = shape
        self._holding = holding

    def __iter__(self) -> Iterator[tuple[pa.RecordBatch, Origin]]:
        while self.held is not None and self._shape.holding is self._holding:
            rows, read_as, origin = self.held
            batch, bad = conform(rows, self._holding, read_as)
            if bad:
                self._shape.widen_to_text(next(iter(bad)))
                return
            self.held = None
            yield batch, origin
            self.held = next(self._rest, None)


def _typed(rows: Iterator[Rows], shape: Shape) -> Generator[Rows]:
    """The same batches, held back until some column has a type; if none gets one, one becomes text."""
    untyped: list[Rows] = []
    for batch in rows:
        if any(column.type != NULL for column in shape.holding.columns):
            yield from untyped
            yield batch
            yield from rows
            return
        untyped.append(batch)
    if untyped:
        shape.widen_to_text(shape.reading.names[0])
        yield from untyped


def _known_keys(transaction: Transaction, shape: Shape, columns: Sequence[str], keys: Any) -> Any:
    """Those of some keys that rows of earlier loads have. Any: pyarrow is untyped."""
    stored = shape.stored_names(columns)
    if stored != tuple(columns):
        keys = renamed(keys, stored)
    return transaction.clashes(shape.reading.name, stored, keys).rename_columns(list(columns))


def renamed(reader: Any, names: Sequence[str]) -> Any:  # Any: pyarrow is untyped
    """A stream of batches with other names for its columns."""
    schema = pa.schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)])
    return pa.RecordBatchReader.from_batches(schema, (b.rename_columns(list(names)) for b in reader))


def _empty(table: Table) -> pa.RecordBatch:
    schema = arrow_schema(table)
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)


def in_key_order(jobs: Mapping[str, Sequence[Job]]) -> list[str]:
    """The tables of a load so that a table comes after those that its foreign keys name."""
    order: list[str] = []
    visiting: set[str] = set()

    def visit(table: str) -> None:
        if table in order or table in visiting or table not in jobs:
            return
        visiting.add(table)
        for column in jobs[table][0].flow.declared.columns:
            if column.foreign_key is not None:
                visit(column.foreign_key.table)
        order.append(table)

    for table in jobs:
        visit(table)
    return order


def open_landed(flow: Flow, job: Job) -> BinaryIO:
    """The bytes of a file in land, or in raw history if it has left land."""
    store = flow.land if job.waiting.in_land else flow.raw_hist
    return store.open(job.key)


def look_at_head(job: Job, opened: Opener) -> None:
    """Judge what can be told of a file before it is read: its size and its first bytes."""
    try:
        with opened(job) as stream_:
            head = stream_.read(HEAD_BYTES)
    except NotFoundError:
        job.tally.findings.append(Finding("gone", Action.FAIL, "the file is not there any more"))
        return
    name = job.key.rpartition("/")[2]
    job.tally.findings.extend(judge_arrival(head, job.waiting.size_bytes, name, job.flow.arrival))
