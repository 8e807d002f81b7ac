"""A project of dbt under Dagster: before dbt has read it, and afterwards."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
import pytest
from dagster_runs import run

from dbt_bed import RESALE, DbtBed, resale_csv
from penstock.dagster import definitions
from servers import resale

pytestmark = pytest.mark.slow
TESTED = """
version: 2
models:
  - name: prices
    columns: [{name: town, data_tests: [not_null]}]
"""
PRICES, SUMMARY = "model/resale_flat.prices", "model/resale_flat.prices_by_town_type_model"


def test_models_of_dbt_are_assets_and_their_tests_are_checks(dbt_bed: Callable[..., DbtBed]) -> None:
    bed = dbt_bed({**RESALE, "models/tested.yml": TESTED}, schema="resale_flat")
    resale_csv(bed.root / "in" / "resale_1.csv", 300)
    source = {"type": "filesystem", "path": "in", "tables": {resale.TABLE: "*.csv"}, "min_age_s": 0}
    bed.project["destination"] = {"type": "duckdb", "path": "w.duckdb", "schema": "ingestion"}
    bed.project["pipelines"] = {"resale": {"source": source, "tables": {resale.TABLE: None}}}
    project = bed.session().project.name
    with dg.DagsterInstance.ephemeral() as instance:
        unread = definitions(bed.session())
        told = run(unread, f"{project}_all", instance)
        assert told.success, told.errors
        assert {PRICES, SUMMARY, f"model/{project}_dbt"} <= set(told.made)
        read = definitions(bed.session())
        specs = {spec.key.to_user_string(): spec for spec in read.resolve_all_asset_specs()}
        assert f"model/{project}_dbt" not in specs
        assert [d.asset_key.to_user_string() for d in specs[PRICES].deps] == [
            f"resale/warehouse/{resale.TABLE}"
        ]
        assert {"dbt", "duckdb"} <= specs[SUMMARY].kinds
        full = {"ops": {f"build_{project}": {"config": {"full": True}}}}
        again = run(read, f"{project}_models", instance, run_config=full)
    assert again.success, again.errors
    assert again.made[SUMMARY]["dagster/row_count"] > 0
    held = {name: passed for name, (passed, _, _) in again.checks.items()}
    assert held == {f"{PRICES}:not_null_prices_town": True}
