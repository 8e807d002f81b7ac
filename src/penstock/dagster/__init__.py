"""Penstock projects in Dagster: definitions that are a reading of the catalogue."""

from __future__ import annotations

from penstock.dagster.component import PenstockComponent
from penstock.dagster.definitions import asset_specs, check_specs, definitions
from penstock.dagster.dlt_resource import ConfigurableDltResource
from penstock.dagster.reading import Options
from penstock.dagster.resource import PenstockResource
from penstock.dagster.translator import PenstockTranslator

__all__ = [
    "ConfigurableDltResource",
    "Options",
    "PenstockComponent",
    "PenstockResource",
    "PenstockTranslator",
    "asset_specs",
    "check_specs",
    "definitions",
]
