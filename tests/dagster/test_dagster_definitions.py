"""What Dagster is told of a project before anything runs."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster_runs import defs_of, models

import penstock
from bed import Bed
from penstock.catalogue import Layer, Node
from penstock.dagster import Options, PenstockTranslator, definitions
from penstock.errors import NotFoundError, ProjectError


def key(*parts: str) -> dg.AssetKey:
    return dg.AssetKey(list(parts))


def specs_of(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def told_bed(root: Path) -> Bed:
    bed = Bed(root, models="models/")
    bed.table.update(columns={"id": {"type": "integer", "nullable": False}, "v": "text"}, primary_key="id")
    bed.table.update(description="Things.", tags=["daily"], owners=["ann@example.org", "team one"])
    bed.table.update(freshness={"fail_after": "30h", "warn_after": "24h"})
    bed.pipeline["group"] = "the things"
    models(root, totals="/*---\nmaterialized: view\ntags: [daily]\n---*/\nSELECT count(*) AS n FROM t")
    return bed


def test_every_layer_and_model_is_an_asset(tmp_path: Path) -> None:
    specs = specs_of(defs_of(told_bed(tmp_path)))
    assert {name: [dep.asset_key.to_user_string() for dep in spec.deps] for name, spec in specs.items()} == {
        "p/source/t_source": [],
        "p/land/t_land": ["p/source/t_source"],
        "p/raw_hist/t_raw_hist": ["p/land/t_land"],
        "p/warehouse/t": ["p/raw_hist/t_raw_hist"],
        "model/totals": ["p/warehouse/t"],
    }
    table = specs["p/warehouse/t"]
    assert table.description == "Things."
    assert table.group_name == "the_things"
    assert list(table.owners) == ["ann@example.org", "team:team_one"]
    assert table.kinds == {"duckdb", "warehouse"}
    assert "daily" in table.tags
    assert table.metadata["dagster/table_name"] == "t"
    columns = table.metadata["dagster/column_schema"].columns
    assert [(c.name, c.constraints.nullable, c.constraints.unique) for c in columns] == [
        ("id", False, True), ("v", True, False),
    ]  # fmt: skip
    policy = table.freshness_policy
    windows = (policy.fail_window.to_timedelta(), policy.warn_window.to_timedelta())
    assert windows == (timedelta(hours=30), timedelta(hours=24))
    assert specs["p/raw_hist/t_raw_hist"].freshness_policy is None
    model = specs["model/totals"]
    assert model.kinds == {"sql", "view", "duckdb"}
    assert model.metadata["dagster/storage_kind"] == "duckdb"
    assert model.code_version
    assert "count(*)" in model.metadata["sql"].value
    assert specs["p/source/t_source"].kinds == {"filesystem", "source"}


def test_a_model_has_another_code_version_when_its_query_is_another(tmp_path: Path) -> None:
    bed = told_bed(tmp_path)
    before = specs_of(defs_of(bed))["model/totals"].code_version
    models(tmp_path, totals="SELECT count(*) + 1 AS n FROM t")
    assert specs_of(defs_of(bed))["model/totals"].code_version != before


def test_one_op_for_a_pipeline_with_a_pool_for_its_destination(tmp_path: Path) -> None:
    defs = defs_of(told_bed(tmp_path))
    ops = {a.op.name: a.op.pool for a in defs.resolve_asset_graph().assets_defs if a.is_executable}
    assert ops == {"run_p": "penstock_duckdb_w_duckdb", "build_bed": "penstock_duckdb_w_duckdb"}


def test_jobs_for_pipelines_models_and_everything(tmp_path: Path) -> None:
    defs = defs_of(told_bed(tmp_path))
    jobs = {name: defs.resolve_job_def(name) for name in ("p", "bed_models", "bed_all")}
    nodes = {name: {n.name for n in job.nodes} for name, job in jobs.items()}
    assert nodes == {
        "p": {"run_p", "build_bed"},
        "bed_models": {"build_bed"},
        "bed_all": {"run_p", "build_bed"},
    }
    assert all(job.executor_def.name == "in_process" for job in jobs.values())


@pytest.mark.parametrize(("said", "fields"), [("30 13 * * 0", "30 13 * * 0"), ("@midnight", "0 0 * * *")])
def test_a_schedule_runs_from_the_start(tmp_path: Path, said: str, fields: str) -> None:
    bed = told_bed(tmp_path)
    bed.pipeline["schedule"] = said
    defs = defs_of(bed)
    schedule = defs.resolve_schedule_def("p_schedule")
    assert schedule.cron_schedule == fields
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    with dg.DagsterInstance.ephemeral() as instance:
        tick = dg.build_schedule_context(
            instance, scheduled_execution_time=datetime(2026, 1, 4, 13, 30, tzinfo=UTC)
        )
        asked = schedule.evaluate_tick(tick)
    assert len(asked.run_requests) == 1
    stopped = defs_of(bed, options=Options(schedules=False)).resolve_schedule_def("p_schedule")
    assert stopped.default_status is dg.DefaultScheduleStatus.STOPPED


def test_a_translator_has_the_last_word_and_readers_follow(tmp_path: Path) -> None:
    class Short(PenstockTranslator):
        def get_asset_spec(self, node: Node) -> dg.AssetSpec:
            spec = super().get_asset_spec(node)
            if node.layer is Layer.WAREHOUSE:
                return spec.replace_attributes(key=dg.AssetKey(["dwh", node.name]), group_name="mine")
            return spec

    specs = specs_of(defs_of(told_bed(tmp_path), translator=Short()))
    assert specs["dwh/t"].group_name == "mine"
    assert [d.asset_key for d in specs["model/totals"].deps] == [key("dwh", "t")]


def test_two_nodes_cannot_be_one_asset(tmp_path: Path) -> None:
    class Same(PenstockTranslator):
        def get_asset_spec(self, node: Node) -> dg.AssetSpec:
            return super().get_asset_spec(node).replace_attributes(key=dg.AssetKey("x"))

    with pytest.raises(ProjectError, match="the same asset"):
        definitions(told_bed(tmp_path).session(), translator=Same())


def test_a_part_of_a_project(tmp_path: Path) -> None:
    bed = told_bed(tmp_path)
    bed.project["pipelines"]["q"] = {
        "source": {**bed.pipeline["source"], "tables": {"u": "*"}}, "tables": {"u": {}},
    }  # fmt: skip
    specs = specs_of(defs_of(bed, options=Options(pipelines=("p",), models=False)))
    assert {name.split("/")[0] for name in specs} == {"p"}
    with pytest.raises(ProjectError, match="no pipeline `z`"):
        definitions(bed.session(), options=Options(pipelines=("z",)))


def test_a_project_is_found_by_its_folder(tmp_path: Path) -> None:
    told_bed(tmp_path).session()
    assert "p/warehouse/t" in specs_of(definitions(tmp_path))
    assert "p/warehouse/t" in specs_of(definitions(str(tmp_path / "penstock.yml")))
    (tmp_path / "penstock.yml").unlink()
    with pytest.raises(NotFoundError, match="no project"):
        definitions(tmp_path)


def test_odd_names_are_names_in_dagster(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    bed.project["pipelines"] = {
        "open data.v2": {
            "source": {"type": "filesystem", "path": "in", "tables": {"été 1": "*"}},
            "tables": {"été 1": {"gate": {"expectations": [
                {"name": "a b", "constraint": "true"}, {"name": "a.b", "constraint": "true"},
            ]}}},
        }
    }  # fmt: skip
    defs = defs_of(bed)
    assert "open_data.v2/warehouse/_t__1" in specs_of(defs)
    checks = [s for a in defs.resolve_asset_graph().assets_defs for s in a.check_specs]
    assert [(s.name, s.metadata["rule"]) for s in checks] == [("a_b", "a b"), ("a_b_2", "a.b")]


def test_loading_needs_no_engine_and_no_parser(tmp_path: Path) -> None:
    bed = told_bed(tmp_path)
    defs_of(bed)  # what was parsed is remembered
    code = (
        "import sys\n"
        "from penstock.dagster import definitions\n"
        f"defs = definitions({str(tmp_path)!r})\n"
        "assert defs.resolve_job_def('p')\n"
        "print([m for m in ('duckdb', 'sqlglot', 'pyarrow', 'dlt', 'dbt', 'httpx') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_the_public_names() -> None:
    import penstock.dagster as ours

    assert all(hasattr(ours, name) for name in ours.__all__)
    assert penstock.__version__
