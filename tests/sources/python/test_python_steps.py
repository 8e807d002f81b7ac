"""Row steps: map, filter, yield-map, limit, and the order in which they work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from produced import tables

from penstock.cursors.incremental import incremental
from penstock.errors import RefusedError
from penstock.sources.python import mark
from penstock.sources.python.decorators import resource, source
from penstock.sources.python.resource import Resource

Row = dict[str, Any]


def numbers(pages: bool = False) -> Resource:
    @resource
    def numbers() -> Iterator[Any]:
        if pages:
            yield [{"n": i} for i in range(3)]
            yield [{"n": i} for i in range(3, 6)]
        else:
            yield from ({"n": i} for i in range(6))

    return numbers  # type: ignore[no-any-return]


def ns(what: Any) -> list[int]:
    return [row["n"] for row in what]


@pytest.mark.parametrize("pages", [False, True])
def test_map_filter_and_yield_map_work_on_each_row(pages: bool) -> None:
    def repeat(row: Row) -> Iterator[Row]:
        for _ in range(row["n"]):
            yield row

    assert ns(numbers(pages).add_map(lambda row: {"n": row["n"] * 10})) == [0, 10, 20, 30, 40, 50]
    assert ns(numbers(pages).add_filter(lambda row: row["n"] % 2)) == [1, 3, 5]
    assert ns(numbers(pages).add_yield_map(repeat).add_filter(lambda row: row["n"] < 3)) == [1, 2, 2]
    assert ns(numbers(pages).add_map(lambda row: row if row["n"] > 3 else None)) == [4, 5]


def test_steps_work_in_order_and_where_they_are_put() -> None:
    made = numbers().add_map(lambda row: {"n": row["n"] + 1}).add_filter(lambda row: row["n"] > 5)
    assert ns(made) == [6]
    made.add_map(lambda row: {"n": row["n"] * 10}, insert_at=1)
    assert ns(made) == [11, 21, 31, 41, 51]
    with pytest.raises(RefusedError, match="its function at 0"):
        made.add_map(lambda row: row, insert_at=0)


def test_a_step_may_ask_for_the_mark() -> None:
    @resource
    def events() -> Iterator[Any]:
        yield mark.with_table_name({"n": 1}, "one")
        yield {"n": 2}

    made = events.add_map(lambda row, meta: {**row, "to": meta.table if meta else None})
    assert tables(made) == {"one": [{"n": 1, "to": "one"}], "events": [{"n": 2, "to": None}]}
    with pytest.raises(RefusedError, match="cannot be a step"):
        events.add_map(lambda a, b, c: a)


def test_a_map_may_make_pages_marks_and_tables() -> None:
    made = numbers().add_map(lambda row: [row, row] if row["n"] == 1 else mark.with_table_name(row, "t"))
    assert {k: ns(v) for k, v in tables(made).items()} == {"t": [0, 2, 3, 4, 5], "numbers": [1, 1]}
    arrow = resource([pa.table({"n": [1, 2]})], name="a").add_map(lambda table: table.slice(1))
    assert tables(arrow) == {"a": [{"n": 2}]}


def test_a_custom_step_sees_pages_as_pages() -> None:
    seen: list[int] = []

    def count(page: list[Row]) -> list[Row]:
        seen.append(len(page))
        return page

    assert len(list(numbers(pages=True).add_step(count))) == 6
    assert seen == [3, 3]


@pytest.mark.parametrize(
    ("limit", "pages", "expected"),
    [
        ({"max_items": 2}, False, [0, 1]),
        ({"max_items": 1}, True, [0, 1, 2]),
        ({"max_items": 4, "count_rows": True}, True, [0, 1, 2, 3, 4, 5]),
        ({"max_items": 3, "count_rows": True}, True, [0, 1, 2]),
        ({"max_items": 0}, False, []),
        ({"max_items": -1}, False, [0, 1, 2, 3, 4, 5]),
        ({}, False, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_limits(limit: dict[str, Any], pages: bool, expected: list[int]) -> None:
    assert ns(numbers(pages).add_limit(**limit)) == expected


def test_a_limit_asks_for_no_item_more_and_closes_the_generator() -> None:
    seen: list[Any] = []

    @resource
    def endless() -> Iterator[Row]:
        try:
            for i in range(10**9):
                seen.append(i)
                yield {"n": i}
        finally:
            seen.append("closed")

    assert ns(endless.add_limit(3)) == [0, 1, 2]
    assert seen == [0, 1, 2, "closed"]


def test_a_limit_by_time_gives_what_was_begun() -> None:
    @resource
    def endless() -> Iterator[Row]:
        yield from ({"n": i} for i in range(10**9))

    assert ns(endless.add_limit(max_time=1e-9)) == [0]


def test_a_limit_counts_what_is_left_after_the_other_steps() -> None:
    made = numbers().add_limit(2).add_filter(lambda row: row["n"] % 2)
    assert ns(made) == [1, 3], "a step that is added later comes before the limit"


def test_a_source_limits_those_that_feed() -> None:
    @source
    def both() -> Iterator[Resource]:
        yield numbers()
        yield (numbers() | resource(lambda item: item, name="t", data_from=numbers()))

    assert {name: ns(rows) for name, rows in tables(both().add_limit(2)).items()} == {
        "numbers": [0, 1], "t": [0, 1],
    }  # fmt: skip
    with pytest.raises(RefusedError, match="no limit of its own"):
        both().t.add_limit(1)


def test_tables_are_selected_from_those_that_a_resource_sends_to() -> None:
    @resource(table_name=lambda row: f"t{row['n'] % 3}")
    def events() -> Iterator[Any]:
        yield from ({"n": i} for i in range(6))
        yield mark.with_table_name({"n": 9}, "t9")

    assert tables(events.select_tables("t0", "t9")) == {"t0": [{"n": 0}, {"n": 3}], "t9": [{"n": 9}]}


def test_a_cursor_comes_behind_the_steps_that_shape_rows() -> None:
    @resource(incremental=incremental("at", initial_value=3))
    def events() -> Iterator[Row]:
        yield from ({"n": i} for i in range(6))

    made = events.add_map(lambda row: {**row, "at": row["n"]})
    assert ns(made) == [3, 4, 5]
    assert ns(numbers().add_step(incremental("n", initial_value=4))) == [4, 5]


def test_a_promised_order_ends_the_generator() -> None:
    seen: list[int] = []

    @resource(incremental=incremental("n", initial_value=7, row_order="desc"))
    def newest() -> Iterator[Row]:
        for i in range(9, 0, -1):
            seen.append(i)
            yield {"n": i}

    assert ns(newest) == [9, 8, 7]
    assert seen == [9, 8, 7, 6]
