"""What every builder of models must do. An adapter's test inherits `BuilderSuite` and gives two fixtures.

    class TestMine(BuilderSuite):
        gaps = {"views": "never: this place keeps rows and no queries"}

        @pytest.fixture
        def destination_factory(self, tmp_path):
            return lambda: MyDestination(spec, tmp_path)

        @pytest.fixture
        def builder_of(self):
            return MyBuilder

The factory opens the same place each time it is called; `builder_of` makes a builder of a destination.
Models are written in the builder's dialect, for which the suite takes DuckDB's. The module is long because
an adapter inherits one class.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal as Exact
from typing import Any, TypeAlias

import pyarrow as pa
import pytest

from penstock.errors import BugError, ContractError, NotFoundError, RefusedError
from penstock.ledger import LOAD_ID, MODELS_TABLE, Built
from penstock.ports import PLACE, STAGED, Batches, Builder
from penstock.schema import types as t
from penstock.schema.disposition import Disposition, Scd2, Strategy, WriteMode
from penstock.schema.table import Column, Table
from penstock.schema.types import DataType, Decimal, Kind, List, Scalar, Struct
from penstock.testing.loads import (
    APPEND,
    MERGE,
    REPLACE,
    START,
    Factory,
    Loads,
    Row,
    batches,
    commit_of,
    file_of,
    group,
    table,
)
from penstock.testing.oracle import DISPOSITIONS, KINDS, Oracle, from_instant, random_row, text_of
from penstock.testing.oracle import Write as _Write

BuilderOf: TypeAlias = Callable[[Any], Builder]  # Any: the adapter's own destination
VERSION = Scd2().version_column
BY_DAY = Disposition(WriteMode.REPLACE, overwrite=("day",))
INT32 = Scalar(Kind.INT32)

# what SQL gives, the type that is told of it, and the value that is read back
VALUES: Mapping[str, tuple[DataType, Any]] = {  # Any: a value of any type
    "true": (t.BOOL, True),
    "1::TINYINT": (Scalar(Kind.INT8), 1),
    "65535::USMALLINT": (Scalar(Kind.UINT16), 65535),
    "9007199254740993": (t.INT64, 9_007_199_254_740_993),
    "18446744073709551615::UBIGINT": (Scalar(Kind.UINT64), 2**64 - 1),
    "99999999999999999999999999999::HUGEINT": (Decimal(38, 0), Exact("99999999999999999999999999999")),
    "(SELECT sum(1))": (Decimal(38, 0), Exact(1)),
    "12.50::DECIMAL(12, 2)": (Decimal(12, 2), Exact("12.50")),
    "0.1::DOUBLE": (t.FLOAT64, 0.1),
    "0.5::FLOAT": (Scalar(Kind.FLOAT32), 0.5),
    "'ünï''code'": (t.TEXT, "ünï'code"),
    "'b'::ENUM('a', 'b')": (t.TEXT, "b"),
    "'\\x00\\xFF'::BLOB": (t.BINARY, b"\x00\xff"),
    "DATE '2026-11-21'": (t.DATE, date(2026, 11, 21)),
    "TIME '23:59:59.999999'": (t.TIME, time(23, 59, 59, 999_999)),
    "TIMESTAMP '2026-11-21 10:00:00.000001'": (t.TIMESTAMP, datetime(2026, 11, 21, 10, 0, 0, 1)),  # noqa: DTZ001
    "TIMESTAMPTZ '2026-11-21 10:00:00+02'": (t.TIMESTAMP_TZ, datetime(2026, 11, 21, 8, tzinfo=UTC)),
    "[1.5::DECIMAL(3, 1), NULL]": (List(Decimal(3, 1)), [Exact("1.5"), None]),
    "{'a': [{'b c': 'x'}]}": (
        Struct((("a", List(Struct((("b c", t.TEXT),)))),)),
        {"a": [{"b c": "x"}]},
    ),
    "NULL": (INT32, None),
    "[]": (List(INT32), []),
}
AS_TEXT: Mapping[str, tuple[DataType, str]] = {
    "'7d444840-9dc0-11d1-b245-5ffdce74fad2'::UUID": (t.UUID, "7d444840-9dc0-11d1-b245-5ffdce74fad2"),
    "'{\"a\": 1.0}'::JSON": (t.JSON, '{"a": 1.0}'),
    "INTERVAL 1 DAY": (t.TEXT, "1 day"),
}
WRONG: Mapping[str, str] = {
    "SELECT 1 AS id;\nDROP TABLE m": "2 statements",
    "DROP TABLE m": "DROP",
    "": "nothing",
    "-- nothing": "nothing",
    "WITH x AS (DELETE FROM m RETURNING *)\nSELECT * FROM x": "writes",
    "WITH x AS (COPY (SELECT 1) TO '/nowhere/x.csv') SELECT 1": "writes",
    "SELECT id,\n  nothing\nFROM m": "LINE 2:   nothing",
    "SELECT id\n\nFROM m WHERE (": "LINE 3: FROM m WHERE (",
    "SELECT CAST('x' AS INTEGER) AS id": "LINE 1: SELECT CAST",
    "SELECT * FROM nowhere": "LINE 1: SELECT * FROM nowhere",
    "SELECT * FROM elsewhere": "LINE 1",
}
"""What is no model, and what its error says."""
# what SQL gives, a type that cannot hold it, and how it is shown
MISFITS: Sequence[tuple[str, DataType, str]] = (
    ("'12,5'", Decimal(9, 2), "12,5"),
    ("'1.555'", Decimal(9, 2), "1.555"),
    ("1.555::DOUBLE", Decimal(9, 2), "1.555"),
    ("'1.5'", t.INT64, "1.5"),
    ("1.5::DECIMAL(3, 1)", t.INT64, "1.5"),
    ("3000000000", INT32, "3000000000"),
    ("9007199254740993", t.FLOAT64, "9007199254740993"),
    ("TIMESTAMP '2026-11-21 10:00:00'", t.DATE, "2026-11-21 10:00:00"),
    ("'2026-02-30'", t.DATE, "2026-02-30"),
    ("'2026-02-20 11:00'", t.DATE, "2026-02-20 11:00"),
    ("'x'", t.UUID, "x"),
    ("'{'", t.JSON, "{"),
    ("[1.5]", List(t.INT64), "[1.5]"),
    ("2", t.BOOL, "2"),
)
# what SQL gives, a type that holds it, and the value as that
FITS: Sequence[tuple[str, DataType, object]] = (
    ("'0012.50'", Decimal(9, 2), Exact("12.50")),
    ("' 7 '", t.INT64, 7),
    ("5::TINYINT", t.INT64, 5),
    ("5", t.FLOAT64, 5.0),
    ("0.25::DOUBLE", Decimal(9, 2), Exact("0.25")),
    ("DATE '2026-11-21'", t.TIMESTAMP, datetime(2026, 11, 21)),  # noqa: DTZ001
    ("TIMESTAMP '2026-11-21 00:00:00'", t.DATE, date(2026, 11, 21)),
    ("12.5::DECIMAL(5, 1)", t.TEXT, "12.5"),
    ("'true'", t.BOOL, True),
    ("{'a': 1}", Struct((("a", t.INT64), ("b", t.TEXT))), {"a": 1, "b": None}),
)
NAMES = ("select", "Ünï cödé", 'a "quoted" one', "with.dot", "it's; -- a", "x" * 100, "_", "per%cent?")


def built_of(model: str, build_id: str, shape: Table | None = None, **given: Any) -> Built:
    """A ledger row with something in every field."""
    at = START + timedelta(seconds=len(build_id), microseconds=7)
    told: dict[str, Any] = {"inputs": {"a": "L1"}, "rows": 5, "kept": 2, "dropped": 1, "quarantined": 2}
    told |= {"broken": {"ü.enum": 3}, "tool": "sql", "materialized": "table", "version": "v1"} | given
    return Built(model=model, build_id=build_id, started_at=START, built_at=at, table=shape, **told)


class BuilderSuite(Loads):
    """The promises of `ports.Builder` and `ports.Build`, each as a test."""

    @pytest.fixture
    def builder_of(self) -> BuilderOf:
        """Makes a builder of a destination. The adapter's test supplies it."""
        raise NotImplementedError("the adapter's test supplies `builder_of`")

    @pytest.fixture
    def make(self, fresh: Factory, builder_of: BuilderOf) -> Callable[..., int]:
        """Builds one model and lets everything go: name, SQL or batches, build id, disposition."""

        def made(
            name: str,
            rows: str | Batches,
            build_id: str = "B1",
            disposition: Disposition = REPLACE,
            shape: Callable[[Table], Table] = lambda staged: staged,
            **given: Any,
        ) -> int:
            destination = fresh()
            with destination.lock("models", "suite"):
                kept = _build(builder_of(destination), name, rows, build_id, disposition, shape, **given)
            destination.close()
            return kept

        return made

    @staticmethod
    def rows(fresh: Factory, name: str, order: str = "1") -> list[Row]:
        """The rows of a model as a fresh destination reads them, without the id of their build."""
        destination = fresh()
        found = destination.query(f"SELECT * FROM {_quoted(name)} ORDER BY {order}")
        destination.close()
        return [{k: v for k, v in row.items() if k != LOAD_ID} for row in found.to_pylist()]

    # ---------------------------------------------------------------------------- beginnings

    def test_new_place_has_no_models(self, fresh: Factory, builder_of: BuilderOf) -> None:
        destination = fresh()
        builder = builder_of(destination)
        assert (dict(builder.built()), dict(builder.versions())) == ({}, {})
        assert destination.query(f"SELECT * FROM {MODELS_TABLE}").num_rows == 0
        assert builder.dialect

    def test_model_is_there_after_reopening(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int]
    ) -> None:
        assert make("m", "SELECT range AS id, 'a' AS name FROM range(3) -- and no more") == 3
        assert self.rows(fresh, "m", "id") == [{"id": i, "name": "a"} for i in range(3)]
        builder = builder_of(fresh())
        shape = table("m", id=t.INT64, name=t.TEXT)
        assert dict(builder.built()) == {"m": built_of("m", "B1", shape)}
        assert dict(builder.versions()) == {"m": "B1"}

    def test_ledger_row_is_read_with_sql(self, fresh: Factory, make: Callable[..., int]) -> None:
        make("m", "SELECT 1 AS id")
        make("m", "SELECT 2 AS id", "B2")
        told = f"SELECT model, build_id, started_at, kept, broken FROM {MODELS_TABLE} ORDER BY build_id"
        first, second = fresh().query(told).to_pylist()
        assert first == {
            "model": "m", "build_id": "B1", "started_at": START, "kept": 2, "broken": '{"ü.enum": 3}'
        }  # fmt: skip
        assert second["build_id"] == "B2"

    def test_the_newest_build_counts(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int]
    ) -> None:
        for number in range(3):
            make("m", f"SELECT {number} AS id", f"B{number}")
        builder = builder_of(fresh())
        assert builder.built()["m"].build_id == builder.versions()["m"] == "B2"
        assert self.column(fresh, "SELECT id FROM m") == [2]

    def test_nothing_is_built_without_the_lock(self, fresh: Factory, builder_of: BuilderOf) -> None:
        with pytest.raises(BugError):
            builder_of(fresh()).begin("m", "B1")

    def test_odd_names(self, fresh: Factory, builder_of: BuilderOf) -> None:
        destination = fresh()
        with destination.lock("models", "suite"):
            builder = builder_of(destination)
            for name in NAMES:
                quoted = _quoted(name)
                _build(builder, name, f"SELECT 1 AS {quoted}", "B1", REPLACE)
                _build(builder, name, f"SELECT {quoted} + 1 AS {quoted} FROM {quoted}", "B2", REPLACE)
        destination.close()
        assert [self.rows(fresh, name) for name in NAMES] == [[{name: 2}] for name in NAMES]
        assert dict(builder_of(fresh()).versions()) == dict.fromkeys(NAMES, "B2")

    @pytest.mark.parametrize("name", ["", "_penstock_x", "T", "\0"])
    def test_impossible_names_are_refused(self, fresh: Factory, builder_of: BuilderOf, name: str) -> None:
        self.load(fresh, "L1", (table("t", id=t.INT64), APPEND, [{"id": 1}]))
        destination = fresh()
        with destination.lock("models", "suite"), pytest.raises(RefusedError):
            builder_of(destination).begin(name, "B1")

    def test_name_of_a_pipelines_table_is_refused(self, fresh: Factory, builder_of: BuilderOf) -> None:
        self.load(fresh, "L1", (table("t", id=t.INT64), APPEND, [{"id": 1}]))
        destination = fresh()
        with destination.lock("models", "suite"), pytest.raises(RefusedError, match="pipeline"):
            builder_of(destination).begin("t", "B1")
        assert self.column(fresh, "SELECT id FROM t") == [1]

    def test_pipeline_does_not_take_a_models_table(self, fresh: Factory, make: Callable[..., int]) -> None:
        make("m", "SELECT 1 AS id")
        with pytest.raises(RefusedError, match="`m`"):
            self.load(fresh, "L1", (table("m", id=t.INT64), APPEND, [{"id": 2}]))
        assert self.column(fresh, "SELECT id FROM m") == [1]

    # ------------------------------------------------------------------------------ atomicity

    def test_readers_see_the_old_table_until_commit(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int]
    ) -> None:
        make("m", "SELECT 1 AS id")
        destination = fresh()
        with destination.lock("models", "suite"):
            builder = builder_of(destination)
            build = builder.begin("m", "B2")
            staged = build.stage("m", "SELECT id + 1 AS id, 'new' AS name FROM m")
            build.put(staged, REPLACE)
            seen = destination.query("SELECT * FROM m").to_pylist()
            versions = builder.versions()["m"]
            build.commit(built_of("m", "B2", staged))
            after = destination.query("SELECT id, name FROM m").to_pylist()
        assert [row["id"] for row in seen] == [1]
        assert "name" not in seen[0]
        assert versions == "B1"
        assert after == [{"id": 2, "name": "new"}]

    @pytest.mark.parametrize("step", ["begin", "stage", "remove", "put"])
    def test_rollback_leaves_nothing(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int], step: str
    ) -> None:
        make("m", "SELECT 1 AS id")
        before = self._everything(fresh, builder_of)
        destination = fresh()
        with destination.lock("models", "suite"):
            builder = builder_of(destination)
            for name in ("m", "other"):
                build = builder.begin(name, "B2")
                if step != "begin":
                    staged = build.stage(name, "SELECT range AS id FROM range(9)")
                if step in ("remove", "put"):
                    build.remove("id > 3")
                if step == "put":
                    build.put(staged, REPLACE)
                build.rollback()
                build.rollback()
                with pytest.raises(BugError):
                    build.query("SELECT 1")
            assert dict(builder.versions()) == {"m": "B1"}
        destination.close()
        assert self._everything(fresh, builder_of) == before
        make("other", "SELECT 5 AS id", "B3")
        assert self.column(fresh, "SELECT id FROM other") == [5]

    def _everything(self, fresh: Factory, builder_of: BuilderOf) -> object:
        builder = builder_of(fresh())
        return self.rows(fresh, "m"), dict(builder.built()), dict(builder.versions())

    def test_commit_needs_rows_in_place(self, fresh: Factory, builder_of: BuilderOf) -> None:
        destination = fresh()
        with destination.lock("models", "suite"):
            build = builder_of(destination).begin("m", "B1")
            build.stage("m", "SELECT 1 AS id")
            with pytest.raises(BugError):
                build.commit(built_of("m", "B1"))
            build.rollback()

    def test_eight_models_at_once(self, fresh: Factory, builder_of: BuilderOf) -> None:
        self.load(fresh, "L1", (table("t", id=t.INT64), APPEND, [{"id": i} for i in range(500)]))
        destination = fresh()
        with destination.lock("models", "suite"):
            builder = builder_of(destination)
            for turn in range(3):

                def one(number: int, turn: int = turn) -> int:
                    sql = f"SELECT id, {turn} AS turn FROM t WHERE id % 8 = {number}"
                    disposition = MERGE if number % 2 else REPLACE
                    return _build(builder, f"m{number}", sql, f"B{turn}-{number}", disposition)

                with ThreadPoolExecutor(8) as pool:
                    assert sum(pool.map(one, range(8))) == 500
        destination.close()
        union = " UNION ALL ".join(f"SELECT id, turn FROM m{n}" for n in range(8))
        assert self.column(fresh, f"SELECT count(DISTINCT id) FROM ({union}) WHERE turn = 2") == [500]
        assert {k: v for k, v in builder_of(fresh()).versions().items() if k != "t"} == {
            f"m{n}": f"B2-{n}" for n in range(8)
        }

    def test_one_fails_beside_the_others(self, fresh: Factory, builder_of: BuilderOf) -> None:
        destination = fresh()
        with destination.lock("models", "suite"):
            builder = builder_of(destination)
            first, second = builder.begin("a", "B1"), builder.begin("b", "B1")
            shape = first.stage("a", "SELECT 1 AS id")
            with pytest.raises(RefusedError):
                second.stage("b", "SELECT error('no')")
            second.rollback()
            first.put(shape, REPLACE)
            first.commit(built_of("a", "B1", shape))
        destination.close()
        assert dict(builder_of(fresh()).versions()) == {"a": "B1"}

    # ----------------------------------------------------------------------------- the query

    def test_wrong_sql_is_refused_with_its_line(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int]
    ) -> None:
        make("m", "SELECT 1 AS id")
        elsewhere = pa.table({"id": [1]})  # a query must not find what its program has in variables
        destination = fresh()
        with destination.lock("models", "suite"):
            builder = builder_of(destination)
            for sql, found in WRONG.items():
                with pytest.raises(RefusedError) as refused:
                    _build(builder, "n", sql, "B2", REPLACE)
                assert found in str(refused.value)
        destination.close()
        assert elsewhere.num_rows == 1
        assert self.column(fresh, "SELECT id FROM m") == [1]
        assert dict(builder_of(fresh()).versions()) == {"m": "B1"}

    def test_unknown_table_is_suggested(self, make: Callable[..., int]) -> None:
        make("orders", "SELECT 1 AS id")
        with pytest.raises(NotFoundError, match="did you mean 'orders'"):
            make("n", "SELECT * FROM ordres")

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT 'insert into; delete from' AS id",
            "WITH a AS (SELECT 1 AS id) SELECT * FROM a; -- end",
            "(SELECT 1 AS id) UNION ALL (SELECT 1)",
            "FROM (VALUES (1)) AS x(id)",
        ],
    )
    def test_any_select_is_a_model(self, fresh: Factory, make: Callable[..., int], sql: str) -> None:
        make("m", sql)
        assert set(self.column(fresh, "SELECT id FROM m")) <= {1, "insert into; delete from"}

    def test_models_see_tables_models_and_their_own_rows(
        self, fresh: Factory, make: Callable[..., int]
    ) -> None:
        self.load(fresh, "L1", (table("t", id=t.INT64), APPEND, [{"id": 1}, {"id": 2}]))
        make("a", "SELECT * FROM t")
        make("b", "SELECT t.id + a.id AS id FROM t JOIN a USING (id)")
        make("b", "SELECT id * 10 AS id FROM b", "B2")
        assert self.rows(fresh, "a", "id") == [{"id": 1}, {"id": 2}]
        assert self.column(fresh, "SELECT id FROM b ORDER BY id") == [20, 40]

    def test_load_ids_of_inputs_are_left_out(self, fresh: Factory, builder_of: BuilderOf) -> None:
        self.load(fresh, "L1", (table("t", id=t.INT64), APPEND, [{"id": 1}]))
        destination = fresh()
        with destination.lock("models", "suite"):
            build = builder_of(destination).begin("m", "B1")
            assert build.stage("m", "SELECT * FROM t").names == ("id",)
            build.rollback()
            build = builder_of(destination).begin("m", "B1")
            with pytest.raises(RefusedError, match="no columns"):
                build.stage("m", f"SELECT {LOAD_ID} FROM t")
            build.rollback()

    # ------------------------------------------------------------------------------ the rows

    def test_rows_held_are_asked_about(self, fresh: Factory, builder_of: BuilderOf) -> None:
        self.load(fresh, "L1", (table("t", id=t.INT64), APPEND, [{"id": 1}]))
        destination = fresh()
        with destination.lock("models", "suite"):
            build = builder_of(destination).begin("m", "B1")
            assert build.query("SELECT id FROM t").column(0).to_pylist() == [1]
            staged = build.stage("m", "SELECT range % 5 AS id, range AS n FROM range(10)")
            held = build.query(f"SELECT count(*) AS n FROM {STAGED} WHERE id IN (SELECT id FROM t)")
            assert held.to_pylist() == [{"n": 2}]
            places = build.query(f"SELECT {PLACE} FROM {STAGED} WHERE n = 7").column(0).to_pylist()
            assert build.remove(f"{PLACE} IN ({places[0]}) -- just one") == 1
            twins = f"SELECT id FROM {STAGED} GROUP BY id HAVING count(*) > 1"
            assert build.remove(f"id IN ({twins}) AND n >= 5") == 4
            assert build.remove("NULL") == 0
            assert build.query(f"SELECT count(*) FROM {STAGED}").column(0).to_pylist() == [5]
            assert build.query(f"SELECT count(*) FROM {MODELS_TABLE}").column(0).to_pylist() == [0]
            assert build.put(staged, REPLACE) == 5
            build.commit(built_of("m", "B1", staged))
        destination.close()
        assert self.column(fresh, "SELECT n FROM m ORDER BY n") == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("condition", ["nothing = 1", "1; DROP TABLE m", ""])
    def test_wrong_conditions_are_refused(
        self, fresh: Factory, builder_of: BuilderOf, condition: str
    ) -> None:
        destination = fresh()
        with destination.lock("models", "suite"):
            build = builder_of(destination).begin("m", "B1")
            build.stage("m", "SELECT 1 AS id")
            with pytest.raises(RefusedError):
                build.remove(condition)
            build.rollback()

    def test_nobody_writes_with_a_question(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int]
    ) -> None:
        make("m", "SELECT 1 AS id")
        destination = fresh()
        with destination.lock("models", "suite"):
            for sql in ("DELETE FROM m", f"DROP TABLE {MODELS_TABLE}", "SELECT 1; SELECT 2"):
                build = builder_of(destination).begin("m", "B2")
                with pytest.raises(RefusedError):
                    build.query(sql)
                build.rollback()
        destination.close()
        assert self.column(fresh, "SELECT id FROM m") == [1]

    def test_rows_made_elsewhere(self, fresh: Factory, make: Callable[..., int]) -> None:
        of = table("m", id=t.INT64, at=t.TIMESTAMP_TZ, tags=List(t.TEXT), price=Decimal(9, 2), no=t.NULL)
        given = {"id": 1, "at": START, "tags": ["a", None], "price": Exact("1.50")}
        schema = pa.schema(
            {
                "id": pa.int64(),
                "at": pa.timestamp("us", "UTC"),
                "tags": pa.list_(pa.string()),
                "price": pa.decimal128(9, 2),
                "no": pa.null(),
                "kind": pa.dictionary(pa.int32(), pa.string()),
            }
        )
        rows = pa.Table.from_pylist([given | {"kind": "x"}, {"id": 2}], schema)
        assert make("m", Batches(schema, rows.to_batches())) == 2
        first, second = self.rows(fresh, "m", "id")
        assert first == given | {"no": None, "kind": "x"}
        assert second == dict.fromkeys([*of.names, "kind"]) | {"id": 2}

    def test_what_the_maker_of_rows_raises_comes_out(
        self, builder_of: BuilderOf, fresh: Factory, make: Callable[..., int]
    ) -> None:
        def rows() -> Iterator[Any]:
            yield pa.record_batch({"id": [1]})
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            make("m", Batches(pa.schema({"id": pa.int64()}), rows()))
        assert dict(builder_of(fresh()).versions()) == {}

    def test_model_without_columns_is_refused(self, make: Callable[..., int]) -> None:
        with pytest.raises(RefusedError, match="no columns"):
            make("m", Batches(pa.schema([]), []))

    def test_model_without_rows_has_its_columns(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int]
    ) -> None:
        make("m", "SELECT 1 AS id")
        assert make("m", "SELECT range AS id, 'a' AS name FROM range(5) WHERE range > 9", "B2") == 0
        assert self.rows(fresh, "m") == []
        assert fresh().query("SELECT id, name FROM m").column_names == ["id", "name"]
        assert builder_of(fresh()).versions()["m"] == "B2"

    @pytest.mark.slow
    def test_a_million_rows_are_not_held_in_memory(self, fresh: Factory, make: Callable[..., int]) -> None:
        schema = pa.schema({"id": pa.int64(), "text": pa.string()})
        alive: list[int] = []

        def rows() -> Iterator[Any]:
            for start in range(0, 1_000_000, 10_000):
                alive.append(pa.total_allocated_bytes())
                arrays = [pa.arange(start, start + 10_000), pa.repeat("x" * 100, 10_000)]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

        assert make("m", Batches(schema, rows())) == 1_000_000
        assert max(alive) - alive[0] < 60_000_000  # all of it is 112 MB of Arrow at least
        assert self.column(fresh, "SELECT count(DISTINCT id) FROM m") == [1_000_000]

    # ----------------------------------------------------------------------------- the types

    @pytest.mark.parametrize("disposition", [REPLACE, APPEND])
    def test_types_are_kept(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int], disposition: Disposition
    ) -> None:
        make("m", f"SELECT {', '.join(f'{c} AS {_quoted(c)}' for c in VALUES)}", "B1", disposition)
        [row] = self.rows(fresh, "m")
        assert row == {cell: value for cell, (_, value) in VALUES.items()}
        shape = builder_of(fresh()).built()["m"].table
        assert shape is not None
        assert {c.name: c.type for c in shape.columns} == {c: kind for c, (kind, _) in VALUES.items()}

    @pytest.mark.parametrize("disposition", [REPLACE, APPEND])
    def test_types_that_travel_as_text(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int], disposition: Disposition
    ) -> None:
        make("m", f"SELECT {', '.join(f'{c} AS {_quoted(c)}' for c in AS_TEXT)}", "B1", disposition)
        for cell, (_, text) in AS_TEXT.items():
            assert self.column(fresh, f"SELECT CAST({_quoted(cell)} AS VARCHAR) FROM m") == [text]
        shape = builder_of(fresh()).built()["m"].table
        assert shape is not None
        assert [c.type for c in shape.columns] == [kind for kind, _ in AS_TEXT.values()]

    def test_declared_columns_come_in_their_order_and_types(
        self, fresh: Factory, make: Callable[..., int]
    ) -> None:
        declared = Table(
            "m",
            (
                Column("price", Decimal(9, 2), declared=True),
                Column("day", t.DATE, declared=True),
                Column("id", INT32, declared=True),
                Column("kind", t.TEXT, declared=True),
                Column("data", t.JSON, declared=True),
                Column("none", t.NULL, declared=True),
            ),
        )
        sql = (
            "SELECT 7::BIGINT AS id, '2026-11-21' AS day, 1.5::DOUBLE AS price, 'no' AS extra, "
            "'a'::ENUM('a') AS kind, '{\"a\": 1}' AS data"
        )
        make("m", sql, shape=lambda _: declared)
        [row] = self.rows(fresh, "m")
        assert list(row) == ["price", "day", "id", "kind", "data"]
        assert row == {
            "price": Exact("1.50"), "day": date(2026, 11, 21), "id": 7, "kind": "a", "data": '{"a": 1}'
        }  # fmt: skip
        assert self.column(fresh, "SELECT typeof(kind) FROM m") == ["VARCHAR"]

    @pytest.mark.parametrize("disposition", [REPLACE, APPEND])
    def test_value_that_does_not_fit_is_refused(
        self, fresh: Factory, builder_of: BuilderOf, disposition: Disposition
    ) -> None:
        destination = fresh()
        with destination.lock("models", "suite"):
            builder = builder_of(destination)
            for cell, kind, shown in MISFITS:
                none = f"SELECT CASE WHEN false THEN {cell} END AS x"
                declared = Table("m", (Column("x", kind, declared=True),))
                with pytest.raises(RefusedError) as refused:
                    sql = f"{none} UNION ALL SELECT {cell} UNION ALL {none}"
                    _build(builder, "m", sql, "B1", disposition, _as(declared))
                assert "`m.x`" in str(refused.value)
                assert shown in str(refused.value)
                assert "1 rows" in str(refused.value)
            assert dict(builder.versions()) == {}

    def test_value_that_fits_is_taken(self, fresh: Factory, builder_of: BuilderOf) -> None:
        destination = fresh()
        with destination.lock("models", "suite"):
            builder = builder_of(destination)
            for number, (cell, kind, value) in enumerate(FITS):
                declared = Table("m", (Column("x", kind, declared=True),))
                sql = f"SELECT {cell} AS x"
                _build(builder, "m", sql, f"B{number}", REPLACE, _as(declared))
                assert destination.query("SELECT x FROM m").column(0).to_pylist() == [value], cell

    def test_declared_column_that_is_not_given_is_refused(self, make: Callable[..., int]) -> None:
        declared = Table("m", (Column("id", t.INT64), Column("name", t.TEXT, declared=True)))
        for disposition in (REPLACE, APPEND):
            with pytest.raises(RefusedError, match="gives no column `name`"):
                make("m", "SELECT 1 AS id", "B1", disposition, lambda _: declared)

    # -------------------------------------------------------------------------- dispositions

    @pytest.mark.parametrize("words", DISPOSITIONS)
    def test_random_builds_equal_the_oracle(self, fresh: Factory, builder_of: BuilderOf, words: str) -> None:
        disposition, rng = DISPOSITIONS[words], random.Random(words)  # noqa: S311
        oracle, kinds = Oracle(disposition), dict(KINDS)
        destination = fresh()
        with destination.lock("models", "suite"):
            builder = builder_of(destination)
            for number in range(5):
                instant = START + number * timedelta(days=1)
                given = from_instant(disposition, instant)
                if number == 2:
                    kinds["new"] = t.INT64
                if number == 3:
                    kinds["v"] = t.TEXT
                rows = [random_row(rng, kinds, disposition.overwrite) for _ in range(rng.randrange(9))]
                made = _sql(kinds, rows) if number % 2 else batches(table("m", **kinds), rows)
                kept = _build(builder, "m", made, f"B{number}", given)
                assert kept == len(rows)
                oracle.load([_Write(kinds, rows)], instant)
                found = [
                    {k: v for k, v in row.items() if k not in (VERSION, LOAD_ID)}
                    for row in destination.query("SELECT * FROM m").to_pylist()
                ]
                assert sorted(map(text_of, found)) == sorted(map(text_of, oracle.rows))

    def test_replace_forgets_the_old_shape(self, fresh: Factory, make: Callable[..., int]) -> None:
        make("m", "SELECT 1 AS id, 'a' AS name")
        make("m", "SELECT DATE '2026-11-21' AS id, 2.5::DOUBLE AS price", "B2")
        assert self.rows(fresh, "m") == [{"id": date(2026, 11, 21), "price": 2.5}]

    def test_rows_of_earlier_builds_follow_the_shape(self, fresh: Factory, make: Callable[..., int]) -> None:
        make("m", "SELECT 1::INTEGER AS id, 5::INTEGER AS n", "B1", APPEND)
        make("m", "SELECT 2::BIGINT AS id, 'x' AS n, 0.5::DOUBLE AS new", "B2", APPEND)
        make("m", "SELECT 3 AS id", "B3", APPEND)
        assert self.rows(fresh, "m", "id") == [
            {"id": 1, "n": "5", "new": None},
            {"id": 2, "n": "x", "new": 0.5},
            {"id": 3, "n": None, "new": None},
        ]
        assert self.column(fresh, f"SELECT {LOAD_ID} FROM m ORDER BY id") == ["B1", "B2", "B3"]

    def test_growth_that_loses_is_refused(self, fresh: Factory, make: Callable[..., int]) -> None:
        make("m", "SELECT 9007199254740993 AS n", "B1", APPEND)
        with pytest.raises(ContractError):
            make("m", "SELECT 0.5::DOUBLE AS n", "B2", APPEND)
        assert self.column(fresh, "SELECT n FROM m") == [9_007_199_254_740_993]

    def test_partitions_are_replaced_alone(self, fresh: Factory, make: Callable[..., int]) -> None:
        make("m", "SELECT range % 2 AS day, range AS n FROM range(4)", "B1", BY_DAY)
        make("m", "SELECT 1::BIGINT AS day, 9::BIGINT AS n, 'x' AS new", "B2", BY_DAY)
        make("m", "SELECT NULL::BIGINT AS day, 8::BIGINT AS n", "B3", BY_DAY)
        make("m", "SELECT NULL::BIGINT AS day, 7::BIGINT AS n", "B4", BY_DAY)
        rows = self.rows(fresh, "m", "day, n")
        assert [(r["day"], r["n"], r["new"]) for r in rows] == [
            (0, 0, None), (0, 2, None), (1, 9, "x"), (None, 7, None)
        ]  # fmt: skip

    def test_snapshot_of_a_day_is_replaced_by_one_of_the_same_day(
        self, fresh: Factory, make: Callable[..., int]
    ) -> None:
        for build, (day, rows) in enumerate([("20", 3), ("21", 2), ("21", 1)]):
            sql = f"SELECT range AS id, DATE '2026-11-{day}' AS day FROM range({rows})"
            make("m", sql, f"B{build}", BY_DAY)
        assert self.column(fresh, "SELECT count(*) FROM m GROUP BY day ORDER BY day") == [3, 1]

    def test_table_made_anew_can_be_added_to(self, fresh: Factory, make: Callable[..., int]) -> None:
        make("m", "SELECT 1 AS id, 5 AS day")
        make("m", "SELECT 2 AS id, 5 AS day", "B2", APPEND)
        make("m", "SELECT 3 AS id, 6 AS day", "B3", BY_DAY)
        make("m", "SELECT 4 AS id, 6 AS day", "B4", BY_DAY)
        make("m", "SELECT 1 AS id, 7 AS day", "B5", MERGE)
        assert [(r["id"], r["day"]) for r in self.rows(fresh, "m", "id")] == [(1, 7), (2, 5), (4, 6)]
        make("m", "SELECT 8 AS id, 5 AS day", "B6", BY_DAY)
        assert [(r["id"], r["day"]) for r in self.rows(fresh, "m", "id")] == [(1, 7), (4, 6), (8, 5)]

    @pytest.mark.parametrize(
        "disposition", [APPEND, MERGE, BY_DAY, replace(MERGE, strategy=Strategy.SCD2, at=START)]
    )
    def test_anew_forgets_earlier_rows(
        self, fresh: Factory, make: Callable[..., int], disposition: Disposition
    ) -> None:
        make("m", "SELECT 1 AS id, 5 AS day, 'gone' AS old", "B1", disposition)
        make("m", "SELECT 'x' AS id, 6 AS day", "B2", disposition, anew=True)
        [row] = self.rows(fresh, "m")
        assert (row["id"], row["day"], row.get("old")) == ("x", 6, None)
        assert "old" not in row

    def test_null_in_a_key_is_refused(self, make: Callable[..., int]) -> None:
        with pytest.raises(RefusedError, match="primary key"):
            make("m", "SELECT NULL::BIGINT AS id", "B1", MERGE)

    @pytest.mark.parametrize(
        "disposition",
        [
            Disposition(WriteMode.MERGE),
            Disposition(WriteMode.REPLACE, overwrite=("nowhere",)),
            Disposition(WriteMode.MERGE, ("id",), dedup_sort="nowhere"),
        ],
    )
    def test_nonsense_is_refused(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int], disposition: Disposition
    ) -> None:
        with pytest.raises(RefusedError):
            make("m", "SELECT 1 AS id", "B1", disposition)
        assert dict(builder_of(fresh()).versions()) == {}

    # ---------------------------------------------------------------------------------- views

    @group("views")
    def test_view_follows_what_it_reads(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int]
    ) -> None:
        make("a", "SELECT 1 AS id")
        destination = fresh()
        with destination.lock("models", "suite"):
            builder = builder_of(destination)
            assert _view(builder, "v", "SELECT id,\n id * 2 AS twice FROM a -- end").names == ("id", "twice")
        destination.close()
        make("a", "SELECT 5 AS id", "B2")
        assert fresh().query("SELECT * FROM v").to_pylist() == [{"id": 5, "twice": 10}]
        assert builder_of(fresh()).versions()["v"] == "V1"

    @group("views")
    def test_tables_become_views_and_tables_again(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int]
    ) -> None:
        make("m", "SELECT 1 AS id", "B1", MERGE)
        destination = fresh()
        with destination.lock("models", "suite"):
            _view(builder_of(destination), "m", "SELECT 2 AS id")
            _view(builder_of(destination), "m", "SELECT 3 AS id")
        destination.close()
        assert fresh().query("SELECT * FROM m").to_pylist() == [{"id": 3}]
        make("m", "SELECT 4 AS id", "B2", MERGE)
        assert self.rows(fresh, "m") == [{"id": 4}]
        destination = fresh()
        with destination.lock("models", "suite"):
            build = builder_of(destination).begin("m", "B3")
            build.view("m", "SELECT 9 AS id")
            build.rollback()
        assert self.rows(fresh, "m") == [{"id": 4}]

    @pytest.mark.parametrize("sql", ["SELECT nothing\nFROM a", "DROP TABLE a", "SELECT 1; SELECT 2"])
    def test_wrong_view_is_refused(self, fresh: Factory, builder_of: BuilderOf, sql: str) -> None:
        destination = fresh()
        with destination.lock("models", "suite"):
            build = builder_of(destination).begin("v", "B1")
            with pytest.raises(RefusedError):
                build.view("v", sql)
            build.rollback()
        assert dict(builder_of(fresh()).versions()) == {}

    # ----------------------------------------------------------------------- the ledger's word

    def test_versions_follow_loads_and_builds(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int]
    ) -> None:
        of = table("t", id=t.INT64)
        self.load(fresh, "L1", (of, APPEND, [{"id": 1}]), files=(file_of("L1", "p/t/1", 1),))
        other = (file_of("L2", "p/u/1", 1, table="u"),)
        self.load(fresh, "L2", (table("u", id=t.INT64), APPEND, [{"id": 1}]), files=other)
        make("m", "SELECT * FROM t")
        assert dict(builder_of(fresh()).versions()) == {"t": "L1", "u": "L2", "m": "B1"}
        self.load(fresh, "L3", (of, APPEND, [{"id": 2}]), files=(file_of("L3", "p/t/2", 1),))
        assert dict(builder_of(fresh()).versions()) == {"t": "L3", "u": "L2", "m": "B1"}

    def test_parts_of_tables_follow_their_roots(self, fresh: Factory, builder_of: BuilderOf) -> None:
        root = table("t", id=t.INT64, _penstock_id=t.TEXT)
        part = table("t__tags", value=t.TEXT, _penstock_root_id=t.TEXT)
        below = Disposition(root="t")
        for load in ("L1", "L2"):
            row = {"id": 1, "_penstock_id": load}
            tags = [{"value": "a", "_penstock_root_id": load}] if load == "L1" else []
            files = (file_of(load, f"p/t/{load}", 1),)
            self.load(fresh, load, (root, APPEND, [row]), (part, below, tags), files=files)
            assert dict(builder_of(fresh()).versions()) == {"t": load, "t__tags": load}

    def test_other_programs_models_are_recorded(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int]
    ) -> None:
        make("m", "SELECT 1 AS id")
        destination = fresh()
        with destination.lock("models", "suite"):
            builder = builder_of(destination)
            builder.record([built_of("d1", "D1", tool="dbt"), built_of("d2", "D2", tool="dbt", rows=None)])
            builder.record([])
        destination.close()
        builder = builder_of(fresh())
        assert {b.model: b.build_id for b in builder.built().values()} == {"m": "B1", "d1": "D1", "d2": "D2"}
        assert builder.built()["d2"].rows is None
        assert dict(builder.versions()) == {"m": "B1"}  # nobody made the others' tables here

    def test_dropped_models_are_forgotten(
        self, fresh: Factory, builder_of: BuilderOf, make: Callable[..., int]
    ) -> None:
        for name, disposition in (("a", REPLACE), ("b", REPLACE), ("c", MERGE)):
            make(name, "SELECT 1 AS id", "B1", disposition)
        destination = fresh()
        with destination.lock("models", "suite"):
            builder = builder_of(destination)
            builder.drop(["a", "c", "nowhere"])
            builder.drop([])
        destination.close()
        builder = builder_of(fresh())
        assert set(builder.built()) == set(builder.versions()) == {"b"}
        with pytest.raises(NotFoundError):
            fresh().query("SELECT * FROM a")
        make("a", "SELECT 2 AS id", "B2")
        assert self.rows(fresh, "a") == [{"id": 2}]

    def test_loads_go_on_beside_models(self, fresh: Factory, builder_of: BuilderOf) -> None:
        of = table("t", id=t.INT64)
        destination = fresh()
        with destination.lock("p", "suite"):
            builder = builder_of(destination)
            for number in range(3):
                load = destination.begin("p", f"L{number}")
                load.shape(of, APPEND)
                load.write(of, APPEND, batches(of, [{"id": number}]))
                load.commit(commit_of(f"L{number}", schemas=(of,)))
                _build(builder, "m", "SELECT count(*) AS n FROM t", f"B{number}", REPLACE)
                assert destination.query("SELECT n FROM m").column(0).to_pylist() == [number + 1]
                destination.close()  # so that another program may have it for a while
        assert builder_of(fresh()).versions()["m"] == "B2"
        assert set(fresh().facts("p").tables) == {"t"}
        assert fresh().facts("").tables.keys() <= {"m"}


