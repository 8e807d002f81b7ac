"""`penstock dev`: Dagster's UI for the project, with nothing written."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import OutsideError

if TYPE_CHECKING:
    from penstock.cli.dagster_graph import Graph
    from penstock.cli.dagster_process import Dagster

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_S = 0.2


def dev(
    context: typer.Context,
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=1, max=65535, help="Where the UI listens.")
    ] = 3000,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="The address that it listens at.")
    ] = "127.0.0.1",
    project: options.Project = None,
    environment: options.Environment = None,
    quiet: options.Quiet = False,
) -> None:
    """Start Dagster's UI for the project; Ctrl-C stops it.

    A definitions.py beside the project file is served in place of the project alone. What Dagster
    remembers is in .penstock/dagster, unless DAGSTER_HOME says where.
    """
    from penstock.cli.dagster_process import Dagster, check_installed, check_port, prepare
    from penstock.cli.opening import opened

    terminal: Terminal = context.obj
    terminal.quiet = quiet
    check_installed()
    with opened(terminal, project, environment) as session:
        check_port(host, port)
        root, name = session.project.root.resolve(), session.project.name
        served = prepare(root, name, environment, terminal.environ)
    told = _Telling(terminal)
    what = served.own.name if served.own else "the project"
    told(f"starting Dagster for {name}, as {what} says")
    with _signals() as asked:
        dagster = Dagster(
            served, host, port, lambda text: told(f"dagster: {text}", loud=True), terminal.redact
        )
        asked.second = dagster.kill
        try:
            _serve(dagster, _address(host, port), asked, told)
        finally:
            told("stopping Dagster")
            dagster.stop()
    if asked.number is None:
        raise OutsideError(
            "Dagster ended by itself", found=f"exit code {dagster.ended}", hint=f"its log is {served.log}"
        )


class _Asked:
    """Whether the command was asked to stop; a second signal ends all at once."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.second: Callable[[], None] | None = None

    def ask(self, number: int, _: FrameType | None) -> None:
        """Note a signal."""
        if self.number is not None and self.second is not None:
            self.second()
        self.number = number


@contextmanager
def _signals() -> Iterator[_Asked]:
    """Within the block signals are noted. Outside of the main thread nothing changes."""
    asked = _Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, asked.ask) for number in _SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


class _Telling:
    """Lines to stderr; those that are not loud only if anyone wants to hear of progress."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._last = ""

    def __call__(self, text: str, *, loud: bool = False) -> None:
        from penstock.report.text import line

        if text != self._last and (loud or self._terminal.follows):
            self._last = text
            self._terminal.say([line(text)])


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - where to ask, not to listen
    return f"http://{shown}:{port}"


def _serve(dagster: Dagster, url: str, asked: _Asked, told: _Telling) -> None:
    """Say when the UI answers, and wait until somebody has enough of it."""
    from penstock.cli.dagster_graph import graph, limit_pools

    began = time.monotonic()
    found: Graph | None = None
    while asked.number is None and dagster.ended is None:
        if found is None and (found := graph(url)) is not None:
            for fault in found.faults:
                told(f"cannot be loaded: {fault}", loud=True)
            limit_pools(url, found.pools)
            waited_s = time.monotonic() - began
            assets = f"{found.assets} asset" + ("" if found.assets == 1 else "s")
            told(f"{url} shows {assets}, after {waited_s:.1f} s; Ctrl-C stops it")
        time.sleep(_POLL_S)
