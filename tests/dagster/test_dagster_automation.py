"""What starts runs by itself: conditions from `meta`, and sensors that look for files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_runs import defs_of, models, run

from bed import Bed

NOON = datetime(2026, 1, 4, 12, tzinfo=UTC)
DAILY = {
    "automation_condition": "on_schedule",
    "automation_condition_config": {"cron_schedule": "@daily", "cron_timezone": "utc"},
}


def bed_of(root: Path, condition: dict[str, Any] | None = None) -> Bed:
    bed = Bed(root)
    bed.table["columns"] = {"id": "integer"}
    if condition is not None:
        bed.pipeline["meta"] = {"dagster": condition}
    return bed


class Clock:
    """Evaluates the conditions of definitions as the daemon would, at given instants."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.defs, self.instance, self.cursor = defs, instance, None

    def at(self, moment: datetime) -> set[str]:
        result = dg.evaluate_automation_conditions(
            defs=self.defs,
            instance=self.instance,
            asset_selection=dg.AssetSelection.all(),
            evaluation_time=moment,
            cursor=self.cursor,
        )
        self.cursor = result.cursor
        return {r.key.to_user_string() for r in result.results if not r.true_subset.is_empty}


def test_a_schedule_of_an_asset_fires_at_every_tick_also_below_a_source(tmp_path: Path) -> None:
    defs = defs_of(bed_of(tmp_path, DAILY))
    own = {"p/land/t_land", "p/raw_hist/t_raw_hist", "p/warehouse/t"}
    with dg.DagsterInstance.ephemeral() as instance:
        clock = Clock(defs, instance)
        assert clock.at(NOON) == set()
        assert clock.at(NOON + timedelta(days=1)) == own, (
            "the source, which nothing updates, is not waited for"
        )
        assert clock.at(NOON + timedelta(days=1, minutes=1)) == set()
        assert clock.at(NOON + timedelta(days=2)) == own
        assert clock.at(NOON + timedelta(days=3)) == own, "also when nobody looked between two ticks"


def test_eager_models_follow_what_they_read(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    bed.project["models"] = "models/"
    models(tmp_path, m="/*---\nmeta: {dagster: {automation_condition: eager}}\n---*/\nSELECT id FROM t")
    bed.drop("x.jsonl", {"id": 1})
    defs = defs_of(bed)
    with dg.DagsterInstance.ephemeral() as instance:
        clock = Clock(defs, instance)
        assert clock.at(NOON) == set()
        told = run(defs, "p", instance)
        assert "model/m" not in told.made, "what is made by itself is not in the pipeline's job"
        assert clock.at(NOON + timedelta(minutes=1)) == {"model/m"}


def test_the_sensor_of_conditions_is_on_and_only_there_if_one_is_asked_for(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    assert [s.name for s in defs_of(bed).sensors or ()] == ["p_files"]
    bed.pipeline["meta"] = {"dagster": DAILY}
    sensor = defs_of(bed).resolve_sensor_def("bed_automation")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def look(defs: dg.Definitions, cursor: str | None) -> dg.SensorResult:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        return defs.resolve_sensor_def("p_files").evaluate_tick(context)


def test_new_files_at_the_source_ask_for_a_run_once(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    defs = defs_of(bed)
    bed.drop("x.jsonl", {"id": 1})
    first = look(defs, None)
    assert len(first.run_requests) == 1
    again = look(defs, first.cursor)
    assert (again.run_requests, again.skip_message) == ([], "no new files")
    bed.drop("y.jsonl", {"id": 2})
    assert len(look(defs, again.cursor).run_requests) == 1


def test_a_file_that_may_still_be_written_is_waited_for(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    bed.pipeline["source"]["min_age_s"] = 60
    defs = defs_of(bed)
    path = bed.drop("x.jsonl", {"id": 1})
    young = look(defs, None)
    assert young.run_requests == []
    assert "still be written" in young.skip_message
    os.utime(path, (time.time() - 120,) * 2)
    assert len(look(defs, young.cursor).run_requests) == 1


def test_files_in_land_ask_for_a_run_and_their_going_does_not(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    bed.pipeline["source"] = {"type": "land", "min_age_s": 60}
    defs = defs_of(bed)
    before = look(defs, None)
    path = bed.drop("x.jsonl", {"id": 1}, folder="data/land/p/t")
    assert "still be written" in look(defs, before.cursor).skip_message
    os.utime(path, (time.time() - 120,) * 2)
    dropped = look(defs, before.cursor)
    assert len(dropped.run_requests) == 1
    assert run(defs, "p").success
    assert bed.values("id") == [1]
    assert look(defs, dropped.cursor).run_requests == []


def test_a_sensor_is_off_unless_the_project_turns_it_on(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    assert defs_of(bed).resolve_sensor_def("p_files").default_status is dg.DefaultSensorStatus.STOPPED
    bed.pipeline["meta"] = {"dagster": {"sensor": True}}
    assert defs_of(bed).resolve_sensor_def("p_files").default_status is dg.DefaultSensorStatus.RUNNING


def test_a_sensor_says_why_it_cannot_look(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    bed.project["layers"] = {"land": "s3://not-there/land"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        patch.setenv("AWS_ACCESS_KEY_ID", "x")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        told = look(defs_of(bed), None)
    assert told.run_requests == []
    assert told.skip_message.startswith("p: ")


@pytest.mark.slow
def test_looking_for_files_opens_no_engine(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    bed.drop("x.jsonl", {"id": 1})
    bed.session()
    code = (
        "import sys\n"
        "from penstock import open_session\n"
        "from penstock.dagster.sensors import asked\n"
        f"told = asked(open_session({str(tmp_path)!r}).loaded, 'p', None)\n"
        "import json; print(json.dumps([len(told.run_requests), 'duckdb' in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout) == [1, False], done.stderr
