"""dlt's sources: its own, but for readers of files and the names of columns that Penstock has given."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

import penstock.sources.dlt.quiet  # noqa: F401  # isort: skip - before anything of dlt

import dlt
from dlt.sources import DltResource, DltSource

__all__ = ["DltResource", "DltSource", "incremental"]


Cursor = TypeVar("Cursor")


class incremental(dlt.sources.incremental[Cursor]):  # type: ignore[misc]  # noqa: N801 - dlt's, and its name there
    """A cursor of dlt's; `incremental(None)` is none at all, so that a function can leave it out."""

    def __new__(cls, *args: Any, **options: Any) -> Any:  # Any: a cursor, or None
        """The cursor, or None."""
        return None if args == (None,) and not options else super().__new__(cls)


def __getattr__(name: str) -> Any:  # Any: a module of dlt
    try:
        return import_module(f"{__name__}.{name}" if name == "filesystem" else f"dlt.sources.{name}")
    except ModuleNotFoundError as error:
        raise AttributeError(f"dlt has no source `{name}`", name=name) from error
