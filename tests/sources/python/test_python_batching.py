"""Blocks: nothing is lost, nothing changes its order, nothing is held for long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from produced import blocks

from penstock.ports import Block
from penstock.sources.python import blocks as blocks_module
from penstock.sources.python import chunk, mark
from penstock.sources.python.decorators import defer, resource, transformer
from penstock.sources.python.source import PythonSource

Row = dict[str, Any]

_YIELDS = st.lists(
    st.tuples(
        st.sampled_from(["row", "page", "arrow", "marked", "iterator", "deferred", "none"]),
        st.integers(0, 9),
        st.sampled_from(["a", "b", "c"]),
    ),
    max_size=30,
)


def _items(yields: list[tuple[str, int, str]]) -> Iterator[tuple[Any, str, list[int]]]:
    """What to yield, the table it goes to, and the numbers of its rows."""
    n = 0
    for kind, size, table in yields:
        size = 1 if kind == "row" else 0 if kind == "none" else size
        rows: list[Row] = [{"n": n + i} for i in range(size)]
        n += size
        item: Any = {
            "row": lambda rows=rows: rows[0],
            "page": lambda rows=rows: rows,
            "arrow": lambda rows=rows: pa.table({"n": [r["n"] for r in rows]}),
            "marked": lambda rows=rows, table=table: mark.with_table_name(rows, table),
            "iterator": lambda rows=rows: iter(rows),
            "deferred": lambda rows=rows: defer(lambda: rows)(),
            "none": lambda: None,
        }[kind]()
        yield item, table if kind == "marked" else "t", [r["n"] for r in rows]


def _numbers(found: list[Block]) -> dict[str, list[int]]:
    by_table: dict[str, list[int]] = defaultdict(list)
    for block in found:
        rows = block.data if isinstance(block.data, list) else block.data.to_pylist()  # type: ignore[union-attr]
        by_table[block.table] += [row["n"] for row in rows]
    return {table: rows for table, rows in by_table.items() if rows}


@settings(deadline=None, max_examples=60)
@given(_YIELDS, st.integers(1, 7), st.booleans())
def test_batching_neither_loses_nor_reorders(
    yields: list[tuple[str, int, str]], room: int, steps: bool
) -> None:
    expected: dict[str, list[int]] = defaultdict(list)
    for _, table, numbers in _items(yields):
        expected[table] += numbers

    made = resource(lambda: (item for item, _, _ in _items(yields)), name="t")
    if steps:
        made.add_map(lambda item: item).add_filter(lambda item: True).add_yield_map(lambda item: iter([item]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_module, "ROOM", room)
        patch.setattr(blocks_module, "HELD_ROWS", 2 * room)
        found = blocks(made)
    assert _numbers(found) == {table: rows for table, rows in expected.items() if rows}
    assert all(len(b.data) <= room for b in found if isinstance(b.data, list))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 4), max_size=20), st.booleans())
def test_transformers_neither_lose_nor_reorder(sizes: list[int], parallel: bool) -> None:
    @transformer(parallelized=parallel)
    def explode(item: Row) -> Iterator[Row]:
        yield from ({"n": (item["n"], i)} for i in range(item["size"]))

    feed = resource([{"n": n, "size": size} for n, size in enumerate(sizes)], name="feed")
    found = _numbers(blocks([feed, feed | explode]))
    assert found.get("explode", []) == [(n, i) for n, size in enumerate(sizes) for i in range(size)]
    assert found.get("feed", []) == list(range(len(sizes)))


def test_blocks_have_up_to_five_thousand_rows() -> None:
    rows = [{"n": n} for n in range(12_000)]
    assert [len(b.data) for b in blocks(rows, name="t")] == [5000, 5000, 2000]  # type: ignore[arg-type]
    assert [len(b.data) for b in blocks(resource([rows], name="t"))] == [5000, 5000, 2000]  # type: ignore[arg-type]


def test_no_more_rows_are_taken_than_are_given() -> None:
    taken = 0

    def rows() -> Iterator[Row]:
        nonlocal taken
        for n in range(100_000):
            taken += 1
            yield {"n": n}

    run = PythonSource(rows).produce(None)
    for given_blocks in range(1, 4):
        next(run)
        assert taken == given_blocks * chunk.ROOM
    run.close()  # type: ignore[attr-defined]  # a generator


def test_many_tables_hold_no_more_than_their_share() -> None:
    taken = 0

    def rows() -> Iterator[Row]:
        nonlocal taken
        for n in range(60_000):
            taken += 1
            yield {"n": n, "t": f"t{n % 40}"}

    given_rows = 0
    for block in PythonSource(rows, table_name=lambda row: row["t"]).produce(None):
        assert isinstance(block, Block) and isinstance(block.data, list)
        given_rows += len(block.data)
        assert taken - given_rows <= blocks_module.HELD_ROWS + chunk.ROOM
    assert given_rows == 60_000
