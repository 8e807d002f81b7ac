"""What every destination must do. An adapter's test inherits `DestinationSuite` and gives a factory.

    class TestMine(DestinationSuite):
        gaps = {"test_lock_names_its_holder": "notyet: the service has no locks"}

        @pytest.fixture
        def destination_factory(self, tmp_path):
            return lambda: MyDestination(spec, tmp_path)

The factory opens the same place each time it is called, so that what one destination committed is
read by another. A gap is a promise that an adapter does not keep, with the reason: the name of a
test, or of a group of them (`scd2`, `cdc`, `overwrite`, `child tables`). When its test begins to pass,
the suite fails until the gap is taken out. The module is long because an adapter inherits one class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal as Exact
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from penstock.errors import (
    ContractError,
    LockHeldError,
    LossyError,
    NotFoundError,
    PenstockError,
    RefusedError,
)
from penstock.ledger import (
    FILES_TABLE,
    LOAD_ID,
    LOADS_TABLE,
    SCHEMA_TABLE,
    STATE_TABLE,
    Facts,
    LedgerFile,
)
from penstock.ports import Batches, Transaction
from penstock.schema import types as t
from penstock.schema.arrow import arrow_schema, to_arrow
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.table import Change, ChangeKind, Column, ForeignKey, Table
from penstock.schema.types import DataType, Decimal, Kind, List, Scalar, Struct, Timestamp
from penstock.testing.dispositions import DispositionSuite
from penstock.testing.loads import (
    APPEND,
    MERGE,
    NEWEST,
    REPLACE,
    START,
    Factory,
    Row,
    batches,
    commit_of,
    file_of,
    table,
)

__all__ = [
    "APPEND",
    "MERGE",
    "NEWEST",
    "REPLACE",
    "START",
    "DestinationSuite",
    "Factory",
    "Row",
    "batches",
    "commit_of",
    "file_of",
    "table",
]


class DestinationSuite(DispositionSuite):
    """The promises of `ports.Destination`, each as a test."""

    # ---------------------------------------------------------------------------- beginnings

    def test_new_place_is_empty(self, fresh: Factory) -> None:
        destination = fresh()
        assert destination.facts("p") == Facts()
        assert destination.holder("p") is None
        for name in (FILES_TABLE, LOADS_TABLE, STATE_TABLE, SCHEMA_TABLE):
            assert destination.query(f"SELECT * FROM {name}").num_rows == 0

    def test_append_is_there_after_reopening(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, name=t.TEXT)
        self.load(fresh, "L1", (of, APPEND, [{"id": 1, "name": "a"}, {"id": 2, "name": None}]))
        assert self.rows(fresh, "t") == [{"id": 1, "name": "a"}, {"id": 2, "name": None}]
        self.load(fresh, "L2", (of, APPEND, [{"id": 2, "name": "b"}]))
        assert sorted(r["id"] for r in self.rows(fresh, "t")) == [1, 2, 2]

    def test_every_row_carries_its_load(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64)
        self.load(fresh, "L1", (of, APPEND, [{"id": 1}]))
        self.load(fresh, "L2", (of, APPEND, [{"id": 2}]))
        assert self.column(fresh, f"SELECT {LOAD_ID} FROM t ORDER BY id") == ["L1", "L2"]

    def test_write_counts_the_rows_it_received(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64)
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L1")
            transaction.shape(of, MERGE)
            twice = batches(of, [{"id": 1}, {"id": 1}], [], [{"id": 1}])
            assert transaction.write(of, MERGE, twice) == 3
            assert transaction.write(of, MERGE, batches(of)) == 0
            transaction.commit(commit_of("L1"))
        assert self.rows(fresh, "t") == [{"id": 1}]

    def test_stream_is_not_read_ahead(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, text=t.TEXT)
        alive: list[int] = []

        def stream() -> Iterator[Any]:
            for i in range(400):
                alive.append(pa.total_allocated_bytes())
                yield pa.RecordBatch.from_arrays(
                    [pa.arange(i * 1000, i * 1000 + 1000), pa.repeat("x" * 200, 1000)],
                    schema=arrow_schema(of),
                )

        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L1")
            transaction.shape(of, APPEND)
            assert transaction.write(of, APPEND, Batches(arrow_schema(of), stream())) == 400_000
            transaction.commit(commit_of("L1"))
        assert max(alive) - alive[0] < 80_000_000  # the whole stream is 84 MB of Arrow at least
        assert self.column(fresh, "SELECT count(DISTINCT id) FROM t") == [400_000]

    def test_table_without_rows_or_columns(self, fresh: Factory) -> None:
        bare, empty = table("bare", unknown=t.NULL), table("empty", id=t.INT64)
        self.load(fresh, "L1", (bare, APPEND, [{}, {}]), (empty, APPEND, []))
        assert self.column(fresh, "SELECT count(*) FROM bare") == [2]
        assert self.rows(fresh, "empty") == []
        self.load(fresh, "L2", (table("bare", unknown=t.INT64), APPEND, [{"unknown": 7}]))
        assert self.rows(fresh, "bare", "1 NULLS FIRST") == [
            {"unknown": None},
            {"unknown": None},
            {"unknown": 7},
        ]

    def test_columns_that_a_batch_lacks_are_null(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, name=t.TEXT)
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L1")
            transaction.shape(of, APPEND)
            assert transaction.write(of, APPEND, batches(table("t", name=t.TEXT), [{"name": "a"}])) == 1
            transaction.commit(commit_of("L1"))
        assert self.rows(fresh, "t") == [{"id": None, "name": "a"}]

    # -------------------------------------------------------------------- replace and merge

    def test_replace_empties_the_table_once_a_load(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64)
        self.load(fresh, "L1", (of, REPLACE, [{"id": 1}]), (of, REPLACE, [{"id": 2}]))
        assert self.rows(fresh, "t") == [{"id": 1}, {"id": 2}]
        self.load(fresh, "L2", (of, REPLACE, [{"id": 3}]))
        assert self.rows(fresh, "t") == [{"id": 3}]
        self.load(fresh, "L3", (of, REPLACE, []))
        assert self.rows(fresh, "t") == []

    def test_merge_updates_and_adds(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, name=t.TEXT)
        self.load(fresh, "L1", (of, MERGE, [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]))
        self.load(fresh, "L2", (of, MERGE, [{"id": 2, "name": "B"}, {"id": 3, "name": "c"}]))
        assert [r["name"] for r in self.rows(fresh, "t")] == ["a", "B", "c"]
        assert self.column(fresh, f"SELECT {LOAD_ID} FROM t ORDER BY id") == ["L1", "L2", "L2"]

    def test_merge_last_row_wins(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, name=t.TEXT)
        within = [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}, {"id": 2, "name": "c"}]
        self.load(fresh, "L1", (of, MERGE, within), (of, MERGE, [{"id": 2, "name": None}]))
        assert self.rows(fresh, "t") == [{"id": 1, "name": "b"}, {"id": 2, "name": None}]

    def test_merge_newest_row_wins(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, at=t.INT64, name=t.TEXT)

        def row(key: int, at: int | None, name: str) -> Row:
            return {"id": key, "at": at, "name": name}

        first = [row(1, 5, "newer"), row(1, 4, "older"), row(2, None, "null"), row(3, 7, "a"), row(3, 7, "b")]
        self.load(fresh, "L1", (of, NEWEST, first), (of, NEWEST, [row(1, 3, "oldest"), row(4, 1, "x")]))
        assert [r["name"] for r in self.rows(fresh, "t")] == ["newer", "null", "b", "x"]
        second = [row(1, 4, "late"), row(2, 0, "known"), row(3, 7, "same"), row(4, None, "null")]
        self.load(fresh, "L2", (of, NEWEST, second))
        assert [r["name"] for r in self.rows(fresh, "t")] == ["newer", "known", "same", "x"]

    def test_merge_by_several_columns(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, place=t.TEXT, n=t.INT64)
        both = Disposition(WriteMode.MERGE, ("place", "id"))
        self.load(fresh, "L1", (of, both, [{"id": 1, "place": "a", "n": 1}, {"id": 1, "place": "b", "n": 2}]))
        self.load(fresh, "L2", (of, both, [{"id": 1, "place": "b", "n": 3}]))
        assert [r["n"] for r in self.rows(fresh, "t", "place")] == [1, 3]

    def test_merge_keeps_columns_that_did_not_come(self, fresh: Factory) -> None:
        of, narrow = table("t", id=t.INT64, a=t.TEXT, b=t.TEXT), table("t", id=t.INT64, b=t.TEXT)
        self.load(fresh, "L1", (of, MERGE, [{"id": 1, "a": "kept", "b": "old"}]))
        self.load(fresh, "L2", (narrow, MERGE, [{"id": 1, "b": "new"}, {"id": 2, "b": "x"}]), schemas=(of,))
        assert self.rows(fresh, "t") == [{"id": 1, "a": "kept", "b": "new"}, {"id": 2, "a": None, "b": "x"}]

    def test_merge_across_writes_of_other_columns(self, fresh: Factory) -> None:
        whole, narrow = table("t", id=t.INT64, a=t.TEXT), table("t", id=t.INT64)
        self.load(fresh, "L1", (whole, MERGE, [{"id": 1, "a": "x"}]), (narrow, MERGE, [{"id": 1}, {"id": 2}]))
        assert self.rows(fresh, "t") == [{"id": 1, "a": "x"}, {"id": 2, "a": None}]

    def test_merge_rows_without_the_sort_column_are_oldest(self, fresh: Factory) -> None:
        of, narrow = table("t", id=t.INT64, at=t.INT64, a=t.TEXT), table("t", id=t.INT64, a=t.TEXT)
        self.load(fresh, "L1", (of, NEWEST, [{"id": 1, "at": 1, "a": "old"}, {"id": 2, "a": "null"}]))
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L2")
            transaction.shape(of, NEWEST)
            transaction.write(of, NEWEST, batches(narrow, [{"id": 1, "a": "no"}, {"id": 2, "a": "yes"}]))
            transaction.commit(commit_of("L2", schemas=(of,)))
        destination.close()
        assert [r["a"] for r in self.rows(fresh, "t")] == ["old", "yes"]

    @pytest.mark.parametrize("rows", [[{"id": None}], [{"id": 1}, {"id": None}]])
    def test_merge_refuses_null_keys(self, fresh: Factory, rows: list[Row]) -> None:
        of = table("t", id=t.INT64)
        with pytest.raises(RefusedError, match="primary key"):
            self.load(fresh, "L1", (of, MERGE, rows))
        assert fresh().facts("p").tables == {}

    def test_merge_needs_a_key(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64)
        with pytest.raises(RefusedError, match="primary key"):
            self.load(fresh, "L1", (of, Disposition(WriteMode.MERGE), [{"id": 1}]))

    # -------------------------------------------------------------------------------- growth

    def test_growth_in_the_middle_of_a_load(self, fresh: Factory) -> None:
        narrow, wide = table("t", id=t.INT64), table("t", id=t.FLOAT64, new=t.TEXT)
        self.load(fresh, "L1", (narrow, APPEND, [{"id": 1}]), (wide, APPEND, [{"id": 2.5, "new": "x"}]))
        assert self.rows(fresh, "t") == [{"id": 1.0, "new": None}, {"id": 2.5, "new": "x"}]

    def test_growth_in_the_middle_of_a_merge(self, fresh: Factory) -> None:
        narrow, wide = table("t", id=t.INT64, a=t.INT64), table("t", id=t.INT64, a=t.TEXT, b=t.INT64)
        self.load(
            fresh,
            "L1",
            (narrow, MERGE, [{"id": 1, "a": 1}, {"id": 2, "a": 2}]),
            (wide, MERGE, [{"id": 2, "a": "two", "b": 2}]),
        )
        assert self.rows(fresh, "t") == [{"id": 1, "a": "1", "b": None}, {"id": 2, "a": "two", "b": 2}]

    WIDENINGS: ClassVar[Sequence[tuple[DataType, Any, DataType, Any]]] = (
        (Scalar(Kind.INT8), -128, t.INT64, -128),
        (Scalar(Kind.UINT64), 2**64 - 1, Decimal(20, 0), Exact(2**64 - 1)),
        (t.INT64, 2**53, t.FLOAT64, 2.0**53),
        (t.INT64, -(2**63), t.TEXT, "-9223372036854775808"),
        (Decimal(5, 2), Exact("1.50"), Decimal(38, 10), Exact("1.5000000000")),
        (
            Decimal(38, 10),
            Exact("12345678901234567890.0123456789"),
            t.TEXT,
            "12345678901234567890.0123456789",
        ),
        (t.FLOAT64, 0.1, t.TEXT, "0.1"),
        (t.FLOAT64, 1e300, t.JSON, "1e+300"),
        (Scalar(Kind.FLOAT32), 0.5, t.FLOAT64, 0.5),
        (t.BOOL, True, t.TEXT, "true"),
        (t.BOOL, False, t.JSON, "false"),
        (t.DATE, date(2026, 1, 4), t.TIMESTAMP, datetime(2026, 1, 4)),  # noqa: DTZ001
        (t.DATE, date(2026, 1, 4), t.TEXT, "2026-01-04"),
        (t.TIME, time(1, 2, 3), t.TEXT, "01:02:03"),
        (t.TIMESTAMP_TZ, START, t.TEXT, "2026-01-04T12:30:00.123456Z"),
        (t.TIMESTAMP, START.replace(tzinfo=None, microsecond=0), t.TEXT, "2026-01-04T12:30:00"),
        (t.TIMESTAMP_TZ, START.replace(microsecond=500_000), t.JSON, '"2026-01-04T12:30:00.5Z"'),
        (t.TIMESTAMP_TZ, START, Timestamp(True, "ns"), START.replace(tzinfo=None)),
        (Timestamp(True, "ns"), START, t.TEXT, "2026-01-04T12:30:00.123456Z"),
        (Timestamp(False, "ns"), START.replace(tzinfo=None), t.JSON, '"2026-01-04T12:30:00.123456"'),
        (
            Decimal(38, 10),
            Exact("12345678901234567890.0123456789"),
            t.JSON,
            "12345678901234567890.0123456789",
        ),
        (Scalar(Kind.UINT64), 2**64 - 1, t.JSON, "18446744073709551615"),
        (t.TIME, time(1, 2, 3, 400_000), t.JSON, '"01:02:03.4"'),
        (t.TEXT, 'say "hi"', t.JSON, '"say \\"hi\\""'),
        (t.TEXT, "123", t.JSON, '"123"'),
        (t.INT64, 123, t.JSON, "123"),
        (t.BINARY, b"\xff\x00", t.TEXT, "/wA="),
        (t.UUID, "6b9c9f9e-0f5c-4d0f-9d6b-3f1a2b3c4d5e", t.TEXT, "6b9c9f9e-0f5c-4d0f-9d6b-3f1a2b3c4d5e"),
        (List(t.INT64), [1, None], List(t.TEXT), ["1", None]),
        (List(t.INT64), [1, None], t.JSON, "[1,null]"),
        (List(t.NULL), [None], List(t.INT64), [None]),
        (List(t.NULL), [], List(Struct((("a", t.INT64),))), []),
        (Struct((("a", t.INT64),)), {"a": 1}, Struct((("a", t.TEXT), ("b", t.BOOL))), {"a": "1", "b": None}),
        (Struct((("a", t.INT64),)), {"a": 1}, t.JSON, '{"a":1}'),
        (Struct(()), "{}", Struct((("a", t.INT64),)), {"a": None}),
        (List(Struct(())), ["{}", None], List(Struct((("a", t.INT64),))), [{"a": None}, None]),
        (Struct(()), "{}", t.JSON, "{}"),
        (
            Struct((("a", t.NULL),)),
            {"a": None},
            Struct((("a", t.INT64), ("b", t.TEXT))),
            {"a": None, "b": None},
        ),
        (
            List(Struct((("A", t.INT64), ("a", t.TEXT)))),
            [{"A": 1, "a": "x"}],
            t.JSON,
            '[{"A":1,"a":"x"}]',
        ),
        (List(List(t.INT64)), [[1], None, []], List(List(t.FLOAT64)), [[1.0], None, []]),
        (
            List(Struct((("a", t.INT64),))),
            [{"a": 1}, None],
            List(Struct((("a", t.INT64), ("b", List(t.TEXT))))),
            [{"a": 1, "b": None}, None],
        ),
        (
            Struct((("a", Struct((("at", t.TIMESTAMP_TZ),))),)),
            {"a": {"at": START}},
            t.JSON,
            '{"a":{"at":"2026-01-04T12:30:00.123456Z"}}',
        ),
    )

    @staticmethod
    def _widened(
        cases: Sequence[tuple[DataType, Any, DataType, Any]],
    ) -> tuple[Table, Table, list[Row], list[Row]]:
        """A table with a column for each case, the same grown, the rows written and the rows to read."""
        names = [f"{i}: {c[0]} to {c[2]}" for i, c in enumerate(cases)]
        narrow = table("t", n=t.INT64, **{n: c[0] for n, c in zip(names, cases, strict=True)})
        wide = table("t", n=t.INT64, **{n: c[2] for n, c in zip(names, cases, strict=True)})
        nulls = {"n": 2} | dict.fromkeys(names)
        written = {"n": 1} | {n: c[1] for n, c in zip(names, cases, strict=True)}
        read = {"n": 1} | {n: c[3] for n, c in zip(names, cases, strict=True)}
        return narrow, wide, [written, nulls], [read, nulls]

    def test_widening_of_stored_values(self, fresh: Factory) -> None:
        narrow, wide, written, read = self._widened(self.WIDENINGS)
        self.load(fresh, "L1", (narrow, APPEND, written))
        self.load(fresh, "L2", (wide, APPEND, []))
        assert self.rows(fresh, "t") == read

    def test_narrower_values_fit_a_wider_column(self, fresh: Factory) -> None:
        # a string for a json column is JSON text already
        narrow, wide, written, read = self._widened([c for c in self.WIDENINGS if c[0] != t.TEXT])
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L1")
            transaction.shape(wide, APPEND)
            transaction.write(wide, APPEND, batches(narrow, written))
            transaction.commit(commit_of("L1", schemas=(wide,)))
        destination.close()
        assert self.rows(fresh, "t") == read

    def test_floats_that_are_not_numbers_survive_widening(self, fresh: Factory) -> None:
        values = [float("nan"), float("inf"), float("-inf"), None, -0.0]
        rows = [{"n": i, "x": v, "y": [v]} for i, v in enumerate(values)]
        self.load(fresh, "L1", (table("t", n=t.INT64, x=t.FLOAT64, y=List(t.FLOAT64)), APPEND, rows))
        self.load(fresh, "L2", (table("t", n=t.INT64, x=t.TEXT, y=t.JSON), APPEND, []))
        assert [r["x"] for r in self.rows(fresh, "t")] == ["NaN", "Infinity", "-Infinity", None, "-0.0"]
        assert [r["y"] for r in self.rows(fresh, "t")] == [
            '["NaN"]',
            '["Infinity"]',
            '["-Infinity"]',
            "[null]",
            "[-0.0]",
        ]

    def test_integers_that_no_float_holds_are_not_rounded(self, fresh: Factory) -> None:
        inner = Struct((("a", List(t.INT64)),))
        narrow = table("t", fine=t.INT64, id=t.INT64, x=inner)
        large = 2**53 + 1
        self.load(fresh, "L1", (narrow, APPEND, [{"fine": 1, "id": large, "x": {"a": [None, large]}}]))
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L2")
            tries: tuple[tuple[dict[str, DataType], str], ...] = (
                ({"fine": t.FLOAT64, "id": t.FLOAT64, "x": inner}, "id"),
                ({"fine": t.FLOAT64, "id": t.TEXT, "x": Struct((("a", List(t.FLOAT64)),))}, "x"),
            )
            for kinds, column in tries:
                with pytest.raises(LossyError) as caught:
                    transaction.shape(table("t", **kinds), APPEND)
                assert caught.value.column == column
            wide = table("t", fine=t.FLOAT64, id=t.TEXT, x=t.JSON)
            transaction.shape(wide, APPEND)
            transaction.commit(commit_of("L2", schemas=(wide,)))
        destination.close()
        assert self.rows(fresh, "t") == [{"fine": 1.0, "id": str(large), "x": f'{{"a":[null,{large}]}}'}]

    def test_integers_that_no_float_holds_are_not_rounded_on_the_way(self, fresh: Factory) -> None:
        destination = fresh()
        wide = table("t", id=t.FLOAT64)
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L1")
            transaction.shape(wide, APPEND)
            with pytest.raises(ContractError, match="9007199254740993"):
                transaction.write(wide, APPEND, batches(table("t", id=t.INT64), [{"id": 2**53 + 1}]))
            transaction.rollback()

    def test_columns_are_kept_when_a_table_comes_without_them(self, fresh: Factory) -> None:
        self.load(fresh, "L1", (table("t", a=t.INT64, b=t.INT64), APPEND, [{"a": 1, "b": 2}]))
        self.load(fresh, "L2", (table("t", c=t.TEXT, a=t.INT64), APPEND, [{"a": 3, "c": "x"}]))
        assert self.rows(fresh, "t") == [{"a": 1, "b": 2, "c": None}, {"a": 3, "b": None, "c": "x"}]

    # --------------------------------------------------------------------------------- types

    def test_every_type_round_trips(self, fresh: Factory) -> None:
        values: dict[str, tuple[DataType, Sequence[Any]]] = {
            "bool": (t.BOOL, (True, False)),
            "binary": (t.BINARY, (b"\x00\xff'\"\\x", b"")),
            "text": (t.TEXT, ("", "é\U0001f40e\x00'\";--\n")),
            "date": (t.DATE, (date(1, 1, 1), date(9999, 12, 31))),
            "time": (t.TIME, (time(0, 0), time(23, 59, 59, 999_999))),
            "uuid": (t.UUID, ("00000000-0000-0000-0000-000000000abc", "f" * 8 + "-ffff" * 4 + "f" * 8)),
            "json": (t.JSON, ('{"a": [1, 2.50, null]}', '"x"')),
            "decimal": (
                Decimal(38, 10),
                (Exact("1234567890123456789012345678.0123456789"), Exact("-0.0000000001")),
            ),
            "wall": (t.TIMESTAMP, (datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999))),  # noqa: DTZ001
            "instant": (t.TIMESTAMP_TZ, (START, START - timedelta(days=365 * 100))),
            "list": (List(List(t.TEXT)), ([["a", None], [], None], [])),
            "struct": (
                Struct((("a", t.INT64), ("b", List(Struct((("c", t.TIMESTAMP_TZ),)))))),
                ({"a": 1, "b": [{"c": START}, None]}, {"a": None, "b": None}),
            ),
            "nothing": (Struct(()), ("{}", None)),
        }  # fmt: skip
        for name, lowest, highest in (
            (Kind.INT8, -(2**7), 2**7 - 1), (Kind.INT16, -(2**15), 2**15 - 1),
            (Kind.INT32, -(2**31), 2**31 - 1), (Kind.INT64, -(2**63), 2**63 - 1),
            (Kind.UINT8, 0, 2**8 - 1), (Kind.UINT16, 0, 2**16 - 1),
            (Kind.UINT32, 0, 2**32 - 1), (Kind.UINT64, 0, 2**64 - 1),
            (Kind.FLOAT32, float("-inf"), 2.0**-149), (Kind.FLOAT64, float("inf"), 5e-324),
        ):  # fmt: skip
            values[name.value] = (Scalar(name), (lowest, highest))
        of = table("t", n=t.INT64, **{name: kind for name, (kind, _) in values.items()})
        rows: list[Row] = [{"n": i} | {k: v[i] for k, (_, v) in values.items()} for i in (0, 1)]
        rows.append({"n": 2} | dict.fromkeys(values))
        self.load(fresh, "L1", (of, APPEND, rows))
        assert self.rows(fresh, "t", "n") == rows

    def test_not_a_number_round_trips(self, fresh: Factory) -> None:
        self.load(fresh, "L1", (table("t", x=t.FLOAT64), APPEND, [{"x": float("nan")}]))
        (value,) = self.column(fresh, "SELECT x FROM t")
        assert value != value

    @pytest.mark.parametrize("zone", [False, True])
    def test_nanoseconds_round_trip(self, fresh: Factory, zone: bool) -> None:
        kind = Timestamp(zone, "ns")
        of = table("t", at=kind)
        data = pa.RecordBatch.from_arrays([pa.array([1_767_529_800_123_456_789], to_arrow(kind))], ["at"])
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L1")
            transaction.shape(of, APPEND)
            transaction.write(of, APPEND, Batches(arrow_schema(of), [data]))
            transaction.commit(commit_of("L1", schemas=(of,)))
            found = destination.query('SELECT "at" FROM t').column(0)
        assert found.cast(pa.int64()).to_pylist() == [1_767_529_800_123_456_789]

    # ----------------------------------------------------------------------- all or nothing

    def test_rollback_leaves_nothing(self, fresh: Factory) -> None:
        of, wide = table("t", id=t.INT64), table("t", id=t.TEXT, new=t.TEXT)
        self.load(fresh, "L1", (of, APPEND, [{"id": 1}]), state={"s": "1"}, files=(file_of("L1", "k1", 1),))
        before = fresh().facts("p")
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L2")
            transaction.shape(wide, REPLACE)
            transaction.write(wide, REPLACE, batches(wide, [{"id": "x", "new": "y"}]))
            transaction.shape(table("u", id=t.INT64), MERGE)
            transaction.write(table("u", id=t.INT64), MERGE, batches(of, [{"id": 1}]))
            transaction.forget(None)
            transaction.rollback()
            assert destination.facts("p") == before
        assert self.rows(fresh, "t") == [{"id": 1}]
        assert fresh().facts("p") == before
        with pytest.raises(NotFoundError):
            fresh().query("SELECT * FROM u")

    def test_a_load_that_never_ends_leaves_nothing(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64)
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L1")
            transaction.shape(of, APPEND)
            transaction.write(of, APPEND, batches(of, [{"id": 1}]))
        destination.close()
        assert fresh().facts("p") == Facts()
        self.load(fresh, "L2", (of, APPEND, [{"id": 2}]))
        assert self.rows(fresh, "t") == [{"id": 2}]

    def test_errors_of_the_source_come_out_as_they_are(self, fresh: Factory) -> None:
        class LineError(Exception):
            pass

        of = table("t", id=t.INT64)

        def stream() -> Iterator[Any]:
            yield from batches(of, [{"id": 1}]).batches
            raise LineError("line 2")

        destination = fresh()
        for disposition in (APPEND, MERGE):
            with destination.lock("p", "suite"):
                transaction = destination.begin("p", "L1")
                transaction.shape(of, disposition)
                with pytest.raises(LineError, match=r"^line 2$"):
                    transaction.write(of, disposition, Batches(arrow_schema(of), stream()))
                transaction.rollback()
        assert fresh().facts("p") == Facts()

    def test_rows_that_do_not_fit_leave_nothing(self, fresh: Factory) -> None:
        of = table("t", id=t.UUID)
        with pytest.raises(PenstockError):
            self.load(fresh, "L1", (of, APPEND, [{"id": "not a uuid"}]))
        with pytest.raises(PenstockError):
            self.load(fresh, "L1", (table("t", j=t.JSON), APPEND, [{"j": "{not json"}]))
        assert fresh().facts("p") == Facts()

    def test_columns_that_the_table_lacks_are_not_swallowed(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64)
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L1")
            transaction.shape(of, APPEND)
            with pytest.raises(PenstockError, match="other"):
                transaction.write(of, APPEND, batches(table("t", other=t.INT64), [{"other": 1}]))
            transaction.rollback()

    # ------------------------------------------------------------------------------- ledger

    def test_facts_round_trip(self, fresh: Factory) -> None:
        of = Table(
            "t",
            (
                Column("id", t.INT64, nullable=False, unique=True, declared=True, description="the 'key'"),
                Column("at", t.TIMESTAMP_TZ, minimum=START, maximum=date(2030, 1, 1)),
                Column("sum", Decimal(12, 2), minimum=Exact("0.10"), enum=(Exact("1.5"), 2, None, "x")),
                Column("who", t.TEXT, pattern="a|b", min_length=1, max_length=9, sensitive=True,
                       foreign_key=ForeignKey("u", ("id",)), extra={"a": [1, {"b": (2,)}], "$x": b"\xff"}),
            ),
            ("id",), ("who",), "über", {"owner": "me"},
        )  # fmt: skip
        files = (
            file_of("L1", "a/1.jsonl", 2),
            LedgerFile(
                "p", "t", "a/2", "cd" * 32, 2**40, 5, "L1", "refused", 3, 0, 1, 2, "o'; --", "i", 7.25
            ),
        )
        change = Change(ChangeKind.NEW_TABLE, "t", None, None, None)
        given: dict[str, Any] = {"files": files, "state": {"s": '{"cursor": "\\u0000é"}', "r": "{}"}}
        self.load(fresh, "L1", (of, APPEND, [{"id": 1}, {"id": 2}]), changes=(change,), **given)
        facts = fresh().facts("p")
        assert sorted(facts.files, key=lambda f: f.key) == list(files)
        assert facts.tables == {"t": of}
        assert [c.extra for c in facts.tables["t"].columns] == [c.extra for c in of.columns]
        assert facts.tables["t"].extra == of.extra
        assert facts.state == given["state"]
        assert facts.last_load == commit_of("L1", **given).load

    def test_facts_are_those_of_one_pipeline(self, fresh: Factory) -> None:
        for pipeline, name in (("p", "a"), ("q", "b")):
            of = table(name, id=t.INT64)
            files = (file_of(f"L{pipeline}", "same/key", 1, table=name, pipeline=pipeline),)
            self.load(
                fresh,
                f"L{pipeline}",
                (of, APPEND, [{"id": 1}]),
                pipeline=pipeline,
                files=files,
                state={"s": name},
            )
        for pipeline, name in (("p", "a"), ("q", "b")):
            facts = fresh().facts(pipeline)
            assert (set(facts.tables), facts.state) == ({name}, {"s": name})
            assert [f.pipeline for f in facts.files] == [pipeline]
            assert facts.last_load is not None and facts.last_load.load_id == f"L{pipeline}"
        assert fresh().facts("r") == Facts()

    def test_state_is_the_newest(self, fresh: Factory) -> None:
        self.load(fresh, "L1", state={"a": "1", "b": "1"})
        self.load(fresh, "L2", state={"b": "2"})
        assert fresh().facts("p").state == {"a": "1", "b": "2"}

    def test_shapes_keep_their_history(self, fresh: Factory) -> None:
        narrow, wide = table("t", id=t.INT64), table("t", id=t.TEXT)
        change = Change(ChangeKind.WIDER_TYPE, "t", "id", t.INT64, t.TEXT)
        self.load(fresh, "L1", (narrow, APPEND, []))
        self.load(fresh, "L2", (narrow, APPEND, []))
        self.load(fresh, "L3", (wide, APPEND, []), changes=(change,))
        sql = f"SELECT version, load_id, changes FROM {SCHEMA_TABLE} ORDER BY version"
        assert fresh().query(sql).to_pylist() == [
            {"version": 1, "load_id": "L1", "changes": []},
            {"version": 2, "load_id": "L3", "changes": [str(change)]},
        ]
        assert fresh().facts("p").tables == {"t": wide}

    def test_ledger_is_pleasant_to_query(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64)
        self.load(fresh, "L1", (of, APPEND, [{"id": 1}]), files=(file_of("L1", "k", 1),), state={"s": "{}"})
        query = fresh().query
        found = query(f"SELECT key, rows, loaded, landed_at, table_name FROM {FILES_TABLE}").to_pylist()
        landed = datetime.fromtimestamp(1_767_000_000, UTC)
        assert found == [{"key": "k", "rows": 1, "loaded": 1, "landed_at": landed, "table_name": "t"}]
        joined = f"{FILES_TABLE} f JOIN {LOADS_TABLE} l USING (load_id)"
        sql = f"SELECT f.key FROM {joined} WHERE l.committed_at < now()"
        assert query(sql).to_pylist() == [{"key": "k"}]
        assert query(f"SELECT source, state FROM {STATE_TABLE}").to_pylist() == [
            {"source": "s", "state": "{}"}
        ]
        assert query("SELECT count(*) FROM t WHERE id = ?", [1]).column(0).to_pylist() == [1]

    def test_a_file_is_not_loaded_twice(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64)
        self.load(fresh, "L1", (of, APPEND, [{"id": 1}]), files=(file_of("L1", "k", 1),))
        with pytest.raises(PenstockError, match="k"):
            self.load(fresh, "L2", (of, APPEND, [{"id": 1}]), files=(file_of("L2", "k", 1),))
        assert self.rows(fresh, "t") == [{"id": 1}]
        assert fresh().facts("p").last_load.load_id == "L1"  # type: ignore[union-attr]

    def test_many_files(self, fresh: Factory) -> None:
        files = tuple(file_of("L1", f"k/{i:06}", 1) for i in range(5000))
        self.load(fresh, "L1", files=files)
        assert fresh().facts("p").done == {f.key for f in files}

    def test_fingerprint_changes_with_every_load_and_with_nothing_else(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64)
        seen = [fresh().fingerprint()]
        for i in range(3):
            self.load(fresh, f"L{i}", (of, APPEND, [{"id": i}]))
            seen.append(fresh().fingerprint())
            self.rows(fresh, "t")
            fresh().facts("p")
            assert fresh().fingerprint() == seen[-1]
        assert None in seen or len(set(seen)) == 4

    # --------------------------------------------------------------------------------- lock

    def test_lock_names_its_holder(self, fresh: Factory) -> None:
        first, second = fresh(), fresh()
        with first.lock("p", "ann's run"):
            assert "ann's run" in (second.holder("p") or "")
            with pytest.raises(LockHeldError, match="ann's run"), second.lock("p", "bob's run"):
                pytest.fail("two hold the lock")
            assert "ann's run" in (second.holder("p") or "")
        assert second.holder("p") is None
        with second.lock("p", "bob's run"):
            assert "bob's run" in (first.holder("p") or "")

    def test_lock_is_let_go_after_an_error(self, fresh: Factory) -> None:
        with pytest.raises(KeyError), fresh().lock("p", "one"):
            raise KeyError
        with fresh().lock("p", "two"):
            assert "two" in (fresh().holder("p") or "")

    # ----------------------------------------------------------------------- hostile names

    HOSTILE: ClassVar[Sequence[str]] = (
        'quo"te', "semi; DROP TABLE t; --", "select", "a.b", "two words", "it's", "\U0001f40e",
        "tab\tand\nline", "nul\0byte", "", " ", "%s", "{x}", "ordinal", "c0", "s", "t", "naïve",
        "_penstock_load_id", "rowid", "\\",
    )  # fmt: skip

    def test_hostile_column_names(self, fresh: Factory) -> None:
        of = table("t", **dict.fromkeys(self.HOSTILE, t.INT64))
        row = {name: i for i, name in enumerate(self.HOSTILE)}
        self.load(fresh, "L1", (of, APPEND, [row]))
        assert fresh().facts("p").tables == {"t": of}
        (found,) = self.rows(fresh, "t")
        assert list(found.values()) == list(row.values())
        kept = {n for n in self.HOSTILE if n and "\0" not in n and n != LOAD_ID}
        assert kept <= set(found)
        key = Disposition(WriteMode.MERGE, ('quo"te', ""), "semi; DROP TABLE t; --")
        self.load(fresh, "L2", (of, key, [row | {"select": 99}]))
        (found,) = self.rows(fresh, "t")
        assert found["select"] == 99

    def test_hostile_field_names(self, fresh: Factory) -> None:
        kind = Struct(tuple((name, t.INT64) for name in self.HOSTILE))
        value = {name: i for i, name in enumerate(self.HOSTILE)}
        of = table("t", x=kind, y=List(kind))
        self.load(fresh, "L1", (of, APPEND, [{"x": value, "y": [value, None]}]))
        (found,) = self.rows(fresh, "t")
        assert list(found["x"].values()) == list(value.values())
        assert list(found["y"][0].values()) == list(value.values())
        self.load(fresh, "L2", (table("t", x=t.JSON, y=t.JSON), APPEND, []))
        (sum_of,) = self.column(fresh, 'SELECT CAST(x->\'$."quo\\"te"\' AS BIGINT) FROM t')
        assert sum_of == value['quo"te']

    def test_names_that_differ_only_in_case(self, fresh: Factory) -> None:
        one = table("t", Id=t.INT64, ID=t.TEXT, x=Struct((("a", t.INT64), ("A", t.TEXT))))
        row = {"Id": 1, "ID": "one", "x": {"a": 1, "A": "one"}}
        self.load(fresh, "L1", (one, APPEND, [row]))
        more = table("t", ID=t.TEXT, id=t.BOOL, Id=t.INT64, x=Struct((("A", t.TEXT), ("a", t.INT64))))
        self.load(
            fresh, "L2", (more, APPEND, [{"id": True, "ID": "two", "Id": 2, "x": {"A": "two", "a": 2}}])
        )
        assert [list(r.values()) for r in self.rows(fresh, "t")] == [
            [1, "one", {"a": 1, "A__2": "one"}, None],
            [2, "two", {"a": 2, "A__2": "two"}, True],
        ]

    def test_hostile_table_names(self, fresh: Factory) -> None:
        names = [
            'quo"te',
            "semi; DROP TABLE x; --",
            "select",
            "a.b",
            "two words",
            "\U0001f40e",
            "it's",
            "é/..",
        ]
        self.load(fresh, "L1", *((table(n, id=t.INT64), MERGE, [{"id": 1}]) for n in names))
        self.load(fresh, "L2", *((table(n, id=t.TEXT), MERGE, [{"id": "2"}]) for n in names))
        assert [self.rows(fresh, n) for n in names] == [[{"id": "1"}, {"id": "2"}]] * len(names)
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L3")
            assert [_pairs(transaction, n, "id") for n in names] == [{("1",), ("2",)}] * len(names)
            transaction.forget(names[1:])
            transaction.commit(commit_of("L3"))
        destination.close()
        assert set(fresh().facts("p").tables) == {names[0]}
        assert self.rows(fresh, names[0]) == [{"id": "1"}, {"id": "2"}]

    def test_impossible_table_names_are_refused(self, fresh: Factory) -> None:
        for name in ("", "_penstock_files", "_PENSTOCK_x", "nul\0"):
            with pytest.raises(RefusedError):
                self.load(fresh, "L1", (table(name, id=t.INT64), APPEND, []))

    def test_tables_that_differ_only_in_case_are_refused(self, fresh: Factory) -> None:
        self.load(fresh, "L1", (table("orders", id=t.INT64), APPEND, [{"id": 1}]))
        with pytest.raises(RefusedError, match="case"):
            self.load(fresh, "L2", (table("Orders", id=t.INT64), APPEND, []))
        with pytest.raises(RefusedError, match="case"):
            self.load(fresh, "L2", *((table(n, id=t.INT64), APPEND, []) for n in ("items", "Items")))
        assert set(fresh().facts("p").tables) == {"orders"}

    def test_a_table_belongs_to_one_pipeline(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64)
        self.load(fresh, "L1", (of, APPEND, [{"id": 1}]))
        with pytest.raises(RefusedError, match="`p`"):
            self.load(fresh, "L2", (of, REPLACE, [{"id": 2}]), pipeline="q")
        assert self.rows(fresh, "t") == [{"id": 1}]

    # -------------------------------------------------------------------------------- forget

    def test_rebuild_is_one_commit(self, fresh: Factory) -> None:
        wide, narrow = table("t", id=t.TEXT, old=t.TEXT), table("t", id=t.INT64)
        other = table("u", id=t.INT64)
        files = (file_of("L1", "k1", 1), file_of("L1", "k2", 1, table="u"))
        self.load(
            fresh,
            "L1",
            (wide, APPEND, [{"id": "x"}]),
            (other, APPEND, [{"id": 1}]),
            files=files,
            state={"s": "1"},
        )
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L2")
            transaction.forget(["t"])
            transaction.shape(narrow, APPEND)
            transaction.write(narrow, APPEND, batches(narrow, [{"id": 7}]))
            again = (file_of("L2", "k1", 1),)
            transaction.commit(commit_of("L2", schemas=(narrow,), files=again))
        destination.close()
        assert self.rows(fresh, "t") == [{"id": 7}]
        assert self.rows(fresh, "u") == [{"id": 1}]
        facts = fresh().facts("p")
        assert facts.tables == {"t": narrow, "u": other}
        assert sorted((f.key, f.load_id) for f in facts.files) == [("k1", "L2"), ("k2", "L1")]
        assert facts.state == {"s": "1"}

    def test_forget_all_leaves_other_pipelines(self, fresh: Factory) -> None:
        self.load(fresh, "L1", (table("t", id=t.INT64), APPEND, [{"id": 1}]), files=(file_of("L1", "k", 1),))
        other = table("u", id=t.INT64)
        self.load(fresh, "L2", (other, APPEND, [{"id": 1}]), pipeline="q")
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L3")
            transaction.forget(None)
            transaction.commit(commit_of("L3"))
        destination.close()
        facts = fresh().facts("p")
        assert (facts.files, facts.tables) == ((), {})
        assert fresh().facts("q").tables == {"u": other}
        with pytest.raises(NotFoundError):
            fresh().query("SELECT * FROM t")

    # ------------------------------------------------------------------------ keys and query

    def test_keys_as_the_load_sees_them(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, name=t.TEXT)
        self.load(fresh, "L1", (of, APPEND, [{"id": 1, "name": "a"}, {"id": 1, "name": "a"}]))
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L2")
            assert transaction.keys("nosuch", ["id"]) is None
            assert _pairs(transaction, "t", "id", "name") == {(1, "a")}
            transaction.shape(of, MERGE)
            transaction.write(of, MERGE, batches(of, [{"id": 2, "name": None}, {"id": 2, "name": "z"}]))
            assert _pairs(transaction, "t", "id", "name") == {(1, "a"), (2, "z")}
            transaction.write(of, MERGE, batches(of, [{"id": 2, "name": "y"}]))
            assert _pairs(transaction, "t", "name") == {("a",), ("y",)}
            transaction.rollback()

    def test_clashes_are_keys_of_earlier_loads(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, at=t.TIMESTAMP_TZ, **{'o"dd': t.TEXT})
        second = START.replace(microsecond=0)
        self.load(fresh, "L1", (of, APPEND, [{"id": 1, "at": second, 'o"dd': "x"}, {"id": 2, "at": START}]))

        def stream(**columns: Sequence[str | None]) -> Any:
            return pa.table({n: pa.array(v, pa.string()) for n, v in columns.items()}).to_reader()

        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L2")
            transaction.shape(of, APPEND)
            transaction.write(of, APPEND, batches(of, [{"id": 3, "at": START, 'o"dd': "y"}]))
            found = transaction.clashes("t", ["id"], stream(id=["1", "3", "9", "1", None]))
            assert found.to_pylist() == [{"id": "1"}]
            pairs = stream(at=["2026-01-04 12:30:00+00"] * 2, id=["1", "2"])
            assert transaction.clashes("t", ["at", "id"], pairs).to_pylist() == [
                {"at": "2026-01-04 12:30:00+00", "id": "1"}
            ]
            odd = transaction.clashes("t", ['o"dd'], stream(**{'o"dd': ["x", "y"]}))
            assert odd.to_pylist() == [{'o"dd': "x"}]
            transaction.shape(table("new", id=t.NULL), APPEND)
            assert transaction.clashes("new", ["id"], stream(id=["1"])).num_rows == 0
            transaction.rollback()

    def test_wrong_queries_say_why(self, fresh: Factory) -> None:
        self.load(fresh, "L1", (table("orders", id=t.INT64), APPEND, [{"id": 1}]))
        query = fresh().query
        with pytest.raises(NotFoundError, match="did you mean 'orders'"):
            query("SELECT * FROM ordres")
        for sql in (
            "SELEC 1",
            "SELECT nosuch FROM orders",
            "SELECT nosuch(1)",
            "",
            "SELECT * FROM orders WHERE id = ?",
        ):
            with pytest.raises(RefusedError):
                query(sql)

    @pytest.mark.parametrize("sql", ["DROP TABLE orders", "DELETE FROM orders", "CREATE TABLE x AS SELECT 1"])
    def test_queries_cannot_write(self, fresh: Factory, sql: str) -> None:
        self.load(fresh, "L1", (table("orders", id=t.INT64), APPEND, [{"id": 1}]))
        destination = fresh()
        with pytest.raises(PenstockError):
            destination.query(sql)
        with destination.lock("p", "suite"), pytest.raises(PenstockError):
            destination.query(sql)
        assert self.rows(fresh, "orders") == [{"id": 1}]


def _pairs(transaction: Transaction, name: str, *columns: str) -> set[tuple[Any, ...]]:
    found = transaction.keys(name, columns)
    assert found is not None and found.column_names == list(columns)
    rows = [tuple(row.values()) for row in found.to_pylist()]
    assert len(rows) == len(set(rows))
    return set(rows)
