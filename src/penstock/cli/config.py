"""`penstock config`: the settings of plugins, in the words of Meltano 3 and of Meltano 4."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import UsageError

if TYPE_CHECKING:
    from penstock.app.plugin_writes import Writer, Written
    from penstock.app.plugins import Entry
    from penstock.cli.plugin_words import ConfigWords
    from penstock.report.text import Line

# Any throughout: the values of settings


class Store(StrEnum):
    """Where a value is to be written."""

    AUTO = "auto"
    DOTENV = "dotenv"
    PROJECT = "project"
    MELTANO_YML = "meltano-yml"


class Format(StrEnum):
    """How a configuration is printed."""

    JSON = "json"
    ENV = "env"


HELP = """Show, change and test the settings of a plugin.

penstock config PLUGIN set NAME VALUE, or penstock config set PLUGIN NAME VALUE; the same for list, print,
unset, reset and test. Secrets are written to .env, all else to the project file.
"""


def config(
    context: typer.Context,
    words: Annotated[
        list[str], typer.Argument(metavar="PLUGIN list|print|set|unset|reset|test [NAME] [VALUE]")
    ],
    interactive: Annotated[bool, typer.Option("--interactive", help="set: ask for the values.")] = False,
    from_file: Annotated[
        Path | None, typer.Option("--from-file", metavar="FILE", help="set: the value is what a file holds.")
    ] = None,
    store: Annotated[Store, typer.Option("--store", help="set: where to write it.")] = Store.AUTO,
    everything: Annotated[bool, typer.Option("--all", help="list: what is not set, too.")] = False,
    only: Annotated[
        str | None, typer.Option("--filter", metavar="GLOB", help="list: only such settings.")
    ] = None,
    extras: Annotated[bool, typer.Option("--extras", help="list, print: select, metadata and such.")] = False,
    form: Annotated[Format, typer.Option("--format", help="print: as JSON or as variables.")] = Format.JSON,
    unsafe: Annotated[bool, typer.Option("--unsafe", help="list, print: show secrets.")] = False,
    plugin_type: Annotated[
        str | None, typer.Option("--plugin-type", metavar="KIND", help="extractor, loader, utility, mapper.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="reset: do not ask.")] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Show, change and test the settings of a plugin."""
    from penstock.cli.plugin_opening import writer_of
    from penstock.cli.plugin_words import config_words, kind_and_names

    terminal: Terminal = context.obj
    terminal.json = json
    asked = config_words(words)
    kind, _ = kind_and_names([asked.plugin], plugin_type)
    writer = writer_of(terminal, project, environment)
    entry = writer.plugins.known(writer.plugins.entry(asked.plugin, kind))
    if asked.verb == "set":
        _set(terminal, writer, entry, asked, store, interactive=interactive, from_file=from_file)
    elif asked.verb == "unset":
        _unset(terminal, writer, entry, asked)
    elif asked.verb == "reset":
        if terminal.interactive and not yes:
            terminal.confirm(f"Forget all settings of {entry.name}?")
        _tell_gone(terminal, entry, writer.reset(entry))
    elif asked.verb == "test":
        _test(terminal, writer, entry)
    elif asked.verb == "list":
        _list(terminal, writer, entry, everything=everything, only=only, extras=extras, unsafe=unsafe)
    else:
        _print(terminal, writer, entry, form, extras=extras, unsafe=unsafe)


# -------------------------------------------------------------------------------------- changing


def _set(
    terminal: Terminal,
    writer: Writer,
    entry: Entry,
    asked: ConfigWords,
    store: Store,
    *,
    interactive: bool,
    from_file: Path | None,
) -> None:
    from penstock.singer.settings import Place

    place = {Store.DOTENV: Place.DOTENV, Store.PROJECT: Place.PROJECT, Store.MELTANO_YML: Place.PROJECT}
    if interactive:
        from penstock.cli.config_prompt import ask_settings

        ask_settings(terminal, writer, entry, asked.rest[0] if asked.rest else None)
        return
    words = [*asked.rest]
    if from_file is not None:
        words.append(_text_of(from_file))
    if len(words) < 2:
        raise UsageError(
            "a setting needs a name and a value" if not words else f"`{words[0]}` is given no value",
            expected=f"`penstock config {entry.name} set NAME VALUE`",
            hint=f"`penstock config {entry.name} set --interactive` asks for the values",
        )
    *path, value = words
    name = ".".join(path)
    written = writer.set(entry, name, value, place.get(store))
    _tell_set(terminal, entry, name, written)


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8").removesuffix("\n")
    except OSError as error:
        raise UsageError("the file cannot be read", where=str(path), found=error.strerror) from error


