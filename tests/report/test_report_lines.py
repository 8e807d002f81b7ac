"""Every summary, compared with a golden file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias

import pytest

from penstock.gate.verdict import Action, Finding
from penstock.report.aside import quarantine_lines, row_lines
from penstock.report.facts import (
    FileFinding,
    PipelineResult,
    PipelineStatus,
    PlanResult,
    QuarantinedRow,
    QuarantineEntry,
    RunResult,
    Status,
    TableResult,
)
from penstock.report.look import run_looks, status_looks
from penstock.report.outlook import plan_lines
from penstock.report.standing import status_lines
from penstock.report.summary import run_lines
from penstock.report.text import Line, Tone, plain

Same: TypeAlias = Callable[[str, Iterable[Line]], None]
NOW = datetime(2026, 1, 31, 13, 35, tzinfo=UTC)


def test_run(same: Same, result: RunResult) -> None:
    same("run", run_lines(result))


def test_run_with_nothing_to_say(same: Same, idle: PipelineResult) -> None:
    same("run_idle", run_lines(RunResult((idle,))))


def test_run_all_good(same: Same) -> None:
    table = TableResult("orders", 1, 1000, 1000)
    done = PipelineResult("shop", Status.LOADED, ("a",), (table,), files_landed=1, seconds=0.5)
    same("run_good", run_lines(RunResult((done,))))


def test_run_that_failed_after_a_load(same: Same, refused: PipelineResult) -> None:
    same("run_failed", run_lines(RunResult((replace(refused, status=Status.FAILED, load_ids=("a", "b")),))))


def test_run_with_a_file_set_aside(loaded: PipelineResult) -> None:
    finding = FileFinding("orders", "k", Finding("gzip", Action.QUARANTINE, "cut off"))
    looks = run_looks(RunResult((replace(loaded, findings=(finding,)),)))
    assert [look.command for look in looks] == [
        "penstock quarantine list shop",
        "penstock quarantine show orders",
        "penstock status shop",
    ]


def test_rows_of_a_file_set_aside_are_not_looked_for_among_rows() -> None:
    finding = FileFinding("orders", "k", Finding("min_rows", Action.QUARANTINE, "too few"))
    table = TableResult("orders", 1, 10, 0, 0, 10)
    done = PipelineResult("shop", Status.LOADED, ("a",), (table,), (finding,))
    assert [look.command for look in run_looks(RunResult((done,)))] == ["penstock quarantine list shop"]


def test_commands_can_be_pasted_whatever_the_name() -> None:
    table = TableResult("it's; rm -rf", 1, 2, 1, 0, 1)
    looks = run_looks(RunResult((PipelineResult("shop", Status.LOADED, ("a",), (table,)),)))
    assert looks[0].command == "penstock quarantine show 'it'\\''s; rm -rf'"


def test_plan(same: Same, planned: PlanResult) -> None:
    same("plan", plan_lines(planned))


def test_plan_with_steps(same: Same, planned: PlanResult) -> None:
    same("plan_steps", plan_lines(PlanResult(planned.pipelines[:1]), steps=True))


def test_quick_plan(same: Same, planned: PlanResult) -> None:
    table = replace(
        planned.pipelines[0].tables[0],
        rows=None,
        accepted=None,
        dropped=None,
        quarantined=None,
        broken={},
        changes=(),
    )
    same("plan_quick", plan_lines(PlanResult((replace(planned.pipelines[0], tables=(table,)),), quick=True)))


def test_plan_of_nothing(same: Same) -> None:
    same("plan_nothing", plan_lines(PlanResult(())))


def test_plan_exit_code(planned: PlanResult) -> None:
    assert planned.exit_code == 1
    assert PlanResult(planned.pipelines[:2]).exit_code == 0


def test_status(same: Same, statuses: list[PipelineStatus]) -> None:
    same("status", status_lines(statuses, NOW))


def test_status_without_pipelines() -> None:
    assert [plain(line) for line in status_lines([], NOW)] == ["the project has no pipelines"]


def test_status_says_what_to_run(statuses: list[PipelineStatus]) -> None:
    assert [look.command for look in status_looks(statuses)] == [
        "penstock run shop",
        "penstock quarantine list shop",
        "penstock quarantine show orders",
    ]
    assert status_looks(statuses[1:]) == ()


def test_quarantine(same: Same, entries: list[QuarantineEntry]) -> None:
    same("quarantine", quarantine_lines(entries))


def test_empty_quarantine() -> None:
    assert [plain(line) for line in quarantine_lines([])] == ["nothing is in quarantine"]
    assert [plain(line) for line in row_lines([], None)] == ["no quarantined rows"]


def test_quarantined_rows(same: Same, rows: list[QuarantinedRow]) -> None:
    same("quarantine_rows", row_lines(rows, None))


@pytest.mark.parametrize("width", [20, 40])
def test_quarantined_rows_fit_the_terminal(rows: list[QuarantinedRow], width: int) -> None:
    raw = [plain(line) for line in row_lines(rows, width) if line and line[0].tone is Tone.FAINT]
    assert raw[0].endswith("…")
    assert len(raw[0]) == width
