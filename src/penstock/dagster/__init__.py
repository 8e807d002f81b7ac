"""Penstock projects in Dagster: definitions that are a reading of the catalogue."""

from __future__ import annotations

from penstock.dagster.definitions import definitions
from penstock.dagster.dlt_resource import ConfigurableDltResource
from penstock.dagster.factory import DagsterDltFactory
from penstock.dagster.reading import Options
from penstock.dagster.translator import PenstockTranslator

__all__ = [
    "ConfigurableDltResource",
    "DagsterDltFactory",
    "Options",
    "PenstockTranslator",
    "definitions",
]
