"""What several of these tests talk to."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from threading import Thread

import pytest
from dlt_api import Api


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "1")
    with Api() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
    with warnings.catch_warnings():  # dlt leaves the answers that it refuses unread, and their sockets open
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
