"""The promises of every write disposition. `DestinationSuite` has them all; do not inherit this alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as Exact
from typing import Any, ClassVar

import pytest

from penstock.errors import NotFoundError, RefusedError
from penstock.ledger import LOAD_ID
from penstock.schema import types as t
from penstock.schema.disposition import Disposition, Scd2, Strategy, WriteMode
from penstock.schema.table import Table
from penstock.schema.types import DataType, Decimal, List, Struct, Timestamp
from penstock.testing.loads import APPEND, REPLACE, START, Factory, Loads, batches, commit_of, group, table
from penstock.testing.oracle import DISPOSITIONS, KINDS, Oracle, Row, from_instant, random_load, text_of

FROM, TO, VERSION = Scd2().valid_from, Scd2().valid_to, Scd2().version_column
BY_ID = Disposition(WriteMode.MERGE, ("id",))
INSERT = replace(BY_ID, strategy=Strategy.INSERT_ONLY)
CDC = replace(BY_ID, strategy=Strategy.CDC, dedup_sort="seq", hard_delete="gone")
VERSIONS = Disposition(WriteMode.MERGE, strategy=Strategy.SCD2)
DAY = timedelta(days=1)
BY_DAY = Disposition(WriteMode.REPLACE, overwrite=("day",))


def at(day: int, disposition: Disposition = VERSIONS) -> Disposition:
    """A disposition whose rows hold from a day of this suite."""
    return replace(disposition, at=START + day * DAY)


def random_loads(fresh: Factory, name: str, disposition: Disposition, rng: random.Random, loads: int) -> None:
    """Loads of random rows into a new table, some of them rolled back, each compared with the oracle."""
    oracle, kinds = Oracle(disposition), dict(KINDS)
    for number in range(loads):
        instant = START + number * DAY
        writes, wider = random_load(rng, kinds, number, disposition.overwrite)
        given = from_instant(disposition, instant)
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", f"{name}-{number}")
            transaction.shape(table(name, **kinds), given)
            for write in writes:
                of = table(name, **write.kinds)
                cut = rng.randrange(len(write.rows) + 1)
                transaction.shape(of, given)
                data = batches(of, write.rows[:cut], write.rows[cut:])
                assert transaction.write(of, given, data) == len(write.rows)
                if rng.random() < 0.2:
                    transaction.keys(name, ["id"])
            if rng.random() < 0.2:
                transaction.rollback()
                continue
            transaction.commit(commit_of(f"{name}-{number}", schemas=(table(name, **wider),)))
        destination.close()
        kinds = dict(wider)
        oracle.load(writes, instant)
        found = [{k: v for k, v in row.items() if k != VERSION} for row in Loads.rows(fresh, name)]
        assert sorted(map(text_of, found)) == sorted(map(text_of, oracle.rows))


class DispositionSuite(Loads):
    """Every strategy, alone and against the oracle."""

    @pytest.mark.parametrize("words", DISPOSITIONS)
    def test_random_loads_equal_the_oracle(self, fresh: Factory, words: str) -> None:
        for seed in range(2):
            random_loads(fresh, f"t{seed}", DISPOSITIONS[words], random.Random(f"{words} {seed}"), 5)  # noqa: S311

    def versions(self, fresh: Factory, name: str = "t") -> list[tuple[Any, ...]]:
        """Id, name and the days from and until which each version holds, in order."""
        found = self.rows(fresh, name, f'id, "{FROM}"')
        days = [[r[c] and (r[c] - START).days for c in (FROM, TO)] for r in found]
        return [(r["id"], r.get("name"), *both) for r, both in zip(found, days, strict=True)]

    # ------------------------------------------------------------------- what did not change

    def brought(self, fresh: Factory) -> list[tuple[int, Any, str]]:
        """Id, value and load of each row."""
        destination = fresh()
        found = destination.query(f'SELECT id, v, "{LOAD_ID}" AS load FROM t ORDER BY id, v')
        destination.close()
        return [(r["id"], r["v"], r["load"]) for r in found.to_pylist()]

    def test_rows_that_did_not_change_stay_those_of_their_load(self, fresh: Factory) -> None:
        of, by = table("t", id=t.INT64, v=t.TEXT), replace(BY_ID, skip_unchanged_rows=True)
        old: list[Row] = [{"id": 1, "v": "a"}, {"id": 2, "v": "a"}, {"id": 3, "v": None}]
        self.load(fresh, "L1", (of, by, old))
        new: list[Row] = [
            {"id": 1, "v": "a"},
            {"id": 2, "v": "b"},
            {"id": 3, "v": None},
            {"id": 4, "v": None},
        ]
        self.load(fresh, "L2", (of, by, new))
        assert self.brought(fresh) == [(1, "a", "L1"), (2, "b", "L2"), (3, None, "L1"), (4, None, "L2")]
        self.load(fresh, "L3", (of, BY_ID, [{"id": 1, "v": "a"}]))
        assert self.brought(fresh)[0] == (1, "a", "L3")

    def test_a_version_tells_what_did_not_change(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, v=t.TEXT, etag=t.INT64)
        by = replace(BY_ID, skip_unchanged_rows=True, row_version="etag")
        self.load(fresh, "L1", (of, by, [{"id": 1, "v": "a", "etag": 1}, {"id": 2, "v": "a"}]))
        self.load(fresh, "L2", (of, by, [{"id": 1, "v": "b", "etag": 1}, {"id": 2, "v": "b", "etag": 1}]))
        assert self.brought(fresh) == [(1, "a", "L1"), (2, "b", "L2")]

    def test_one_of_several_rows_of_a_key_that_changed_is_enough(self, fresh: Factory) -> None:
        of, by = table("t", id=t.INT64, v=t.TEXT), replace(BY_ID, skip_unchanged_rows=True)
        self.load(fresh, "L1", (of, APPEND, [{"id": 1, "v": "a"}, {"id": 1, "v": "b"}]))
        self.load(fresh, "L2", (of, by, [{"id": 1, "v": "a"}]))
        assert self.brought(fresh) == [(1, "a", "L2"), (1, "a", "L2")]

    def test_a_scope_is_emptied_by_nothing(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, v=t.TEXT)
        by = Disposition(WriteMode.MERGE, strategy=Strategy.DELETE_INSERT, destination_scope="v = 'a'")
        self.load(fresh, "L1", (of, by, [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3}]))
        self.load(fresh, "L2", (of, by, []))
        assert self.brought(fresh) == [(2, "b", "L1"), (3, None, "L1")]

    def test_a_scope_that_is_no_condition_is_refused(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, v=t.TEXT)
        by = Disposition(WriteMode.MERGE, strategy=Strategy.DELETE_INSERT, destination_scope="nosuch = 1")
        self.load(fresh, "L1", (of, APPEND, [{"id": 1}]))
        with pytest.raises(RefusedError, match="DuckDB refused"):
            self.load(fresh, "L2", (of, by, [{"id": 2}]))
        assert [r["id"] for r in self.rows(fresh, "t")] == [1]

    # --------------------------------------------------------------------------- hard delete

    def test_deletes_remove_the_row_of_their_key(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, gone=t.BOOL)
        by = replace(BY_ID, hard_delete="gone")
        self.load(fresh, "L1", (of, by, [{"id": 1}, {"id": 2, "gone": False}, {"id": 3, "gone": True}]))
        assert [r["id"] for r in self.rows(fresh, "t")] == [1, 2]
        self.load(fresh, "L2", (of, by, [{"id": 1, "gone": True}, {"id": 9, "gone": True}]))
        assert [r["id"] for r in self.rows(fresh, "t")] == [2]

    def test_deletes_that_are_older_do_nothing(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, seq=t.INT64, gone=t.TEXT)
        by = replace(BY_ID, hard_delete="gone", dedup_sort="seq")
        self.load(fresh, "L1", (of, by, [{"id": 1, "seq": 5}, {"id": 1, "seq": 4, "gone": "x"}]))
        self.load(fresh, "L2", (of, by, [{"id": 1, "seq": 3, "gone": "x"}]))
        assert self.rows(fresh, "t") == [{"id": 1, "seq": 5, "gone": None}]

    @pytest.mark.parametrize(
        ("kind", "deletes", "stays", "values"),
        [
            (t.BOOL, True, False, ()),
            (t.TIMESTAMP_TZ, START, None, ()),
            (t.TEXT, "", None, ()),
            (t.TEXT, "D", "U", ("D", "x")),
            (t.INT64, 2, 1, ("2",)),
            (t.BOOL, False, True, ("false",)),
            (t.TEXT, "it's", "its", ("it's",)),
        ],
    )
    def test_what_means_deleted(
        self, fresh: Factory, kind: DataType, deletes: Any, stays: Any, values: tuple[str, ...]
    ) -> None:
        of = table("t", id=t.INT64, op=kind)
        by = replace(BY_ID, hard_delete="op", delete_values=values)
        rows = [{"id": 1, "op": deletes}, {"id": 2, "op": stays}, {"id": 3, "op": None}]
        self.load(fresh, "L1", (of, by, [{"id": 1}, {"id": 2}]))
        self.load(fresh, "L2", (of, by, rows))
        assert [r["id"] for r in self.rows(fresh, "t")] == [2, 3]

    def test_batches_without_the_delete_column_delete_nothing(self, fresh: Factory) -> None:
        of, by = table("t", id=t.INT64, gone=t.BOOL), replace(BY_ID, hard_delete="gone")
        self.load(fresh, "L1", (of, by, [{"id": 1}]))
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L2")
            transaction.shape(of, by)
            transaction.write(of, by, batches(table("t", id=t.INT64), [{"id": 1}, {"id": 2}]))
            transaction.commit(commit_of("L2", schemas=(of,)))
        destination.close()
        assert [r["id"] for r in self.rows(fresh, "t")] == [1, 2]

    # ------------------------------------------------------------------------- delete-insert

    def test_delete_insert_replaces_all_rows_of_a_merge_key(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, day=t.DATE, n=t.INT64)
        by = Disposition(WriteMode.MERGE, strategy=Strategy.DELETE_INSERT, merge_key=("day",))
        first, second = START.date(), (START + DAY).date()
        rows = [{"id": i, "day": first if i < 3 else second, "n": 0} for i in range(5)]
        self.load(fresh, "L1", (of, by, rows))
        self.load(fresh, "L2", (of, by, [{"id": 9, "day": first}, {"id": 9, "day": first}]))
        assert [r["id"] for r in self.rows(fresh, "t")] == [3, 4, 9, 9]
        assert self.column(fresh, f"SELECT {LOAD_ID} FROM t ORDER BY id") == ["L1", "L1", "L2", "L2"]

    def test_delete_insert_keeps_nothing_of_the_old_row(self, fresh: Factory) -> None:
        of, narrow = table("t", id=t.INT64, a=t.TEXT), table("t", id=t.INT64)
        by = replace(BY_ID, strategy=Strategy.DELETE_INSERT)
        self.load(fresh, "L1", (of, by, [{"id": 1, "a": "x"}, {"id": 2, "a": "y"}]))
        self.load(fresh, "L2", (narrow, by, [{"id": 1}]), schemas=(of,))
        assert self.rows(fresh, "t") == [{"id": 1, "a": None}, {"id": 2, "a": "y"}]

    def test_delete_insert_by_a_group_that_lost_its_only_row_to_a_newer_one(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, day=t.INT64)
        by = replace(BY_ID, strategy=Strategy.DELETE_INSERT, merge_key=("day",))
        self.load(fresh, "L1", (of, by, [{"id": 1, "day": 1}, {"id": 5, "day": 1}]))
        self.load(fresh, "L2", (of, by, [{"id": 1, "day": 1}, {"id": 1, "day": 2}]))
        assert self.rows(fresh, "t") == [{"id": 1, "day": 2}]

    # --------------------------------------------------------------------------- insert-only

    def test_insert_only_changes_nothing_that_is_there(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, name=t.TEXT)
        self.load(fresh, "L1", (of, INSERT, [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]))
        self.load(fresh, "L2", (of, INSERT, [{"id": 2, "name": "B"}, {"id": 3, "name": "c"}]))
        assert [r["name"] for r in self.rows(fresh, "t")] == ["a", "b", "c"]
        assert self.column(fresh, f"SELECT {LOAD_ID} FROM t ORDER BY id") == ["L1", "L1", "L2"]

    # ---------------------------------------------------------------------------------- scd2

    @group("scd2")
    def test_scd2_keeps_every_version(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, name=t.TEXT)
        self.load(fresh, "L1", (of, at(1), [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]))
        self.load(fresh, "L2", (of, at(2), [{"id": 1, "name": "A"}, {"id": 2, "name": "b"}]))
        self.load(fresh, "L3", (of, at(3), [{"id": 1, "name": "A"}]))
        self.load(fresh, "L4", (of, at(4), [{"id": 1, "name": "A"}, {"id": 2, "name": "b"}]))
        expected = [(1, "a", 1, 2), (1, "A", 2, None), (2, "b", 1, 3), (2, "b", 4, None)]
        assert self.versions(fresh) == expected
        assert fresh().facts("p").tables == {"t": of}
        order = f'SELECT {LOAD_ID} FROM t ORDER BY id, "{FROM}"'
        assert self.column(fresh, order) == ["L1", "L2", "L1", "L4"]

    @group("scd2")
    def test_scd2_of_one_key_leaves_the_others(self, fresh: Factory) -> None:
        of, by = table("t", id=t.INT64, name=t.TEXT), replace(VERSIONS, merge_key=("id",))
        self.load(fresh, "L1", (of, at(1, by), [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]))
        self.load(fresh, "L2", (of, at(2, by), [{"id": 1, "name": "A"}]))
        assert self.versions(fresh) == [(1, "a", 1, 2), (1, "A", 2, None), (2, "b", 1, None)]

    @group("scd2")
    def test_scd2_takes_an_empty_load_for_an_empty_table(self, fresh: Factory) -> None:
        of, by = table("t", id=t.INT64), replace(VERSIONS, merge_key=("id",))
        self.load(fresh, "L1", (of, at(1), [{"id": 1}]))
        self.load(fresh, "L2", (of, at(2, by), []))
        assert self.versions(fresh) == [(1, None, 1, None)]
        self.load(fresh, "L3", (of, at(3), []))
        assert self.versions(fresh) == [(1, None, 1, 3)]

    @group("scd2")
    def test_scd2_sees_one_snapshot_in_all_writes_of_a_load(self, fresh: Factory) -> None:
        of, wide = table("t", id=t.INT64), table("t", id=t.INT64, name=t.TEXT)
        self.load(fresh, "L1", (of, at(1), [{"id": 1}]), (wide, at(1), [{"id": 2, "name": "b"}, {"id": 1}]))
        self.load(fresh, "L2", (of, at(2), [{"id": 1}]), (wide, at(2), [{"id": 2, "name": "b"}]))
        assert self.versions(fresh) == [(1, None, 1, None), (2, "b", 1, None)]

    @group("scd2")
    def test_scd2_with_names_and_an_end_of_ones_own(self, fresh: Factory) -> None:
        end = START + 1000 * DAY
        own = Scd2("since", "until", end, version_column="digest")
        of, by = table("t", id=t.INT64, name=t.TEXT), replace(VERSIONS, scd2=own)
        self.load(fresh, "L1", (of, at(1, by), [{"id": 1, "name": "a"}]))
        self.load(fresh, "L2", (of, at(2, by), [{"id": 1, "name": "A"}]))
        self.load(fresh, "L3", (of, at(3, by), [{"id": 1, "name": "A"}]))
        rows = self.rows(fresh, "t", "since")
        assert [(r["since"], r["until"]) for r in rows] == [
            (START + DAY, START + 2 * DAY),
            (START + 2 * DAY, end),
        ]
        assert len({r["digest"] for r in rows}) == 2

    @group("scd2")
    def test_scd2_by_a_version_of_ones_own(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, rev=t.INT64, name=t.TEXT)
        by = replace(VERSIONS, primary_key=("id",), scd2=Scd2(row_version="rev"))
        self.load(fresh, "L1", (of, at(1, by), [{"id": i, "rev": 1, "name": "a"} for i in (1, 2)]))
        second = [{"id": 1, "rev": 1, "name": "other"}, {"id": 2, "rev": 2, "name": "b"}]
        self.load(fresh, "L2", (of, at(2, by), second))
        assert self.versions(fresh) == [(1, "a", 1, None), (2, "a", 1, 2), (2, "b", 2, None)]
        assert VERSION not in self.rows(fresh, "t")[0]
        with pytest.raises(RefusedError, match="row version"):
            self.load(fresh, "L3", (of, at(3, by), [{"id": 1}]))

    GROWTHS: ClassVar[Sequence[tuple[DataType, Any, DataType, Any]]] = (
        (t.INT64, 7, t.TEXT, "7"),
        (t.INT64, 2**53, t.FLOAT64, 2.0**53),
        (t.INT64, 7, Decimal(30, 4), "7.0000"),
        (Decimal(5, 2), "1.50", Decimal(38, 10), "1.5000000000"),
        (t.DATE, START.date(), t.TIMESTAMP, START.replace(hour=0, minute=0, microsecond=0, tzinfo=None)),
        (t.TIMESTAMP_TZ, START, Timestamp(True, "ns"), START),
        (Struct((("a", t.INT64),)), {"a": 1}, Struct((("a", t.FLOAT64), ("b", t.TEXT))), {"a": 1.0}),
        (List(t.INT64), [1, None], List(t.FLOAT64), [1.0, None]),
        (Struct(()), "{}", Struct((("a", t.INT64),)), {"a": None}),
    )

    @group("scd2")
    def test_scd2_growth_makes_no_versions(self, fresh: Factory) -> None:
        """New columns without values, fields without values and wider types change no row."""
        names = [f"{i}: {before} to {after}" for i, (before, _, after, _) in enumerate(self.GROWTHS)]
        exact = {
            n: (_exact(c[0], c[1]), _exact(c[2], c[3])) for n, c in zip(names, self.GROWTHS, strict=True)
        }
        of = table("t", id=t.INT64, **{n: c[0] for n, c in zip(names, self.GROWTHS, strict=True)})
        wide = table(
            "t", new=t.TEXT, **{n: c[2] for n, c in zip(names, self.GROWTHS, strict=True)}, id=t.INT64
        )
        before: list[Row] = [{"id": 1} | {n: v[0] for n, v in exact.items()}, {"id": 2}]
        after = [{"id": 1} | {n: v[1] for n, v in exact.items()}, {"id": 2}]
        self.load(fresh, "L1", (of, at(1), before))
        self.load(fresh, "L2", (wide, at(2), after))
        assert self.versions(fresh) == [(1, None, 1, None), (2, None, 1, None)]
        self.load(fresh, "L3", (wide, at(3), [after[0], after[1] | {"new": ""}]))
        assert self.versions(fresh) == [(1, None, 1, None), (2, None, 1, 3), (2, None, 3, None)]

    @group("scd2")
    def test_scd2_tells_rows_apart_that_look_alike(self, fresh: Factory) -> None:
        nested = Struct((("x", t.TEXT), ("y", List(t.TEXT))))
        of = table("t", a=t.TEXT, b=t.TEXT, c=nested, d=t.BINARY, e=t.JSON)
        rows: list[Row] = [
            {}, {"a": ""}, {"b": ""}, {"a": "xy"}, {"a": "x", "b": "y"}, {"a": "x1:b=1:y"},
            {"c": {}}, {"c": {"x": ""}}, {"c": {"y": []}}, {"c": {"y": [None]}}, {"c": {"y": ["-"]}},
            {"c": {"y": ["a", "b"]}}, {"c": {"y": ["a1:b"]}}, {"d": b""}, {"e": "null"}, {"e": '"null"'},
        ]  # fmt: skip
        self.load(fresh, "L1", (of, at(1), [*rows, *rows]))
        assert self.column(fresh, "SELECT count(*) FROM t") == [len(rows)]
        self.load(fresh, "L2", (of, at(2), rows[::-1]))
        assert self.column(fresh, f'SELECT count("{TO}") FROM t') == [0]

    @group("scd2")
    def test_scd2_of_a_table_that_had_no_versions(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, name=t.TEXT)
        by = replace(VERSIONS, merge_key=("id",))
        self.load(fresh, "L1", (of, APPEND, [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]))
        self.load(fresh, "L2", (of, at(2, by), [{"id": 1, "name": "A"}]))
        found = sorted(self.versions(fresh), key=str)
        assert found == [(1, "A", 2, None), (1, "a", None, 2), (2, "b", None, None)]

    @group("scd2")
    @pytest.mark.parametrize("name", [FROM, TO, VERSION, FROM.upper()])
    def test_scd2_refuses_data_in_its_columns(self, fresh: Factory, name: str) -> None:
        with pytest.raises(RefusedError, match="versions are kept"):
            self.load(fresh, "L1", (table("t", id=t.INT64, **{name: t.TEXT}), at(1), [{"id": 1}]))

    # ----------------------------------------------------------------------------------- cdc

    @group("cdc")
    def test_cdc_late_events_undo_nothing(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, seq=t.INT64, gone=t.BOOL, v=t.TEXT)

        def event(key: int, seq: int, v: str | None = None) -> Row:
            return {"id": key, "seq": seq, "gone": v is None, "v": v}

        self.load(fresh, "L1", (of, CDC, [event(1, 1, "a"), event(2, 1, "a"), event(1, 3), event(3, 9)]))
        self.load(fresh, "L2", (of, CDC, [event(1, 2, "late"), event(2, 5, "b"), event(3, 8, "late")]))
        assert [r["v"] for r in self.rows(fresh, "t")] == ["b"]
        self.load(fresh, "L3", (of, CDC, [event(2, 4), event(1, 4, "back"), event(3, 9, "same")]))
        assert [r["v"] for r in self.rows(fresh, "t")] == ["back", "b", "same"]

    @group("cdc")
    def test_cdc_remembers_deletes_when_keys_and_times_grow(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, seq=t.INT64, gone=t.BOOL)
        wide = table("t", id=t.TEXT, seq=t.FLOAT64, gone=t.BOOL)
        self.load(fresh, "L1", (of, CDC, [{"id": 1, "seq": 3, "gone": True}, {"id": 2, "seq": 1}]))
        self.load(fresh, "L2", (wide, CDC, [{"id": "1", "seq": 2.5}, {"id": "2", "seq": 1.5}]))
        assert self.rows(fresh, "t") == [{"id": "2", "seq": 1.5, "gone": None}]

    @group("cdc")
    def test_cdc_forgets_deletes_with_the_table(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, seq=t.INT64, gone=t.BOOL)
        self.load(fresh, "L1", (of, CDC, [{"id": 1, "seq": 3, "gone": True}]))
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L2")
            transaction.forget(["t"])
            transaction.commit(commit_of("L2"))
        destination.close()
        self.load(fresh, "L3", (of, CDC, [{"id": 1, "seq": 1}]))
        assert [r["seq"] for r in self.rows(fresh, "t")] == [1]

    @group("cdc")
    def test_cdc_deletes_of_many_loads_are_remembered(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, seq=t.INT64, gone=t.BOOL)
        for i in range(6):
            self.load(fresh, f"L{i}", (of, CDC, [{"id": i, "seq": 3, "gone": True}]))
        self.load(fresh, "L6", (of, CDC, [{"id": i, "seq": i} for i in range(6)]))
        assert [r["id"] for r in self.rows(fresh, "t")] == [3, 4, 5]

    @group("cdc")
    def test_cdc_keeps_its_own_table_private(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, seq=t.INT64, gone=t.BOOL)
        self.load(fresh, "L1", (of, CDC, [{"id": 1, "seq": 3, "gone": True}]))
        assert set(fresh().facts("p").tables) == {"t"}

    # ----------------------------------------------------------------------------- overwrite

    @group("overwrite")
    def test_overwrite_replaces_what_shares_values(self, fresh: Factory) -> None:
        plain = table("t", id=t.INT64, day=t.TEXT)
        parted = Table("u", plain.columns, partitions=("day",))
        first: list[Row] = [{"id": i, "day": day} for i, day in enumerate(["a", "a", "b", None, None])]
        second: list[Row] = [{"id": 7, "day": "a"}, {"id": 8, "day": None}]
        for of in (plain, parted):
            self.load(fresh, f"{of.name}1", (of, BY_DAY, first))
            self.load(fresh, f"{of.name}2", (of, BY_DAY, second), (of, BY_DAY, [{"id": 9, "day": "a"}]))
            assert self.rows(fresh, of.name, "id") == [
                {"id": 2, "day": "b"}, {"id": 7, "day": "a"}, {"id": 8, "day": None}, {"id": 9, "day": "a"},
            ]  # fmt: skip

    @group("overwrite")
    def test_overwrite_by_a_column_that_has_no_value_yet(self, fresh: Factory) -> None:
        unknown, known = table("t", id=t.INT64, day=t.NULL), table("t", id=t.INT64, day=t.TEXT)
        self.load(fresh, "L1", (unknown, BY_DAY, [{"id": 1}]))
        self.load(fresh, "L2", (unknown, BY_DAY, [{"id": 2}]))
        assert [r["id"] for r in self.rows(fresh, "t")] == [2]
        self.load(fresh, "L3", (known, BY_DAY, [{"id": 3, "day": "a"}]))
        assert [r["id"] for r in self.rows(fresh, "t")] == [2, 3]

    def test_replace_by_nothing_empties_the_table(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64)
        self.load(fresh, "L1", (of, REPLACE, [{"id": 1}]))
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L2")
            transaction.shape(of, REPLACE)
            transaction.commit(commit_of("L2"))
        destination.close()
        assert self.rows(fresh, "t") == []

    # -------------------------------------------------------------------------------- children

    ORDERS = table("orders", id=t.INT64, at=t.INT64, _penstock_id=t.TEXT)
    ITEMS = table("orders__items", _penstock_root_id=t.TEXT, _penstock_id=t.TEXT, item=t.TEXT)
    TAGS = table("orders__items__tags", _penstock_root_id=t.TEXT, tag=t.TEXT)

    def tree(self, fresh: Factory, load_id: str, root: Disposition, *orders: tuple[Any, ...]) -> None:
        """A load of orders, given as row id, id and `at`; each has two items, each of these one tag."""
        part = Disposition(root.mode, root="orders")
        rows = [{"_penstock_id": row, "id": key, "at": order_at} for row, key, order_at in orders]
        items: list[Row] = [{"_penstock_root_id": r, "item": f"{r}{n}"} for r, *_ in orders for n in (1, 2)]
        tags: list[Row] = [{"_penstock_root_id": i["_penstock_root_id"], "tag": i["item"]} for i in items]
        writes = [(self.ORDERS, root, rows), (self.ITEMS, part, items), (self.TAGS, part, tags)]
        self.load(fresh, load_id, *(writes if int(load_id[-1]) % 2 else writes[::-1]))

    def leaves(self, fresh: Factory) -> list[str]:
        """The tags that are there; fails if the items say otherwise."""
        tags = self.column(fresh, "SELECT tag FROM orders__items__tags ORDER BY 1")
        assert tags == self.column(fresh, "SELECT item FROM orders__items ORDER BY 1")
        return tags

    @group("child tables")
    def test_children_go_with_the_row_that_was_updated(self, fresh: Factory) -> None:
        self.tree(fresh, "L1", BY_ID, ("a", 1, 1), ("b", 2, 1), ("c", 1, 1))
        assert self.leaves(fresh) == ["b1", "b2", "c1", "c2"]
        self.tree(fresh, "L2", BY_ID, ("d", 1, 1))
        assert self.leaves(fresh) == ["b1", "b2", "d1", "d2"]
        newest = replace(BY_ID, dedup_sort="at")
        self.tree(fresh, "L3", newest, ("e", 1, 0), ("f", 2, 2))
        assert self.leaves(fresh) == ["d1", "d2", "f1", "f2"]

    @group("child tables")
    def test_children_of_every_strategy(self, fresh: Factory) -> None:
        self.tree(fresh, "L1", APPEND, ("a", 1, 1), ("b", 2, 1))
        self.tree(fresh, "L2", INSERT, ("c", 2, 1), ("d", 3, 1))
        assert self.leaves(fresh) == ["a1", "a2", "b1", "b2", "d1", "d2"]
        by_at = Disposition(WriteMode.MERGE, strategy=Strategy.DELETE_INSERT, merge_key=("at",))
        self.tree(fresh, "L3", by_at, ("e", 4, 1), ("f", 5, 2))
        assert self.leaves(fresh) == ["e1", "e2", "f1", "f2"]
        by_day = Disposition(WriteMode.REPLACE, overwrite=("at",))
        self.tree(fresh, "L4", by_day, ("g", 5, 2))
        assert self.leaves(fresh) == ["e1", "e2", "g1", "g2"]
        self.tree(fresh, "L5", at(5), ("h", 4, 1), ("i", 6, 1))
        self.tree(fresh, "L6", at(6), ("j", 6, 1))
        assert self.leaves(fresh) == ["e1", "e2", "g1", "g2", "h1", "h2", "i1", "i2"]
        self.tree(fresh, "L7", REPLACE, ("k", 1, 1))
        assert self.leaves(fresh) == ["k1", "k2"]

    @group("child tables")
    def test_children_that_did_not_come_go_with_their_root(self, fresh: Factory) -> None:
        self.tree(fresh, "L1", BY_ID, ("a", 1, 1), ("b", 2, 1))
        self.load(fresh, "L2", (self.ORDERS, BY_ID, [{"id": 1, "_penstock_id": "c"}]))
        assert self.leaves(fresh) == ["b1", "b2"]
        deletes = replace(BY_ID, hard_delete="at")
        self.load(fresh, "L3", (self.ORDERS, deletes, [{"id": 2, "at": 1, "_penstock_id": "d"}]))
        assert self.leaves(fresh) == []
        self.tree(fresh, "L4", BY_ID, ("e", 1, 1))
        self.load(fresh, "L5", (self.ORDERS, REPLACE, [{"id": 1, "_penstock_id": "f"}]))
        assert self.leaves(fresh) == []

    @group("child tables")
    def test_children_are_forgotten_with_their_root(self, fresh: Factory) -> None:
        self.tree(fresh, "L1", BY_ID, ("a", 1, 1))
        destination = fresh()
        with destination.lock("p", "suite"):
            transaction = destination.begin("p", "L2")
            transaction.forget(["orders"])
            transaction.commit(commit_of("L2"))
        destination.close()
        assert fresh().facts("p").tables == {}
        with pytest.raises(NotFoundError):
            self.leaves(fresh)

    # ------------------------------------------------------------------------------ refusals

    NONSENSE: ClassVar[Sequence[tuple[str, Disposition]]] = (
        ("primary key", replace(BY_ID, primary_key=())),
        ("primary key", replace(INSERT, primary_key=())),
        ("primary key", replace(CDC, primary_key=())),
        ("a merge key", Disposition(WriteMode.MERGE, strategy=Strategy.DELETE_INSERT)),
        ("has a merge key", replace(BY_ID, merge_key=("n",))),
        ("dedup_sort", replace(VERSIONS, dedup_sort="n", at=START)),
        ("not merged", replace(APPEND, hard_delete="n")),
        ("only inserts", replace(INSERT, hard_delete="n")),
        ("no column to find them", replace(BY_ID, delete_values=("D",))),
        ("not replaced", replace(APPEND, overwrite=("n",))),
        ("`nosuch`", replace(BY_ID, hard_delete="nosuch")),
        ("`nosuch`", replace(BY_ID, dedup_sort="nosuch")),
        ("`nosuch`", replace(REPLACE, overwrite=("nosuch",))),
        ("`nosuch`", replace(VERSIONS, merge_key=("nosuch",), at=START)),
        ("`nosuch`", replace(VERSIONS, scd2=Scd2(row_version="nosuch"), at=START)),
        ("one name", replace(VERSIONS, scd2=Scd2("x", "X"), at=START)),
        ("merge key", Disposition(WriteMode.MERGE, strategy=Strategy.DELETE_INSERT, merge_key=("n",))),
        ("from going", replace(BY_ID, destination_scope="n = 1")),
        ("both say", replace(VERSIONS, destination_scope="n = 1", merge_key=("n",), at=START)),
        ("updates none", replace(VERSIONS, skip_unchanged_rows=True, at=START)),
        ("nothing goes by", replace(BY_ID, row_version="n")),
        ("`nosuch`", replace(BY_ID, skip_unchanged_rows=True, row_version="nosuch")),
    )

    @pytest.mark.parametrize(("words", "disposition"), NONSENSE)
    def test_nonsense_is_refused(self, fresh: Factory, words: str, disposition: Disposition) -> None:
        of = table("t", id=t.INT64, n=t.INT64)
        with pytest.raises(RefusedError, match=words) as caught:
            self.load(fresh, "L1", (of, disposition, [{"id": 1}]))
        assert caught.value.hint
        assert fresh().facts("p").tables == {}

    def test_keys_see_what_waits(self, fresh: Factory) -> None:
        of = table("t", id=t.INT64, n=t.INT64)
        dispositions: dict[str, tuple[Callable[[int], Disposition], set[int]]] = {
            "a": (lambda _: INSERT, {1, 2, 3}),
            "b": (lambda _: replace(BY_ID, strategy=Strategy.DELETE_INSERT), {1, 2, 3}),
            "c": (at, {1, 2, 3}),
            "d": (lambda _: Disposition(WriteMode.REPLACE, overwrite=("n",)), {2, 3}),
        }
        for name, (by, expected) in dispositions.items():
            named = replace(of, name=name)
            self.load(fresh, f"{name}1", (named, by(1), [{"id": 1}, {"id": 2, "n": 1}]))
            destination = fresh()
            with destination.lock("p", "suite"):
                transaction = destination.begin("p", f"{name}2")
                transaction.shape(named, by(2))
                transaction.write(named, by(2), batches(named, [{"id": 3}]))
                found = transaction.keys(name, ["id"])
                assert found is not None
                assert set(found.column("id").to_pylist()) == expected, name
                transaction.rollback()
            destination.close()


def _exact(kind: DataType, value: Any) -> Any:
    """The value as the column's type holds it."""
    return Exact(value) if isinstance(kind, Decimal) else value
