"""Penstock projects in Dagster: definitions that are a reading of the catalogue."""

from __future__ import annotations

from penstock.dagster.component import PenstockComponent
from penstock.dagster.definitions import asset_specs, check_specs, definitions
from penstock.dagster.dlt_resource import ConfigurableDltResource
from penstock.dagster.dlt_translator import DltTranslator
from penstock.dagster.factory import DagsterDltFactory
from penstock.dagster.io_manager import PenstockIOManager
from penstock.dagster.reading import Options
from penstock.dagster.resource import PenstockResource
from penstock.dagster.translator import PenstockTranslator

__all__ = [
    "ConfigurableDltResource",
    "DagsterDltFactory",
    "DltTranslator",
    "Options",
    "PenstockComponent",
    "PenstockIOManager",
    "PenstockResource",
    "PenstockTranslator",
    "asset_specs",
    "check_specs",
    "definitions",
]
