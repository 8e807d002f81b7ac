"""Assets of one's own that run a project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_runs import models, run

from bed import Bed
from penstock.dagster import PenstockResource, asset_specs, check_specs
from penstock.errors import NotFoundError


def bed_of(root: Path) -> Bed:
    bed = Bed(root, models="models/")
    bed.table.update(columns={"id": {"type": "integer", "minimum": 1}})
    models(root, m="SELECT count(*) AS n FROM t")
    bed.drop("x.jsonl", {"id": 1}, {"id": 0})
    bed.session()
    return bed


def job_of(assets: list[Any], root: Path) -> dg.Definitions:
    return dg.Definitions(
        assets=assets,
        jobs=[dg.define_asset_job("j", executor_def=dg.in_process_executor)],
        resources={"penstock": PenstockResource(project=str(root))},
    )


def test_an_asset_of_its_own_name_gets_the_counts(tmp_path: Path) -> None:
    bed_of(tmp_path)

    @dg.asset
    def mine(context, penstock: dg.ResourceParam[PenstockResource]) -> Iterator[Any]:  # type: ignore[no-untyped-def]
        yield from penstock.run(context, "p")

    told = run(job_of([mine], tmp_path), "j")
    assert told.success, told.errors
    assert told.made["mine"] == {"rows_read": 2, "rows_loaded": 1, "rows_dropped": 0, "rows_quarantined": 1}
    assert told.made["p/warehouse/t"]["dagster/row_count"] == 1
    assert told.checks["p/warehouse/t:id_minimum"][0] is False


def test_the_projects_assets_with_something_around_them(tmp_path: Path) -> None:
    bed_of(tmp_path)

    @dg.multi_asset(specs=asset_specs(tmp_path, "p"), check_specs=check_specs(tmp_path, "p"), can_subset=True)
    def loaded(context, penstock: dg.ResourceParam[PenstockResource]) -> Iterator[Any]:  # type: ignore[no-untyped-def]
        yield from penstock.run(context, "p")

    @dg.multi_asset(specs=asset_specs(tmp_path), can_subset=True)
    def built(context, penstock: dg.ResourceParam[PenstockResource]) -> Iterator[Any]:  # type: ignore[no-untyped-def]
        yield from penstock.build(context, "m", full=True)

    told = run(job_of([loaded, built], tmp_path), "j")
    assert told.success, told.errors
    assert told.made["p/warehouse/t"]["rows_loaded"] == 1
    assert told.made["model/m"]["status"] == "built"
    assert told.checks["p/warehouse/t:id_minimum"][0] is False


def test_another_name_is_no_pipeline(tmp_path: Path) -> None:
    bed_of(tmp_path)
    with pytest.raises(NotFoundError):
        asset_specs(tmp_path, "q")
