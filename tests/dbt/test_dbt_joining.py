"""How a dbt project is joined to the destination: where it builds, and whose profile holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dbt_bed import RESALE, DbtBed, write_files
from penstock.app import dbt
from penstock.dbt.manifest import Home
from penstock.dbt.project import DbtProject
from penstock.errors import NotFoundError, OutsideError, ProjectError

PROFILE = """
resale_flat:
  target: here
  outputs:
    here: {type: duckdb, path: w.duckdb, schema: own}
    there: {type: snowflake, database: W, schema: own}
"""


def opened(tmp_path: Path, files: dict[str, str] | None = None, **said: Any) -> DbtProject:
    bed = DbtBed(tmp_path, {**RESALE, **(files or {})}, **said)
    return dbt.open_dbt(bed.session().loaded)


def test_a_profile_is_made_for_the_destination(tmp_path: Path) -> None:
    project = opened(tmp_path, threads=3, schema="marts", vars={"a": 1})
    output = project.setup.output
    assert (project.setup.profiles, output.adapter, output.schema) == (None, "duckdb", "marts")
    assert output.settings["path"] == str(tmp_path / "w.duckdb")
    assert output.settings["threads"] == 3
    assert project.setup.near == Home("main", "w")
    made = project.dbt.generated() / "profiles.yml"
    assert made == tmp_path / ".penstock/dbt/profiles/profiles.yml"
    (profile,) = YAML(typ="safe").load(made.read_text()).items()
    settings = profile[1]["outputs"]["dev"]["settings"]
    assert (profile[0], settings["TimeZone"]) == ("resale_flat", "UTC")
    assert settings["memory_limit"].endswith("MB")
    assert (tmp_path / ".penstock" / ".gitignore").read_text() == "*\n"


def test_the_environment_names_the_target(tmp_path: Path) -> None:
    bed = DbtBed(tmp_path, RESALE)
    bed.project["environments"] = {"prod": {"destination": "duckdb:///prod.duckdb"}}
    bed.project["default_environment"] = "prod"
    setup = dbt.open_dbt(bed.session().loaded).setup
    assert (setup.target, setup.output.settings["path"]) == ("prod", str(tmp_path / "prod.duckdb"))


def test_a_profile_beside_the_project_holds_unless_another_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"profiles.yml": PROFILE}
    beside = opened(tmp_path, own).setup
    assert (beside.profiles, beside.output.schema, beside.target) == (tmp_path / "dbt_project", "own", None)
    assert opened(tmp_path, own, target="there").setup.output.adapter == "snowflake"
    assert opened(tmp_path, own, profiles="destination").setup.profiles is None
    write_files(tmp_path, {"conf/profiles.yml": PROFILE})
    assert opened(tmp_path, own, profiles="conf").setup.profiles == tmp_path / "conf"
    (tmp_path / "dbt_project" / "profiles.yml").unlink()
    monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path / "conf"))
    assert opened(tmp_path).setup.profiles == tmp_path / "conf"
    write_files(tmp_path, {"conf/profiles.yml": "another: {}\n"})
    assert opened(tmp_path).setup.profiles is None  # it does not have the profile of this project


def test_postgresql_takes_the_place_of_the_destination(tmp_path: Path) -> None:
    setup = opened(tmp_path, url="postgresql://me:secret-word@db/shop", schema="marts").setup
    assert (setup.output.adapter, setup.near) == ("postgres", Home("marts", "shop"))
    assert "secret-word" not in repr(setup)


def test_what_cannot_be_joined_is_said_with_the_line(tmp_path: Path) -> None:
    bed = DbtBed(tmp_path, RESALE)
    bed.project["destination"] = {"type": "parquet", "path": "out"}
    with pytest.raises(ProjectError, match=r"cannot build[\s\S]*parquet[\s\S]*penstock\.yml:\d+"):
        dbt.open_dbt(bed.session().loaded)
    with pytest.raises(NotFoundError, match=r"no dbt project[\s\S]*penstock\.yml:\d+"):
        opened(tmp_path, path="nowhere")
    with pytest.raises(ProjectError, match=r"no dbt profiles[\s\S]*conf"):
        opened(tmp_path, profiles="conf")
    bed = DbtBed(tmp_path, RESALE)
    bed.project["models"] = "models"
    loaded = bed.session().loaded
    assert not dbt.has_dbt(loaded)
    assert (dbt.dbt_models(loaded), dbt.known_nodes(loaded), dbt.made_docs(loaded)) == ((), (), None)
    with pytest.raises(ProjectError, match="no models of dbt"):
        dbt.open_dbt(loaded)


def test_variables_of_the_env_file_reach_dbt_and_the_process_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("A=file\nB=file\nC=file\n")
    monkeypatch.setenv("B", "process")
    env = opened(tmp_path, env={"C": "project"}).setup.env
    assert env == {"A": "file", "C": "project"}


FAKE = """#!/bin/sh
echo "$@" >> "{log}"
case "$*" in *deps*) exit {code};; esac
mkdir -p "$DBT_TARGET_PATH"
cp "{manifest}" "$DBT_TARGET_PATH/manifest.json"
"""


def faked(tmp_path: Path, files: dict[str, str] | None = None, code: int = 0) -> tuple[DbtProject, Path]:
    """A project whose dbt is a shell script that leaves an empty manifest."""
    log, program = tmp_path / "log", tmp_path / "own_dbt"
    (tmp_path / "manifest.json").write_text('{"nodes": {}, "sources": {}}')
    program.write_text(FAKE.format(log=log, code=code, manifest=tmp_path / "manifest.json"))
    program.chmod(0o755)
    return opened(tmp_path, files, dbt="./own_dbt"), log


def test_dbt_is_asked_once_until_something_changes(tmp_path: Path) -> None:
    project, log = faked(tmp_path)
    assert (project.fresh(), project.known()) == (False, ())
    project.nodes()
    project.nodes()
    assert len(log.read_text().splitlines()) == 1
    assert project.fresh()
    write_files(project.folder, {"models/new.sql": "select 1"})
    assert not project.fresh()
    project.nodes()
    assert len(log.read_text().splitlines()) == 2


PACKAGES = {"packages.yml": "packages: [{package: some/thing, version: 1.0.0}]\n"}


def test_packages_that_are_there_are_taken_as_they_are(tmp_path: Path) -> None:
    project, log = faked(tmp_path, PACKAGES)
    write_files(project.folder, {"dbt_packages/thing/dbt_project.yml": "name: thing\n"})
    project.nodes()
    assert "deps" not in log.read_text()


def test_a_file_of_packages_may_name_none(tmp_path: Path) -> None:
    project, log = faked(tmp_path, {"packages.yml": "# none yet\n", "dependencies.yml": "packages:\n"})
    project.nodes()
    assert "deps" not in log.read_text()


def test_packages_that_cannot_be_fetched_are_explained(tmp_path: Path) -> None:
    project, _ = faked(tmp_path, PACKAGES, code=1)
    with pytest.raises(OutsideError, match=r"could not be fetched[\s\S]*hub\.getdbt\.com[\s\S]*dbt_packages"):
        project.nodes()
