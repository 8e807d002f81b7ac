"""URLs of databases: which server they mean, and that they tell no secret."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from penstock.errors import MissingPartError, ProjectError
from penstock.project.sql import SqlDatabaseSpec
from penstock.sources.sql.address import parse
from penstock.sources.sql.source import connect


@pytest.mark.parametrize(
    ("url", "kind", "shown"),
    [
        ("postgresql://me:s3cret@h/db", "postgres", "postgresql://me:***@h/db"),
        (
            "postgres://h/db?user=me&password=s3cret&x=1",
            "postgres",
            "postgres://h/db?user=me&password=***&x=1",
        ),
        ("postgresql://me:s3%40cret@h/db", "postgres", "postgresql://me:***@h/db"),
        ("postgresql+psycopg://me:s3cret@h/db", "sqlalchemy", "postgresql+psycopg://me:***@h/db"),
        ("mariadb://me@h/db", "mysql", "mariadb://me@h/db"),
        ("mysql://me:s3cret@h/db?ssl_ca=/ca", "mysql", "mysql://me:***@h/db?ssl_ca=/ca"),
        ("mssql+pyodbc://me:s3:cret@h/db", "sqlalchemy", "mssql+pyodbc://me:***@h/db"),
        ("sqlite:///a.db", "sqlite", "sqlite:///a.db"),
        ("duckdb:////a/b.duckdb", "duckdb", "duckdb:////a/b.duckdb"),
    ],
)
def test_a_url_names_a_server_and_is_shown_without_secrets(url: str, kind: str, shown: str) -> None:
    address = parse(url)
    assert (address.kind, address.shown) == (kind, shown)
    for secret in ("s3cret", "s3%40cret", "s3@cret", "s3:cret"):
        assert secret not in repr(address)
        if secret in url:
            assert address.redact(f"{secret} in {url}").count("***") == 2
            assert secret not in address.redact(f"{secret} in {url}")


def test_a_decoded_secret_is_not_told_either() -> None:
    assert parse("postgresql://me:s3%40cret@h/db").redact("no s3@cret here") == "no *** here"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///a/b.db", "/p/a/b.db"),
        ("sqlite:////a/b.db", "/a/b.db"),
        ("duckdb:///a%20b.db?x=1", "/p/a b.db"),
    ],
)
def test_files_lie_in_the_project_or_where_they_are_said_to(url: str, path: str) -> None:
    assert parse(url).path(Path("/p")) == Path(path)


def test_a_project_value_tells_no_secret() -> None:
    spec = SqlDatabaseSpec(type="sql_database", url="postgresql://me:s3cret@h/db")
    assert "s3cret" not in repr(spec)


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("postgresql://me:s3cret@h/db", "adbc_driver_postgresql", "penstock[postgres]"),
        ("mysql://me:s3cret@h/db", "pymysql", "penstock[mysql]"),
        ("oracle+oracledb://me:s3cret@h/db", "sqlalchemy", "penstock[sql]"),
    ],
)
def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, url: str, module: str, extra: str
) -> None:
    for name in [n for n in sys.modules if n.startswith(("penstock.sources.sql.", module))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    spec = SqlDatabaseSpec(type="sql_database", url=url)
    with pytest.raises(MissingPartError, match=module) as told:
        connect(spec, parse(url), Path())
    assert extra in str(told.value)
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "duckdb://host/db"])
def test_what_is_no_file_is_refused(url: str) -> None:
    with pytest.raises(ProjectError, match="names no file"):
        parse(url).path(Path("/p"))
