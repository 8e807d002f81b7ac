"""A plugin run by itself, on the streams of whoever asked."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from penstock.app.plugin_trying import selected_catalog, takes_catalog
from penstock.app.plugins import Entry, Plugins
from penstock.errors import NotFoundError, ProjectError, suggest
from penstock.plugins.environment import Installed
from penstock.plugins.handed import hand, private_folder
from penstock.schema.faults import either
from penstock.singer.definition import Command, PluginKind
from penstock.singer.settings import Resolved, expand

_STDERR = 2
_ALONE = frozenset({"--help", "-h", "--version", "--about"})
_WITHOUT_CATALOG = frozenset({"--discover", "-d", "--catalog", "--properties", "--test"})


def invoked(
    plugins: Plugins,
    entry: Entry,
    command: str | None,
    arguments: Sequence[str],
    *,
    refresh: bool = False,
    aside: bool = False,
) -> int:
    """Run a plugin, or a command of it, with what a run would hand it; returns its exit code.

    Taps and targets are given their configuration as a file that nobody else can read, taps their catalog
    too; other plugins find their settings among their variables. `aside` sends what it prints to stderr.
    Raises: ProjectError for a command that the plugin does not have.
    """
    found = plugins.install(entry)
    entry = plugins.entry(entry.name, entry.kind)  # it may have said more of itself
    resolved = plugins.resolved(entry)
    env = {**os.environ, **plugins.process_env(entry, resolved), **found.env}
    with private_folder() as folder:
        words = [*found.command]
        if command is not None:
            said = command_of(entry, command)
            if said.executable:
                words = [_beside(found, said.executable)]
            words += [str(expand(word, env)) for word in shlex.split(said.args)]
        elif entry.kind in (PluginKind.EXTRACTORS, PluginKind.LOADERS) and not _ALONE & set(arguments):
            words += _handed(plugins, entry, resolved, arguments, folder, refresh=refresh)
        try:
            given = [*words, *arguments]
            out = _STDERR if aside else None
            return subprocess.run(given, env=env, cwd=plugins.root, stdout=out, check=False).returncode
        except FileNotFoundError as error:
            raise NotFoundError(f"the program of `{entry.name}` is not there", where=words[0]) from error


def command_of(entry: Entry, name: str) -> Command:
    """A command of a plugin. Raises: ProjectError for one that it does not have."""
    commands = entry.plugin.commands
    if name not in commands:
        raise ProjectError(
            f"`{entry.name}` has no command `{name}`",
            expected=either(commands) if commands else None,
            hint=suggest(name, commands),
        )
    return commands[name]


def _handed(
    plugins: Plugins,
    entry: Entry,
    resolved: Resolved,
    arguments: Sequence[str],
    folder: Path,
    *,
    refresh: bool,
) -> list[str]:
    """The files that a tap or target is handed, as arguments."""
    config = None if "--config" in arguments else resolved.config()
    catalog = None
    wants = entry.kind is PluginKind.EXTRACTORS and not _WITHOUT_CATALOG & set(arguments)
    if wants and takes_catalog(entry.plugin):
        catalog = selected_catalog(plugins, entry, refresh=refresh).document()
    return hand(folder, config, plugin=entry.plugin, catalog=catalog)  # type: ignore[arg-type]  # None is left out


def _beside(found: Installed, program: str) -> str:
    """A program of the plugin's own environment, else one by its name."""
    place = found.venv / "bin" / program if found.venv else Path(program)
    return str(place) if place.is_file() else program
