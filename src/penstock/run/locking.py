"""Waiting for the lock of a destination."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from penstock.errors import LockHeldError
from penstock.report.facts import Pause

if TYPE_CHECKING:
    from penstock.run.flow import Holding

POLL_S = 0.2


@contextmanager
def lock(flow: Holding, wait_s: float) -> Iterator[None]:
    """Hold the pipeline's lock. Raises: LockHeldError when it is not free within `wait_s` seconds."""
    deadline = time.monotonic() + wait_s
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(flow.destination.lock(flow.pipeline, flow.holder))
                break
            except LockHeldError:
                if time.monotonic() >= deadline:
                    raise
                flow.observe(Pause(flow.pipeline))
                time.sleep(POLL_S)
        yield
