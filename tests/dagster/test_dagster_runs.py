"""Pipelines run by Dagster: what it is told of tables, of checks, and of runs that go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_runs import Recorded, defs_of, run

from bed import Bed
from penstock.app.parts import open_destination
from penstock.dagster import Options

LAND, RAW, TABLE = "p/land/t_land", "p/raw_hist/t_raw_hist", "p/warehouse/t"
PAIR = ({"id": 1, "v": "a"}, {"id": 2, "v": "zz"})


def bed_of(root: Path, action: str = "quarantine", **table: Any) -> Bed:
    bed = Bed(root)
    gate = {"min_rows": 1, "actions": {"v.enum": action}}
    columns = {"id": "integer", "v": {"type": "text", "enum": ["a", "b"], "description": "a letter"}}
    bed.table.update(columns=columns, gate=gate, **table)
    return bed


def test_a_run_tells_of_every_layer(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    size = bed.drop("x.jsonl", {"id": 1, "v": "a"}, {"id": 2, "v": "b"}).stat().st_size
    told = run(defs_of(bed), "p")
    assert told.success
    assert list(told.made) == [LAND, RAW, TABLE]
    for layer in (LAND, RAW):
        assert {k: told.made[layer][k] for k in ("files", "bytes", "rows")} == {
            "files": 1,
            "bytes": size,
            "rows": 2,
        }
    table = told.made[TABLE]
    numbers = {"rows_read": 2, "rows_loaded": 2, "rows_dropped": 0, "rows_quarantined": 0, "files_loaded": 1}
    assert {k: table[k] for k in numbers} == numbers
    assert table["dagster/row_count"] == 2
    assert table["bytes"] == size
    assert table["seconds"] > 0
    assert table["preview"] == "| id | v |\n| --- | --- |\n| 1 | a |\n| 2 | b |"
    schema = table["dagster/column_schema"]
    assert [(c.name, c.type, c.description) for c in schema.columns] == [
        ("id", "int64", None), ("v", "text", "a letter"),
    ]  # fmt: skip
    origins = table["dagster/column_lineage"].deps_by_column["v"]
    assert [(dep.asset_key.to_user_string(), dep.column_name) for dep in origins] == [(RAW, "v")]
    assert told.checks == {
        f"{LAND}:min_rows": (True, "ERROR", {"rule": "min_rows", "action": "quarantine", "failing_rows": 0}),
        f"{TABLE}:v_enum": (True, "ERROR", {"rule": "v.enum", "action": "quarantine", "failing_rows": 0}),
    }


@pytest.mark.parametrize(
    ("action", "severity"), [("quarantine", "ERROR"), ("drop", "WARN"), ("allow", "WARN")]
)
def test_a_broken_rule_is_a_failed_check_of_a_green_run(tmp_path: Path, action: str, severity: str) -> None:
    bed = bed_of(tmp_path, action)
    bed.drop("x.jsonl", *PAIR)
    told = run(defs_of(bed), "p")
    assert told.success
    passed, how, metadata = told.checks[f"{TABLE}:v_enum"]
    assert (passed, how, metadata["failing_rows"]) == (False, severity, 1)
    if action == "quarantine":
        assert metadata["show"] == "`penstock quarantine show p.t`"
        assert metadata["quarantine"].startswith("p/t/file_land_timestamp=")
        assert metadata["rows"].splitlines()[2] == '| 2 | v.enum | zz | {"id": 2, "v": "zz"} |'


def test_values_that_are_sensitive_are_not_shown(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    bed.table["columns"]["v"]["sensitive"] = True
    bed.drop("x.jsonl", *PAIR)
    told = run(defs_of(bed), "p")
    assert told.made[TABLE]["preview"].splitlines()[2] == "| 1 | *** |"
    assert "zz" not in repr([told.made, told.checks])


def test_a_file_that_does_not_arrive_well_fails_the_check_of_its_layer(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    bed.table["gate"]["min_rows"] = 5
    bed.drop("x.jsonl", *PAIR)
    told = run(defs_of(bed), "p")
    assert told.success
    passed, severity, metadata = told.checks[f"{LAND}:min_rows"]
    assert (passed, severity, metadata["failing_files"]) == (False, "ERROR", 1)
    assert told.made[TABLE]["rows_quarantined"] == 2


def test_a_refused_run_fails_after_telling_what_happened(tmp_path: Path) -> None:
    bed = bed_of(tmp_path, "fail", description="one")
    bed.drop("x.jsonl", *PAIR)
    defs = defs_of(bed)
    told = run(defs, "p")
    assert not told.success
    assert list(told.made) == [LAND], "nothing was kept or loaded"
    assert list(told.checks) == [f"{TABLE}:v_enum"], "what was not judged to its end is not said to hold"
    passed, severity, metadata = told.checks[f"{TABLE}:v_enum"]
    assert (passed, severity, metadata["failing_rows"]) == (False, "ERROR", 1)
    assert "breaks a rule that must hold" in told.errors[0]
    checks = [s for a in defs.resolve_asset_graph().assets_defs for s in a.check_specs]
    assert {s.name: s.blocking for s in checks} == {"min_rows": False, "v_enum": True}


def test_a_run_without_anything_new_says_so_and_leaves_checks_as_they_are(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    bed.drop("x.jsonl", *PAIR)
    with dg.DagsterInstance.ephemeral() as instance:
        defs = defs_of(bed)
        run(defs, "p", instance)
        told = run(defs, "p", instance)
    assert told.success
    assert list(told.made) == [TABLE]
    assert told.made[TABLE]["status"] == "nothing_new"
    assert told.made[TABLE]["rows_loaded"] == 0
    assert told.checks == {}


def test_one_layer_alone_runs_the_whole_pipeline_and_all_of_it_is_recorded(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    bed.drop("x.jsonl", *PAIR)
    told = run(defs_of(bed), "p", asset_selection=[dg.AssetKey(["p", "land", "t_land"])])
    assert told.success
    assert set(told.made) == {LAND, RAW, TABLE}
    assert told.checks[f"{TABLE}:v_enum"][0] is False


def test_tables_that_only_a_run_tells_of_are_recorded_too(tmp_path: Path) -> None:
    (tmp_path / "ships_and_trees.py").write_text(
        "import penstock as ps\n"
        "@ps.source\n"
        "def things():\n"
        "    @ps.resource(table_name=lambda row: row['kind'])\n"
        "    def thing():\n"
        "        yield [{'id': 1, 'kind': 'ships'}, {'id': 2, 'kind': 'trees'}]\n"
        "    return thing\n"
    )
    bed = Bed(tmp_path)
    bed.pipeline.clear()
    bed.pipeline.update(source={"type": "python", "ref": "ships_and_trees:things"})
    told = run(defs_of(bed), "p")
    assert told.success, told.errors
    assert told.made["p/warehouse/ships"]["rows_loaded"] == 1
    assert told.made["p/warehouse/trees"]["dagster/row_count"] == 1


def test_nothing_is_previewed_where_that_is_not_wanted(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    bed.drop("x.jsonl", *PAIR)
    told = run(defs_of(bed, options=Options(preview_rows=0)), "p")
    assert "preview" not in told.made[TABLE]


def attempts(told: dg.ExecuteInProcessResult) -> int:
    return sum(e.event_type_value in ("STEP_START", "STEP_RESTARTED") for e in told.all_events)


@pytest.mark.parametrize(("action", "tries"), [("fail", 1), ("allow", 3)])
def test_what_may_work_later_is_tried_again_and_what_is_refused_is_not(
    tmp_path: Path, action: str, tries: int
) -> None:
    bed = bed_of(tmp_path, action)
    bed.pipeline["retry"] = {"attempts": 3, "wait_s": 0.01}
    bed.drop("x.jsonl", *PAIR)
    if action == "allow":
        (tmp_path / "data").write_text("no folder can be made here")
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs_of(bed).resolve_job_def("p")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    assert attempts(result) == tries, Recorded(result).errors


def test_the_log_tells_of_phases(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bed = bed_of(tmp_path)
    bed.drop("x.jsonl", *PAIR)
    run(defs_of(bed), "p")
    said = [line.rpartition(" - ")[2] for line in capfd.readouterr().err.splitlines() if " - INFO - " in line]
    assert said[0] == "p: land: 1 file, 41 B"
    assert any(line.startswith("p: judge done in") and "2 rows" in line for line in said)
    assert said[-1] == "p: schema: t: new table"


def test_a_lock_is_waited_for_and_then_its_holder_named(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    bed.drop("x.jsonl", *PAIR)
    destination = open_destination(bed.session().loaded, "p")
    with destination.lock("p", "ann@elsewhere, process 1"):
        told = run(defs_of(bed, options=Options(wait_s=0.2)), "p")
    destination.close()
    assert not told.success
    assert "ann@elsewhere" in told.errors[0]
