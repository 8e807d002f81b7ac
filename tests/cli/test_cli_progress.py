"""Progress: bars for people, lines for logs, nothing for programs."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator

import pytest

from penstock.cli.bars import Bars
from penstock.cli.progress import EVERY_S, Log, followed
from penstock.cli.terminal import Terminal
from penstock.report.facts import Event, FileDone, Notice, Phase, PhaseDone, PhaseStarted, Progress
from penstock.report.text import Line, plain

MB = 1_000_000


class Screen(io.StringIO):
    """Text that goes to a person."""

    def isatty(self) -> bool:
        return True


def events() -> Iterator[Event]:
    yield PhaseStarted("shop", Phase.JUDGE, 2, 10 * MB)
    yield Progress("shop", Phase.JUDGE, 4 * MB, 1_000)
    yield Progress("shop", Phase.JUDGE, 4 * MB, 1_000)
    yield Notice("shop", "orders.tags: new column\x1b[2J")
    yield FileDone("shop", Phase.JUDGE, "orders", "k")
    yield Progress("shop", Phase.JUDGE, 2 * MB, 500)
    yield PhaseDone("shop", Phase.JUDGE, 2.5)
    yield PhaseStarted("shop", Phase.KEEP, 0, 0)
    yield PhaseDone("shop", Phase.KEEP, 0.0)


def test_log_lines() -> None:
    said: list[Line] = []
    ticks = iter([0.0, 1.0, EVERY_S + 0.5, EVERY_S + 1])
    log = Log(said.extend, lambda: next(ticks))
    for event in events():
        log(event)
    assert [plain(line) for line in said] == [
        "shop: judge: 2 files, 10.0 MB",
        "shop: judge: 8.00 MB of 10.0 MB, 2,000 rows",
        "shop: orders.tags: new column\\x1b[2J",
        "shop: judge: done, 2,500 rows in 2.5 s",
    ]


def test_log_counts_right_from_many_threads() -> None:
    said: list[Line] = []
    log = Log(said.extend, lambda: 0.0)
    log(PhaseStarted("shop", Phase.LOAD, 1, 8 * MB))

    def work() -> None:
        for _ in range(2_000):
            log(Progress("shop", Phase.LOAD, 1, 1))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log(PhaseDone("shop", Phase.LOAD, 1.0))
    assert plain(said[-1]) == "shop: load: done, 8,000 rows in 1.0 s"


def test_progress_of_a_phase_that_never_began_is_passed_over() -> None:
    said: list[Line] = []
    log = Log(said.extend, lambda: 0.0)
    log(Progress("shop", Phase.LOAD, 1, 1))
    log(PhaseDone("shop", Phase.LOAD, 1.0))
    assert said == []


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    screen = Screen()
    with followed(Terminal(io.StringIO(), screen, Screen(), {"NO_COLOR": "1"})) as observe:
        for event in events():
            observe(event)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    last = text.replace("\r", "\n").rstrip().splitlines()[-1]
    assert last.startswith("✓ shop judge")
    assert last.endswith("10.0 MB, 2,500 rows, 1,000/s, 2.5 s")
    assert "shop: orders.tags: new column\\x1b[2J" in text
    assert "keep" not in text


def test_bars_redact() -> None:
    screen = Screen()
    terminal = Terminal(io.StringIO(), screen, Screen(), {}, redact=lambda text: text.replace("pw", "***"))
    bars = Bars(terminal)
    bars.take(Notice("shop", "cannot reach host with pw"))
    bars.stop()
    assert "with ***" in screen.getvalue()
    assert "with pw" not in screen.getvalue()


def test_a_phase_of_unknown_size_ends_full() -> None:
    screen = Screen()
    bars = Bars(Terminal(io.StringIO(), screen, Screen(), {}))
    bars.take(PhaseStarted("shop", Phase.LOAD, 1, 0))
    bars.take(PhaseDone("shop", Phase.LOAD, 0.5))
    bars.stop()
    assert "✓" in screen.getvalue()


@pytest.mark.parametrize(("json", "quiet"), [(True, False), (False, True)])
def test_programs_hear_nothing(json: bool, quiet: bool) -> None:
    screen = Screen()
    with followed(Terminal(io.StringIO(), screen, Screen(), {}, json=json, quiet=quiet)) as observe:
        for event in events():
            observe(event)
    assert screen.getvalue() == ""


@pytest.mark.parametrize(("stream", "environ"), [(io.StringIO(), {}), (Screen(), {"TERM": "dumb"})])
def test_logs_get_plain_lines(stream: io.StringIO, environ: dict[str, str]) -> None:
    with followed(Terminal(io.StringIO(), stream, io.StringIO(), environ)) as observe:
        for event in events():
            observe(event)
    assert stream.getvalue().splitlines()[0] == "shop: judge: 2 files, 10.0 MB"
    assert "\x1b" not in stream.getvalue()


def test_a_run_with_nothing_to_do_draws_nothing() -> None:
    screen = Screen()
    with followed(Terminal(io.StringIO(), screen, Screen(), {})):
        pass
    assert screen.getvalue() == ""
