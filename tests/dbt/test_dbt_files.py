"""The files of a dbt project: what its project file says, and what changes its digest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dbt_bed import RESALE, write_files
from penstock.dbt.files import files_digest, read_project
from penstock.errors import NotFoundError, ProjectError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_files(tmp_path / "shop", RESALE)
    return tmp_path / "shop"


def test_a_project_file_says_name_profile_and_folders(folder: Path) -> None:
    write_files(folder, {"dbt_project.yml": "name: shop\nmodel-paths: [sql, more]\n"})
    found = read_project(folder)
    assert (found.name, found.profile, found.packages) == ("shop", "shop", folder / "dbt_packages")
    assert {folder / "sql", folder / "more", folder / "seeds"} <= set(found.folders())
    assert folder / "models" not in set(found.folders())


def test_no_project_says_where_one_is(folder: Path) -> None:
    with pytest.raises(NotFoundError, match=r"penstock.yml:3[\s\S]*is it `shop`"):
        read_project(folder.parent, "penstock.yml:3")
    with pytest.raises(NotFoundError):
        read_project(folder / "nowhere")


@pytest.mark.parametrize("text", ["name: [", "- a list\n", "version: 1\n"])
def test_a_project_file_that_is_none(folder: Path, text: str) -> None:
    write_files(folder, {"dbt_project.yml": text})
    with pytest.raises(ProjectError, match=r"dbt_project\.yml"):
        read_project(folder)


def mark(folder: Path, *beside: object, **env: str) -> str:
    return files_digest(read_project(folder), beside, env)


def test_every_file_that_dbt_reads_counts(folder: Path) -> None:
    seen = {mark(folder)}
    for name, text in {
        "models/prices.sql": "select 1 as a",
        "models/marts/deep/new.sql": "select 2",
        "seeds/towns.csv": "a\n1\n",
        "macros/m.sql": "{% macro m() %}{% endmacro %}",
        "packages.yml": "packages: []\n",
        "dbt_project.yml": RESALE["dbt_project.yml"] + "vars: {a: 1}\n",
        "dbt_packages/utils/dbt_project.yml": "name: utils\nversion: 1.0.0\n",
    }.items():
        write_files(folder, {name: text})
        assert mark(folder) not in seen, name
        seen.add(mark(folder))
    (folder / "models" / "prices.sql").unlink()
    assert mark(folder) not in seen


def test_what_dbt_makes_and_when_a_file_was_written_do_not_count(folder: Path) -> None:
    before = mark(folder)
    write_files(folder, {"target/manifest.json": "{}", "logs/dbt.log": "x", "models/.hidden.swp": "x"})
    os.utime(folder / "models" / "prices.sql", (1, 1))
    assert mark(folder) == before


def test_variables_count_where_a_file_names_them(folder: Path) -> None:
    assert mark(folder, TOKEN="1") == mark(folder, TOKEN="2")
    write_files(folder, {"models/x.sql": "select '{{ env_var( 'TOKEN' , 'no') }}' as t"})
    assert mark(folder, TOKEN="1") != mark(folder, TOKEN="2")
    assert mark(folder, "vars") != mark(folder, "other vars")


def test_a_package_of_this_machine_counts_with_its_files(folder: Path) -> None:
    package = folder.parent / "own_package"
    write_files(package, {"dbt_project.yml": "name: own_package\n", "macros/a.sql": "one"})
    (folder / "dbt_packages").mkdir()
    (folder / "dbt_packages" / "own_package").symlink_to(package)
    before = mark(folder)
    write_files(package, {"macros/a.sql": "two"})
    assert mark(folder) != before
