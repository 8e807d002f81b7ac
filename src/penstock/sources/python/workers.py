"""The threads and the event loop that users' code runs on when it is deferred, parallel or async."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from contextvars import copy_context
from queue import Empty, Full, Queue
from typing import Any, Generic, TypeVar

T = TypeVar("T")
THREADS = 5
_PIECES_AHEAD = 8
_TICK_S = 0.05


class _Stopped(BaseException):
    """The run was given up: a thread that waits to hand something over ends instead."""


class Workers:
    """Bounded threads and one event loop, started with the first work and ended by `close`."""

    def __init__(self, threads: int = THREADS) -> None:
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._roots: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Call a function on a thread, in a copy of the present context."""
        context = copy_context()
        return self._executor().submit(lambda: context.run(function))

    def stream(self, make: Callable[[], Generator[T, None, None]]) -> Stream[T]:
        """Iterate on a thread, a few pieces ahead of who takes them."""
        stream: Stream[T] = Stream(self._stop)
        context = copy_context()
        stream.future = self._executor().submit(lambda: context.run(stream.fill, make))
        return stream

    def merge(self, makes: Sequence[Callable[[], Generator[T, None, None]]]) -> Generator[T, None, None]:
        """Iterate over several at once; each keeps its order, and none gets far ahead."""
        shared: Queue[tuple[Any, BaseException | None]] = Queue(_PIECES_AHEAD)
        if self._roots is None:
            self._roots = ThreadPoolExecutor(self._threads, "penstock-resource")
        for make in makes:
            self._roots.submit(Stream[T](self._stop, shared).fill, make)
        left = len(makes)
        while left:
            piece, error = shared.get()
            if error is not None:
                raise error
            if piece is _DONE:
                left -= 1
            else:
                yield piece

    def spawn(self, awaitable: Awaitable[T]) -> Future[T]:
        """Run a coroutine on the event loop."""

        async def run() -> T:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(run(), self._running_loop())

    def pull(self, values: AsyncIterator[T], most: int) -> Iterator[T]:
        """The values of an async iterator, taken `most` at a time or until one is no dict."""

        async def some() -> tuple[list[T], bool]:
            taken: list[T] = []
            async for value in values:
                taken.append(value)
                if len(taken) >= most or type(value) is not dict:
                    return taken, False
            return taken, True

        close: Callable[[], Awaitable[None]] | None = getattr(values, "aclose", None)
        ended = False
        try:
            while not ended:
                taken, ended = self.spawn(some()).result()
                yield from taken
        finally:
            if close is not None and not ended:
                self.spawn(close()).result()

    def close(self) -> None:
        """End everything: what has not begun is left, what has is waited for."""
        self._stop.set()
        for pool in (self._roots, self._pool):
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)
        if self._loop is not None and self._loop_thread is not None:
            asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop_thread.join()
            self._loop.close()
            self._loop = None

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, "penstock-work")
            return self._pool

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._loop_thread = threading.Thread(
                    target=self._loop.run_forever, name="penstock-async", daemon=True
                )
                self._loop_thread.start()
            return self._loop


_DONE: Any = object()  # Any: stands in a queue beside pieces of any type


class Stream(Generic[T]):
    """What a thread makes, a few pieces ahead of who takes it."""

    future: Future[None]

    def __init__(
        self, stop: threading.Event, queue: Queue[tuple[Any, BaseException | None]] | None = None
    ) -> None:
        self._stop = stop
        self._queue = queue if queue is not None else Queue(_PIECES_AHEAD)

    def fill(self, make: Callable[[], Generator[T, None, None]]) -> None:
        """Iterate to the end, on the thread that this is called on; errors are handed over too."""
        error: BaseException | None = None
        with suppress(_Stopped):
            try:
                with closing(make()) as pieces:
                    for piece in pieces:
                        self._put(piece, None)
            except _Stopped:
                raise
            except BaseException as caught:
                error = caught
            self._put(_DONE, error)

    def _put(self, piece: Any, error: BaseException | None) -> None:
        while not self._stop.is_set():
            try:
                return self._queue.put((piece, error), timeout=_TICK_S)
            except Full:
                continue
        raise _Stopped

    def done(self) -> bool:
        """Whether all of it has been made."""
        return self.future.done()

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                piece, error = self._queue.get(timeout=_TICK_S)
            except Empty:
                if self._stop.is_set():
                    raise _Stopped from None
                continue
            if error is not None:
                raise error
            if piece is _DONE:
                return
            yield piece


async def _cancel_all() -> None:
    tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
