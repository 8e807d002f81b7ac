"""The commands, from the command line's own parser."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer
from penstock.cli.commands import app
from reference.markdown import code, fence, join, table

# Any: typer brings a copy of click whose classes have no public home.

INTRO = """
# Commands

What a command answers goes to standard output, everything else to standard error. `--json` prints one
JSON document instead of lines for people. `NO_COLOR` turns colours off. Every command returns one of
the [exit codes](errors.md#exit-codes).
"""


def page() -> str:
    """One section a command, in the order in which the help lists them."""
    root = typer.main.get_command(app)
    sections = [_section(command, name) for name, command in _commands(root, "penstock")]
    return join(INTRO, *sections)


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _section(command: Any, name: str) -> str:
    settings = app.info.context_settings or {}
    context = command.make_context(name, [], resilient_parsing=True, **settings)
    usage = f"{name} {' '.join(command.collect_usage_pieces(context))}"
    parameters = [p.get_help_record(context) for p in command.get_params(context)]
    rows = [(code(what.replace("\n", " ")), words) for what, words in filter(None, parameters)]
    return join(
        f"## {name}", _help(command.help or ""), fence(usage), table(("argument or option", "meaning"), rows)
    )


def _help(text: str) -> str:
    """The help of a command; what it marks as laid out by hand becomes a block of code."""
    blocks = inspect.cleandoc(text).split("\n\n")
    return join(*(fence(inspect.cleandoc(b[1:])) if b.startswith("\b") else b for b in blocks))
