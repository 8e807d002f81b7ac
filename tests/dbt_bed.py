"""A project whose models are dbt's, in a temporary folder, and what one wants to know of it.

A suite imports the two fixtures into its `conftest.py`:

    from dbt_bed import dbt_bed
    from singer_plugins import plugin_home
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import penstock
from servers import resale
from singer_plugins import share

RESALE = {
    "dbt_project.yml": """
name: resale_flat
version: "1.0.0"
profile: resale_flat
models:
  resale_flat: {+materialized: table}
""",
    "models/source.yml": """
version: 2
sources:
  - name: ingestion
    tables:
      - name: resale_flat_prices_from_jan_2017
""",
    "models/prices.sql": """
select
    *,
    resale_price / floor_area_sqm as price_per_sqm
from (
    select * replace (cast(floor_area_sqm as numeric(6, 1)) as floor_area_sqm)
    from {{ source('ingestion', 'resale_flat_prices_from_jan_2017') }}
)
""",
    "models/prices_by_town_type_model.sql": """
select
    town,
    flat_type,
    flat_model,
    avg(floor_area_sqm) as avg_floor_area_sqm,
    avg(resale_price) as avg_resale_price,
    avg(price_per_sqm) as avg_price_per_sqm
from {{ ref('prices') }}
group by town, flat_type, flat_model
order by town, flat_type, flat_model
""",
}
"""The dbt project of the lesson on resale prices, as its reader writes it."""


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Text files by their paths."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), "utf-8")


class DbtBed:
    """A project whose models are dbt's; `files` are those of the dbt project."""

    def __init__(self, root: Path, files: dict[str, str], **dbt: Any) -> None:
        self.root, self.folder = root, root / "dbt_project"
        write_files(self.folder, files)
        self.project: dict[str, Any] = {
            "name": "bed",
            "destination": "duckdb:///w.duckdb",
            "models": {"dbt": {"path": "dbt_project", **dbt}},
        }

    def session(self) -> Any:
        with (self.root / "penstock.yml").open("w") as file:
            YAML().dump(self.project, file)
        return penstock.open_session(self.root)

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.session().show(None, sql=sql).to_pylist()]

    def build(self, *select: str, **options: Any) -> dict[str, Any]:
        """Build models: results by the model's name."""
        return {r.model: r for r in self.session().build(select, **options).models}


@pytest.fixture
def dbt_bed(tmp_path: Path, plugin_home: Path) -> Callable[..., DbtBed]:
    """A function that makes a project with a dbt project of those files; dbt is installed once a session."""

    def make(files: dict[str, str], **dbt: Any) -> DbtBed:
        share(plugin_home, tmp_path)
        return DbtBed(tmp_path, files, **dbt)

    return make


def resale_csv(path: Path, count: int) -> None:
    """The resale prices as a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(resale.COLUMNS)
        writer.writerows(resale.rows(count))
