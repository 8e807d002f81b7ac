"""Progress in a notebook: what is drawn, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from penstock.report.facts import Event, Notice, Pause, Phase, PhaseDone, PhaseStarted, Progress
from penstock.report.notebook import NOTICES, Board, notebook_observer


class Screen:
    """What a board drew, and a clock that a test sets."""

    def __init__(self) -> None:
        self.drawn: list[Mapping[str, str]] = []
        self.now = 100.0
        self.board = Board(self.drawn.append, lambda t: t.replace("hunter2", "***"), lambda: self.now)

    def hear(self, *events: Event) -> None:
        for event in events:
            self.board(event)

    @property
    def text(self) -> str:
        return self.drawn[-1]["text/plain"]

    @property
    def html(self) -> str:
        return self.drawn[-1]["text/html"]


STARTED = PhaseStarted("shop", Phase.JUDGE, 2, 1000)


def test_a_phase_from_begin_to_end() -> None:
    screen = Screen()
    screen.hear(STARTED)
    assert screen.text == "shop judge: 0 B of 1.00 kB"
    assert '<progress value="0" max="1000">' in screen.html
    screen.now += 1
    screen.hear(Progress("shop", Phase.JUDGE, 250, 5))
    assert screen.text == "shop judge: 250 B of 1.00 kB, 5 rows"
    assert '<progress value="250" max="1000">' in screen.html
    screen.hear(PhaseDone("shop", Phase.JUDGE, 1.5))
    assert screen.text == "shop judge: 250 B, 5 rows, done in 1.5 s"
    assert '<progress value="1" max="1">' in screen.html


def test_it_is_drawn_now_and_then_only() -> None:
    screen = Screen()
    screen.hear(STARTED, *[Progress("shop", Phase.JUDGE, 1)] * 500)
    assert len(screen.drawn) == 1
    screen.now += 0.25
    screen.hear(Progress("shop", Phase.JUDGE, 1))
    assert screen.text == "shop judge: 501 B of 1.00 kB"


def test_a_phase_whose_end_is_not_known() -> None:
    screen = Screen()
    screen.hear(PhaseStarted("shop", Phase.LAND, 0, 0))
    assert "<progress></progress>" in screen.html


def test_notices_are_redacted_and_are_no_markup() -> None:
    screen = Screen()
    screen.hear(Notice("shop", "<b>hunter2</b>"))
    assert "shop: &lt;b&gt;***&lt;/b&gt;" in screen.html
    assert screen.text == "shop: <b>***</b>"
    screen.hear(*[Notice("shop", f"n{i}") for i in range(NOTICES)])
    assert "***" not in screen.html


def test_nothing_is_drawn_for_nothing() -> None:
    screen = Screen()
    screen.hear(Pause("shop"), Progress("shop", Phase.LAND, 1))
    assert screen.drawn == []


def test_there_is_no_notebook_here() -> None:
    assert notebook_observer() is None


def test_it_draws_through_ipython(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real one, where it is installed."""
    shells = pytest.importorskip("IPython.core.interactiveshell")
    shell = shells.InteractiveShell.instance()
    try:
        assert notebook_observer() is None  # IPython, but no notebook
        monkeypatch.setattr(shell, "kernel", object(), raising=False)
        said: list[tuple[dict[str, Any], bool]] = []

        class Heard(type(shell.display_pub)):  # type: ignore[misc]  # whatever IPython has
            def publish(self, data: dict[str, Any], *_: Any, update: bool = False, **__: Any) -> None:
                said.append((data, update))

        monkeypatch.setattr(shell, "display_pub", Heard(parent=shell))
        observe = notebook_observer()
        assert observe is not None
        observe(STARTED)
        observe(PhaseDone("shop", Phase.JUDGE, 1.5))
        assert [update for _, update in said] == [False, True]
        assert said[1][0]["text/plain"] == "shop judge: done in 1.5 s"
        assert "<table>" in said[1][0]["text/html"]
    finally:
        shells.InteractiveShell.clear_instance()
