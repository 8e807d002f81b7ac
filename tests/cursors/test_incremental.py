"""What an incremental gives, refuses and remembers."""

# ruff: noqa: DTZ001  instants without a zone are among the values

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa
import pytest

from penstock.cursors.incremental import Incremental, incremental
from penstock.cursors.range import Range
from penstock.errors import ProjectError, RefusedError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def rows(*cursors: object) -> list[dict[str, Any]]:
    return [{"id": i, "at": value} for i, value in enumerate(cursors)]


def given(made: Incremental[Any], data: Any, state: dict[str, Any] | None = None) -> Any:
    """The cursors that a run gives of one page."""
    bound = made.bind("t", {} if state is None else state)
    kept = bound.apply(data)
    bound.finish()
    return kept["at"].to_pylist() if isinstance(kept, pa.Table) else [row.get("at") for row in kept]


# ------------------------------------------------------------------------------------- the range


def test_state_is_json_and_says_what_it_is() -> None:
    state: dict[str, Any] = {}
    made = Incremental("at", NOON, primary_key="id")
    assert given(made, rows(NOON, NOON + timedelta(1), NOON + timedelta(1)), state) == [NOON] + 2 * [
        NOON + timedelta(1)
    ]
    assert json.loads(json.dumps(state)) == {
        "initial_value": {"$datetime": "2026-01-01T12:00:00+00:00"},
        "last_value": {"$datetime": "2026-01-02T12:00:00+00:00"},
        "seen": state["seen"],
        "key": ["id"],
    }
    assert len(state["seen"]) == 44  # two digests of 16 bytes
    assert made.last_value == NOON, "a run works on a copy"


def test_start_value_stays_and_last_value_moves() -> None:
    bound = Incremental("at", 3).bind("t", {})
    bound.apply(rows(4, 9, 5))
    assert (bound.start_value, bound.last_value, bound.initial_value) == (3, 9, 3)


def test_nothing_new_leaves_the_state_alone() -> None:
    state: dict[str, Any] = {}
    assert given(Incremental("at", 5), rows(1, 2), state) == []
    assert given(Incremental("at", 5), [], state) == []
    assert state == {}


def test_a_page_that_is_all_new_is_given_as_it_is() -> None:
    page, data = rows(1, 2), pa.table({"at": [1, 2]})
    assert Incremental("at").bind("t", {}).apply(page) is page
    assert Incremental("at").bind("t", {}).apply(data) is data


def test_an_empty_key_gives_the_boundary_again() -> None:
    state: dict[str, Any] = {}
    for _ in range(2):
        assert given(Incremental("at", primary_key=()), rows(7), state) == [7]


def test_an_open_start_gives_only_what_is_beyond() -> None:
    state: dict[str, Any] = {}
    made = Incremental("at", 1, range_start="open")
    assert given(made, rows(1, 2), state) == [2]
    assert given(made, rows(2, 3), state) == [3]
    assert state["seen"] == ""


def test_an_end_makes_it_stateless() -> None:
    state = {"last_value": 99}
    assert given(Incremental("at", 1, end_value=3), rows(0, 1, 2, 3), state) == [1, 2]
    assert given(Incremental("at", 1, end_value=3, range_end="closed"), rows(0, 3, 4), state) == [3]
    assert given(Incremental("at", 3, "min", end_value=1), rows(0, 1, 2, 3, 4), state) == [2, 3]
    assert state == {"last_value": 99}


def test_a_key_that_changes_gives_the_boundary_once_more() -> None:
    state: dict[str, Any] = {}
    assert given(Incremental("at", primary_key="id"), rows(7), state) == [7]
    assert given(Incremental("at", primary_key=["id", "at"]), rows(7), state) == [7]
    assert given(Incremental("at", primary_key=["id", "at"]), rows(7), state) == []
    other = [{"id": 1, "number": 0, "at": 7}]
    assert given(Incremental("at", primary_key="id"), rows(7), state) == [7]
    assert given(Incremental("at", primary_key="number"), other, state) == [7], "0 was an id, not a number"


def test_the_window_of_a_lag_is_given_again() -> None:
    state: dict[str, Any] = {}
    made = Incremental("at", 1, lag=2)
    assert given(made, rows(1, 5), state) == [1, 5]
    bound = made.bind("t", state)
    assert (bound.start_value, bound.last_value) == (3, 3)
    assert [row["at"] for row in bound.apply(rows(2, 3, 5, 9))] == [3, 5, 9]
    assert bound.last_value == 7
    bound.finish()
    assert state["last_value"] == 9
    assert given(Incremental("at", 8, lag=5), rows(7, 8), state) == [8], "not before the initial value"
    with pytest.raises(RefusedError, match="initial value"):
        Incremental("at", "a", lag=5).bind("t", state)


