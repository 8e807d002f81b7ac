"""What every destination must do with the records of runs. An adapter's test inherits `RunsSuite` and
gives a factory, as for `DestinationSuite`.

    class TestMine(RunsSuite, DestinationSuite): ...
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from penstock.errors import BugError
from penstock.ledger import RUNS_TABLE, STEPS_TABLE, RunFinding, RunRecord, RunStep
from penstock.testing.loads import START, Factory, Loads, commit_of


def run_of(run_id: str, pipeline: str = "p") -> RunRecord:
    """A record with something in every field."""
    return RunRecord(
        run_id=run_id,
        pipeline=pipeline,
        command="run",
        attempt=2,
        status="refused",
        started_at=START,
        ended_at=START + timedelta(seconds=2.5),
        version="0.1",
        files_landed=3,
        files_drained=1,
        load_ids=("l1", "l2"),
        steps=(
            RunStep("judge", None, 1.25, 4, 100, 5_000_000_000),
            RunStep("load", "t", None, 4, 100, 0, 90, 4, 6, {"ü.enum": 10}, {"x": 1}, ("t: new table",)),
            RunStep("load", "ünï/tab`le", None, 1, 7, 0, 7),
        ),
        findings=(RunFinding("t", "p/t/k.jsonl", "min_rows", "quarantine", "it is 'empty'"),),
        notices=("schema: t: new table",),
        error='`t` is "wrong"\n  hint: mend it',
        exit_code=1,
    )


class RunsSuite(Loads):
    """The promises of `ports.Destination.note`, each as a test."""

    def test_runs_are_tables_before_there_is_one(self, fresh: Factory) -> None:
        """Who asks too early gets no rows, and no error."""
        for name in (RUNS_TABLE, STEPS_TABLE):
            assert fresh().query(f"SELECT * FROM {name}").num_rows == 0

    def test_a_noted_run_is_read_back(self, fresh: Factory) -> None:
        """Every fact of it, by another destination."""
        _hold(fresh)
        _note(fresh, run_of("r1"))
        [run] = fresh().query(f"SELECT * EXCLUDE (findings) FROM {RUNS_TABLE}").to_pylist()
        assert run == {
            "run_id": "r1",
            "pipeline": "p",
            "command": "run",
            "attempt": 2,
            "status": "refused",
            "started_at": START,
            "ended_at": START + timedelta(seconds=2.5),
            "files_landed": 3,
            "files_drained": 1,
            "files": 5,
            "rows": 107,
            "loaded": 97,
            "dropped": 4,
            "quarantined": 6,
            "load_ids": ["l1", "l2"],
            "notices": ["schema: t: new table"],
            "error": '`t` is "wrong"\n  hint: mend it',
            "exit_code": 1,
            "version": "0.1",
        }
        [text] = fresh().query(f"SELECT findings FROM {RUNS_TABLE}")["findings"].to_pylist()
        assert [f["message"] for f in json.loads(text)] == ["it is 'empty'"]

    def test_the_steps_of_a_run_are_read_back_in_order(self, fresh: Factory) -> None:
        """Phases with their seconds and bytes, tables with what became of their rows."""
        _hold(fresh)
        _note(fresh, run_of("r1"))
        steps = fresh().query(f"SELECT * FROM {STEPS_TABLE} ORDER BY position").to_pylist()
        assert [(s["phase"], s["table_name"]) for s in steps] == [
            ("judge", None),
            ("load", "t"),
            ("load", "ünï/tab`le"),
        ]
        assert (steps[0]["seconds"], steps[0]["size_bytes"]) == (1.25, 5_000_000_000)
        assert json.loads(steps[1]["broken"]) == {"ü.enum": 10}
        assert json.loads(steps[1]["discarded"]) == {"x": 1}
        assert steps[1]["changes"] == ["t: new table"]
        assert {s["run_id"] for s in steps} == {"r1"}

    def test_runs_of_several_pipelines_stay(self, fresh: Factory) -> None:
        """One after the other, each with all its steps."""
        _hold(fresh)
        for run in (run_of("r1"), run_of("r2", "other p"), replace(run_of("r3"), steps=())):
            _note(fresh, run)
        runs = fresh().query(f"SELECT run_id, pipeline FROM {RUNS_TABLE} ORDER BY run_id").to_pylist()
        assert [(r["run_id"], r["pipeline"]) for r in runs] == [("r1", "p"), ("r2", "other p"), ("r3", "p")]
        counted = fresh().query(f"SELECT run_id, count(*) AS n FROM {STEPS_TABLE} GROUP BY ALL ORDER BY ALL")
        assert [tuple(r.values()) for r in counted.to_pylist()] == [("r1", 3), ("r2", 3)]

    def test_a_note_changes_no_fact(self, fresh: Factory) -> None:
        """Loads, files and state are as they were."""
        _hold(fresh)
        before = fresh().facts("p")
        _note(fresh, run_of("r1"))
        assert fresh().facts("p") == before

    def test_a_note_needs_the_lock(self, fresh: Factory) -> None:
        """Or two runs would write at once."""
        with pytest.raises(BugError):
            fresh().note(run_of("r1"))

    def test_a_note_is_seen_while_the_lock_is_held(self, fresh: Factory) -> None:
        """By the destination that wrote it."""
        _hold(fresh)
        destination = fresh()
        with destination.lock("p", "me"):
            destination.note(run_of("r1"))
            assert destination.query(f"SELECT run_id FROM {RUNS_TABLE}").to_pylist() == [{"run_id": "r1"}]


def _hold(fresh: Factory) -> None:
    """Let the destination hold something, so that it takes notes."""
    destination = fresh()
    with destination.lock("p", "me"):
        destination.begin("p", "l1").commit(commit_of("l1", state={"s": "{}"}))
    destination.close()


def _note(fresh: Factory, run: RunRecord) -> None:
    destination = fresh()
    with destination.lock(run.pipeline, "me"):
        destination.note(run)
    destination.close()
