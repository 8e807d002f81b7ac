"""Where plugins live on this machine: a virtual environment for each, made once and found again.

Below `home` (`.penstock/plugins` of a project) each plugin has `<kind>/<name>/venv-<digest>`, the digest of
what it is made from, so that two definitions of one name do not take each other's environment away while it
is in use. What was installed is noted in the environment as the last act of making it, so one that was left
half-made is known, and made anew. The exact versions go to `plugins/<kind>/<name>.lock.txt` of the project, a
constraints file that the next machine's installation obeys.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path

from penstock.errors import NotFoundError, ProjectError, RefusedError, StoreError, suggest
from penstock.plugins.installer import Installer, find_installer
from penstock.plugins.turn import turn
from penstock.singer.definition import Plugin

# plugins of the years before import pkg_resources, which newer ones do not have
OLD_PARTS = "setuptools<81"
NOTE = "penstock.json"
_EDITION = 1
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


@dataclass(frozen=True, slots=True)
class Installed:
    """A plugin that can be started: `command` is its program, and arguments that come first.

    `python` and `venv` are None for a plugin that is a command of this machine. `version` is that of the
    package that brought the program, and `packages` are all of the environment, name to version.
    """

    plugin: Plugin
    command: tuple[str, ...]
    python: Path | None = None
    venv: Path | None = None
    version: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def executable(self) -> Path:
        """The program that is started."""
        return Path(self.command[0])

    @property
    def env(self) -> dict[str, str]:
        """What the process needs in its environment, beside what the project says."""
        if self.venv is None:
            return {}
        path = os.environ.get("PATH", os.defpath)
        return {"PATH": f"{self.venv / 'bin'}{os.pathsep}{path}", "VIRTUAL_ENV": str(self.venv)}


@dataclass(frozen=True, slots=True)
class Wish:
    """How to install: `force` makes the environment anew, `upgrade` forgets the versions in the lock file.

    `env` fills `$NAME` in a `pip_url`; `say` is told each line of the installer; `installer` is uv, or pip
    where there is no uv. Units: `patience_s` is how long to wait for another installation.
    """

    force: bool = False
    upgrade: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    say: Callable[[str], None] | None = None
    installer: Installer | None = None
    patience_s: float = 900.0


def install(plugin: Plugin, home: Path, project: Path | None = None, wish: Wish | None = None) -> Installed:
    """The plugin, installed if it is not yet; a plugin without a `pip_url` is looked for.

    Installations of one plugin wait for each other. `project` is the folder that relative paths start
    from: the one that holds `.penstock`, if not given.
    Raises: OutsideError with the last lines of the installer; RefusedError when what was installed has
    no such program; NotFoundError for a command that is not there; LockHeldError after `patience_s`;
    StoreError where nothing can be written.
    """
    wish = wish or Wish()
    root = project or home.parent.parent
    if plugin.pip_url is None:
        return found(plugin, root)
    packages = _packages(plugin, root, wish.env)
    place = _place(plugin, home)
    wanted = _fingerprint(plugin, packages)
    venv = _venv(place, wanted)
    anew = wish.force or wish.upgrade
    present = None if anew else _present(plugin, venv, wanted)
    if present is not None:
        return present
    try:
        with turn(place.with_name(place.name + ".lock"), f"`{plugin.name}`", wish.patience_s):
            if anew:
                shutil.rmtree(place, ignore_errors=True)
            present = _present(plugin, venv, wanted)  # another process may have made it meanwhile
            return present or _make(plugin, venv, packages, wanted, wish, lock_file(plugin, root))
    except OSError as error:
        raise StoreError(
            f"there is no place to install `{plugin.name}`",
            where=str(error.filename or place),
            found=error.strerror or str(error),
            hint="free some space there, or give this user write permission on the folder",
        ) from error


def installed(
    plugin: Plugin, home: Path, project: Path | None = None, env: Mapping[str, str] | None = None
) -> Installed | None:
    """The plugin if it is installed as its definition wants it, else None. Nothing is installed.

    `env` fills `$NAME` in a `pip_url`, as a `Wish` does.
    """
    root = project or home.parent.parent
    if plugin.pip_url is None:
        try:
            return found(plugin, root)
        except NotFoundError:
            return None
    wanted = _fingerprint(plugin, _packages(plugin, root, env or {}))
    return _present(plugin, _venv(_place(plugin, home), wanted), wanted)


def uninstall(plugin: Plugin, home: Path) -> bool:
    """Take the plugin's environments away; whether there was one. The lock file of versions stays."""
    place = _place(plugin, home)
    with turn(place.with_name(place.name + ".lock"), f"`{plugin.name}`", Wish().patience_s):
        there = place.is_dir()
        shutil.rmtree(place, ignore_errors=True)
    return there


def _place(plugin: Plugin, home: Path) -> Path:
    """The plugin's folder, links resolved: an environment cannot be moved, so several may share one home."""
    return home.resolve() / plugin.kind.value / plugin.name


def _venv(place: Path, wanted: str) -> Path:
    return place / f"venv-{wanted[:10]}"


def found(plugin: Plugin, root: Path) -> Installed:
    """A plugin that is a command: a path from `root` on, or a name on the PATH, with its arguments.

    Raises: NotFoundError.
    """
    words = shlex.split(plugin.command)
    if not words:
        raise NotFoundError(
            f"the plugin `{plugin.name}` has no command", expected="`executable` or `pip_url`"
        )
    path = root / Path(words[0]).expanduser()
    program = str(path) if path.is_file() else shutil.which(words[0])
    if program is None:
        raise NotFoundError(
            f"the program of the plugin `{plugin.name}` is not there",
            found=words[0],
            expected="a file of the project, or a command on the PATH",
            hint=f"to install it, give `{plugin.name}` a `pip_url`",
        )
    own = (sys.executable, program) if program.endswith(".py") and not os.access(program, os.X_OK) else ()
    return Installed(plugin, (*(own or (program,)), *words[1:]))


