"""Small projects as text, and what is told of wrong ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from penstock.errors import ProjectError
from penstock.project.load import parse_project
from penstock.project.loaded import LoadedProject
from penstock.project.metadata import add_metadata
from penstock.schema.faults import ManyFaultsError

ROOT = Path("/srv/shop")


def load(
    text: str,
    environment: str | None = None,
    env: Mapping[str, str] | None = None,
    **files: str,
) -> LoadedProject:
    """The project of `penstock.yml` and further files, `__` in a name standing for a slash."""
    others = {name.replace("__", "/") + ".yml": content for name, content in files.items()}
    metadata = {name: content for name, content in others.items() if name.startswith("metadata/")}
    project = {name: content for name, content in others.items() if name not in metadata}
    loaded = parse_project({"penstock.yml": text, **project}, ROOT, environment, env or {})
    return add_metadata(loaded, metadata)


def told(
    text: str, environment: str | None = None, env: Mapping[str, str] | None = None, **files: str
) -> list[str]:
    """What is wrong with a project, one line an error: what, where, found, expected, hint."""
    with pytest.raises(ProjectError) as caught:
        load(text, environment, env, **files)
    error = caught.value
    faults = error.faults if isinstance(error, ManyFaultsError) else (error,)
    return [" | ".join(str(fault).replace("\n  ", "\n").split("\n")) for fault in faults]


def pipelines(body: str) -> str:
    """A project of nothing but pipelines, which begin in its second line."""
    return "name: shop\npipelines:\n" + body
