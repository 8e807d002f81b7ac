"""Loads of small tables into a destination, for the suites beside this module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar

import pyarrow as pa
import pytest

from penstock.ledger import LOAD_ID, Commit, LedgerFile, LedgerLoad
from penstock.ports import Batches, Destination
from penstock.schema.arrow import arrow_schema
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.table import Column, Table
from penstock.schema.types import DataType

Factory = Callable[[], Destination]
_Test = TypeVar("_Test", bound=Callable[..., None])
Row = dict[str, Any]  # Any: a value of any column type
APPEND = Disposition()
REPLACE = Disposition(WriteMode.REPLACE)
MERGE = Disposition(WriteMode.MERGE, ("id",))
NEWEST = Disposition(WriteMode.MERGE, ("id",), "at")
START = datetime(2026, 1, 4, 12, 30, 0, 123456, tzinfo=UTC)


def table(name: str, /, **columns: DataType) -> Table:
    """A table with these columns."""
    return Table(name, tuple(Column(n, k) for n, k in columns.items()))


def batches(of: Table, *groups: Sequence[Row]) -> Batches:
    """Rows as a stream, one batch for each group; a column that a row lacks is null."""
    schema = arrow_schema(of)
    arrays = [pa.array(group, pa.struct(schema)) for group in groups]
    return Batches(schema, [pa.RecordBatch.from_struct_array(a) for a in arrays])


def commit_of(load_id: str, pipeline: str = "p", **given: Any) -> Commit:
    """A commit of one load that brought `files`, `schemas`, `changes` and `state`."""
    files: tuple[LedgerFile, ...] = given.get("files", ())
    at = START + timedelta(seconds=int.from_bytes(load_id.encode()[-2:]))
    counts = [sum(getattr(f, n) for f in files) for n in ("rows", "loaded", "dropped", "quarantined")]
    load = LedgerLoad(
        load_id=load_id,
        pipeline=pipeline,
        started_at=at,
        committed_at=at + timedelta(seconds=1),
        status="done",
        files=len(files),
        rows=counts[0],
        loaded=counts[1],
        dropped=counts[2],
        quarantined=counts[3],
        version="0.1",
    )
    return Commit(load, **({"files": ()} | given))


def file_of(load_id: str, key: str, rows: int = 0, /, table: str = "t", pipeline: str = "p") -> LedgerFile:
    """A ledger file whose rows were all loaded."""
    return LedgerFile(
        pipeline, table, key, "ab" * 32, 1234, 1_767_000_000, load_id, "loaded", rows, rows, 0, 0
    )


def group(name: str) -> Callable[[_Test], _Test]:
    """Make a test one of a group that an adapter may declare as a gap."""

    def named(test: _Test) -> _Test:
        vars(test)["gap_group"] = name
        return test

    return named


class Loads:
    """What a suite of tests for destinations needs: the factory, loads, and rows read back.

    `gaps` are the promises that an adapter does not keep, each with its reason: the name of a test,
    or the name of a group of tests. A gap that begins to pass fails the suite.
    """

    gaps: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def destination_factory(self) -> Factory:
        """Opens the same, at first empty, place at every call. The adapter's test supplies it."""
        raise NotImplementedError("the adapter's test supplies `destination_factory`")

    @pytest.fixture(autouse=True)
    def _gap(self, request: pytest.FixtureRequest) -> None:
        names = (request.node.originalname, getattr(request.function, "gap_group", ""))
        reason = next((self.gaps[name] for name in names if name in self.gaps), None)
        if reason is not None:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    @pytest.fixture
    def fresh(self, destination_factory: Factory) -> Iterator[Factory]:
        """The factory, with everything it opened closed at the end."""
        opened: list[Destination] = []

        def once_more() -> Destination:
            opened.append(destination_factory())
            return opened[-1]

        yield once_more
        for destination in opened:
            destination.close()

    # ------------------------------------------------------------------------------ helpers

    @staticmethod
    def load(
        fresh: Factory,
        load_id: str,
        *writes: tuple[Table, Disposition, Sequence[Row]],
        pipeline: str = "p",
        **given: Any,
    ) -> None:
        """One whole load: its own destination, lock, shapes, writes and commit."""
        destination = fresh()
        with destination.lock(pipeline, "suite"):
            transaction = destination.begin(pipeline, load_id)
            try:
                for of, disposition, rows in writes:
                    transaction.shape(of, disposition)
                    assert transaction.write(of, disposition, batches(of, rows)) == len(rows)
                schemas = tuple({of.name: of for of, _, _ in writes}.values())
                transaction.commit(commit_of(load_id, pipeline, **({"schemas": schemas} | given)))
            finally:
                transaction.rollback()  # after a commit nothing happens
        destination.close()

    @staticmethod
    def rows(fresh: Factory, name: str, order: str = "1") -> list[Row]:
        """The rows of a table as a fresh destination reads them, without the load id."""
        quoted = name.replace('"', '""')
        destination = fresh()
        found = destination.query(f'SELECT * EXCLUDE ("{LOAD_ID}") FROM "{quoted}" ORDER BY {order}')
        destination.close()
        rows: list[Row] = found.to_pylist()
        return rows

    @staticmethod
    def column(fresh: Factory, sql: str) -> list[Any]:
        """The first column of a query's answer."""
        destination = fresh()
        found = destination.query(sql)
        destination.close()
        values: list[Any] = found.column(0).to_pylist()
        return values
