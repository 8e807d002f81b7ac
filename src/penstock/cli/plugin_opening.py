"""Opening the project for a command about plugins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.cli.terminal import Terminal

if TYPE_CHECKING:
    from penstock.app.plugin_writes import Writer
    from penstock.app.plugins import Plugins


def plugins_of(terminal: Terminal, project: Path | None, environment: str | None) -> Plugins:
    """The plugins of the project, with an environment applied (the default one if none is named)."""
    from penstock.app.files import load_project
    from penstock.app.plugins import Plugins
    from penstock.report.text import faint, line

    loaded = load_project(project, environment)
    plugins = Plugins(loaded, os.environ)
    terminal.redact = plugins.redact
    if not terminal.quiet:
        terminal.say([line(faint(f"note: {note}")) for note in loaded.notes])
    return plugins


def writer_of(terminal: Terminal, project: Path | None, environment: str | None) -> Writer:
    """The same for a command that changes settings: no default environment, as Meltano has it."""
    from penstock.app.plugin_writes import Writer

    chosen = environment or os.environ.get("MELTANO_ENVIRONMENT") or None
    return Writer(plugins_of(terminal, project, chosen or ""), chosen)