def _tell_set(terminal: Terminal, entry: Entry, name: str, written: Written) -> None:
    from penstock.report.text import good, line

    terminal.say([line(good(f"set {name}"), f" of {entry.name}: {written.file}, {written.key}")])
    declared = entry.plugin.settings
    if declared and not name.startswith("_") and entry.plugin.setting(name.split(".")[0]) is None:
        from penstock.errors import suggest

        close = suggest(name, (s.name for s in declared))
        what = f"{entry.name} does not declare `{name}`; it is passed on as it is"
        terminal.say([line(f"note: {what}" + (f" ({close})" if close else ""))])


def _unset(terminal: Terminal, writer: Writer, entry: Entry, asked: ConfigWords) -> None:
    if not asked.rest:
        raise UsageError(
            "it is not said which setting", expected=f"`penstock config {entry.name} unset NAME`"
        )
    _tell_gone(terminal, entry, writer.unset(entry, ".".join(asked.rest)))


def _tell_gone(terminal: Terminal, entry: Entry, gone: list[Written]) -> None:
    from penstock.report.text import faint, good, line

    if not gone:
        terminal.say([line(faint(f"nothing of {entry.name} was set there"))])
    terminal.say([line(good(f"unset {w.key}"), f" of {entry.name}: {w.file}") for w in gone])


# --------------------------------------------------------------------------------------- looking


def _print(
    terminal: Terminal, writer: Writer, entry: Entry, form: Format, *, extras: bool, unsafe: bool
) -> None:
    import json

    from penstock.singer.settings import env_name, flatten

    resolved = writer.plugins.resolved(entry)
    shown = resolved.config() if unsafe else resolved.shown()
    if extras:
        shown = {f"_{name}": value for name, value in resolved.extras().items() if value is not None}
    if form is Format.ENV:
        rows = [f"{env_name(entry.name, name)}={_shell(value)}" for name, value in flatten(shown).items()]
        terminal.out_text("".join(f"{row}\n" for row in rows))
    else:
        terminal.out_text(json.dumps(shown, indent=2, ensure_ascii=False, default=str) + "\n")


def _shell(value: Any) -> str:
    import json
    import shlex

    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return shlex.quote(text)


def _list(
    terminal: Terminal,
    writer: Writer,
    entry: Entry,
    *,
    everything: bool,
    only: str | None,
    extras: bool,
    unsafe: bool,
) -> None:
    from penstock.app.plugins import EXTRAS
    from penstock.singer.settings import MASK, env_name

    resolved = writer.plugins.resolved(entry)
    declared = EXTRAS if extras else entry.plugin.settings
    names = dict.fromkeys([*(s.name for s in declared), *resolved.values])
    rows = []
    for name in names:
        value = resolved.values.get(name)
        is_set = value is not None and value.value is not None
        if name.startswith("_") is not extras or not fnmatch(name, only or "*"):
            continue
        if not (is_set or everything or len(declared) <= _FEW):
            continue
        setting = next((s for s in declared if s.name == name), None)
        shown = value.value if value is not None and (unsafe or not value.secret) else MASK
        rows.append(
            {
                "name": name,
                "env": (setting.env if setting else None) or env_name(entry.name, name),
                "kind": setting.kind.value if setting else None,
                "value": shown if is_set else None,
                "from": str(value.origin) if value is not None and is_set else None,
                "label": setting.label if setting else None,
                "description": setting.description if setting else None,
                "required": bool(setting and setting.required),
            }
        )
    terminal.answer(lambda: rows, lambda: _lines(rows, len(names), entry, everything=everything), data=unsafe)


_FEW = 12


def _lines(rows: list[dict[str, Any]], known: int, entry: Entry, *, everything: bool) -> list[Line]:
    import json

    from penstock.report.text import clean, faint, line, strong

    found = []
    for row in rows:
        value = row["value"]
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        said = f" = {clean(text)}" if value is not None else " is not set"
        origin = f" ({row['from']})" if row["from"] else " (required)" if row["required"] else ""
        found.append(line(strong(row["name"]), said, faint(f"{origin}  {row['env']}")))
        if row["description"]:
            found.append(line(faint(f"  {clean(row['description'].splitlines()[0])}")))
    if not rows:
        found.append(line(faint(f"nothing of {entry.name} is set")))
    if len(rows) < known and not everything:
        found.append(line(faint("--all lists what is not set, too")))
    return found


def _test(terminal: Terminal, writer: Writer, entry: Entry) -> None:
    from penstock.app.plugin_trying import try_plugin
    from penstock.report.text import good, line

    try_plugin(writer.plugins, entry)
    terminal.say([line(good(f"{entry.name} works with this configuration"))])
