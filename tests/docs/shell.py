"""Runs a page: one shell from top to bottom, in an empty folder."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from page import Command, PageError, Script, Step, Written
from ruamel.yaml import YAML

PROGRESS = re.compile(r"^(?:[\w.-]+: (?:land|judge|keep|load): |build  \S).*\n", re.MULTILINE)
TIMEOUT_S = 120


class Shell:
    """A bash process that is fed one command after the other, and says where each ended."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.mark = f"-- end of command, {os.urandom(8).hex()}:"
        self.code = 0
        self.folder = folder

    def run(self, command: str) -> str:
        """What a command printed; its exit code is in `code`, the folder it left the shell in in `folder`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        group = f"{{\n(exit {self.code})\n{command}\n}} </dev/null"
        end = f'printf "\\n%s %s %s\\n" {shlex.quote(self.mark)} "$?" "$PWD"'
        self.process.stdin.write(f"{group}\n{end}\n".encode())
        self.process.stdin.flush()
        printed = b""
        while (row := self.process.stdout.readline()) and not row.startswith(self.mark.encode()):
            printed += row
        code, _, folder = row.decode().removeprefix(self.mark).strip().partition(" ")
        if not row:
            raise PageError(f"the shell ended in: {command}")
        self.code, self.folder = int(code), Path(folder)
        return printed.decode("utf-8", "backslashreplace").removesuffix("\n")

    def close(self) -> None:
        """End the shell."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=TIMEOUT_S)
        self.process.stdout.close()


def environment(home: Path) -> dict[str, str]:
    """The variables of a reader who has just installed Penstock, and nothing of the developer's."""
    ours = ("PENSTOCK_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "HOME": str(home), "TZ": "UTC"}


def play(steps: Sequence[Step], folder: Path, environ: Mapping[str, str]) -> list[tuple[Command, str, int]]:
    """Do what a page says; returns every command with what it printed and its exit code."""
    shell = Shell(folder, environ)
    said = []
    try:
        for step in steps:
            if isinstance(step, Written):
                write(shell.folder, step)
                continue
            text = step.text if isinstance(step, Command) else f"python - <<'PAGE'\n{step.text}PAGE"
            printed = PROGRESS.sub("", shell.run(text) + "\n").removesuffix("\n")
            command = step if isinstance(step, Command) else _as_command(step)
            said.append((command, printed, shell.code))
    finally:
        shell.close()
    return said


def _as_command(script: Script) -> Command:
    return Command(script.line, f"python script of line {script.line}", None, None)


def write(folder: Path, step: Written) -> None:
    """Write a file, or lay a block over a part of one."""
    path = folder / step.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if step.part is None:
        path.write_text(step.text, "utf-8")
        return
    yaml = YAML()
    whole, block = yaml.load(path.read_text("utf-8")), yaml.load(step.text)
    at: Any = whole  # Any: a tree of YAML
    for key in filter(None, step.part.split(".")):
        at = at.setdefault(key, {}) if at.get(key) is not None else at.__setitem__(key, {}) or at[key]
    lay_over(at, block)
    out = io.StringIO()
    yaml.dump(whole, out)
    path.write_text(out.getvalue(), "utf-8")


def lay_over(below: Any, above: Any) -> None:  # Any: trees of YAML
    """Put the keys of one mapping into another; mappings within are laid over each other."""
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            lay_over(below[key], value)
        else:
            below[key] = value