def lock_file(plugin: Plugin, root: Path) -> Path:
    """Where the exact versions of a plugin's packages are written down."""
    return root / "plugins" / plugin.kind.value / f"{plugin.name}.lock.txt"


# ------------------------------------------------------------------------------------- making


def _make(
    plugin: Plugin,
    venv: Path,
    packages: list[str],
    wanted: str,
    wish: Wish,
    lock: Path,
) -> Installed:
    """Make the environment; whatever was there goes first, and the note comes last."""
    kept = None if wish.upgrade or not _agrees(lock, wanted) else lock
    shutil.rmtree(venv, ignore_errors=True)
    venv.parent.mkdir(parents=True, exist_ok=True)
    installer = wish.installer or find_installer()
    installer.create(venv, plugin.python, wish.say)
    installer.install(venv, [OLD_PARTS], None, wish.say)
    installer.install(venv, packages, kept, wish.say)
    versions = _versions(venv)
    program, version = _program(plugin, venv)
    _write(lock, _lock_text(plugin, wanted, versions))
    note = {"wanted": wanted, "program": program, "version": version, "packages": versions}
    _write(venv / NOTE, json.dumps(note, indent=1))
    return _installed(plugin, venv, note)


def _present(plugin: Plugin, venv: Path, wanted: str) -> Installed | None:
    """The plugin in an environment that is whole and made from the same packages, else None."""
    try:
        note = json.loads((venv / NOTE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    whole = note.get("wanted") == wanted and (venv / "bin" / str(note.get("program"))).is_file()
    python = venv / "bin" / "python"
    return _installed(plugin, venv, note) if whole and python.exists() else None


def _installed(plugin: Plugin, venv: Path, note: Mapping[str, object]) -> Installed:
    packages = note["packages"]
    assert isinstance(packages, dict)
    return Installed(
        plugin,
        (str(venv / "bin" / str(note["program"])), *shlex.split(plugin.command)[1:]),
        venv / "bin" / "python",
        venv,
        str(note["version"]) if note["version"] else None,
        packages,
    )


def _program(plugin: Plugin, venv: Path) -> tuple[str, str | None]:
    """The program of the plugin in its environment, and the version of the package that brought it."""
    wanted = shlex.split(plugin.command)[0]
    scripts: dict[str, str] = {}
    for package in distributions(path=_site(venv)):
        for entry in package.entry_points:
            if entry.group == "console_scripts":
                scripts[entry.name] = package.version
    likely = [name for name in scripts if re.match(r"(tap|target)-", name)]
    if wanted not in scripts and plugin.executable is None and len(likely) == 1:
        wanted = likely[0]
    if not (venv / "bin" / wanted).is_file():
        raise RefusedError(
            f"what was installed for `{plugin.name}` has no program `{wanted}`",
            found=", ".join(sorted(scripts)) or "no programs at all",
            expected="`executable` to name one of them",
            hint=suggest(wanted, scripts),
        )
    return wanted, scripts.get(wanted)


def _site(venv: Path) -> list[str]:
    return [str(p) for p in (venv / "lib").glob("python*/site-packages")]


def _versions(venv: Path) -> dict[str, str]:
    found = {
        str(d.metadata["Name"]).lower().replace("_", "-"): d.version for d in distributions(path=_site(venv))
    }
    return dict(sorted(found.items()))


# --------------------------------------------------------------------------- what is wanted


def _packages(plugin: Plugin, root: Path, env: Mapping[str, str]) -> list[str]:
    """The packages of a `pip_url`, variables filled in, paths of the project made absolute."""
    text = plugin.pip_url or ""
    unset: list[str] = []

    def filled(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        value = env.get(name, os.environ.get(name))
        if value is None:
            unset.append(name)
        return value or ""

    words = shlex.split(_VARIABLE.sub(filled, text))
    if unset or not words:
        raise ProjectError(
            f"the `pip_url` of `{plugin.name}` is not complete",
            found=f"the variable `{unset[0]}` is not set" if unset else "nothing",
            expected="a package's name, a `git+https` address or a path",
        )
    return [_absolute(word, root) for word in words]


def _absolute(word: str, root: Path) -> str:
    """A path as an absolute one; `name[extra]` keeps its extra, everything else is as it was."""
    path, bracket, extra = word.partition("[")
    plain = "://" not in path and "@" not in path
    if not path.startswith((".", "/", "~")) and not (plain and ("/" in path or (root / path).is_file())):
        return word
    return str((root / Path(path).expanduser()).resolve()) + bracket + extra


def _fingerprint(plugin: Plugin, packages: list[str]) -> str:
    wanted = [_EDITION, packages, plugin.python, shlex.split(plugin.command)[0]]
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()


# --------------------------------------------------------------------------------- the files


def _lock_text(plugin: Plugin, wanted: str, versions: Mapping[str, str]) -> str:
    head = f"# what was installed for {plugin.name}\n# wanted: {wanted}\n"
    return head + "".join(f"{name}=={version}\n" for name, version in versions.items())


def _agrees(lock: Path, wanted: str) -> bool:
    """Whether a lock file is there and was written for the same packages."""
    try:
        return f"# wanted: {wanted}\n" in lock.read_text("utf-8")
    except OSError:
        return False


def _write(path: Path, text: str) -> None:
    """All of a file or nothing of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, "utf-8")
    part.replace(path)
