"""What dbt says while it runs, as events and results of models. Pure but for the observer that it tells.

dbt is asked for its log as JSON lines on the level `debug`, the only one on which it tells of every node
that it has finished. A model is done when the tests that are about it are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from penstock.dbt.nodes import DbtNode, DbtTest, materialization_of
from penstock.errors import RefusedError
from penstock.report.facts import ModelDone, ModelResult, ModelStarted, ModelStatus, Observer, TestResult
from penstock.report.text import counted

# Any throughout: JSON that another program wrote

_WANTED = (b'"NodeStart"', b'"NodeFinished"', b'"level": "error"', b'"level":"error"')
_BROKEN = frozenset({ModelStatus.FAILED, ModelStatus.REFUSED, ModelStatus.SKIPPED})
_FAILING = frozenset({"fail", "error"})
_KEPT_LINES = 20


class Follower:
    """Follows one run of dbt. `chosen` are the nodes that it was asked to build, in their order."""

    def __init__(
        self,
        chosen: Sequence[DbtNode],
        observe: Observer,
        redact: Callable[[str], str] = str,
        folder: str = "",
    ) -> None:
        self.invocation = ""
        self.complaints: list[str] = []
        self._nodes = {node.unique_id: node for node in chosen}
        self._owners = {test.unique_id: (node, test) for node in chosen for test in node.tests}
        self.observe = observe
        self._redact = redact
        self._folder = folder
        self._ended: dict[str, Mapping[str, Any]] = {}
        self._tests: dict[str, TestResult | None] = {}
        self._started: set[str] = set()
        self._told: dict[str, ModelResult] = {}

    def hear(self, line: bytes) -> None:
        """One line of dbt's output. Raises: what the observer raises."""
        text = line.decode("utf-8", "replace").strip()
        if not text.startswith("{"):
            if text:  # what a macro prints, or Python when it falls over
                self.complaints = [*self.complaints, self._redact(text)][-_KEPT_LINES:]
            return
        if self.invocation and not any(word in line for word in _WANTED):
            return
        try:
            event = json.loads(text)
            info, data = event["info"], event["data"]
        except (ValueError, KeyError, TypeError):
            return
        self.invocation = str(info.get("invocation_id") or "")
        if info["name"] == "NodeStart":
            self._start(data["node_info"]["unique_id"])
        elif info["name"] == "NodeFinished":
            self._finish(data["node_info"]["unique_id"], data["run_result"])
        elif info["level"] == "error" and not self._ended:
            self.complaints = [*self.complaints, self._redact(str(info["msg"]).strip())][-_KEPT_LINES:]

    def results(self) -> tuple[ModelResult, ...]:
        """What became of every chosen node, in the order in which they ended. Those not told of are now."""
        for node in self._nodes.values():
            if node.unique_id not in self._told and node.unique_id in self._ended:
                self._tell(node)
        for node in self._nodes.values():
            if node.unique_id not in self._told:
                self._tell(node)
        return tuple(self._result(self._nodes[key]) for key in self._told)

    # ------------------------------------------------------------------------------- as it runs

    def _start(self, key: str) -> None:
        if key in self._nodes and key not in self._started:
            self._started.add(key)
            self.observe(ModelStarted(self._nodes[key].name, len(self._started), len(self._nodes)))

    def _finish(self, key: str, result: Mapping[str, Any]) -> None:
        if key in self._owners:
            node, test = self._owners[key]
            self._tests[key] = _test_result(test, result, self._redact)
        elif key in self._nodes:
            node = self._nodes[key]
            self._start(key)
            self._ended[key] = result
        else:
            return
        if node.unique_id in self._told or node.unique_id not in self._ended:
            return
        broken = self._status(node) in _BROKEN
        if broken or all(test.unique_id in self._tests for test in node.tests):
            self._tell(node)

    def _tell(self, node: DbtNode) -> None:
        result = self._result(node)
        self._told[node.unique_id] = result
        self.observe(ModelDone(result))

    # --------------------------------------------------------------------------------- verdicts

    def _failing(self, node: DbtNode) -> list[TestResult]:
        found = [self._tests.get(test.unique_id) for test in node.tests]
        return [test for test in found if test is not None and test.status in _FAILING]

    def _status(self, node: DbtNode) -> ModelStatus:
        said = str((self._ended.get(node.unique_id) or {}).get("status", "skipped"))
        failing = self._failing(node)
        if said in ("success", "pass"):
            return ModelStatus.FAILED if failing else ModelStatus.BUILT
        if said == "skipped":  # a unit test that fails keeps its model from being built
            return ModelStatus.REFUSED if failing else ModelStatus.SKIPPED
        return ModelStatus.UNCHANGED if said == "no-op" else ModelStatus.FAILED

    def _result(self, node: DbtNode) -> ModelResult:
        ended = self._ended.get(node.unique_id) or {}
        status = self._status(node)
        rows = _rows(ended) if status is ModelStatus.BUILT else None
        tests = (self._tests.get(test.unique_id) for test in node.tests)
        result = ModelResult(
            model=node.name,
            status=status,
            materialized=materialization_of(node).value,
            tool="dbt",
            why=self._why(node) if status is ModelStatus.SKIPPED else "",
            rows=rows,
            kept=rows,
            tests=tuple(test for test in tests if test is not None),
            seconds=float(ended.get("execution_time") or 0.0),
        )
        if status in (ModelStatus.FAILED, ModelStatus.REFUSED):
            error = self._error(node, ended)
            return replace(result, error=str(error), exit_code=int(error.exit_code))
        return result

    def _why(self, node: DbtNode) -> str:
        """The nearest thing above a skipped model that went wrong."""
        if node.unique_id not in self._ended:
            return "dbt ended before it"
        names = {n.name: n for n in self._nodes.values()}
        above = [names[name] for name in node.reads if name in names]
        for parent in above:
            if self._status(parent) in _BROKEN:
                return f"`{parent.name}` {_BECAME[self._status(parent)]}"
        return "something above it failed"

    def _error(self, node: DbtNode, ended: Mapping[str, Any]) -> RefusedError:
        where = f"{self._folder}/{node.path}" if self._folder else node.path
        failing = self._failing(node)
        if failing:
            told = [_told(test) for test in failing]
            return RefusedError(f"`{node.name}` does not pass its tests", where=where, found=", ".join(told))
        message = self._redact(str(ended.get("message") or "").strip()) or "dbt did not say why"
        said = "\n    ".join(line.strip() for line in message.splitlines())
        return RefusedError(f"dbt could not build `{node.name}`", where=where, found=said)


