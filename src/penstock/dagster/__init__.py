"""Penstock projects in Dagster: definitions that are a reading of the catalogue."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.dagster.dlt_resource import ConfigurableDltResource
    from penstock.dagster.factory import DagsterDltFactory

__all__ = ["ConfigurableDltResource", "DagsterDltFactory"]

_PLACES = {
    "ConfigurableDltResource": "penstock.dagster.dlt_resource",
    "DagsterDltFactory": "penstock.dagster.factory",
}


def __getattr__(name: str) -> Any:  # Any: each name has a type of its own, told above
    """Load a public name with the first use of it."""
    if name not in _PLACES:
        raise AttributeError(f"module 'penstock.dagster' has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value
