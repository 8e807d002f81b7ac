"""Parts of the reading that need no Dagster instance: lines of the log, checks of dbt, names, freshness."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from ruamel.yaml import YAML

from penstock.catalogue import Check, Layer, Node
from penstock.dagster.checks import checks_of, model_breaches, results
from penstock.dagster.keys import asset_key, tag
from penstock.dagster.markdown import table_text
from penstock.dagster.meta import freshness_of
from penstock.dagster.progress import Lines
from penstock.errors import ProjectError
from penstock.report import facts
from penstock.report.facts import (
    FileDone,
    ModelResult,
    ModelStatus,
    Pause,
    Phase,
    PhaseDone,
    PhaseStarted,
    Progress,
)
from penstock.schema.table import Table


def test_lines_come_at_most_every_few_seconds() -> None:
    said: list[str] = []
    clock = iter(float(n) for n in range(100))
    lines = Lines(said.append, every_s=3, now=lambda: next(clock))
    lines(PhaseStarted("p", Phase.LAND, 2, 2000))
    for _ in range(6):
        lines(Progress("p", Phase.LAND, 100, 10))
    lines(FileDone("p", Phase.LAND, "t", "k"))
    lines(PhaseDone("p", Phase.LAND, 1.5))
    assert said == [
        "p: land: 2 files, 2.00 kB",
        "p: land: 30 rows, 300 B so far",
        "p: land: 60 rows, 600 B so far",
        "p: land done in 1.5 s, 60 rows, 600 B",
    ]
    assert lines.keys(Phase.LAND, None) == lines.keys(Phase.LAND, "t") == ["k"]
    assert lines.keys(Phase.LAND, "u") == lines.keys(Phase.KEEP, None) == []


def test_waiting_is_said_once_each_time() -> None:
    said: list[str] = []
    lines = Lines(said.append)
    for event in (Pause("p"), Pause("p"), PhaseStarted("p", Phase.LAND, 0, 0), Pause("p")):
        lines(event)
    assert said == ["p: waiting", "p: land", "p: waiting"]


def test_tests_of_dbt_are_checks() -> None:
    checks = (
        Check("unique_a", "fail"),
        Check("some_a", "allow"),
        Check("held", "fail"),
        Check("odd", "fail"),
    )
    node = Node((Layer.MODEL, "a"), Layer.MODEL, Table("a"), "dbt", checks=checks)
    found = model_breaches(
        ModelResult(
            "a", ModelStatus.BUILT, tool="dbt",
            tests=(
                facts.TestResult("unique_a", "fail", rows=3), facts.TestResult("some_a", "warn", rows=1),
                facts.TestResult("held", "pass", rows=0),
                facts.TestResult("odd", "error", message="no such column"),
            ),
        )
    )  # fmt: skip
    told = {r.check_name: r for r in results(checks_of(node, asset_key(node.key)), found)}
    assert {n: (r.passed, r.severity.value) for n, r in told.items()} == {
        "unique_a": (False, "ERROR"), "some_a": (False, "WARN"),
        "held": (True, "ERROR"), "odd": (False, "ERROR"),
    }  # fmt: skip
    assert told["unique_a"].metadata["failing_rows"].value == 3
    assert told["odd"].description == "no such column"
    blocking = {s.name: s.blocking for s in checks_of(node, asset_key(node.key)).specs}
    assert blocking == {"unique_a": True, "some_a": False, "held": True, "odd": True}


def test_cells_do_not_break_a_table() -> None:
    assert table_text(["a", "b"], [["x|y\nz", None], ["<b>", "l" * 200]]).splitlines()[2:] == [
        "| x\\|y z |  |",
        f"| &lt;b> | {'l' * 120}… |",
    ]


def test_keys_and_tags() -> None:
    assert asset_key((Layer.MODEL, "m")) == dg.AssetKey(["model", "m"])
    assert asset_key((Layer.SOURCE, "x.y")) == dg.AssetKey(["source", "x.y_source"])
    assert tag("a b/c" + "d" * 100) == "a_b_c" + "d" * 58


@pytest.mark.parametrize(
    ("meta", "name"),
    [
        ({"freshness_lower_bound_delta_seconds": 108000}, "TimeWindowFreshnessPolicy"),
        ({"freshness_lower_bound_delta_seconds": 3600, "freshness_cron": "0 9 * * *"}, "CronFreshnessPolicy"),
    ],
)
def test_freshness_of_meta(meta: dict[str, Any], name: str) -> None:
    assert type(freshness_of({"dagster": meta}, "t")).__name__ == name


@pytest.mark.parametrize(
    "meta",
    [
        {"freshness_lower_bound_delta_seconds": 108000, "freshness_cron": "0 9 * * *"},
        {"freshness_lower_bound_delta_seconds": 3600, "freshness_cron": "soon"},
        {"freshness_cron": "0 9 * * *"},
    ],
)
def test_freshness_that_cannot_be(meta: dict[str, Any]) -> None:
    with pytest.raises(ProjectError):
        freshness_of({"dagster": meta}, "t")


@pytest.mark.slow
def test_definitions_of_500_tables_load_in_two_seconds(tmp_path: Path) -> None:
    """Beside the import of Dagster, in seconds of this process, however busy the machine is."""
    (tmp_path / "in").mkdir()
    numbers = range(50)
    column = {f"c{n}": "text" for n in range(3)}
    pipelines = {
        f"p{p}": {
            "source": {
                "type": "filesystem", "path": "in", "tables": {f"t{p}_{n}": f"t{p}_{n}_*" for n in numbers},
            },
            "tables": {f"t{p}_{n}": {"columns": column} for n in numbers},
        }
        for p in range(10)
    }  # fmt: skip
    YAML().dump({"name": "big", "pipelines": pipelines}, tmp_path / "penstock.yml")
    code = (
        "import time\n"
        "from penstock.dagster import definitions\n"
        "began = time.process_time()\n"
        f"defs = definitions({str(tmp_path)!r})\n"
        "print(time.process_time() - began)\n"
        "assert len(list(defs.resolve_all_asset_specs())) == 2000\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 2, done.stdout
