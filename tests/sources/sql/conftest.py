"""Servers for the tests of SQL sources, and a project that reads from one."""

from __future__ import annotations

from pathlib import Path

import pytest
from sql_bench import Bench

from servers.mariadb import mariadb_url as mariadb_url
from servers.postgres import postgres as postgres
from servers.postgres import postgres_url as postgres_url


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A project in an empty folder."""
    return Bench(tmp_path)
