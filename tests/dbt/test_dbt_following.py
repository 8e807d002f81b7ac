"""dbt's log while it runs, as events and results of models."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dbt_manifests import check, manifest, node, source
from penstock.dbt.following import Follower, chosen_nodes
from penstock.dbt.manifest import Home, nodes_of
from penstock.dbt.nodes import DbtNode
from penstock.report import facts
from penstock.report.facts import Event, ModelDone, ModelStarted, ModelStatus

NODES = nodes_of(
    manifest(
        node("a", reads=["source.shop.main.t"]),
        node("b", reads=["model.shop.a"]),
        node("c", reads=["model.shop.b"]),
        source("t"),
        check("not_null", "model.shop.a", column_name="id"),
        check("unique", "model.shop.a"),
        check("late", "model.shop.b"),
    ),
    Home("main", "w"),
)


class Run:
    """A run of dbt that says what a test wants it to."""

    def __init__(self, nodes: tuple[DbtNode, ...] = NODES) -> None:
        self.events: list[Event] = []
        self.follower = Follower(
            nodes, self.events.append, lambda text: text.replace("s3cret", "***"), "dbt_project"
        )
        self.line("MainReportVersion", msg="Running with dbt")

    def line(self, name: str, level: str = "debug", msg: str = "", **data: Any) -> None:
        info = {"name": name, "level": level, "msg": msg, "invocation_id": "i1"}
        self.follower.hear(json.dumps({"data": data, "info": info}).encode())

    def start(self, key: str) -> None:
        self.line("NodeStart", node_info={"unique_id": key})

    def finish(self, key: str, status: str, **result: Any) -> None:
        said = {"status": status, "execution_time": 0.5, **result}
        self.line("NodeFinished", node_info={"unique_id": key}, run_result=said)

    def told(self) -> list[tuple[str, str]]:
        return [
            (e.model, f"{e.number}/{e.of}") if isinstance(e, ModelStarted) else (e.result.model, "done")
            for e in self.events
            if isinstance(e, ModelStarted | ModelDone)
        ]


def test_a_model_is_done_when_its_tests_are() -> None:
    run = Run()
    run.start("model.shop.a")
    run.finish("model.shop.a", "success", adapter_response={"rows_affected": 7.0})
    assert run.told() == [("a", "1/3")]
    run.finish("test.shop.not_null", "pass", num_failures=0, message="")
    assert run.told() == [("a", "1/3")]
    run.finish("test.shop.unique", "warn", num_failures=2, message="Got 2 results")
    assert run.told() == [("a", "1/3"), ("a", "done")]
    (result, *_) = run.follower.results()
    assert (result.status, result.rows, result.kept, result.seconds) == (ModelStatus.BUILT, 7, 7, 0.5)
    assert result.tests == (
        facts.TestResult("not_null", "pass", 0, None, "id"),
        facts.TestResult("unique", "warn", 2, "Got 2 results"),
    )
    assert (result.tool, result.exit_code, result.error) == ("dbt", 0, None)


def test_a_failing_test_fails_its_model_and_what_is_below_is_skipped() -> None:
    run = Run()
    run.finish("model.shop.a", "success")
    run.finish("test.shop.not_null", "fail", num_failures=3, message="Got 3 results")
    run.finish("test.shop.unique", "pass", num_failures=0)
    run.finish("model.shop.b", "skipped")
    run.finish("test.shop.late", "skipped")
    run.finish("model.shop.c", "skipped")
    a, b, c = run.follower.results()
    assert (a.status, a.exit_code) == (ModelStatus.FAILED, 1)
    assert a.error is not None
    assert "not_null (3 rows)" in a.error
    assert "dbt_project/models/a.sql" in a.error
    assert (b.status, b.why, b.tests, b.exit_code) == (ModelStatus.SKIPPED, "`a` failed", (), 0)
    assert (c.status, c.why) == (ModelStatus.SKIPPED, "`b` was skipped")


def test_an_error_is_told_in_dbts_words_without_secrets() -> None:
    run = Run()
    run.finish("model.shop.a", "error", message="Runtime Error in model a (models/a.sql)\n  no `s3cret`")
    assert run.told()[-1] == ("a", "done")
    result = run.follower.results()[0]
    assert result.status is ModelStatus.FAILED
    assert result.error is not None
    assert "Runtime Error in model a (models/a.sql)\n    no `***`" in result.error


def test_a_unit_test_refuses_a_model_before_it_is_built() -> None:
    run = Run()
    run.finish("test.shop.unique", "fail", num_failures=1)
    run.finish("model.shop.a", "skipped")
    a, *_ = run.follower.results()
    assert (a.status, a.exit_code) == (ModelStatus.REFUSED, 1)


def test_a_test_that_cannot_run_is_an_error() -> None:
    run = Run()
    run.finish("model.shop.a", "success")
    run.finish("test.shop.not_null", "error", num_failures=0, message="Database Error: s3cret")
    a, *_ = run.follower.results()
    assert a.tests == (facts.TestResult("not_null", "error", None, "Database Error: ***", "id"),)
    assert a.status is ModelStatus.FAILED
    assert "not_null: Database Error: ***" in str(a.error)


def test_what_dbt_never_came_to_is_skipped_and_tests_that_did_not_run_are_not_waited_for() -> None:
    run = Run()
    run.finish("model.shop.a", "success")
    assert run.told() == [("a", "1/3")]
    a, b, c = run.follower.results()
    assert run.told() == [("a", "1/3"), ("a", "done"), ("b", "done"), ("c", "done")]
    assert (a.status, b.status, c.status) == (ModelStatus.BUILT, ModelStatus.SKIPPED, ModelStatus.SKIPPED)
    assert b.why == "dbt ended before it"


def test_what_is_not_of_this_run_is_let_pass() -> None:
    run = Run(NODES[:1])
    run.finish("model.other.x", "success")
    run.finish("test.shop.late", "fail")
    run.follower.hear(b"a macro printed this s3cret")
    run.follower.hear(b"{ not JSON")
    run.follower.hear(b'{"info": {}}')
    run.line("MainEncounteredError", "error", "Compilation Error: s3cret")
    assert run.told() == []
    assert run.follower.complaints == ["a macro printed this ***", "Compilation Error: ***"]


def test_an_observer_may_end_it() -> None:
    def raising(event: Event) -> None:
        raise KeyboardInterrupt

    follower = Follower(NODES, raising)
    line = {
        "data": {"node_info": {"unique_id": "model.shop.a"}},
        "info": {"name": "NodeStart", "level": "debug"},
    }
    with pytest.raises(KeyboardInterrupt):
        follower.hear(json.dumps(line).encode())


def test_nodes_are_chosen_by_our_name_or_dbts() -> None:
    nodes = nodes_of(manifest(node("orders", alias="fct_orders"), node("b")), Home("main", "w"))
    assert [n.called for n in chosen_nodes(nodes, {"fct_orders"})] == ["orders"]
    assert [n.name for n in chosen_nodes(nodes, ["orders"])] == ["fct_orders"]
    assert chosen_nodes(nodes, None) == nodes
    assert chosen_nodes(nodes, []) == ()
