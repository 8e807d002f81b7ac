"""dbt as a program: where it is told to build, how it is called, and what it says when it does not work."""

from __future__ import annotations

import json
import os
import re
import selectors
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from penstock.dbt.environment import find_dbt
from penstock.dbt.files import ProjectFile
from penstock.dbt.following import Follower
from penstock.dbt.manifest import Home
from penstock.dbt.profiles import FILE, TARGET, Output, limited, profile_text
from penstock.errors import OutsideError, RefusedError
from penstock.plugins.environment import Installed
from penstock.plugins.process import Running, start
from penstock.report.facts import Observer, Pause

# Any throughout: variables as a project file has them

_TOLD_LINES = 15
_BEAT_S = 0.25
_PIPELINE = "models"
_UNREACHED = re.compile(r"Database Error|IO Error|OperationalError")
_VARIABLES = frozenset({
    "build", "run", "test", "compile", "seed", "snapshot", "show", "parse", "ls", "list", "run-operation",
    "source", "docs", "retry",
})  # fmt: skip
# a run must not ask the network who uses it, nor colour what is read by a program
_QUIET = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
_JSON = (
    "--log-format", "json", "--log-format-file", "text", "--log-level", "debug", "--no-use-colors",
    "--no-quiet",
)  # fmt: skip


@dataclass(frozen=True)
class Setup:
    """How a dbt project is run. `output` is where it builds, `profiles` the folder of the user's profiles.

    `root` is Penstock's project, `home` where what dbt makes is kept, `plugins` where environments are.
    `near` is where Penstock's own tables are. `say` hears the installer, `redact` masks secrets.
    `limits` tells what DuckDB may use, when a profile is written.
    """

    file: ProjectFile
    root: Path
    home: Path
    plugins: Path
    output: Output
    near: Home = field(default_factory=Home)
    profiles: Path | None = None
    target: str | None = None
    dbt: str = "dbt-core"
    adapter: str | None = None
    python: str | None = None
    threads: int | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    say: Callable[[str], None] | None = field(default=None, repr=False)
    redact: Callable[[str], str] = field(default=str, repr=False)
    limits: Callable[[], Mapping[str, Any]] = field(default=dict, repr=False)


class Program:
    """dbt, called for one project."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.folder = setup.file.folder
        self.made = setup.home / "target"

    @cached_property
    def installed(self) -> Installed:
        """dbt with its adapter, installed if it is not yet."""
        setup = self.setup
        return find_dbt(
            setup.dbt,
            setup.adapter or setup.output.adapter,
            home=setup.plugins,
            root=setup.root,
            python=setup.python,
            say=setup.say,
        )

    def build(self, words: Sequence[str], follower: Follower) -> None:
        """One `dbt build`, which leaves results of each node. Raises: as `refusal` has it."""
        results = self.made / "run_results.json"
        results.unlink(missing_ok=True)
        with self._start("build", *words) as running:
            for line in _lines(running, follower.observe):
                follower.hear(line)
            code = running.wait()
            if not results.is_file():
                raise self.refusal(code, [*follower.complaints, *running.last_lines])

    def command(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """dbt's command line and variables for words of the user's own."""
        words = [*self.installed.command, *arguments]
        if _VARIABLES.intersection(arguments[:2]) and "--vars" not in arguments and self.setup.variables:
            words += ["--vars", json.dumps(dict(self.setup.variables))]
        target = {"DBT_TARGET": self._target} if self._target else {}
        return words, {**target, **self._env()}

    def _start(self, *words: str) -> Running:
        """dbt as a process of its own group, which does not outlive us."""
        command = [*self.installed.command, *_JSON, *words]
        if words != ("deps",):
            command += ["--target", self._target] if self._target else []
            command += ["--threads", str(self.setup.threads)] if self.setup.threads else []
        command += ["--vars", json.dumps(dict(self.setup.variables))] if self.setup.variables else []
        return start(command, env=self._env(), cwd=self.folder)

    def wait(self, *words: str) -> tuple[int, list[str]]:
        """Run dbt to its end: its exit code, and what it complained of."""
        follower = Follower((), _nobody, self.setup.redact)
        with self._start(*words) as running:
            for line in _lines(running, _nobody):
                follower.hear(line)
            code = running.wait()
            return code, [*follower.complaints, *map(self.setup.redact, running.last_lines)]

    def call(self, *words: str) -> None:
        """Run dbt, which must go well. Raises: as `refusal` has it."""
        code, said = self.wait(*words)
        if code != 0:
            raise self.refusal(code, said)

    @property
    def _target(self) -> str | None:
        return self.setup.target or (None if self.setup.profiles else TARGET)

    def generated(self) -> Path:
        """The folder with the profile for the destination, made if it is not there as it should be."""
        folder = self.setup.home / "profiles"
        output = limited(self.setup.output, self.setup.limits())
        text = profile_text(self.setup.file.profile, self.setup.target or TARGET, output)
        path = folder / FILE
        if not path.is_file() or path.read_text("utf-8") != text:
            write_whole(path, text)
        return folder

    def _env(self) -> dict[str, str]:
        """The variables of dbt's process: where things are, and the secrets of the profile."""
        setup = self.setup
        quiet = {k: v for k, v in _QUIET.items() if k not in os.environ}
        places = {
            "DBT_PROJECT_DIR": self.folder,
            "DBT_PROFILES_DIR": setup.profiles or self.generated(),
            "DBT_TARGET_PATH": self.made,
            "DBT_LOG_PATH": setup.home / "logs",
        }
        named = {name: str(path) for name, path in places.items()}
        return {**quiet, **setup.env, **named, **setup.output.env, **self.installed.env}

    def refusal(self, code: int, said: Sequence[str]) -> RefusedError | OutsideError:
        """Why dbt did not do what it was asked for: the project is wrong, something is out of reach, or
        dbt fell over."""
        lines = list(dict.fromkeys(self.setup.redact(line) for line in said if line.strip()))
        found = "\n    ".join(["", *"\n".join(lines[-_TOLD_LINES:]).splitlines()]) if lines else None
        log = self.setup.home / "logs" / "dbt.log"
        hint = f"dbt's own log is {log}" if log.is_file() else None
        if code < 0 or not lines:
            what = f"dbt was ended by signal {-code}" if code < 0 else f"dbt ended with exit code {code}"
            return OutsideError(what, where=self.shown, found=found, hint=hint)
        if any(_UNREACHED.search(line) for line in lines):
            return OutsideError("dbt cannot open the warehouse", where=self.shown, found=found, hint=hint)
        return RefusedError("dbt refuses the project", where=self.shown, found=found, hint=hint)

    @property
    def shown(self) -> str:
        """The folder of the dbt project, from the project on if it lies in there."""
        near = self.folder.is_relative_to(self.setup.root)
        return str(self.folder.relative_to(self.setup.root) if near else self.folder)


def _lines(running: Running, observe: Observer) -> Iterator[bytes]:
    """The lines of a process. While there are none, `observe` is told a few times a second: it may raise."""
    assert running.stdout is not None
    stream, rest = running.stdout.fileno(), b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(stream, selectors.EVENT_READ)
        while True:
            if not waiting.select(_BEAT_S):
                observe(Pause(_PIPELINE))
                continue
            block = os.read(stream, 1 << 16)
            *whole, rest = (rest + block).split(b"\n")
            yield from whole
            if not block:
                break
    if rest:
        yield rest


def write_whole(path: Path, text: str) -> None:
    """All of a file or nothing of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, "utf-8")
    part.replace(path)


def _nobody(event: object) -> None:
    """Hears nothing."""