@pytest.mark.parametrize(
    ("func", "order", "end", "cursors", "stops"),
    [
        ("max", "asc", 5, [3, 4], False),
        ("max", "asc", 5, [4, 5], True),
        ("max", "asc", None, [4, 99], False),
        ("max", "desc", None, [9, 2], False),
        ("max", "desc", None, [9, 1], True),
        ("max", None, 5, [1, 9], False),
        ("min", "asc", 0, [1, 0], True),
        ("min", "desc", None, [1, 2], False),
        ("min", "desc", None, [1, 3], True),
        (lambda values: max(values), "desc", None, [9, 1], True),
        (lambda values: max(values), "asc", 5, [5], True),
    ],
)
@pytest.mark.parametrize("arrow", [False, True])
def test_row_order_says_when_to_stop(
    func: Any, order: Any, end: Any, cursors: list[int], stops: bool, arrow: bool
) -> None:
    bound = Incremental("at", 2, func, end_value=end, row_order=order).bind("t", {})
    bound.apply(pa.table({"at": cursors}) if arrow else rows(*cursors))
    assert bound.stop is stops


def test_rows_in_ascending_order_can_be_taken_up_in_the_middle() -> None:
    state: dict[str, Any] = {}
    bound = Incremental("at", row_order="asc", primary_key="id").bind("t", state)
    assert bound.resumable and not Incremental("at").bind("t", {}).resumable
    page = rows(1, 2, 2, 2, 3)
    bound.apply(page[:3])
    bound.finish()
    again = Incremental("at", row_order="asc", primary_key="id").bind("t", state)
    assert again.apply(page) == page[3:]


@pytest.mark.parametrize("arrow", [False, True])
@pytest.mark.parametrize("func", ["max", "min"])
def test_a_broken_promise_of_order_is_refused_once_it_was_relied_on(func: str, arrow: bool) -> None:
    state: dict[str, Any] = {}
    sign = 1 if func == "max" else -1
    bound = Incremental("at", last_value_func=func, row_order="asc").bind("orders", state)
    bound.apply(rows(3 * sign, 2 * sign))
    bound.finish()
    late = rows(5 * sign, 3 * sign, 2 * sign)
    with pytest.raises(RefusedError, match="`orders` are not in ascending order") as caught:
        bound.apply(pa.Table.from_pylist(late) if arrow else late)
    assert (caught.value.found or "").startswith(f"{2 * sign} (int) after {3 * sign}")


def test_a_loop_can_ask_what_came() -> None:
    bound = Incremental("at", 2, end_value=4).bind("t", {})
    assert not bound.start_out_of_range and not bound.end_out_of_range
    bound.apply(rows(1))
    assert bound.start_out_of_range and not bound.end_out_of_range
    bound.apply(rows(4))
    assert bound.end_out_of_range and not bound.stop, "no order was promised"


# ------------------------------------------------------------------------------- paths and types


def test_paths_into_rows_and_structs() -> None:
    nested = [{"id": i, "m": {"ts": [n]}} for i, n in enumerate([3, 1, 2])]
    assert Incremental("$.m.ts[0]", 2).bind("t", {}).apply(nested) == [nested[0], nested[2]]
    structs = pa.table({"m": pa.array([{"ts": 3}, None, {"ts": 1}, {"ts": None}])})
    made: Incremental[int] = Incremental("m.ts", 2, on_cursor_value_missing="exclude")
    assert made.bind("t", {}).apply(structs).to_pylist() == [{"m": {"ts": 3}}]
    with pytest.raises(RefusedError, match="cannot be found in Arrow"):
        Incremental("m.ts[0]").bind("t", {}).apply(structs)


def test_instants_of_every_unit_and_zone() -> None:
    for kind in (pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("us"), pa.timestamp("ns")):
        column = pa.array([datetime(2026, 1, 1), datetime(2026, 1, 2)], kind)
        assert given(Incremental("at", datetime(2026, 1, 1, 12)), pa.table({"at": column})) == [
            datetime(2026, 1, 2)
        ]
    zoned = pa.table({"at": pa.array([NOON, NOON + timedelta(1)], pa.timestamp("ms", "Asia/Tokyo"))})
    assert given(Incremental("at", NOON + timedelta(hours=1)), zoned) == [NOON + timedelta(1)]


