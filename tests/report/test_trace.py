"""Events folded into the record of a run, and how the record looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from penstock.gate.verdict import Action, Finding
from penstock.ledger import RunRecord
from penstock.report.facts import (
    FileDone,
    FileFinding,
    Notice,
    Phase,
    PhaseDone,
    PhaseStarted,
    PipelineResult,
    Progress,
)
from penstock.report.last import last_lines
from penstock.report.text import Line
from penstock.report.trace import MOST, Occasion, Trace

START = datetime(2026, 1, 31, 13, 30, tzinfo=UTC)
NOW = START + timedelta(minutes=5)
Same = Callable[[str, Iterable[Line]], None]


def trace() -> Trace:
    """What a run of two files says of itself, the second phase in two passes."""
    found = Trace()
    for event in (
        PhaseStarted("shop", Phase.LAND, 2, 300),
        Progress("shop", Phase.LAND, 100),
        FileDone("shop", Phase.LAND, "orders", "a"),
        Progress("shop", Phase.LAND, 200),
        FileDone("shop", Phase.LAND, "people", "b"),
        PhaseDone("shop", Phase.LAND, 0.5),
        PhaseStarted("shop", Phase.JUDGE, 2, 300),
        Progress("shop", Phase.JUDGE, 100, 10),
        FileDone("shop", Phase.JUDGE, "orders", "a"),
        PhaseDone("shop", Phase.JUDGE, 1.0),
        PhaseStarted("shop", Phase.JUDGE, 1, 100),
        Progress("shop", Phase.JUDGE, 100, 10),
        FileDone("shop", Phase.JUDGE, "orders", "a"),
        PhaseDone("shop", Phase.JUDGE, 2.0),
        Notice("shop", "the key is hunter2"),
    ):
        found.take(event)
    return found


def record(result: PipelineResult, command: str = "run", attempt: int = 1) -> RunRecord:
    occasion = Occasion("20260131T133000000000-3f2a9c", command, attempt, START, "0.1.0")
    ended_at = START + timedelta(seconds=75.4)
    return trace().record(occasion, result, ended_at, lambda text: text.replace("hunter2", "***"))


def test_phases_add_up(loaded: PipelineResult) -> None:
    steps = record(loaded).steps
    whole = [(s.phase, s.seconds, s.files, s.rows, s.size_bytes) for s in steps if s.table is None]
    assert whole == [("land", 0.5, 2, 0, 300), ("judge", 3.0, 2, 20, 200)]
    by_table = [(s.phase, s.table, s.files) for s in steps if s.table is not None]
    assert by_table == [
        ("land", "orders", 1),
        ("land", "people", 1),
        ("judge", "orders", 2),
        ("load", "customers", 1),
        ("load", "orders", 3),
    ]


def test_tables_say_what_became_of_their_rows(loaded: PipelineResult) -> None:
    customers, orders = record(loaded).tables
    assert (customers.rows, customers.loaded) == (20_000, 20_000)
    assert (orders.rows, orders.loaded, orders.dropped, orders.quarantined) == (
        1_000_000,
        989_990,
        10,
        10_000,
    )
    assert orders.broken["country: enum"] == 6_010
    assert orders.changes[0].startswith("orders.tags: new column")


def test_secrets_are_taken_out_of_every_text(refused: PipelineResult) -> None:
    finding = FileFinding("t", "k", Finding("gzip", Action.FAIL, "hunter2 is no gzip"))
    found = record(replace(refused, error="no hunter2", findings=(finding,)))
    assert "hunter2" not in repr(found)
    assert (found.error, found.notices) == ("no ***", ("the key is ***",))


def test_a_flood_of_findings_is_cut_and_counted(loaded: PipelineResult) -> None:
    finding = FileFinding("t", "k", Finding("gzip", Action.FAIL, "no"))
    found = record(replace(loaded, findings=(finding,) * (MOST + 1000)))
    assert len(found.findings) == MOST
    assert found.notices[-1] == "and 1,000 findings more"


def test_last_runs(same: Same, loaded: PipelineResult, refused: PipelineResult) -> None:
    runs = [record(loaded), record(refused, "rebuild", attempt=3)]
    same("last", last_lines(runs, NOW))


def test_no_last_run(same: Same) -> None:
    same("last_none", last_lines([], NOW))