_BECAME = {
    ModelStatus.FAILED: "failed",
    ModelStatus.REFUSED: "failed its unit tests",
    ModelStatus.SKIPPED: "was skipped",
}


def _test_result(test: DbtTest, result: Mapping[str, Any], redact: Callable[[str], str]) -> TestResult | None:
    """What a test found, None for one that was skipped."""
    said = str(result.get("status"))
    if said not in ("pass", "warn", "fail", "error"):
        return None if said == "skipped" else TestResult(test.name, "error", None, said, test.column)
    rows = result.get("num_failures", result.get("failures"))
    message = redact(str(result.get("message") or "").strip()) or None
    counted = int(rows) if rows is not None and said != "error" else None
    return TestResult(test.name, said, counted, message, test.column)


def _told(test: TestResult) -> str:
    """A failing test in a few words: how many rows, or why it could not run."""
    if test.status == "error" and test.message:
        return f"{test.name}: {' '.join(test.message.split())}"
    return test.name + (f" ({counted(test.rows, 'row')})" if test.rows else "")


def _rows(result: Mapping[str, Any]) -> int | None:
    """How many rows the adapter says it wrote; not every one says."""
    rows = (result.get("adapter_response") or {}).get("rows_affected")
    return int(rows) if isinstance(rows, int | float) and rows >= 0 else None


def chosen_nodes(nodes: Sequence[DbtNode], names: Collection[str] | None) -> tuple[DbtNode, ...]:
    """The nodes of those names, ours or dbt's, in their order; all of them for None."""
    return tuple(n for n in nodes if names is None or n.name in names or n.called in names)
