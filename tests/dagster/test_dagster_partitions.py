"""Days as partitions: what a backfill asks of the source."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster_runs import defs_of, models

from bed import Bed
from penstock.dagster import definitions
from penstock.errors import ProjectError

MADE = """
import penstock as ps

@ps.source
def things():
    @ps.resource(primary_key="id", write="merge")
    def ships(day=ps.incremental("day", initial_value="2026-01-01", allow_external_schedulers=True)):
        yield [{"id": n, "day": f"2026-01-{n:02}"} for n in range(1, 10)]
    return ships
"""
DAYS = {"dagster": {"partitions": "daily", "start": "2026-01-01"}}


def bed_of(root: Path, meta: dict[str, object]) -> Bed:
    (root / "days_of_ships.py").write_text(MADE)
    bed = Bed(root)
    bed.pipeline.clear()
    bed.pipeline.update(
        source={"type": "python", "ref": "days_of_ships:things"}, tables={"ships": None}, meta=meta
    )
    bed.pipeline["schedule"] = "0 6 * * *"
    return bed


def test_a_range_of_days_is_one_run_over_that_time(tmp_path: Path) -> None:
    bed = bed_of(tmp_path, DAYS)
    bed.project["models"] = "models/"
    models(tmp_path, newest="SELECT max(id) AS id FROM ships")
    job = defs_of(bed).resolve_job_def("p")
    tags = {
        "dagster/asset_partition_range_start": "2026-01-03",
        "dagster/asset_partition_range_end": "2026-01-05",
    }
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance, tags=tags).success
        key = dg.AssetKey(["p", "warehouse", "ships"])
        assert instance.get_materialized_partitions(key) == {"2026-01-03", "2026-01-04", "2026-01-05"}
        assert bed.values("id", "ships") == [3, 4, 5]
        assert job.execute_in_process(instance=instance, partition_key="2026-01-01").success
    assert bed.values("id", "ships") == [1, 3, 4, 5]
    assert bed.values("id", "newest") == [5], "models that are made from it are built in the same job"


def test_a_backfill_is_one_run(tmp_path: Path) -> None:
    defs = defs_of(bed_of(tmp_path, DAYS))
    assets = next(a for a in defs.resolve_asset_graph().assets_defs if a.is_executable)
    assert assets.backfill_policy == dg.BackfillPolicy.single_run()
    assert assets.partitions_def.get_partition_keys(datetime(2026, 1, 4, tzinfo=UTC)) == [
        "2026-01-01", "2026-01-02", "2026-01-03",
    ]  # fmt: skip


def test_the_schedule_asks_for_the_last_whole_day(tmp_path: Path) -> None:
    defs = defs_of(bed_of(tmp_path, DAYS))
    schedule = defs.resolve_schedule_def("p_schedule")
    with dg.DagsterInstance.ephemeral() as instance:

        def at(day: int) -> dg.SensorResult:
            moment = datetime(2026, 1, day, 6, tzinfo=UTC)
            repository = defs.get_repository_def()
            tick = dg.build_schedule_context(instance, moment, repository_def=repository)
            return schedule.evaluate_tick(tick)

        assert [r.partition_key for r in at(4).run_requests] == ["2026-01-03"]
        assert (at(1).run_requests, at(1).skip_message) == ([], "the first day is not over")


def test_everything_leaves_out_what_needs_a_day(tmp_path: Path) -> None:
    bed = bed_of(tmp_path, DAYS)
    bed.project["pipelines"]["q"] = {
        "source": {"type": "filesystem", "path": "in", "tables": {"u": "*"}}, "tables": {"u": None},
    }  # fmt: skip
    job = defs_of(bed).resolve_job_def("bed_all")
    assert {n.name for n in job.nodes} == {"run_q"}


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"partitions": "hourly", "start": "2026-01-01"}, "no such partitions"),
        ({"partitions": "daily"}, "is no day"),
        ({"partitions": "daily", "start": "soon"}, "is no day"),
        ({"start": "2026-01-01"}, "there are none"),
    ],
)
def test_what_is_no_partition_is_refused(tmp_path: Path, meta: dict[str, object], message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        definitions(bed_of(tmp_path, {"dagster": meta}).session())


def test_a_source_that_cannot_be_asked_for_a_day_has_no_partitions(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    bed.pipeline["meta"] = DAYS
    with pytest.raises(ProjectError, match="cannot be asked for one"):
        definitions(bed.session())