def test_nanoseconds_lose_no_row_and_double_none() -> None:
    ticks = [1_000, 1_001, 1_999]
    data = pa.table({"at": pa.array(ticks, pa.timestamp("ns")), "x": [[t] for t in ticks]})
    state: dict[str, Any] = {}
    made = Incremental("at")
    bound = made.bind("t", state)
    assert bound.apply(data.slice(0, 2)).num_rows == 2
    bound.finish()
    again = made.bind("t", state).apply(data)
    assert again.column("at").cast(pa.int64()).to_pylist() == [1_999]
    early = made.bind("t", {})
    early.apply(pa.table({"at": pa.array([-1], pa.timestamp("ns", "UTC"))}))
    assert early.last_value == datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), "never beyond the row"


@pytest.mark.parametrize(
    ("initial", "column"),
    [
        (1.5, pa.array([1, 2])),
        (Decimal("1.5"), pa.array([1, 2])),
        (1.5, pa.array([Decimal(1), Decimal(2)], pa.decimal128(3, 0))),
        (-1, pa.array([1, 2], pa.uint8()).slice(1)),
        ("b", pa.array(["a", "b"]).dictionary_encode()),
        ("b", pa.array(["a", "b"], pa.string_view())),
        (b"b", pa.array([b"a", b"b"], pa.large_binary())),
        (True, pa.array([False, True])),
        (UUID(int=2), pa.array([UUID(int=1).bytes, UUID(int=2).bytes], pa.uuid())),
        (b"bb", pa.array([b"aa", b"bb"], pa.binary(2))),
        (time(2), pa.array([time(1), time(2)], pa.time32("s"))),
        (date(2026, 1, 2), pa.array([date(2026, 1, 1), date(2026, 1, 2)], pa.date64())),
    ],
)
def test_bounds_compare_with_columns_of_another_width(initial: Any, column: Any) -> None:
    assert given(Incremental("at", initial), pa.table({"at": column})) == [column[-1].as_py()]


@pytest.mark.parametrize(
    ("initial", "cursors"),
    [
        (datetime(2026, 1, 1), [NOON]),
        (NOON, [datetime(2026, 1, 1)]),
        (NOON, [date(2026, 1, 1)]),
        ("2026-01-01", [NOON]),
        (1, ["a", "b"]),
        ("a", [1]),
    ],
)
@pytest.mark.parametrize("arrow", [False, True])
def test_cursors_of_another_type_are_refused(initial: Any, cursors: list[Any], arrow: bool) -> None:
    data = pa.table({"at": cursors}) if arrow else rows(*cursors)
    with pytest.raises(RefusedError, match="cannot be compared") as caught:
        given(Incremental("at", initial), data)
    assert repr(initial)[:20] in (caught.value.found or "") and "`t`, cursor `at`" in str(caught.value)


def test_mixed_cursors_in_one_page_are_refused() -> None:
    with pytest.raises(RefusedError, match="cannot be compared") as caught:
        given(Incremental("at"), rows(1, 2, "a"))
    assert "'a' (str)" in str(caught.value)


@pytest.mark.parametrize("arrow", [False, True])
def test_nan_is_refused(arrow: bool) -> None:
    data = pa.table({"at": [1.0, float("nan")]}) if arrow else rows(1.0, float("nan"))
    with pytest.raises(RefusedError, match="NaN") as caught:
        given(Incremental("at"), data)
    assert "row 2" in str(caught.value)
    gap = pa.table({"at": [None, 1.0, float("nan")]}) if arrow else rows(None, 1.0, float("nan"))
    with pytest.raises(RefusedError, match="NaN") as caught:
        given(Incremental("at", on_cursor_value_missing="exclude"), gap)
    assert "row 3" in str(caught.value)
    assert given(Incremental("at"), rows(1.0, float("inf"), Decimal(2))) == [1.0, float("inf"), Decimal(2)]


def test_text_is_compared_as_it_is() -> None:
    texts = ["2026-01-01T00:00:00Z", "2026-01-01 23:00:00", "2026-1-1"]
    assert given(Incremental("at", "2026-01-01T"), rows(*texts)) == [texts[0], texts[2]]


# -------------------------------------------------------------------------------- missing cursors


