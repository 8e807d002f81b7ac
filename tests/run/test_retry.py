"""Trying again: when, how long after, and what it comes to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bed import Bed
from penstock.errors import (
    MissingPartError,
    PenstockError,
    RefusedError,
    StoreError,
    UncertainError,
)
from penstock.report.facts import Event, Notice, Pause, PipelineResult, Status, TableResult
from penstock.run.retry import Patience, try_again


def ended(error: PenstockError | None, *loads: str) -> PipelineResult:
    if error is None:
        status = Status.LOADED if loads else Status.NOTHING_NEW
    else:
        status = Status.REFUSED if error.exit_code == 1 else Status.FAILED
    tables = tuple(TableResult("t", 1, 10, 10) for _ in loads)
    code = 0 if error is None else int(error.exit_code)
    return PipelineResult("p", status, loads, tables, seconds=1.0, exit_code=code, cause=error)


class Tries:
    """Ends as it is told, try after try, and remembers how it was waited."""

    def __init__(self, *ends: PipelineResult | PenstockError) -> None:
        self.ends = list(ends)
        self.numbers: list[int] = []
        self.slept: list[float] = []
        self.heard: list[Event] = []

    def work(self, number: int) -> PipelineResult:
        self.numbers.append(number)
        end = self.ends[number - 1]
        if isinstance(end, PenstockError):
            raise end
        return end

    def run(self, attempts: int = 3, chance: Callable[[], float] = lambda: 0.0) -> PipelineResult:
        patience = Patience(attempts, 1.0, 60.0, self.slept.append, chance)
        return try_again("p", patience, self.heard.append, self.work)


DOWN = StoreError("the network is down")


def test_waits_double_up_to_the_longest_and_vary_downwards() -> None:
    waits = [*Patience(8, 1.0, 10.0, lambda _: None, lambda: 0.0).waits()]
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    assert [*Patience(3, 1.0, 10.0, lambda _: None, lambda: 1.0).waits()] == [0.5, 1.0]
    assert [*Patience(2, 60.0, 10.0, lambda _: None, lambda: 0.0).waits()] == [10.0]


@pytest.mark.parametrize("error", [DOWN, UncertainError("did it commit?")])
def test_outside_and_uncertain_errors_are_tried_again(error: PenstockError) -> None:
    tries = Tries(ended(error), ended(error), ended(None, "a"))
    result = tries.run()
    assert (result.status, result.load_ids, tries.numbers) == (Status.LOADED, ("a",), [1, 2, 3])
    assert sum(tries.slept) == pytest.approx(3.0)
    notices = [e.message for e in tries.heard if isinstance(e, Notice)]
    assert notices == [f"{error.what}; try 2 of 3 in 1.0 s", f"{error.what}; try 3 of 3 in 2.0 s"]


def test_the_last_try_decides() -> None:
    tries = Tries(ended(DOWN), ended(DOWN))
    result = tries.run(2)
    assert (result.status, result.exit_code, result.seconds) == (Status.FAILED, 3, 2.0)


def test_errors_before_a_run_begins_are_tried_again_and_raised_in_the_end() -> None:
    assert Tries(DOWN, ended(None)).run().status is Status.NOTHING_NEW
    tries = Tries(DOWN, DOWN)
    with pytest.raises(StoreError):
        tries.run(2)
    assert tries.numbers == [1, 2]


def test_what_is_final_is_not_tried_again() -> None:
    for end in (ended(RefusedError("no")), ended(MissingPartError("not installed")), ended(None)):
        tries = Tries(end)
        tries.run()
        assert (tries.numbers, tries.slept) == ([1], [])
    for error in (RefusedError("no"), MissingPartError("not installed")):
        with pytest.raises(type(error)):
            Tries(error).run()


def test_the_result_is_that_of_all_tries() -> None:
    result = Tries(ended(DOWN, "a"), ended(None)).run()
    assert (result.status, result.load_ids, result.tables[0].rows) == (Status.LOADED, ("a",), 10)
    result = Tries(ended(DOWN, "a"), ended(None, "b")).run()
    assert (result.load_ids, result.tables[0].rows, result.tables[0].files) == (("a", "b"), 20, 2)


def test_waiting_can_be_stopped() -> None:
    tries = Tries(ended(DOWN), ended(None))

    def observe(event: Event) -> None:
        if isinstance(event, Pause):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        try_again("p", Patience(2, 60, 60, tries.slept.append, lambda: 0.0), observe, tries.work)
    assert tries.slept == []


# ------------------------------------------------------------------------------ the real thing


def _run(bed: Bed, *options: str) -> subprocess.CompletedProcess[str]:
    bed.session()
    command = [sys.executable, "-m", "penstock.testing.faults", *options, "--", "run", "-p", str(bed.root)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def _commit_call(bed: Bed, folder: Path) -> str:
    """The number of the call that commits, found in a copy that runs well."""
    import shutil

    copy = folder / "copy"
    shutil.copytree(bed.root, copy, ignore=shutil.ignore_patterns("copy"))
    twin = Bed.__new__(Bed)
    twin.root, twin.project, twin.pipeline = copy, bed.project, bed.pipeline
    assert _run(twin, "--ports", "destination", "--calls", str(folder / "calls")).returncode == 0
    lines = (folder / "calls").read_text().splitlines()
    return next(line.split()[0] for line in lines if "transaction.commit" in line)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_fails_at_its_commit_is_tried_again(
    bed: Bed, tmp_path_factory: pytest.TempPathFactory, when: str
) -> None:
    bed.drop("a.jsonl", {"v": 1}, {"v": 2})
    bed.pipeline["retry"] = {"attempts": 3, "wait_s": 0.01}
    bed.session()
    number = _commit_call(bed, tmp_path_factory.mktemp("calls"))
    done = _run(bed, "--ports", "destination", "--fail-at", number, "--when", when)
    assert done.returncode == 0, done
    assert "p: the store is out of order; try 2 of 3 in 0.01 s" in done.stderr
    assert bed.values() == [1, 2]
    newest, first = bed.session().last_runs([], 9)
    assert (first.attempt, first.status, first.exit_code) == (1, "failed", 3)
    assert (newest.attempt, newest.exit_code) == (2, 0)


def test_without_the_word_nothing_is_tried_again(bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> None:
    bed.drop("a.jsonl", {"v": 1})
    bed.session()
    number = _commit_call(bed, tmp_path_factory.mktemp("calls"))
    failed = _run(bed, "--ports", "destination", "--fail-at", number)
    assert failed.returncode == 3, failed
    [record] = json.loads(
        "[" + ",".join(p.read_text() for p in (bed.root / ".penstock/runs/p").iterdir()) + "]"
    )
    assert record["error"].startswith("the store is out of order")
