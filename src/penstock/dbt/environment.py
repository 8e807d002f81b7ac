"""Where dbt comes from: an environment made for a project, or one that the user has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from penstock.errors import NotFoundError
from penstock.plugins.environment import Installed, Wish, found, install
from penstock.singer.definition import Plugin, PluginKind

REQUIREMENT = "dbt-core>=1.10,<2"
"""Any dbt that loads adapters written in Python; dbt 2 does not."""

# dbt-core 1.12 requires this package, whose newer releases fetch a binary from GitHub while they are
# installed. From wheels alone, the installer finds the newest dbt that can be had plainly.
_WHEELS_ONLY = "--only-binary=dbt-core-experimental-parser"
# DuckDB before 1.4 cannot open the files that Penstock makes
_ADAPTERS = {"duckdb": ("dbt-duckdb>=1.9", "duckdb>=1.4"), "postgres": ("dbt-postgres>=1.9",)}


def find_dbt(
    said: str,
    adapter: str,
    *,
    home: Path,
    root: Path,
    python: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Installed:
    """dbt with an adapter, installed if it is not yet, with that `python`.

    `said` is a requirement (`dbt-core==1.11.*`, more packages behind it), or names a dbt that is there: its
    program, or the folder of its virtual environment, from `root` on. `home` is where plugins are installed.
    Raises: as `plugins.environment.install`.
    """
    plugin = replace(plugin_of(said, adapter), python=python)
    if plugin.pip_url is not None:
        return install(plugin, home, root, Wish(say=say))
    place = root / Path(said).expanduser()
    program = place / "bin" / "dbt" if place.is_dir() else place
    try:
        there = found(replace(plugin, executable=f"'{program}'" if program.is_file() else said), root)
    except NotFoundError as error:
        raise NotFoundError(
            "there is no dbt where the project says",
            found=said,
            expected="a requirement such as `dbt-core==1.11.*`, dbt's program, or a virtual environment",
        ) from error
    return replace(there, venv=place) if place.is_dir() else there


def plugin_of(said: str, adapter: str) -> Plugin:
    """The definition from which dbt is installed, or looked for where `said` names one."""
    name = f"dbt-{adapter_name(adapter)}"
    if re.match(r"dbt-core|git\+|[^/]*[=<>~]=", said) is None:
        return Plugin(name, PluginKind.TRANSFORMERS, executable=said)
    words = [REQUIREMENT if word == "dbt-core" else word for word in shlex.split(said)]
    own = (adapter,) if adapter not in (name, adapter_name(adapter)) else ()  # a requirement of its own
    wanted = [*own, *_ADAPTERS.get(adapter_name(adapter), (name,))]
    wanted = [w for i, w in enumerate(wanted) if _names(w) not in map(_names, [*words, *wanted[:i]])]
    chosen = any(word.startswith(("--only-binary", "--no-binary")) for word in words)
    packages = [*words, *wanted, *(() if chosen else (_WHEELS_ONLY,))]
    return Plugin(name, PluginKind.TRANSFORMERS, pip_url=" ".join(packages), executable="dbt")


def adapter_name(adapter: str) -> str:
    """`duckdb` for `duckdb`, `dbt-duckdb` and `dbt-duckdb==1.11.*`: what a profile calls its type."""
    return _names(adapter).removeprefix("dbt-")


def _names(requirement: str) -> str:
    """The package that a requirement is about."""
    return re.split(r"[=<>~!\[;@ ]", requirement, maxsplit=1)[0].lower().replace("_", "-")