@pytest.mark.parametrize("arrow", [False, True])
def test_a_row_without_a_cursor(arrow: bool) -> None:
    data: Any = pa.table({"at": [2, None, 1, 3]}) if arrow else rows(2, None, 1, 3)
    bound = Incremental("at").bind("orders", {})
    bound.apply(data.slice(0, 1) if arrow else data[:1])
    with pytest.raises(RefusedError, match="`orders` has no cursor `at`") as caught:
        bound.apply(data)
    assert "row 3" in str(caught.value) and caught.value.found == "null"
    assert given(Incremental("at", 2, on_cursor_value_missing="include"), data) == [2, None, 3]
    assert given(Incremental("at", 2, on_cursor_value_missing="exclude"), data) == [2, 3]


def test_rows_and_columns_that_are_not_there() -> None:
    absent: list[dict[str, Any]] = [{"at": 1}, {"id": 2}]
    with pytest.raises(RefusedError, match="no cursor") as caught:
        given(Incremental("at"), absent)
    assert caught.value.found == "no such field"
    assert Incremental("at", on_cursor_value_missing="include").bind("t", {}).apply(absent) == absent
    assert Incremental("at", on_cursor_value_missing="exclude").bind("t", {}).apply(absent) == absent[:1]
    data = pa.table({"id": [1]})
    with pytest.raises(RefusedError, match="no cursor"):
        Incremental("at").bind("t", {}).apply(data)
    assert Incremental("at", on_cursor_value_missing="include").bind("t", {}).apply(data).num_rows == 1
    assert Incremental("at", on_cursor_value_missing="exclude").bind("t", {}).apply(data).num_rows == 0
    assert Incremental("at").bind("t", {}).apply(data.slice(0, 0)).num_rows == 0


@pytest.mark.parametrize("data", [rows(1), pa.table({"at": [1]})])
def test_a_key_that_is_not_there_is_refused(data: Any) -> None:
    with pytest.raises(RefusedError, match="`number`"):
        given(Incremental("at", primary_key="number"), data)


def test_what_has_no_cursors_is_refused() -> None:
    with pytest.raises(RefusedError, match="no cursors"):
        Incremental("at").bind("t", {}).apply({"at": 1})
    with pytest.raises(RefusedError, match="belongs to no run"):
        Incremental("at").apply([])
    with pytest.raises(RefusedError, match="cursor_path"):
        Incremental(initial_value=1).bind("t", {})


# ----------------------------------------------------------------------------------- bounded state


class Small(Incremental[Any]):
    boundary_limit = 3


@pytest.mark.parametrize("arrow", [False, True])
def test_more_rows_at_the_last_value_than_can_be_known_are_refused(arrow: bool) -> None:
    state: dict[str, Any] = {}

    def page(*cursors: int) -> Any:
        return pa.table({"at": cursors, "id": range(len(cursors))}) if arrow else rows(*cursors)

    assert len(given(Small("at"), page(1, 1, 1, 1, 1, 2, 2, 2), state)) == 8, "only the last value counts"
    before = dict(state)
    bound = Small("at").bind("t", state)
    assert len(bound.apply(pa.table({"at": [2], "id": [99]}) if arrow else [{"id": 99, "at": 2}])) == 1
    with pytest.raises(RefusedError, match="more than 3 rows") as caught:
        bound.finish()
    assert state == before and "primary_key=()" in str(caught.value)
    bound.apply(page(5))
    bound.finish()
    assert state["last_value"] == 5
    for made in (Small("at", primary_key=()), Small("at", range_start="open"), Small("at", lag=1)):
        given(made, page(*[7] * 9), fresh := {})
        assert fresh == {"initial_value": None, "last_value": 7, "seen": "", "key": None}


def test_state_stays_small_over_many_runs() -> None:
    state: dict[str, Any] = {}
    for run in range(50):
        given(
            Incremental("at", primary_key="id"), [{"id": 100 * run + i, "at": run} for i in range(4)], state
        )
    assert len(json.dumps(state)) < 200


# ------------------------------------------------------------------------------- other functions


def test_any_function_of_values() -> None:
    def longest(values: Sequence[str]) -> str:
        return max(values, key=len)

    state: dict[str, Any] = {}
    made = Incremental("at", last_value_func=longest)
    assert given(made, rows("aa", "bbb", "c"), state) == ["aa", "bbb", "c"]
    assert state["last_value"] == "bbb"
    assert given(made, pa.table({"at": ["aa", "dddd"]}), state) == ["dddd"]
    assert state["last_value"] == "dddd"
    assert made.predicate().sql() == ("", ())


