"""Dagster in tests: a home of its own, and a quiet log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbt_bed import dbt_bed
from singer_plugins import plugin_home

__all__ = ["dbt_bed", "own_home", "plugin_home"]


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No instance of the machine is used, and nothing is said to anybody of what runs."""
    home = tmp_path_factory.mktemp("dagster_home")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    logging.getLogger("dagster").setLevel(logging.WARNING)
    yield home
