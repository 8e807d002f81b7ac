"""Records of runs: what is kept, where, and that a run does not depend on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bed import Bed
from penstock.report.facts import Event, Notice, Phase, Progress, Status
from penstock.run import recording

GOOD = {"v": 1}


def runs(bed: Bed) -> list[Path]:
    return sorted((bed.root / ".penstock" / "runs" / "p").glob("*"))


def test_a_run_is_recorded_in_the_project_and_at_the_destination(bed: Bed) -> None:
    bed.drop("a.jsonl", GOOD, b"{\n")
    result = bed.loads()
    [record] = bed.session().last_runs([])
    assert (record.pipeline, record.command, record.attempt, record.status) == ("p", "run", 1, "loaded")
    assert record.load_ids == result.load_ids
    assert (record.tables[0].rows, record.tables[0].loaded, record.tables[0].quarantined) == (2, 1, 1)
    assert [s.phase for s in record.steps if s.table is None] == ["land", "judge", "keep"]
    assert record.ended_at >= record.started_at
    [path] = runs(bed)
    assert json.loads(path.read_text())["run_id"] == record.run_id
    assert bed.sql("SELECT run_id, status, rows, loaded, quarantined FROM _penstock_runs") == [
        (record.run_id, "loaded", 2, 1, 1)
    ]
    assert bed.sql("SELECT table_name, loaded FROM _penstock_steps WHERE phase = 'load'") == [("t", 1)]


@pytest.mark.parametrize("destination", ["duckdb:///w.duckdb", {"type": "parquet", "path": "w"}])
def test_runs_that_did_nothing_leave_the_destination_alone(
    make_bed: Callable[..., Bed], destination: Any
) -> None:
    bed = make_bed(destination=destination)
    bed.drop("a.jsonl", GOOD)
    bed.loads()
    (bed.root / "penstock.yml").touch()
    bed.pipeline["description"] = "another look of the project"
    assert bed.loads().status is Status.NOTHING_NEW
    assert [r.status for r in bed.session().last_runs([], 9)] == ["nothing_new", "loaded"]
    assert bed.sql("SELECT status FROM _penstock_runs") == [("loaded",)]
    assert bed.loads().status is Status.NOTHING_NEW  # told from the outside: no record
    assert len(runs(bed)) == 2


def test_a_refused_run_is_recorded_without_its_secrets(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASS", "hunter2")
    bed.drop("a.jsonl", GOOD)
    bed.loads()
    bed.table["gate"] = {"expectations": [{"name": "e", "constraint": "v <> '${PASS}'", "action": "fail"}]}
    bed.drop("b.jsonl", {"v": "hunter2"})
    result = bed.run()
    assert result.status is Status.REFUSED
    [record] = bed.session().last_runs([])
    assert (record.status, record.exit_code) == ("refused", 1)
    assert record.error
    assert record.findings
    text = runs(bed)[-1].read_text() + str(bed.sql("SELECT * FROM _penstock_runs"))
    assert "hunter2" not in text


def test_a_record_that_cannot_be_kept_is_a_notice(bed: Bed) -> None:
    (bed.root / ".penstock").mkdir()
    (bed.root / ".penstock" / "runs").write_text("in the way")
    bed.drop("a.jsonl", GOOD)
    heard: list[Event] = []
    result = bed.session().run(["p"], heard.append).pipelines[0]
    assert (result.status, result.exit_code) == (Status.LOADED, 0)
    notices = [e.message for e in heard if isinstance(e, Notice)]
    assert notices[-1].startswith("the record of this run was not kept in the project: ")
    assert bed.values() == [1]


def test_a_destination_that_cannot_take_a_note_is_a_notice(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recorded_columns(), "_penstock_runs", {"run_id": "NO TYPE"})
    bed.drop("a.jsonl", GOOD)
    heard: list[Event] = []
    result = bed.session().run(["p"], heard.append).pipelines[0]
    assert result.exit_code == 0
    assert "not kept at the destination" in [e.message for e in heard if isinstance(e, Notice)][-1]
    assert len(runs(bed)) == 1


def recorded_columns() -> Any:
    from penstock.destinations import run_rows

    return run_rows.COLUMNS


def test_the_oldest_records_go(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "KEPT", 2)
    for n in range(4):
        bed.drop(f"{n}.jsonl", {"v": n})
        bed.loads()
    assert len(runs(bed)) == 2
    newest = bed.session().last_runs([], 9)
    assert [r.run_id for r in newest] == sorted((r.run_id for r in newest), reverse=True)
    assert len(bed.sql("SELECT * FROM _penstock_runs")) == 4


def test_a_run_that_is_interrupted_is_recorded(bed: Bed) -> None:
    bed.drop("a.jsonl", GOOD)

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress) and event.phase is Phase.JUDGE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bed.session().run(["p"], interrupt)
    [record] = bed.session().last_runs([])
    assert (record.status, record.exit_code, record.load_ids) == ("stopped", 130, ())
    assert bed.loads().status is Status.LOADED
    assert bed.values() == [1]


def test_a_rebuild_is_recorded(bed: Bed) -> None:
    bed.drop("a.jsonl", GOOD)
    bed.loads()
    bed.session().rebuild([], None, lambda _: None)
    [record] = bed.session().last_runs([])
    assert (record.command, record.status, record.tables[0].loaded) == ("rebuild", "loaded", 1)
    assert bed.sql("SELECT command FROM _penstock_runs ORDER BY started_at") == [("run",), ("rebuild",)]


def test_a_half_written_record_is_passed_over(bed: Bed) -> None:
    bed.drop("a.jsonl", GOOD)
    bed.loads()
    runs(bed)[0].with_name("99999999T000000000000-ffffff.json").write_text('{"run_id": ')
    assert [r.status for r in bed.session().last_runs([])] == ["loaded"]
