"""Work that is under way while its turn has not come: several at once, results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Crew:
    """Threads that are started when they are first of use."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool: ThreadPoolExecutor | None = None

    def ahead(self, items: Iterable[T], work: Callable[[T], R], limit: int) -> Iterator[tuple[T, R]]:
        """Each item with what `work` made of it, in order; up to `limit` are under way at once.

        Items are taken no sooner than they are worked on. With a limit of 1 no thread is used.
        """
        limit = min(limit, self.size)
        if limit <= 1:
            for item in items:
                yield item, work(item)
            return
        waiting: deque[tuple[T, Future[R]]] = deque()
        try:
            for item in items:
                waiting.append((item, self._started().submit(work, item)))
                if len(waiting) >= limit:
                    oldest, made = waiting.popleft()
                    yield oldest, made.result()
            while waiting:
                oldest, made = waiting.popleft()
                yield oldest, made.result()
        finally:
            for _, made in waiting:
                made.cancel()

    def close(self) -> None:
        """End the threads, when they have done what they are at."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _started(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.size, thread_name_prefix="penstock-rest")
        return self._pool
