"""dbt profiles: those that are made, and those that users have."""

from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML

from penstock.dbt.profiles import duckdb_output, limited, own_output, postgres_output, profile_text
from penstock.errors import ProjectError


def told(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_a_profile_for_a_duckdb_file() -> None:
    output = limited(duckdb_output('/data/my "house".v2.duckdb', "marts", 8), {"memory_limit": "1GB"})
    said = told(profile_text("shop", "prod", output))
    assert said["shop"]["target"] == "prod"
    assert said["shop"]["outputs"]["prod"] == {
        "type": "duckdb",
        "path": '/data/my "house".v2.duckdb',
        "schema": "marts",
        "threads": 8,
        "settings": {"TimeZone": "UTC", "memory_limit": "1GB"},
        "config_options": {"storage_compatibility_version": "v1.4.0"},
        "retries": {"connect_attempts": 3},
    }
    assert output.database == 'my "house".v2'


def test_a_profile_for_postgresql_holds_no_password() -> None:
    output = postgres_output("postgresql://me:p%40ss%2Fword@db.example:6543/shop?sslmode=require")
    text = profile_text("shop", "dev", output)
    said = told(text)["shop"]["outputs"]["dev"]
    assert {k: said[k] for k in ("type", "host", "port", "user", "dbname", "schema", "sslmode")} == {
        "type": "postgres", "host": "db.example", "port": 6543, "user": "me", "dbname": "shop",
        "schema": "public", "sslmode": "require",
    }  # fmt: skip
    assert "p@ss" not in text
    assert "p%40" not in text
    ((name, value),) = output.env.items()
    assert value == "p@ss/word"
    assert f"env_var('{name}'" in said["password"]
    assert name.startswith("DBT_ENV_SECRET_")  # what dbt masks in its logs
    assert "p@ss" not in repr(output)


def test_a_socket_and_a_schema_of_postgresql() -> None:
    output = postgres_output("postgresql+psycopg://me@/shop?host=/run/pg&port=5433", "marts", 2)
    assert (output.settings["host"], output.settings["port"], output.schema) == ("/run/pg", 5433, "marts")
    assert output.env == {}
    with pytest.raises(ProjectError, match="this URL"):
        postgres_output("mysql://me@db/shop")


OWN: dict[str, Any] = {
    "shop": {
        "target": "dev",
        "outputs": {
            "dev": {"type": "duckdb", "path": "dir/shop.duckdb", "schema": "dev"},
            "prod": {"type": "postgres", "dbname": "shop", "schema": "public"},
        },
    }
}


@pytest.mark.parametrize(
    ("target", "meant"),
    [(None, ("duckdb", "dev", "shop")), ("prod", ("postgres", "public", "shop"))],
)
def test_a_target_of_an_own_profile(target: str | None, meant: tuple[str, str, str]) -> None:
    found = own_output(OWN, "shop", target, "profiles.yml")
    assert (found.adapter, found.schema, found.database) == meant


def test_what_cannot_be_told_of_an_own_profile_is_said() -> None:
    with pytest.raises(ProjectError, match=r"no dbt profile `shap`[\s\S]*shop"):
        own_output(OWN, "shap", None, "profiles.yml")
    with pytest.raises(ProjectError, match=r"no target `prd`[\s\S]*prod"):
        own_output(OWN, "shop", "prd", "profiles.yml")
    jinja = {"shop": {**OWN["shop"], "target": "{{ env_var('T') }}"}}
    with pytest.raises(ProjectError, match="which target"):
        own_output(jinja, "shop", None, "profiles.yml")
    one_kind = {"shop": {"target": "{{ env_var('T') }}", "outputs": {"a": {"type": "duckdb"}}}}
    assert own_output(one_kind, "shop", None, "profiles.yml").adapter == "duckdb"
    typeless = {"shop": {"target": "a", "outputs": {"a": {"type": "{{ env_var('T') }}"}}}}
    with pytest.raises(ProjectError, match=r"what kind of database[\s\S]*`adapter`"):
        own_output(typeless, "shop", None, "profiles.yml")
