"""Some items on their way through a resource, and how they are gathered from what users yield."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from penstock.sources.python.mark import Mark, Marked, Whole
from penstock.sources.python.values import is_table
from penstock.sources.python.workers import Stream, Workers

# Any throughout: these are users' values

ROOM = 5000
AHEAD = 20
_END = object()


@dataclass(slots=True)
class Chunk:
    """Items of one mark: a list that was yielded as a page, or a run of items yielded one by one.

    A `whole` chunk has no items and stands for `mark.checkpoint()`.
    """

    items: list[Any]
    page: bool = False
    mark: Mark | None = None
    whole: bool = False


class Intake:
    """Turns what users' code yields into chunks, in the order in which it was yielded.

    Deferred functions, coroutines and streams run meanwhile; up to `AHEAD` of them, and of the
    chunks behind them, wait for their turn. Units: `room` rows in a run.
    """

    def __init__(self, workers: Workers, room: int = ROOM) -> None:
        self.workers = workers
        self.room = room
        self.waiting: deque[tuple[Chunk | Future[Any] | Stream[Chunk], Mark | None]] = deque()

    def chunks(self, values: Iterator[Any], mark: Mark | None = None) -> Iterator[Chunk]:
        """All that an iterator gives; what is deferred may still wait (see `rest`)."""
        while True:
            rows, other = self._run(values)
            if rows:
                yield from self._put(Chunk(rows, mark=mark))
            if other is _END:
                return
            yield from self.take(other, mark)

    def _run(self, values: Iterator[Any]) -> tuple[list[dict[str, Any]], Any]:
        """The dicts that come next, and what ended them (None: there is no room for more)."""
        rows: list[dict[str, Any]] = []
        add, left = rows.append, self.room
        for value in values:
            if type(value) is not dict:
                return rows, value
            add(value)
            left -= 1
            if not left:
                return rows, None
        return rows, _END

    def take(self, value: Any, mark: Mark | None = None) -> Iterator[Chunk]:
        """One value that was yielded, whatever it is."""
        if value is None:
            return
        if type(value) is list:
            yield from self._put(Chunk(value, page=True, mark=mark))
        elif type(value) is dict or is_table(value):
            yield from self._put(Chunk([value], mark=mark))
        elif type(value) is Marked:
            if value.item is None:
                yield from self._put(Chunk([], mark=value.mark))
            else:
                yield from self.take(value.item, value.mark)
        elif type(value) is Whole:
            yield from self.rest()
            yield Chunk([], whole=True)
        elif isinstance(value, Iterator):
            yield from self.chunks(value, mark)
        elif isinstance(value, AsyncIterator):
            yield from self.chunks(self.workers.pull(value, self.room), mark)
        elif isinstance(value, Awaitable):
            yield from self.wait(self.workers.spawn(value), mark)
        elif callable(value) and not isinstance(value, type):
            yield from self.wait(self.workers.submit(value), mark)
        else:
            yield from self._put(Chunk([value], mark=mark))

    def wait(self, future: Future[Any] | Stream[Chunk], mark: Mark | None = None) -> Iterator[Chunk]:
        """Put something that runs in line, and give what is ready before it."""
        self.waiting.append((future, mark))
        yield from self._settled(AHEAD)

    def rest(self) -> Iterator[Chunk]:
        """Everything that still waits."""
        yield from self._settled(0)

    def _put(self, chunk: Chunk) -> Iterator[Chunk]:
        if not self.waiting:
            yield chunk
            return
        self.waiting.append((chunk, None))
        yield from self._settled(AHEAD)

    def _settled(self, keep: int) -> Iterator[Chunk]:
        """What is ready at the front; the front is waited for while more than `keep` are in line."""
        while self.waiting and (len(self.waiting) > keep or _is_ready(self.waiting[0][0])):
            first, mark = self.waiting.popleft()
            if isinstance(first, Chunk):
                yield first
            elif isinstance(first, Stream):
                yield from first
            else:
                inner = Intake(self.workers, self.room)
                yield from inner.take(first.result(), mark)
                yield from inner.rest()


def _is_ready(waiting: Chunk | Future[Any] | Stream[Chunk]) -> bool:
    return isinstance(waiting, Chunk) or waiting.done()
