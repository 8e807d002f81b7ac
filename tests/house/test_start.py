"""Starting costs little: nothing heavy is loaded before it is needed."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

HEAVY = {"duckdb", "pyarrow", "obstore", "numpy", "pandas", "dagster", "boto3", "dlt", "sqlglot"}


def loaded_by(code: str) -> set[str]:
    tail = "\nimport sys; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import penstock",
        "import penstock.cli",
        "from penstock.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass",
        "import penstock.app.session",
        "import penstock.plan, penstock.ledger, penstock.ports, penstock.project.load",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert not loaded_by(code) & HEAVY


def best_of(code: str, runs: int = 5) -> float:
    """The least CPU time of several runs: wall time depends on what else the machine does."""
    times = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def test_the_import_takes_at_most_150_ms_more_than_python_itself() -> None:
    assert best_of("import penstock") - best_of("pass") < 0.150


def test_help_takes_at_most_250_ms_more_than_python_itself() -> None:
    code = "from penstock.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    assert best_of(code) - best_of("pass") < 0.250
