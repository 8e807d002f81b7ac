"""What a resource does with the items that it yielded: map, filter, count, stop."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from penstock.cursors.incremental import Incremental
from penstock.errors import RefusedError
from penstock.sources.python.chunk import Chunk, Intake
from penstock.sources.python.mark import FileImport, Mark
from penstock.sources.python.values import all_rows, pieces

# Any throughout: functions and values are users'

Flow = Callable[[Iterator[Chunk]], Iterator[Chunk]]
Bound = Callable[[Any, Mark | None], Any]


class Site(Protocol):
    """The run of one resource, as its steps see it."""

    cursor: Incremental[Any] | None
    metrics: dict[str, Any]
    head: bool
    where: str

    def intake(self) -> Intake:
        """A new place to gather what a step's function gave."""
        ...


class Step(Protocol):
    """A step; `order` keeps cursors and limits behind the steps that are added later."""

    order: ClassVar[int]

    def start(self, site: Site) -> Flow:
        """The step for one run."""
        ...


def with_mark(function: Callable[..., Any], where: str) -> Bound:
    """A user's function of an item, or of an item and its mark, as a function of both."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return lambda item, _: function(item)
    required = [
        p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if len(required) > 2 or not parameters:
        raise RefusedError(
            f"`{getattr(function, '__name__', function)}` cannot be a step",
            where=where,
            found=f"parameters {inspect.signature(function)}",
            expected="a function of one item, and optionally of its mark",
        )
    if len(required) == 2 or "meta" in inspect.signature(function).parameters:
        return function
    return lambda item, _: function(item)


@dataclass(frozen=True, slots=True)
class Map:
    """A function of each item; None takes the item away."""

    function: Bound
    order: ClassVar[int] = 0

    def start(self, site: Site) -> Flow:
        """The step for one run."""
        function = self.function

        def run(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
            for chunk in chunks:
                if not chunk.items:
                    yield chunk
                    continue
                made = [function(item, chunk.mark) for item in chunk.items]
                if all_rows(made):
                    yield Chunk(made, chunk.page, chunk.mark)
                elif chunk.page:
                    kept = [m for m in made if m is not None]
                    yield from (Chunk(kept, True, chunk.mark),) if kept else ()
                else:
                    yield from _gathered(site, iter(made), chunk.mark)

        return run


@dataclass(frozen=True, slots=True)
class Filter:
    """A question to each item; it stays if the answer is true."""

    function: Bound
    order: ClassVar[int] = 0

    def start(self, site: Site) -> Flow:  # noqa: ARG002  # the protocol's
        """The step for one run."""
        function = self.function

        def run(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
            for chunk in chunks:
                kept = [item for item in chunk.items if function(item, chunk.mark)]
                if kept or not chunk.items:
                    yield Chunk(kept, chunk.page, chunk.mark, chunk.whole)

        return run


@dataclass(frozen=True, slots=True)
class YieldMap:
    """A generator function of each item: any number of items in its place."""

    function: Bound
    order: ClassVar[int] = 0

    def start(self, site: Site) -> Flow:
        """The step for one run."""
        function = self.function

        def run(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
            for chunk in chunks:
                if not chunk.items:
                    yield chunk
                    continue
                made = (new for item in chunk.items for new in function(item, chunk.mark))
                yield from _gathered(site, made, chunk.mark)

        return run


@dataclass(frozen=True, slots=True)
class ItemStep:
    """A function of what was yielded as it was yielded, a page as a page."""

    function: Bound
    order: ClassVar[int] = 0

    def start(self, site: Site) -> Flow:
        """The step for one run."""

        def run(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
            for chunk in chunks:
                if chunk.whole:
                    yield chunk
                    continue
                items = [chunk.items] if chunk.page else chunk.items
                yield from _gathered(site, (self.function(i, chunk.mark) for i in items), chunk.mark)

        return run


@dataclass(frozen=True, slots=True)
class Count:
    """A look at what was yielded as it was yielded, to count in the resource's metrics."""

    function: Callable[[Any, Mark | None, dict[str, Any]], Any]
    order: ClassVar[int] = 0

    def start(self, site: Site) -> Flow:
        """The step for one run."""

        def run(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
            for chunk in chunks:
                for item in [chunk.items] if chunk.page else chunk.items:
                    self.function(item, chunk.mark, site.metrics)
                yield chunk

        return run


@dataclass(frozen=True, slots=True)
class Increment:
    """The place of the incremental cursor: behind the steps that shape rows."""

    order: ClassVar[int] = 1

    def start(self, site: Site) -> Flow:
        """The step for one run."""

        def run(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
            cursor = site.cursor
            for chunk in chunks:
                if not chunk.items or cursor is None:
                    yield chunk
                    continue
                kept = list(_new(cursor, chunk.items, site.where))
                if kept:
                    yield Chunk(kept, chunk.page, chunk.mark)
                if cursor.stop and site.head:
                    return

        return run


def _new(cursor: Incremental[Any], items: list[Any], where: str) -> Iterator[Any]:
    for piece in pieces(items, where):
        if type(piece) is FileImport:
            yield piece
        elif type(piece) is list:
            yield from cursor.apply(piece)
        else:
            found = cursor.apply(piece)
            if found.num_rows:
                yield found


@dataclass(frozen=True, slots=True)
class Limit:
    """An end after some items, some rows (the last page is not cut) or some seconds."""

    max_items: int | None = None
    max_time: float | None = None
    count_rows: bool = False
    order: ClassVar[int] = 2

    def start(self, site: Site) -> Flow:  # noqa: ARG002  # the protocol's
        """The step for one run."""
        most = self.max_items

        def run(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
            begun, count = time.monotonic(), 0
            if most == 0:
                return
            for chunk in chunks:
                yield chunk
                if not chunk.whole:
                    count += sum(map(_rows, chunk.items)) if self.count_rows else 1
                if most is not None and count >= most:
                    return
                if self.max_time and time.monotonic() - begun > self.max_time:
                    return

        return run


def _rows(item: Any) -> int:
    """How many rows an item has: those of a table, otherwise one."""
    if isinstance(item, dict):
        return 1
    shape = getattr(item, "num_rows", None)
    return shape if isinstance(shape, int) else len(item) if type(item).__name__ == "DataFrame" else 1


def _gathered(site: Site, values: Iterator[Any], mark: Mark | None) -> Iterator[Chunk]:
    intake = site.intake()
    yield from intake.chunks(values, mark)
    yield from intake.rest()
