"""`penstock invoke`: a plugin run by itself, or what it would be handed."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import UsageError, suggest
from penstock.schema.faults import either

if TYPE_CHECKING:
    from penstock.app.plugins import Entry, Plugins


class Dump(StrEnum):
    """What to print in place of running a plugin."""

    CONFIG = "config"
    CATALOG = "catalog"


def invoke(
    context: typer.Context,
    plugin: Annotated[
        str, typer.Argument(metavar="PLUGIN[:COMMAND]", help="A plugin, or one of its commands.")
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGUMENT...]", help="What it is given.")
    ] = None,
    dump: Annotated[
        Dump | None, typer.Option("--dump", help="Print what it would be handed, and do not run it.")
    ] = None,
    list_commands: Annotated[bool, typer.Option("--list-commands", help="List its commands.")] = False,
    refresh_catalog: Annotated[
        bool, typer.Option("--refresh-catalog", help="Ask the tap again what there is.")
    ] = False,
    unsafe: Annotated[bool, typer.Option("--unsafe", help="--dump config: show secrets.")] = False,
    plugin_type: Annotated[
        str | None, typer.Option("--plugin-type", metavar="KIND", help="extractor, loader, utility, mapper.")
    ] = None,
    project: options.Project = None,
    environment: options.Environment = None,
) -> None:
    """Run a plugin by itself, with its configuration; what follows its name is handed to it."""
    from penstock.cli.plugin_opening import plugins_of
    from penstock.cli.plugin_words import kind_and_names

    terminal: Terminal = context.obj
    name, _, command = plugin.partition(":")
    if dump is None and arguments and arguments[0].startswith("--dump="):
        word = arguments[0].removeprefix("--dump=")
        if word not in [*Dump]:
            raise UsageError(f"`{word}` cannot be printed", expected=either(Dump), hint=suggest(word, Dump))
        dump, unsafe = Dump(word), unsafe or "--unsafe" in arguments
    kind, _ = kind_and_names([name], plugin_type)
    plugins = plugins_of(terminal, project, environment)
    entry = plugins.entry(name, kind)
    if list_commands:
        _list(terminal, entry)
    elif dump is not None:
        _dump(terminal, plugins, entry, dump, unsafe=unsafe, refresh=refresh_catalog)
    else:
        raise typer.Exit(_run(plugins, entry, command or None, arguments or [], refresh=refresh_catalog))


def _list(terminal: Terminal, entry: Entry) -> None:
    from penstock.report.text import Span, clean, faint, grid, line, strong

    rows: list[list[str | Span]] = [
        [strong(f"{entry.name}:{name}"), command.args, faint(clean(command.description or ""))]
        for name, command in entry.plugin.commands.items()
    ]
    none = [line(faint(f"{entry.name} has no commands"))]
    terminal.answer(lambda: list(entry.plugin.commands), lambda: grid(rows, "lll", indent=0) or none)


def _dump(
    terminal: Terminal, plugins: Plugins, entry: Entry, dump: Dump, *, unsafe: bool, refresh: bool
) -> None:
    import json

    if dump is Dump.CONFIG:
        resolved = plugins.resolved(entry)
        document = resolved.config() if unsafe else resolved.shown()
    else:
        from penstock.app.plugin_trying import selected_catalog

        document = selected_catalog(plugins, entry, refresh=refresh).document()
    terminal.out_text(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")


def _run(plugins: Plugins, entry: Entry, command: str | None, arguments: list[str], *, refresh: bool) -> int:
    """Run a plugin on this terminal; returns its exit code."""
    from penstock.app.plugin_invoking import invoked

    return invoked(plugins, entry, command, arguments, refresh=refresh)