def test_a_function_whose_last_value_is_of_another_kind() -> None:
    def by_kind(values: Sequence[Any]) -> dict[str, Any]:
        row, last = values if len(values) > 1 else (values[0], {})
        return {**last, row["kind"]: max(row["at"], last.get(row["kind"], row["at"]))}

    events = [{"kind": "a", "at": NOON}, {"kind": "b", "at": NOON + timedelta(1)}]
    state: dict[str, Any] = {}
    made: Incremental[Any] = Incremental("$", last_value_func=by_kind)
    bound = made.bind("t", state)
    assert bound.apply(events) == events
    bound.finish()
    newer = [{"kind": "a", "at": NOON + timedelta(2)}, {"kind": "b", "at": NOON}]
    again = made.bind("t", json.loads(json.dumps(state)))
    assert again.last_value == {"a": NOON, "b": NOON + timedelta(1)}
    assert again.apply(newer) == newer[:1]


# ------------------------------------------------------------------------------- many parameters


def test_words_and_bounds_are_checked() -> None:
    bad: list[dict[str, Any]] = [
        {"row_order": "ascending"}, {"on_cursor_value_missing": "drop"}, {"range_start": "shut"},
        {"range_end": "shut"}, {"last_value_func": "avg"}, {"lag": -1}, {"lag": timedelta(-1)},
        {"lag": 1, "last_value_func": sum}, {"initial_value": 2, "end_value": 1},
        {"initial_value": 1, "end_value": 2, "last_value_func": min}, {"initial_value": "a", "end_value": 1},
        {"initial_value": float("nan")}, {"cursor_path": "a..b"}, {"lag": float("nan")},
        {"lag": float("inf")},
    ]  # fmt: skip
    for parameters in bad:
        with pytest.raises(RefusedError):
            Incremental(**{"cursor_path": "at", **parameters})


def test_merge_takes_what_was_given_later() -> None:
    base = Incremental("at", 1, range_start="open", lag=2, primary_key="id")
    merged = base.merge(Incremental(initial_value=5, range_start="closed", end_value=None))
    assert (merged.cursor_path, merged.initial_value, merged.range_start) == ("at", 5, "closed")
    assert (merged.lag, merged.primary_key, merged.end_value) == (2, ("id",), None)
    twice = merged.merge(Incremental[datetime]("on")).merge(Incremental(primary_key=()))
    assert (twice.cursor_path, twice.initial_value, twice.primary_key) == ("on", 5, ())
    assert base.initial_value == 1
    with pytest.raises(RefusedError, match="before"):
        base.merge(Incremental(end_value=0))


def test_a_window_is_stateless_and_half_open() -> None:
    state = {"last_value": 99}
    for func in ("max", "min"):
        made = Incremental("at", 7, func, row_order="asc", lag=3, range_start="open").window(2, 4)
        assert given(made, rows(1, 2, 3, 4), state) == [2, 3]
        assert made.row_order == ("asc" if func == "max" else "desc")
    assert state == {"last_value": 99}


def test_the_type_can_be_named() -> None:
    made = incremental[date]("at", lag=1)
    assert incremental is Incremental and isinstance(made, Incremental)
    state: dict[str, Any] = {}
    given(made, rows(NOON), state)
    assert made.bind("t", state).start_value == datetime(2025, 12, 31, tzinfo=UTC), "a lag in days"


# -------------------------------------------------------------------------------------- schedulers

DAY = {"PENSTOCK_INTERVAL_START": "2026-01-02T00:00:00Z", "PENSTOCK_INTERVAL_END": "2026-01-03T00:00:00"}


@pytest.mark.parametrize(
    ("kind", "initial", "start", "end"),
    [
        (datetime, None, datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)),
        (None, datetime(2026, 1, 1), datetime(2026, 1, 2), datetime(2026, 1, 3)),
        (None, datetime(2026, 1, 2, 5), datetime(2026, 1, 2, 5), datetime(2026, 1, 3)),
        (date, None, date(2026, 1, 2), date(2026, 1, 3)),
        (int, None, 1767312000, 1767398400),
        (None, "2026-01-01", "2026-01-02", "2026-01-03"),
        (None, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"),
        (str, None, "2026-01-02T00:00:00+00:00", "2026-01-03T00:00:00+00:00"),
    ],
)
def test_a_scheduler_sets_the_range(kind: Any, initial: Any, start: Any, end: Any) -> None:
    made = (Incremental[kind] if kind else Incremental)("at", initial, allow_external_schedulers=True)
    state = {"last_value": "never read"}
    bound = made.bind("t", state, environ=DAY)
    assert (bound.start_value, bound.end_value) == (start, end)
    assert [row["at"] for row in bound.apply(rows(start, end))] == [start]
    bound.finish()
    assert state == {"last_value": "never read"}
    assert made.bind("t", {}, environ={}).end_value is None, "nobody asks: as usual"