def _build(
    builder: Builder,
    name: str,
    rows: str | Batches,
    build_id: str,
    disposition: Disposition,
    shape: Callable[[Table], Table] = lambda staged: staged,
    **given: Any,
) -> int:
    """One whole build; returns how many rows were put."""
    build = builder.begin(name, build_id)
    try:
        staged = build.stage(name, rows) if isinstance(rows, str) else build.stage_rows(name, rows)
        wanted = shape(staged)
        kept = build.put(wanted, disposition, **given)
        build.commit(built_of(name, build_id, wanted))
    finally:
        build.rollback()  # after a commit nothing happens
    return kept


def _view(builder: Builder, name: str, sql: str) -> Table:
    build = builder.begin(name, "V1")
    try:
        shape = build.view(name, sql)
        build.commit(built_of(name, "V1", shape, materialized="view"))
    finally:
        build.rollback()
    return shape


def _sql(kinds: Mapping[str, DataType], rows: Sequence[Row]) -> str:
    """A query for some rows, in their order."""
    words: dict[DataType, str] = {t.INT64: "BIGINT", t.BOOL: "BOOLEAN", t.TEXT: "VARCHAR"}
    cells = ", ".join(f'CAST(c{i} AS {words[k]}) AS "{name}"' for i, (name, k) in enumerate(kinds.items()))
    names = ", ".join(f"c{i}" for i in range(len(kinds)))
    lines = ", ".join("(" + ", ".join(_literal(row.get(name)) for name in kinds) + ")" for row in rows)
    none = "(" + ", ".join("NULL" for _ in kinds) + ")"
    return f"SELECT {cells} FROM (VALUES {lines or none}) AS x({names}){'' if rows else ' WHERE false'}"


def _as(wanted: Table) -> Callable[[Table], Table]:
    """The wanted shape, whatever was staged."""
    return lambda _: wanted


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value).lower()
