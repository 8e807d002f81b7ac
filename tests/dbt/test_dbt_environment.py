"""Where dbt comes from: what is installed, and what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.dbt.environment import REQUIREMENT, adapter_name, find_dbt, plugin_of
from penstock.errors import NotFoundError

WHEELS = "--only-binary=dbt-core-experimental-parser"


@pytest.mark.parametrize(
    ("said", "adapter", "packages"),
    [
        ("dbt-core", "duckdb", [REQUIREMENT, "dbt-duckdb>=1.9", "duckdb>=1.4", WHEELS]),
        ("dbt-core==1.11.*", "postgres", ["dbt-core==1.11.*", "dbt-postgres>=1.9", WHEELS]),
        ("dbt-core~=1.11.0 dbt-duckdb==1.10.0 duckdb<2", "duckdb",
         ["dbt-core~=1.11.0", "dbt-duckdb==1.10.0", "duckdb<2", WHEELS]),
        ("dbt-core", "dbt-duckdb==1.11.1", [REQUIREMENT, "dbt-duckdb==1.11.1", "duckdb>=1.4", WHEELS]),
        ("dbt-core", "dbt-trino", [REQUIREMENT, "dbt-trino", WHEELS]),
        ("dbt-core --no-binary=:all:", "trino", [REQUIREMENT, "--no-binary=:all:", "dbt-trino"]),
        ("git+https://example.com/dbt-core@main", "trino", ["git+https://example.com/dbt-core@main",
                                                           "dbt-trino", WHEELS]),
    ],
)  # fmt: skip
def test_what_is_installed(said: str, adapter: str, packages: list[str]) -> None:
    plugin = plugin_of(said, adapter)
    assert (plugin.pip_url or "").split() == packages
    assert (plugin.command, plugin.name) == ("dbt", f"dbt-{adapter_name(adapter)}")


@pytest.mark.parametrize("said", ["venv/bin/dbt", "./venv", "dbt", "~/venvs/dbt"])
def test_a_dbt_that_is_there_is_not_installed(said: str) -> None:
    assert plugin_of(said, "duckdb").pip_url is None


def test_a_program_and_an_environment_are_found(tmp_path: Path) -> None:
    program = tmp_path / "my venv" / "bin" / "dbt"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    places = {"home": tmp_path / "plugins", "root": tmp_path}
    by_program = find_dbt("my venv/bin/dbt", "duckdb", **places)
    by_folder = find_dbt("my venv", "duckdb", **places)
    assert by_program.command == by_folder.command == (str(program),)
    assert (by_program.venv, by_folder.venv) == (None, tmp_path / "my venv")
    with pytest.raises(NotFoundError, match=r"no dbt where[\s\S]*nowhere/dbt"):
        find_dbt("nowhere/dbt", "duckdb", **places)
    assert not (tmp_path / "plugins").exists()
