"""The command line run in this process, and a session whose answers a test chooses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from scripted import Outcome, ScriptedSession

from penstock.cli import main

GOLDEN = Path(__file__).parent.parent / "golden" / "cli"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder of its own, and nothing of the developer's environment."""
    for name in [name for name in os.environ if name.startswith("PENSTOCK_")]:
        if name != "PENSTOCK_GOLDEN":
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def penstock(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command with the given arguments."""

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(arguments)
        caught = capsys.readouterr()
        return Outcome(code, caught.out, caught.err)

    return run


@pytest.fixture
def same() -> Callable[[str, str], None]:
    """Compare text with a golden file; PENSTOCK_GOLDEN=write makes it the new truth."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("PENSTOCK_GOLDEN") == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert text == path.read_text()

    return compare


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> ScriptedSession:
    """The session that the next command opens; `open` among its answers is raised instead."""
    scripted = ScriptedSession()
    module = ModuleType("penstock.app.session")

    def open_session(start: Path | None, environment: str | None) -> ScriptedSession:
        scripted.asked.append(("open", start, environment))
        if "open" in scripted.answers:
            raise scripted.answers["open"]
        return scripted

    module.open_session = open_session  # type: ignore[attr-defined]  # the seam that the commands use
    monkeypatch.setitem(sys.modules, "penstock.app.session", module)
    return scripted
