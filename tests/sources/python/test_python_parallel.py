"""Threads, deferred functions and async code: side by side, in order, and ended cleanly."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from produced import produce, tables

from penstock.errors import RefusedError
from penstock.ports import Block
from penstock.sources.python import mark
from penstock.sources.python.decorators import defer, resource, source, transformer
from penstock.sources.python.resource import Resource
from penstock.sources.python.source import PythonSource

Row = dict[str, Any]


def ours() -> set[str]:
    """The threads that the package has running."""
    return {t.name for t in threading.enumerate() if t.name.startswith("penstock")}


def test_parallel_resources_meet_and_keep_their_order() -> None:
    meet = threading.Barrier(2, timeout=20)

    def make(name: str) -> Resource:
        def rows() -> Iterator[Any]:
            yield [{"n": 0}]
            meet.wait()
            yield from ([{"n": n}] for n in range(1, 50))

        made: Resource = resource(rows, name=name, parallelized=True)
        return made

    found = tables([make("a"), resource([{"n": 0}], name="alone"), make("b")])
    assert [r["n"] for r in found["a"]] == [r["n"] for r in found["b"]] == list(range(50))
    assert found["alone"] == [{"n": 0}] and not ours()


def test_more_parallel_resources_than_threads() -> None:
    @source(parallelized=True)
    def many() -> Iterator[Resource]:
        for i in range(12):
            yield resource(lambda i=i: ({"n": n, "of": i} for n in range(3)), name=f"r{i}")

    found = tables(many)
    assert {name: [r["n"] for r in rows] for name, rows in found.items()} == {
        f"r{i}": [0, 1, 2] for i in range(12)
    }


def test_a_parallel_transformer_runs_beside_itself_and_gives_in_order() -> None:
    meet = threading.Barrier(5, timeout=20)

    @transformer(parallelized=True)
    def look_up(item: Row) -> Iterator[Row]:
        if item["n"] < 5:
            meet.wait()
        yield {"n": item["n"], "part": 1}
        yield {"n": item["n"], "part": 2}

    found = tables([{"n": n} for n in range(60)] | look_up)["look_up"]
    assert found == [{"n": n, "part": part} for n in range(60) for part in (1, 2)]


def test_a_parallel_transformer_may_give_much_for_one_item() -> None:
    @transformer(parallelized=True)
    def explode(item: Row) -> Iterator[Any]:
        yield from ([{"n": item["n"], "i": i}] for i in range(100))

    found = tables([{"n": n} for n in range(30)] | explode)["explode"]
    assert found == [{"n": n, "i": i} for n in range(30) for i in range(100)]


def test_deferred_functions_run_beside_each_other_and_give_in_order() -> None:
    meet = threading.Barrier(3, timeout=20)

    @defer
    def fetch(n: int) -> Any:
        meet.wait()
        return [{"n": n}, {"n": n}] if n else ({"n": 0} for _ in range(2))

    @resource
    def pages() -> Iterator[Any]:
        for n in range(3):
            yield fetch(n)
        yield {"n": 3}

    assert [r["n"] for r in tables(pages)["pages"]] == [0, 0, 1, 1, 2, 2, 3]
    assert [r["n"] for r in tables(pages.add_filter(lambda row: row["n"] != 1))["pages"]] == [0, 0, 2, 2, 3]
    with pytest.raises(RefusedError, match="is async"):

        @defer
        async def wrong() -> None:
            """Async, and so needs no deferring."""


def test_a_transformer_may_be_deferred() -> None:
    @transformer
    @defer
    def later(item: Row) -> Row:
        return {"later": item["n"]}

    assert tables([{"n": n} for n in range(40)] | later)["later"] == [{"later": n} for n in range(40)]


def test_many_deferred_functions_hold_no_more_than_some() -> None:
    begun: list[int] = []
    behind: list[int] = []

    @defer
    def fetch(n: int) -> Row:
        begun.append(n)
        return {"n": n}

    @resource
    def pages() -> Iterator[Any]:
        for n in range(200):
            yield fetch(n)

    def note(row: Row) -> Row:
        behind.append(len(begun) - row["n"])
        return row

    assert [r["n"] for r in pages.add_map(note)] == list(range(200))
    assert max(behind) <= 21


def test_async_generators_functions_and_coroutines() -> None:
    @resource
    async def numbers() -> AsyncIterator[Any]:
        for n in range(3):
            await asyncio.sleep(0)
            yield {"n": n}
        yield [{"n": 3}, {"n": 4}]

    @resource
    async def whole() -> list[Row]:
        await asyncio.sleep(0)
        return [{"n": 7}, {"n": 8}]

    @transformer
    async def fetch(item: Any) -> Any:
        await asyncio.sleep(0)
        return item

    @resource
    def coroutines() -> Iterator[Any]:
        async def one(n: int) -> Row:
            await asyncio.sleep(0.01 / (n + 1))
            return {"n": n}

        yield from (one(n) for n in range(10))

    assert [r["n"] for r in numbers] == [0, 1, 2, 3, 4]
    assert [r["n"] for r in whole] == [7, 8]
    assert [r["n"] for r in numbers | fetch] == [0, 1, 2, 3, 4]
    assert [r["n"] for r in coroutines] == list(range(10))
    assert [r["n"] for r in numbers.clone().add_limit(2)] == [0, 1]
    assert not ours()


def test_coroutines_run_at_the_same_time() -> None:
    @transformer
    async def fetch(item: Row) -> Row:
        started.append(item["n"])
        while len(started) < 10:
            await asyncio.sleep(0.001)
        return item

    started: list[int] = []
    assert [r["n"] for r in [{"n": n} for n in range(10)] | fetch] == list(range(10))


def test_errors_come_from_the_resource_with_the_users_traceback() -> None:
    @resource(parallelized=True)
    def breaks() -> Iterator[Any]:
        yield {"n": 1}
        raise ValueError("broken")

    @resource(parallelized=True)
    def goes_on() -> Iterator[Any]:
        for n in range(10**9):
            yield [{"n": n}]

    with pytest.raises(RefusedError, match="the resource `breaks` failed") as caught:
        tables([goes_on, breaks])
    assert caught.value.found == "ValueError: broken"
    assert caught.value.where is not None and caught.value.where.endswith("in breaks")
    assert isinstance(caught.value.__cause__, ValueError) and not ours()


@pytest.mark.parametrize("kind", ["deferred", "transformer", "coroutine"])
def test_errors_of_work_on_the_side(kind: str) -> None:
    @defer
    def fetch() -> None:
        raise ValueError("broken")

    async def coroutine() -> None:
        raise ValueError("broken")

    @transformer(parallelized=True, name="pages")
    def fed(item: Row) -> None:
        raise ValueError("broken")

    @resource(name="pages")
    def pages() -> Iterator[Any]:
        yield fetch() if kind == "deferred" else coroutine()

    with pytest.raises(RefusedError, match="`pages` failed") as caught:
        tables([{"n": 1}] | fed if kind == "transformer" else pages)
    assert "ValueError: broken" in str(caught.value) and not ours()


def test_a_run_that_is_given_up_ends_everything() -> None:
    closed: list[str] = []

    def endless(name: str) -> Resource:
        def rows() -> Iterator[Any]:
            try:
                while True:
                    yield [{"n": 1}] * 5000
            finally:
                closed.append(name)

        made: Resource = resource(rows, name=name, parallelized=True)
        return made

    async def asynchronous() -> AsyncIterator[Any]:
        try:
            while True:
                yield [{"n": 1}] * 5000
        finally:
            closed.append("asynchronous")

    for what in ([endless("a"), endless("b")], resource(asynchronous), endless("alone")):
        run = PythonSource(what).produce(None)
        assert isinstance(next(run), Block)
        run.close()  # type: ignore[attr-defined]  # a generator
        assert not ours()
    assert sorted(closed) == ["a", "alone", "asynchronous", "b"]


def test_checkpoints_of_parallel_resources_are_those_of_the_end() -> None:
    def rows() -> Iterator[Any]:
        yield {"n": 1}
        yield mark.checkpoint()

    found = produce([resource(rows, name=n, parallelized=True) for n in ("a", "b")])
    assert [type(b) for b in found] == [Block, Block]


def test_what_cannot_be_parallel() -> None:
    with pytest.raises(RefusedError, match="cannot run in parallel"):
        resource([{"a": 1}], name="t").parallelize()


def test_threads_do_not_wait_for_a_slow_neighbour() -> None:
    done = threading.Event()

    @resource(parallelized=True)
    def slow() -> Iterator[Row]:
        assert done.wait(20)
        yield {"n": 1}

    @resource(parallelized=True)
    def quick() -> Iterator[Row]:
        yield {"n": 2}
        time.sleep(0)
        done.set()

    assert tables([slow, quick]) == {"slow": [{"n": 1}], "quick": [{"n": 2}]}
