"""A server for each test, and ways to ask it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from servers.rest_api import Api


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A server that has no answers yet."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    server = Api()
    yield server
    server.close()
