"""dbt profiles: what a user's own says, and the one that is generated for the destination. Pure.

A generated profile holds no secrets: they are variables of dbt's process, whose names dbt masks in its logs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from penstock.errors import ProjectError, suggest

# Any throughout: YAML that a user wrote, settings of an adapter

FILE = "profiles.yml"
TARGET = "dev"
THREADS = 4
# as the destination makes its files: what a newer DuckDB writes by itself, older ones cannot open
STORAGE_VERSION = "v1.4.0"
_SECRET = "DBT_ENV_SECRET_PENSTOCK_PASSWORD"  # noqa: S105  a name; dbt masks values of names that begin so


@dataclass(frozen=True, slots=True)
class Output:
    """Where dbt builds: an adapter and its settings. `env` are secrets that the settings refer to."""

    adapter: str
    schema: str
    settings: Mapping[str, Any]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    database: str | None = None


def duckdb_output(path: str, schema: str, threads: int | None = None) -> Output:
    """A DuckDB file, by its absolute path. `threads` is how many models dbt builds at once."""
    stem = path.rpartition("/")[2]
    database = stem.rpartition(".")[0] or stem
    said = {
        "type": "duckdb",
        "path": path,
        "schema": schema,
        "threads": threads or THREADS,
        "settings": {"TimeZone": "UTC"},
        "config_options": {"storage_compatibility_version": STORAGE_VERSION},
        "retries": {"connect_attempts": 3},
    }
    return Output("duckdb", schema, said, database=database)


def limited(output: Output, limits: Mapping[str, Any]) -> Output:
    """The same with more of DuckDB's settings."""
    if output.adapter != "duckdb" or not limits:
        return output
    settings = {**output.settings, "settings": {**output.settings.get("settings", {}), **limits}}
    return replace(output, settings=settings)


def postgres_output(url: str, schema: str | None = None, threads: int | None = None) -> Output:
    """A PostgreSQL database, by its URL: `postgresql://user:password@host:5432/database?schema=public`.

    Raises: ProjectError for another URL.
    """
    parts = urlsplit(url)
    if parts.scheme.partition("+")[0] not in ("postgres", "postgresql"):
        raise ProjectError(
            "dbt cannot be given this URL", expected="`postgresql://user:password@host:5432/database`"
        )
    asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    database = unquote(parts.path.lstrip("/")) or "postgres"
    schema = schema or asked.get("schema") or "public"
    said: dict[str, Any] = {
        "type": "postgres",
        "host": asked.get("host") or parts.hostname or "localhost",
        "port": int(asked.get("port") or parts.port or 5432),
        "user": unquote(parts.username or asked.get("user") or "postgres"),
        "password": f"{{{{ env_var('{_SECRET}', '') }}}}",
        "dbname": database,
        "schema": schema,
        "threads": threads or THREADS,
    }
    said |= {key: asked[key] for key in ("sslmode", "sslrootcert", "sslcert", "sslkey") if key in asked}
    env = {_SECRET: unquote(parts.password)} if parts.password else {}
    return Output("postgres", schema, said, env, database)


def profile_text(name: str, target: str, output: Output) -> str:
    """A `profiles.yml` of one profile with one target."""
    lines = [
        "# made by Penstock from the destination of the project, and made anew when that changes",
        f"{json.dumps(name)}:",
        f"  target: {json.dumps(target)}",
        "  outputs:",
        f"    {json.dumps(target)}:",
        *_lines(output.settings, 6),
    ]
    return "\n".join(lines) + "\n"


def _lines(settings: Mapping[str, Any], indent: int) -> list[str]:
    lines = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            lines += [f"{' ' * indent}{key}:", *_lines(value, indent + 2)]
        else:
            lines.append(f"{' ' * indent}{key}: {json.dumps(value, ensure_ascii=False)}")
    return lines


def own_output(profiles: Mapping[str, Any], name: str, target: str | None, where: str) -> Output:
    """What a user's profile says of one target: its own default one if none is asked for.

    Raises: ProjectError for a profile or target that is not there, or whose type cannot be told.
    """
    profile = profiles.get(name)
    if not isinstance(profile, Mapping):
        raise ProjectError(
            f"there is no dbt profile `{name}`", where=where, hint=suggest(name, map(str, profiles))
        )
    outputs = {str(k): v for k, v in (profile.get("outputs") or {}).items() if isinstance(v, Mapping)}
    wanted = target or str(profile.get("target") or "default")
    types = {str(v.get("type")) for v in outputs.values()}
    rendered = "{{" in wanted
    if not rendered and wanted not in outputs:
        raise ProjectError(
            f"the dbt profile `{name}` has no target `{wanted}`",
            where=where,
            expected=", ".join(outputs) or "`outputs`",
            hint=suggest(wanted, outputs),
        )
    if rendered and len(types) > 1:
        raise ProjectError(
            f"it cannot be told which target of the dbt profile `{name}` is meant",
            where=where,
            found=wanted,
            hint="name one with `target` below `dbt:`",
        )
    said = next(iter(outputs.values())) if rendered and outputs else outputs.get(wanted, {})
    adapter = str(said.get("type"))
    if "{{" in adapter or adapter == "None":
        raise ProjectError(
            f"it cannot be told what kind of database the dbt profile `{name}` is for",
            where=where,
            hint="say it with `adapter` below `dbt:`",
        )
    schema = str(said.get("schema") or "main")
    return Output(adapter, schema, dict(said), database=_database(adapter, said))


def _database(adapter: str, said: Mapping[str, Any]) -> str | None:
    """What dbt calls the database of a profile, where that can be told."""
    if adapter == "duckdb":
        path = str(said.get("path") or ":memory:")
        stem = path.rstrip("/").rpartition("/")[2]
        found = said.get("database") or (stem.rpartition(".")[0] or stem).replace(":", "")
    else:
        found = said.get("dbname") or said.get("database")
    return None if found is None or "{{" in str(found) else str(found)
