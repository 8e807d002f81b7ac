"""A real MariaDB for tests, where its server is installed; a suite imports the fixture `mariadb_url`."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from servers.guard import free_port, guarded, unprivileged

USER, PASSWORD = "penstock", "s3cret-w0rd"
PATIENCE_S = 60.0
_SCRIPTS = (
    "mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
)  # fmt: skip
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[Callable[[], str]]:
    """A function that makes a fresh, empty database and returns its URL over TCP on loopback."""
    program = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("MariaDB is not on this machine: nothing says that MySQL databases are read right")
    folder = Path(tempfile.mkdtemp(prefix="maria-"))
    try:
        port, guard = _started(Path(program).resolve(), folder)

        def make() -> str:
            name = f"db{next(_NUMBERS)}"
            execute(
                f"mysql://{USER}:{PASSWORD}@127.0.0.1:{port}/mysql",
                f"CREATE DATABASE {name} CHARACTER SET utf8mb4",
            )
            return f"mysql://{USER}:{PASSWORD}@127.0.0.1:{port}/{name}"

        yield make
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait(PATIENCE_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """What the last of some statements gives."""
    place = url.partition("@")[2]
    address, _, database = place.partition("/")
    host, _, port = address.partition(":")
    with (
        pymysql.connect(
            host=host,
            port=int(port),
            user=USER,
            password=PASSWORD,
            database=database,
            autocommit=True,
            charset="utf8mb4",
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def _started(program: Path, folder: Path) -> tuple[int, subprocess.Popen[bytes]]:
    share, user = program.parent.parent / "share" / "mysql", unprivileged()
    (folder / "data").mkdir()
    scripts = "".join((share / name).read_text() for name in _SCRIPTS if (share / name).exists())
    logins = (
        f"CREATE USER {USER}@'{host}' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO {USER}@'{host}';\n"
        for host in ("localhost", "127.0.0.1")
    )
    (folder / "begin.sql").write_text("CREATE DATABASE mysql;\nUSE mysql;\n" + scripts)
    (folder / "login.sql").write_text("".join(logins))
    if user:
        for path in (folder, folder / "data"):
            shutil.chown(path, user)
    always = ["--no-defaults", f"--datadir={folder / 'data'}", f"--lc-messages-dir={share}"]
    with (folder / "begin.sql").open() as begin:
        subprocess.run(
            [program, *always, "--bootstrap"], stdin=begin, capture_output=True, check=True, user=user or None
        )
    port = free_port()
    place = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"]
    small = [
        "--innodb-flush-log-at-trx-commit=0",
        f"--init-file={folder / 'login.sql'}",
        f"--tmpdir={folder}",
    ]
    with (folder / "log").open("ab") as log:
        guard = guarded([str(program), *always, *place, *small], user, log, "SIGTERM")
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            execute(f"mysql://{USER}:{PASSWORD}@127.0.0.1:{port}/mysql", "SELECT 1")
        except pymysql.err.OperationalError:
            if time.monotonic() > until or guard.poll() is not None:
                raise RuntimeError(f"MariaDB did not start:\n{(folder / 'log').read_text()}") from None
            time.sleep(0.05)
        else:
            return port, guard
