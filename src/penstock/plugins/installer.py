"""Makes virtual environments and installs packages into them: with uv, or with venv and pip."""

from __future__ import annotations

import re
import shutil
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from penstock.errors import OutsideError
from penstock.plugins.process import start

Say = Callable[[str], None] | None
_TOLD = 15
_USERINFO = re.compile(r"://[^/\s@]+@")


class Installer(Protocol):
    """What makes environments."""

    def create(self, venv: Path, python: str | None, say: Say) -> None:
        """A new environment at `venv`, of a Python by version or path, or of our own.

        Raises: OutsideError.
        """
        ...

    def install(self, venv: Path, packages: Sequence[str], constraints: Path | None, say: Say) -> None:
        """Packages into the environment. Raises: OutsideError with the installer's last lines."""
        ...


@dataclass(frozen=True, slots=True)
class Uv:
    """The installer uv. `program` is its binary."""

    program: Path

    def create(self, venv: Path, python: str | None, say: Say) -> None:
        """A new environment; uv may fetch a Python that is not on this machine."""
        _run([self.program, "venv", "--no-project", "--python", python or sys.executable, venv], venv, say)

    def install(self, venv: Path, packages: Sequence[str], constraints: Path | None, say: Say) -> None:
        """Packages into the environment."""
        limits = ["--constraint", str(constraints)] if constraints else []
        python = venv / "bin" / "python"
        _run([self.program, "pip", "install", "--python", python, *limits, *packages], venv, say)


@dataclass(frozen=True, slots=True)
class Pip:
    """The standard library's venv, and the pip that it brings."""

    def create(self, venv: Path, python: str | None, say: Say) -> None:
        """A new environment; a Python that is asked for by version must be on the PATH."""
        wanted = python or sys.executable
        program = wanted if "/" in wanted else shutil.which(f"python{wanted.removeprefix('python')}")
        if program is None:
            hint = "install it, or install uv, which fetches Pythons: pip install 'penstock[singer]'"
            raise OutsideError(f"there is no Python `{wanted}` on this machine", hint=hint)
        _run([program, "-m", "venv", venv], venv, say)

    def install(self, venv: Path, packages: Sequence[str], constraints: Path | None, say: Say) -> None:
        """Packages into the environment."""
        limits = ["--constraint", str(constraints)] if constraints else []
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
        _run([*pip, *limits, *packages], venv, say)


def find_installer() -> Installer:
    """uv if its package is installed or it is on the PATH, else venv and pip."""
    try:
        from uv import find_uv_bin
    except ModuleNotFoundError:
        program = shutil.which("uv")
        return Uv(Path(program)) if program else Pip()
    return Uv(Path(find_uv_bin()))


def _run(command: Sequence[str | Path], venv: Path, say: Say) -> None:
    """Run to the end. Raises: OutsideError with what was said last."""
    said: deque[str] = deque(maxlen=_TOLD)

    def hear(line: str) -> None:
        said.append(_USERINFO.sub("://***@", line))
        if say is not None:
            say(said[-1])

    with start(command, cwd=venv.parent, env={"PYTHONUNBUFFERED": "1"}, on_stderr=hear) as running:
        assert running.stdout is not None
        for line in running.stdout:
            hear(line.decode("utf-8", "replace").rstrip())
        code = running.wait()
    if code != 0:
        name = f"`{venv.parent.name}`"
        raise OutsideError(
            f"{name} could not be installed",
            where=f"`{running.name}` ended with exit code {code}",
            found="\n    ".join(["", *said]).rstrip() or "it said nothing",
            hint="is the package index reachable, and is the `pip_url` right?",
        )
