"""What each command asks of its session, and what it prints of the answer."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from scripted import Outcome, ScriptedSession

from penstock.cli.show import table_lines
from penstock.gate.verdict import Broken
from penstock.ledger import RunRecord
from penstock.report.facts import (
    Kept,
    Notice,
    PipelineResult,
    PipelineStatus,
    PlannedPipeline,
    PlanResult,
    QuarantinedRow,
    QuarantineEntry,
    RunResult,
    Status,
    TableResult,
)
from penstock.report.text import plain

Penstock = Callable[..., Outcome]
GOOD = RunResult(
    (PipelineResult("shop", Status.LOADED, ("a",), (TableResult("orders", 1, 9, 9),), files_landed=1),)
)
REFUSED = RunResult((PipelineResult("shop", Status.REFUSED, error="no\n  hint: yes", exit_code=1),))


def test_run(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["run"] = GOOD
    told = penstock("run", "shop", "-p", "there", "-e", "prod", "--wait", "2.5")
    assert told.code == 0
    assert told.out.endswith("all 9 rows loaded, see: penstock show orders\n")
    assert session.asked == [
        ("open", Path("there"), "prod"),
        ("run", ["shop"], {"wait_s": 2.5, "refresh": None}),
    ]
    assert session.closed


def test_run_as_json(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["run"] = GOOD
    document = json.loads(penstock("run", "--json").out)
    assert document["pipelines"][0]["tables"][0]["loaded"] == 9


def test_a_refused_run(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["run"] = REFUSED
    told = penstock("run")
    assert told.code == 1
    assert told.err == "error: no\n  hint: yes\n"
    assert told.out.endswith("needs a look: `shop` was refused: penstock plan shop\n")
    document = json.loads(penstock("run", "--json").out)
    assert (document["exit_code"], document["pipelines"][0]["error"]) == (1, "no\n  hint: yes")


def test_quiet_runs_say_only_what_needs_a_look(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["run"] = GOOD
    assert penstock("run", "-q") == Outcome(0, "", "")
    session.answers["run"] = REFUSED
    assert "needs a look" in penstock("run", "-q").out


def test_progress_goes_to_stderr(penstock: Penstock, session: ScriptedSession) -> None:
    def run(_: Any, observe: Callable[[Notice], None], **__: Any) -> RunResult:
        observe(Notice("shop", "hunter2 is new"))
        return GOOD

    session.answers["run"] = run
    assert penstock("run").err == "shop: *** is new\n"
    assert penstock("run", "--json").err == ""


def test_project_and_environment_from_the_environment(
    penstock: Penstock, session: ScriptedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.answers["status"] = []
    monkeypatch.setenv("PENSTOCK_PROJECT", "elsewhere")
    monkeypatch.setenv("PENSTOCK_ENVIRONMENT", "prod")
    penstock("status")
    assert session.asked[0] == ("open", Path("elsewhere"), "prod")


def test_plan(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["plan"] = PlanResult((PlannedPipeline("shop"),))
    assert penstock("plan", "--quick").out == "shop: nothing new\n\nnothing to do\n"
    assert session.asked[1] == ("plan", [], {"quick": True})
    assert json.loads(penstock("plan", "--json").out)["pipelines"][0]["pipeline"] == "shop"


def test_a_plan_that_would_be_refused(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["plan"] = PlanResult((PlannedPipeline("shop", error="no", exit_code=1),))
    told = penstock("plan")
    assert (told.code, told.err) == (1, "error: no\n")


def test_status(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["status"] = [PipelineStatus("shop", "duckdb:///w.duckdb")]
    assert "last load    never" in penstock("status", "shop").out
    assert session.asked[1] == ("status", ["shop"], {})
    assert json.loads(penstock("status", "--json").out)["pipelines"][0]["holder"] is None


def test_status_of_the_last_runs(penstock: Penstock, session: ScriptedSession) -> None:
    at = datetime(2026, 1, 31, 13, 30, tzinfo=UTC)
    run = RunRecord("r1", "shop", "run", 1, "loaded", at, at + timedelta(seconds=2), "0.1.0")
    session.answers["last_runs"] = [run]
    assert penstock("status", "--last", "shop").out.startswith("shop: loaded\n  run      r1\n")
    assert session.asked[1] == ("last_runs", ["shop"], 1, {})
    document = json.loads(penstock("status", "--last", "--runs", "3", "--json").out)
    assert session.asked[3] == ("last_runs", [], 3, {})
    assert document["runs"][0]["started_at"] == "2026-01-31T13:30:00Z"


def test_check(penstock: Penstock, session: ScriptedSession) -> None:
    spec = SimpleNamespace(source=SimpleNamespace(type="filesystem"), tables={"orders": None})
    session.answers["project"] = None
    session.project = SimpleNamespace(  # type: ignore[attr-defined]  # as a session's project
        name="shop", root=Path("/shop"), environment="prod", pipelines={"shop": spec}, models=None
    )
    assert penstock("check").out == "ok: shop, 1 pipeline, 1 table, environment prod\n"
    assert json.loads(penstock("check", "--json").out) == {
        "ok": True,
        "name": "shop",
        "root": "/shop",
        "environment": "prod",
        "pipelines": [{"pipeline": "shop", "source": "filesystem", "tables": ["orders"]}],
        "models": [],
    }


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("1769817600", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_rebuild(text: str, moment: datetime, penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["rebuild"] = GOOD
    assert penstock("rebuild", "--table", "a", "-t", "b", "--as-of", text).code == 0
    assert session.asked[1] == ("rebuild", ["a", "b"], moment, {"dropped": False})


@pytest.mark.parametrize(("answer", "code", "rebuilt"), [("y\n", 0, True), ("n\n", 1, False)])
def test_rebuild_asks_a_person(
    answer: str,
    code: int,
    rebuilt: bool,
    penstock: Penstock,
    session: ScriptedSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session.answers["rebuild"] = GOOD
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    monkeypatch.setattr("penstock.cli.terminal.Terminal.interactive", True)
    told = penstock("rebuild")
    assert told.code == code
    assert "Drop every table" in told.err
    assert ("rebuild" in [asked[0] for asked in session.asked]) is rebuilt
    assert penstock("rebuild", "--yes").code == 0


def test_quarantine_list(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["quarantine_list"] = [QuarantineEntry("shop", "orders", "k", Kept.ROWS, 1, 2, 3)]
    assert "orders" in penstock("quarantine", "list", "shop").out
    assert session.asked[1] == ("quarantine_list", ["shop"], {})
    assert json.loads(penstock("quarantine", "list", "--json").out)["entries"][0]["rows"] == 3


def test_quarantine_show(penstock: Penstock, session: ScriptedSession) -> None:
    row = QuarantinedRow("orders", "k", 7, (Broken("type", "amount", "x"),), '{"amount":"x"}')
    session.answers["quarantine_show"] = [row]
    assert penstock("quarantine", "show", "k", "-n", "3").out == (
        'orders row 7  k\n  type  amount  x\n  {"amount":"x"}\n'
    )
    assert session.asked[1] == ("quarantine_show", "k", 3, {})
    assert json.loads(penstock("quarantine", "show", "k", "--json").out)["rows"][0]["row"] == 7


def test_quarantine_export(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["quarantine_export"] = [Path("out/a.jsonl")]
    assert penstock("quarantine", "export", "orders", "--out", "out").out == "out/a.jsonl\n1 file written\n"
    assert session.asked[1] == ("quarantine_export", Path("out"), "orders", {})
    assert json.loads(penstock("quarantine", "export", "--json").out)["files"] == ["out/a.jsonl"]
    assert session.asked[3] == ("quarantine_export", Path("quarantined"), None, {})


def test_quarantine_replay(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["quarantine_replay"] = GOOD
    assert penstock("quarantine", "replay", "a", "b").code == 0
    assert session.asked[1] == ("quarantine_replay", ["a", "b"], {})


# ------------------------------------------------------------------------------------------ show


def wild() -> pa.Table:
    return pa.table(
        {
            "id": pa.array([1, None], pa.int64()),
            "at": pa.array([datetime(2026, 1, 31, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
            "ns": pa.array([1, None], pa.timestamp("ns")),
            "price": pa.array([Decimal("12.50"), None], pa.decimal128(10, 2)),
            "share": pa.array([float("nan"), 0.5]),
            "tags": pa.array([["a", "b"], None], pa.list_(pa.string())),
            "note": pa.array(["\x1b[31mred\n" + "x" * 60, None]),
            "blob": pa.array([b"\xff", None]),
            "took": pa.array([timedelta(seconds=5), None]),
        }
    )


def test_show(penstock: Penstock, session: ScriptedSession, same: Callable[[str, str], None]) -> None:
    session.answers["show"] = wild()
    told = penstock("show", "orders", "-n", "5")
    assert session.asked[1] == ("show", "orders", {"sql": None, "limit": 5, "pipeline": None})
    same("show", told.out)


def test_show_as_json(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["show"] = wild()
    document = json.loads(penstock("show", "--sql", "select 1", "--json").out)
    assert session.asked[1] == ("show", None, {"sql": "select 1", "limit": 10, "pipeline": None})
    assert document["columns"][0] == {"name": "id", "type": "int64"}
    first, second = document["rows"]
    assert first["at"] == "2026-01-31T00:00:00Z"
    assert first["ns"] == "1970-01-01 00:00:00.000000001"
    assert (first["price"], first["share"], first["tags"]) == ("12.50", "nan", ["a", "b"])
    assert set(second.values()) == {None, 0.5}


def test_show_of_nothing() -> None:
    empty = pa.table({"a": pa.array([], pa.int64())})
    assert [plain(line) for line in table_lines(empty, 80, 10)] == ["a", "no rows"]


@pytest.mark.parametrize(("width", "hidden"), [(1, 8), (20, 8), (60, 6), (100, 3), (1000, 0)])
def test_show_fits_the_terminal(width: int, hidden: int) -> None:
    lines = [plain(line) for line in table_lines(wild(), width, 10)]
    assert all(len(line) <= max(width, 4) for line in lines[:3])
    assert lines[-1].startswith(f"{hidden} column") is (hidden > 0)
    assert ("…" in lines[1]) is (hidden == 0)


def test_a_query_that_returns_more_than_asked_for(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["show"] = pa.table({"a": [1, 2, 3]})
    told = penstock("show", "--sql", "select 1", "--limit", "2")
    assert told.out == "a\n1\n2\n\n2 of 3 rows; --limit shows more\n"
    document = json.loads(penstock("show", "--sql", "select 1", "--limit", "2", "--json").out)
    assert (document["found"], len(document["rows"])) == (3, 2)


def test_the_list_of_tables_is_whole(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["show"] = pa.table({"table": ["a", "b"], "rows": [1, 2]})
    assert penstock("show", "--limit", "1").out == "table  rows\na         1\nb         2\n"


def test_two_columns_of_one_name() -> None:
    twins = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    assert [plain(line) for line in table_lines(twins, None, 10)] == ["a  a", "1  2"]
