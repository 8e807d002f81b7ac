"""One table, read from where the last run left it: blocks, and checkpoints where one is sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal as Exact
from decimal import InvalidOperation
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from penstock.cursors.incremental import Incremental
from penstock.errors import RefusedError
from penstock.ports import Block, Checkpoint
from penstock.schema import types as t
from penstock.schema.arrow import to_arrow
from penstock.schema.types import DataType, Decimal, Timestamp
from penstock.sources.sql.arrive import arrive
from penstock.sources.sql.choose import Job
from penstock.sources.sql.faults import refuse_value
from penstock.sources.sql.progress import Progress
from penstock.sources.sql.relation import Field, How, Query, Server
from penstock.sources.sql.statement import select

_LAST_DAY, _LAST_US = 2_932_896, 253_402_300_799_999_999  # the end of the year 9999, as Python knows it


class Reading:
    """A table in the course of being read. `due` tells whether it is time for a checkpoint."""

    def __init__(
        self, server: Server, job: Job, progress: Progress, rows: int, due: Callable[[int], bool]
    ) -> None:
        self.server = server
        self.job = job
        self.progress = progress
        self.rows = rows
        self.due = due
        self.cursor = self._bound() if job.spec.incremental else None

    def items(self) -> Iterator[Block | Checkpoint]:
        """What is new. Raises: RefusedError, OutsideError."""
        if self.cursor is None and self.job.by_position and self.progress.is_done(self.job.name):
            return
        empty = True
        for batch in self.server.batches(self._query()):
            made = arrive(self.job.name, batch, self.job.relation.fields)
            new = self._new(made)
            if new.num_rows:
                empty = False
                yield Block(self.job.name, new, self.job.hints)
            if self.due(made.num_rows) and made.num_rows and self._stand(made):
                yield Checkpoint(self.progress.dump())
        if empty:
            yield Block(self.job.name, _nothing(self.job), self.job.hints)
        if self.cursor is not None:
            self.cursor.finish()
        elif self.job.by_position:
            self.progress.end(self.job.name)
        if self.due(0):
            yield Checkpoint(self.progress.dump())

    # ------------------------------------------------------------------------------ what is new

    def _bound(self) -> Incremental[Any]:
        said, job = self.job.spec.incremental, self.job
        assert said is not None
        field = job.relation.field(said.cursor)
        assert field is not None
        if not field.ordered:
            raise RefusedError(
                f"`{job.name}` cannot be read by the cursor `{said.cursor}`",
                found=f"a `{field.native}`, which is carried as {field.kind}",
                expected="a number, a date, an instant or plain text",
                hint=f"read it as a number of a known scale: `types: {{{said.cursor}: 'decimal(38,6)'}}`",
            )
        kind = _python(field.kind, said.initial_value)
        made: Incremental[Any] = Incremental[kind](  # type: ignore[valid-type]  # it is asked for at run time
            said.cursor,
            initial_value=bound(said.initial_value, field),
            end_value=bound(said.end_value, field),
            last_value_func=said.func,
            row_order="asc",
            on_cursor_value_missing=said.on_missing,
            lag=said.lag,
            range_start=said.range_start,
            range_end=said.range_end,
            allow_external_schedulers=said.allow_external_schedulers,
        )
        memory = self.progress.cursor(job.name, said.cursor) if said.end_value is None else {}
        return made.bind(job.name, memory, job.key)

    def _query(self) -> Query:
        asked = self.cursor.predicate() if self.cursor is not None else None
        after: tuple[object, ...] = ()
        if self.cursor is None and self.job.by_position:
            after = self.progress.after(self.job.name, self.job.relation.primary_key)
        falling = self.job.spec.incremental is not None and self.job.spec.incremental.func == "min"
        sql = select(self.job, self.server.quote, self.server.literal, asked, after, falling)
        own = bool(self.job.spec.where or self.job.spec.query)
        return Query(self.job.name, sql, self.job.relation.fields, own, self.rows)

    def _new(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.cursor is None or not batch.num_rows:
            return batch
        _check_calendar(self.job.name, self.cursor.cursor_path, batch)
        return self.cursor.apply(batch)

    def _stand(self, batch: pa.RecordBatch) -> bool:
        """Write down how far the table was read. Returns: whether it can be gone on with from there."""
        if self.cursor is not None:
            if not self.cursor.resumable:
                return False
            try:
                self.cursor.finish()
            except RefusedError:  # too many rows of one value so far; the end is the judge of it
                return False
            return True
        if not self.job.by_position:
            return False
        key = self.job.relation.primary_key
        last = batch.slice(batch.num_rows - 1)
        try:
            values = [last.column(name)[0].as_py() for name in key]
            for value in values:
                self.server.literal(value)
        except (TypeError, ValueError, OverflowError):  # such a key has no place in a query
            return False
        self.progress.stand(self.job.name, key, values)
        return True


def _nothing(job: Job) -> pa.RecordBatch:
    kinds = [(f.name, pa.string() if f.kind == t.NULL else to_arrow(f.kind)) for f in job.relation.fields]
    return cast(pa.RecordBatch, pa.RecordBatch.from_pylist([], schema=pa.schema(kinds)))


def _check_calendar(table: str, name: str, batch: pa.RecordBatch) -> None:
    """Refuse a cursor that no later run could be told: Python's calendar ends with the year 9999."""
    column = batch.column(name)
    if pa.types.is_date32(column.type):
        greatest, most = pc.max(column.cast(pa.int32())).as_py(), _LAST_DAY
    elif pa.types.is_timestamp(column.type):
        unit = {"s": 1_000_000, "ms": 1000, "us": 1, "ns": 1}[column.type.unit]
        greatest, most = pc.max(column.cast(pa.int64())).as_py(), _LAST_US // unit
    else:
        return
    if greatest is not None and greatest > most:
        raise refuse_value(table, name, "a cursor beyond the year 9999")


# -------------------------------------------------------------------------------- initial values


def bound(said: str | float | None, field: Field) -> object:
    """What a project file says of a bound, as a value of the column. Raises: RefusedError."""
    if said is None or field.how is How.SEEN:
        return said
    try:
        return _value(said, field.kind)
    except (ValueError, InvalidOperation) as error:
        raise RefusedError(
            f"{said!r} is no value of the cursor `{field.name}`",
            expected=f"a {field.kind}",
            hint="ISO text for dates and instants, such as '2024-01-31T00:00:00Z'",
        ) from error


def _python(kind: DataType, said: object) -> type:
    """The type of Python that values of a cursor have."""
    if isinstance(kind, Timestamp):
        return datetime
    if isinstance(kind, Decimal):
        return Exact
    if t.is_integer(kind):
        return int
    if t.is_float(kind):
        return float
    return date if kind == t.DATE else type(said) if said is not None else str


def _value(said: str | float, kind: DataType) -> object:
    if isinstance(kind, Timestamp):
        instant = datetime.fromisoformat(str(said))
        if kind.zone:
            return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
        if instant.tzinfo is not None:
            raise ValueError("the column has no time zone")
        return instant
    if kind == t.DATE:
        return date.fromisoformat(str(said))
    if isinstance(kind, Decimal):
        return Exact(str(said))
    if t.is_integer(kind):
        return int(said)
    return float(said) if t.is_float(kind) else str(said)
