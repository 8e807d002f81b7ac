"""What the command line says of itself, and what it costs to ask."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from scripted import Outcome

from penstock.version import __version__

COMMANDS = [
    "", "init", "generate", "check", "plan", "run", "build", "status", "show", "docs", "rebuild", "drop",
    "quarantine", "schema", "schema export", "schema import", "schema history", "schema diff", "schema align",
    "quarantine list", "quarantine show", "quarantine export", "quarantine replay",
    "add", "install", "remove", "config", "select", "invoke", "dbt", "adopt", "state", "job", "schedule",
    "dev", "state list", "state get", "state set", "state merge", "state clear", "state copy", "state move",
    "state export", "state import", "job add", "job set", "job list", "job remove", "schedule add",
    "schedule set", "schedule list", "schedule run", "schedule remove", "el",
]  # fmt: skip
HEAVY = ("duckdb", "pyarrow", "pydantic", "ruamel", "rich", "obstore", "msgspec", "numpy", "sqlglot")


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, penstock: Callable[..., Outcome], same: Callable[[str, str], None]) -> None:
    told = penstock(*command.split(), "--help")
    assert (told.code, told.err) == (0, "")
    same("_".join(["help", *command.split()]), told.out)


def test_short_help_and_no_arguments_say_the_same(penstock: Callable[..., Outcome]) -> None:
    assert penstock("-h") == penstock("--help") == penstock()
    assert penstock("quarantine") == penstock("quarantine", "-h")


def test_version(penstock: Callable[..., Outcome]) -> None:
    assert penstock("--version") == Outcome(0, f"penstock {__version__}\n", "")


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from penstock.cli import main; code = main(['--help']); "
        f"sys.exit(str(sorted(set(sys.modules) & set({HEAVY!r}))) if code == 0 else 'failed')"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stderr.strip() == "[]"
    assert "generate" in run.stdout


def test_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "penstock", "--version"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"penstock {__version__}\n", "")
