"""Signals to a command: what it does, says and returns, and that everything is as before afterwards."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from scripted import Outcome, ScriptedSession

from penstock.cli import main
from penstock.report.facts import Notice, PipelineResult, RunResult, Status

Penstock = Callable[..., Outcome]
GOOD = RunResult((PipelineResult("shop", Status.NOTHING_NEW),))


def interrupted(number: int) -> Callable[..., RunResult]:
    """A run that gets a signal, does one more thing, and says so."""

    def run(_: Any, observe: Callable[[Notice], None], **__: Any) -> RunResult:
        os.kill(os.getpid(), number)
        observe(Notice("shop", "one more thing"))
        raise AssertionError("it went on")

    return run


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", ["run", "rebuild", "quarantine replay"])
def test_a_signal_stops_at_the_next_event(
    penstock: Penstock, session: ScriptedSession, number: signal.Signals, code: int, command: str
) -> None:
    def rebuild(tables: Any, _: Any, observe: Any, **__: Any) -> RunResult:
        return interrupted(number)(tables, observe)

    session.answers["run"], session.answers["rebuild"] = interrupted(number), rebuild
    session.answers["quarantine_replay"] = interrupted(number)
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    told = penstock(*command.split())
    assert told.code == code
    assert told.out == ""
    said = told.err.splitlines()
    assert said[0] == "shop: one more thing"
    assert said[-1] == f"stopped by {number.name}; nothing is lost: run again, it goes on from here"
    assert session.closed
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    assert not [t for t in threading.enumerate() if t.name == "penstock-signals"]


def test_a_signal_that_comes_too_late_says_so(penstock: Penstock, session: ScriptedSession) -> None:
    def run(*_: Any, **__: Any) -> RunResult:
        os.kill(os.getpid(), signal.SIGTERM)
        return GOOD

    session.answers["run"] = run
    told = penstock("run")
    assert told.code == 143
    assert told.out.startswith("shop: nothing new")
    assert told.err.splitlines()[-1] == (
        "SIGTERM came when all was done; nothing is lost: run again for what is new"
    )


def test_a_signal_that_is_ignored_stays_ignored(penstock: Penstock, session: ScriptedSession) -> None:
    def run(*_: Any, **__: Any) -> RunResult:
        os.kill(os.getpid(), signal.SIGINT)
        return GOOD

    session.answers["run"] = run
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert penstock("run").code == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_command_in_another_thread_leaves_signals_alone(session: ScriptedSession) -> None:
    session.answers["run"] = GOOD
    before = signal.getsignal(signal.SIGTERM)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["run", "-q"])))
    thread.start()
    thread.join()
    assert codes == [0]
    assert signal.getsignal(signal.SIGTERM) == before
