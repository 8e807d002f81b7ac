"""`penstock build`, and models in the other commands: what is asked of the session, and what is printed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from scripted import Outcome, ScriptedSession

from model_bed import ModelBed
from penstock.cli.progress import Log
from penstock.report import facts
from penstock.report.facts import (
    ModelDone,
    ModelResult,
    ModelStarted,
    ModelStatus,
    PlannedModel,
    PlanResult,
    RunResult,
)
from penstock.report.models import standing_lines
from penstock.report.text import Line, plain

Penstock = Callable[..., Outcome]
Same = Callable[[str, str], None]
AT = datetime(2026, 1, 31, 13, 30, tzinfo=UTC)
BUILT = ModelResult("prices_by_town", ModelStatus.BUILT, rows=12_345, kept=12_345, seconds=0.12)
EVERYTHING = RunResult(
    models=(
        ModelResult("stg_prices", ModelStatus.UNCHANGED, "view"),
        BUILT,
        ModelResult(
            "prices", ModelStatus.BUILT, "incremental", rows=10, kept=6, dropped=1, quarantined=3,
            broken={"town.nullable": 3, "price.minimum": 1}, seconds=1.5,
        ),
        ModelResult("forecast", ModelStatus.BUILT, tool="python", rows=2, kept=2, seconds=0.3),
        ModelResult(
            "dim_town", ModelStatus.BUILT, tool="dbt", seconds=2.0,
            tests=(
                facts.TestResult("not_null_id", "fail", 4, "Got 4 results"),
                facts.TestResult("unique_id", "pass", 0),
            ),
        ),
        ModelResult(
            "broken", ModelStatus.REFUSED, error="`broken`: no\n  where: models/broken.sql", exit_code=1,
        ),
        ModelResult("after", ModelStatus.SKIPPED, why="`broken` failed"),
    )
)  # fmt: skip
PLANNED = PlanResult(
    (),
    models=(
        PlannedModel("stg_prices", False, "nothing that it is made of changed", "view"),
        PlannedModel("prices", True, "`sales` was loaded since", "incremental"),
        PlannedModel("forecast", True, "it is downstream of `prices`, which is built", "table", "python"),
    ),
)


def test_build_asks_for_what_is_said(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["build"] = RunResult(models=(BUILT,))
    told = penstock("build", "a", "-s", "+b c+", "--exclude", "d", "--full", "--wait", "2")
    assert told.code == 0
    assert told.out.endswith("1 model built, see: penstock show prices_by_town\n")
    [asked] = [a for a in session.asked if a[0] == "build"]
    assert asked == ("build", ["a", "+b c+"], {"exclude": ["d"], "full": True, "wait_s": 2.0})


def test_what_became_of_each_model(penstock: Penstock, session: ScriptedSession, same: Same) -> None:
    session.answers["build"] = EVERYTHING
    told = penstock("build")
    assert told.code == 1
    assert told.err == "error: `broken`: no\n  where: models/broken.sql\n"
    same("build", told.out)


def test_of_many_models_only_the_odd_ones_are_listed(penstock: Penstock, session: ScriptedSession) -> None:
    many = tuple(ModelResult(f"m{n}", ModelStatus.BUILT, rows=1, kept=1) for n in range(99))
    session.answers["build"] = RunResult(models=(*many, EVERYTHING.models[2]))
    lines = penstock("build").out.splitlines()
    assert [line for line in lines if line.startswith("  m")] == [lines[2]], lines
    assert "  99 models more built, all of it well" in lines
    assert any(line.startswith("  prices") for line in lines)


def test_nothing_new(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["build"] = RunResult(models=EVERYTHING.models[:1])
    assert penstock("build").out == "models: nothing new, 1 model\n"
    assert penstock("build", "-q") == Outcome(0, "", "")


def test_a_build_as_json(penstock: Penstock, session: ScriptedSession) -> None:
    session.answers["build"] = EVERYTHING
    document = json.loads(penstock("build", "--json").out)
    assert document["exit_code"] == 1
    assert [m["status"] for m in document["models"]] == [m.status.value for m in EVERYTHING.models]
    assert document["needs_a_look"][0]["what"] == "the model `broken` was refused"


def test_what_would_be_built(penstock: Penstock, session: ScriptedSession, same: Same) -> None:
    session.answers["plan_build"] = PLANNED
    told = penstock("build", "--dry-run", "-s", "prices+")
    same("build_dry_run", told.out)
    session.answers["plan"] = PLANNED
    assert "leave  stg_prices" in penstock("plan", "--steps").out
    assert "leave" not in penstock("plan").out
    assert json.loads(penstock("plan", "--json").out)["models"][1]["builds"] is True


def test_lines_in_a_log() -> None:
    said: list[str] = []

    def say(lines: Sequence[Line]) -> None:
        said.extend(map(plain, lines))

    log = Log(say)
    log(ModelStarted("prices_by_town", 1, 2))
    for result in (*EVERYTHING.models[1:3], *EVERYTHING.models[5:]):
        log(ModelDone(result))
    assert said == [
        "build  prices_by_town                 12,345 rows  0.12 s",
        "build  prices                              6 rows  1.5 s  1 dropped, 3 quarantined",
        "build  broken                    refused: `broken`: no",
        "build  after                     skipped: `broken` failed",
    ]


def test_bars_on_a_terminal(
    penstock: Penstock, session: ScriptedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    from penstock.cli.progress import followed
    from penstock.cli.terminal import Terminal

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    terminal = Terminal(
        inp=io.StringIO(), out=io.StringIO(), err=screen, environ={"TERM": "xterm", "COLUMNS": "100"}
    )
    with followed(terminal) as observe:
        observe(ModelStarted("prices_by_town", 1, 2))
        observe(ModelDone(BUILT))
        observe(ModelStarted("broken", 2, 2))
        observe(ModelDone(EVERYTHING.models[5]))
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert "models build" in drawn
    assert "2 of 2 models" in drawn
    assert "broken: refused: `broken`: no" in drawn


def test_no_model_stands_at_all() -> None:
    assert standing_lines([], AT) == []


# ------------------------------------------------------------------------- with a real project


def steady(text: str) -> str:
    """A text without what differs from run to run."""
    text = re.sub(r"\d+\.\d\d? s", "0.01 s", text)
    text = re.sub(r"\d{8}T\d{12}-[0-9a-f]{6}", "RUN", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", text)
    text = re.sub(r"duckdb:///\S+/w.duckdb", "duckdb:///w.duckdb", text)
    text = re.sub(r"(?<=[=_])\d{10}\b", "1795000000", text)
    text = re.sub(r"\d+ s ago", "1 s ago", text)
    return re.sub(r"(?<=\S) {2,}", "  ", text)  # how wide columns are depends on how long things took


@pytest.fixture
def bed(tmp_path: Path) -> ModelBed:
    bed = ModelBed(tmp_path / "mill").sales()
    words = "columns: {price: {type: int64, minimum: 15}}"
    bed.model("dear", "SELECT * FROM sales", words)
    return bed.model("towns", "SELECT town, count(*) AS n FROM dear GROUP BY town ORDER BY town")


def test_a_whole_session(bed: ModelBed, penstock: Penstock, same: Same) -> None:
    there = ("-p", str(bed.root))
    told = [f"$ penstock {' '.join(c)}\n{steady(penstock(*c, *there).out)}" for c in COMMANDS]
    same("models", "\n".join(told))


COMMANDS = (
    ("check",), ("plan",), ("build",), ("build",), ("status",), ("status", "models", "--last"), ("show",),
    ("show", "towns"), ("quarantine", "show", "dear"), ("build", "--full", "towns"), ("run",),
)  # fmt: skip


def test_exit_codes(bed: ModelBed, penstock: Penstock) -> None:
    there = ("-p", str(bed.root))
    assert penstock("build", "nothing", *there).code == 1
    bed.model("bad", "SELECT nothing FROM sales")
    told = penstock("build", *there)
    assert told.code == 1
    assert "models/bad.sql" in told.err
    assert penstock("build", "--wait", "x", *there).code == 2
