"""Penstock: land it, check it, keep it for ever, load it exactly once.

    import penstock as ps

    @ps.resource(primary_key="id", write="merge")
    def releases(published_at=ps.incremental("published_at", initial_value="2024-01-01")):
        yield from pages(since=published_at.last_value)

    print(ps.pipeline("github", destination="duckdb:///warehouse.duckdb").run(releases))

A project of files is opened with `open_session`. Importing this loads no engine and no driver; they
come with the first thing that needs them.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import PenstockError
from penstock.version import __version__

if TYPE_CHECKING:
    from penstock.app.pipeline import Pipeline, pipeline
    from penstock.app.session import Session
    from penstock.cursors.incremental import Incremental, incremental
    from penstock.models.function import model
    from penstock.sources.python import current, mark
    from penstock.sources.python.decorators import defer, resource, source, transformer
    from penstock.sources.python.group import Source
    from penstock.sources.python.resource import Resource

__all__ = [
    "Incremental", "PenstockError", "Pipeline", "Resource", "Source", "__version__", "current", "defer",
    "ignore", "incremental", "mark", "model", "open_session", "pipeline", "resource", "source",
    "transformer",
]  # fmt: skip

_PLACES = {
    "Incremental": "penstock.cursors.incremental",
    "Pipeline": "penstock.app.pipeline",
    "Resource": "penstock.sources.python.resource",
    "Source": "penstock.sources.python.group",
    "current": "penstock.sources.python",
    "defer": "penstock.sources.python.decorators",
    "incremental": "penstock.cursors.incremental",
    "mark": "penstock.sources.python",
    "model": "penstock.models.function",
    "pipeline": "penstock.app.pipeline",
    "resource": "penstock.sources.python.decorators",
    "source": "penstock.sources.python.decorators",
    "transformer": "penstock.sources.python.decorators",
}


def __getattr__(name: str) -> Any:  # Any: each name has a type of its own, told above
    """Load a public name with the first use of it."""
    if name not in _PLACES:
        raise AttributeError(f"module 'penstock' has no attribute {name!r}")
    place = _PLACES[name]
    module = import_module(place if name not in ("current", "mark") else f"{place}.{name}")
    value = module if name in ("current", "mark") else getattr(module, name)
    globals()[name] = value
    return value


def open_session(project: str | Path | None = None, environment: str | None = None) -> Session:
    """The project in a folder, or in the nearest one above the working folder.

    Raises: ProjectError telling everything that is wrong with it; NotFoundError if there is none.
    """
    from penstock.app.session import open_session as open_

    return open_(Path(project) if project is not None else None, environment)


def ignore(event: object) -> None:
    """An observer that does not look at what happens."""