def test_a_scheduler_is_not_asked_unless_allowed() -> None:
    assert Incremental[datetime]("at").bind("t", {}, environ=DAY).end_value is None
    made = Incremental[int]("at", 2_000_000_000, "min", allow_external_schedulers=True)
    bound = made.bind("t", {}, environ=DAY)
    assert (bound.start_value, bound.end_value, bound.last_value_func) == (1767312000, 1767398400, max)


@pytest.mark.parametrize(
    ("kind", "environ", "error"),
    [
        (datetime, {"PENSTOCK_INTERVAL_START": "2026-01-02"}, ProjectError),
        (datetime, {**DAY, "PENSTOCK_INTERVAL_END": "soon"}, ProjectError),
        (datetime, {**DAY, "PENSTOCK_INTERVAL_END": "2026-01-01"}, ProjectError),
        (object, DAY, RefusedError),
        (bytes, DAY, RefusedError),
    ],
)
def test_bad_intervals_are_refused(kind: Any, environ: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        Incremental[kind]("at", allow_external_schedulers=True).bind("t", {}, environ=environ)


def test_airflow_is_asked_if_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow itself is far too large to install for this; its door is one function."""
    made = Incremental[datetime]("at", allow_external_schedulers=True)
    airflow, sdk = ModuleType("airflow"), ModuleType("airflow.sdk")
    context: dict[str, Any] = {"data_interval_start": NOON, "data_interval_end": NOON + timedelta(1)}
    sdk.get_current_context = lambda: context  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "airflow", airflow)
    monkeypatch.setitem(sys.modules, "airflow.sdk", sdk)
    assert made.bind("t", {}, environ={}).predicate() == Range(NOON, NOON + timedelta(1), True, False, "at")
    assert made.bind("t", {}, environ=DAY).start_value == datetime(2026, 1, 2, tzinfo=UTC)
    context["data_interval_end"] = None
    assert made.bind("t", {}, environ={}).end_value is None
    context.clear()
    sdk.get_current_context = lambda: 1 / 0  # type: ignore[attr-defined]
    assert made.bind("t", {}, environ={}).end_value is None


# ---------------------------------------------------------------------------------------- pushdown


@pytest.mark.parametrize("func", ["max", "min"])
@pytest.mark.parametrize("missing", ["include", "exclude"])
@pytest.mark.parametrize("ends", [("open", "closed"), ("closed", "open")])
@pytest.mark.parametrize("bounds", [(None, None), (2, None), (2, 4)])
def test_sql_selects_what_apply_keeps(func: str, missing: Any, ends: Any, bounds: Any) -> None:
    initial, end = bounds if func == "max" or bounds[1] is None else bounds[::-1]
    made: Incremental[int] = Incremental(
        "['the \"at\"']",
        initial,
        func,
        end_value=end,
        range_start=ends[0],
        range_end=ends[1],
        on_cursor_value_missing=missing,
    )
    data = pa.table({'the "at"': [None, 1, 2, 3, 4, 5]})
    condition, parameters = made.predicate().sql(style="dollar")
    with duckdb.connect() as base:
        base.register("t", data)
        asked = base.sql(
            f"SELECT * FROM t WHERE {condition or 'true'}", params=list(parameters)
        ).to_arrow_table()
    kept = made.bind("t", {}).apply(data)
    assert made.bind("t", {}).apply(asked) == kept
    assert not condition or asked == kept


def test_sql_in_the_style_of_each_driver() -> None:
    asked = Range(1, 2, True, False, "a`b", nulls=False)
    assert asked.sql() == ('"a`b" >= ? AND "a`b" < ?', (1, 2))
    assert asked.sql(lambda name: f"[{name}]", "numeric", 4) == ("[a`b] >= :4 AND [a`b] < :5", (1, 2))
    assert Range(None, 2, True, True, "c").sql(style="format") == ('("c" <= %s OR "c" IS NULL)', (2,))
    assert Incremental("m.ts", 1).predicate().sql() == ("", ())
