"""`penstock add`, `install` and `remove`: the plugins of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import UsageError

if TYPE_CHECKING:
    from penstock.app.plugin_adding import Wanted
    from penstock.app.plugins import Entry, Plugins

KindOption = Annotated[
    str | None,
    typer.Option("--plugin-type", metavar="KIND", help="extractor, loader, utility or mapper."),
]


def add(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(metavar="[KIND] NAME...", help="Plugins, such as tap-github or extractor tap-github."),
    ],
    plugin_type: KindOption = None,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="Whose plugin of that name.")
    ] = None,
    called: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Another name for it in this project.")
    ] = None,
    inherit_from: Annotated[
        str | None, typer.Option("--inherit-from", metavar="PLUGIN", help="Begin with what another one has.")
    ] = None,
    from_ref: Annotated[
        str | None,
        typer.Option("--from-ref", metavar="PLACE", help="A file or URL that has the plugin's definition."),
    ] = None,
    custom: Annotated[bool, typer.Option("--custom", help="Ask what the plugin is.")] = False,
    pip_url: Annotated[
        str | None, typer.Option("--pip-url", metavar="PACKAGES", help="What to install it from.")
    ] = None,
    executable: Annotated[
        str | None, typer.Option("--executable", metavar="PROGRAM", help="The program to start.")
    ] = None,
    python: Annotated[
        str | None, typer.Option("--python", metavar="PYTHON", help="The Python to install it with.")
    ] = None,
    install: Annotated[bool, typer.Option("--install/--no-install", help="Install it now.")] = True,
    force_install: Annotated[bool, typer.Option("--force-install", help="Install it anew.")] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    quiet: options.Quiet = False,
) -> None:
    """Add Singer taps, targets and other plugins to the project."""
    from penstock.app.plugin_adding import Wanted, definition_at, entry_of
    from penstock.cli.plugin_opening import plugins_of, writer_of
    from penstock.cli.plugin_words import kind_and_names
    from penstock.report.text import good, line

    terminal: Terminal = context.obj
    terminal.quiet = quiet
    kind, wanted = kind_and_names(names, plugin_type)
    if len(wanted) > 1 and (called or from_ref or custom or pip_url or executable or inherit_from):
        raise UsageError("these options are for one plugin", found=", ".join(wanted))
    writer = writer_of(terminal, project, "")
    for name in wanted:
        definition = definition_at(from_ref, kind) if from_ref else None
        asked = Wanted(
            name, kind, variant, called, inherit_from, pip_url, executable, None, python, definition
        )
        known = {p.name for k, p in writer.plugins.loaded.project.plugins.all()}
        if (called or name) in known:
            terminal.say([line(f"`{called or name}` is in the project already")])
        else:
            if custom:
                asked = _asked(terminal, asked)
            found, entry = entry_of(asked, writer.plugins.loaded.project.plugins)
            written = writer.add(found, entry)
            said = f" to {written.file}" + (f", variant {entry['variant']}" if entry.get("variant") else "")
            terminal.say([line(good(f"added {found.singular} {entry['name']}"), said)])
        writer = writer_of(terminal, project, "")
    if install or force_install:
        plugins = plugins_of(terminal, project, environment)
        _install(terminal, plugins, [plugins.entry(called or name) for name in wanted], force=force_install)


def _asked(terminal: Terminal, wanted: Wanted) -> Wanted:
    """The plugin with what a person answers: namespace, what to install, program, abilities, settings."""
    from dataclasses import replace

    from penstock.cli.prompt import prompt

    name = wanted.called or wanted.name
    namespace = prompt(terminal, f"namespace [{name.replace('-', '_')}]")
    pip_url = wanted.pip_url or prompt(terminal, f"pip_url [{name}]")
    executable = wanted.executable or prompt(terminal, f"executable [{name}]")
    abilities = prompt(terminal, "capabilities, with commas []") or ""
    settings = prompt(terminal, "settings, with commas, as name or name:kind []") or ""
    definition: dict[str, Any] = {"name": name}  # Any: as the project file has it
    if namespace:
        definition["namespace"] = namespace
    definition["pip_url"] = None if pip_url in ("n", "-") else pip_url or name
    definition["executable"] = None if executable in ("n", "-") else executable
    definition["capabilities"] = [part.strip() for part in abilities.split(",") if part.strip()]
    definition["settings"] = [_setting(part.strip()) for part in settings.split(",") if part.strip()]
    return replace(wanted, definition={k: v for k, v in definition.items() if v})


def _setting(text: str) -> dict[str, str]:
    name, _, kind = text.partition(":")
    return {"name": name, **({"kind": kind} if kind else {})}


def install(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KIND] [NAME...]", help="Plugins, or all of a kind; else all.", show_default=False
        ),
    ] = None,
    plugin_type: KindOption = None,
    force: Annotated[bool, typer.Option("--force", "--clean", help="Make the environments anew.")] = False,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Take the newest versions in place of the locked ones.")
    ] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    quiet: options.Quiet = False,
) -> None:
    """Install the plugins of the project, each into a virtual environment of its own."""
    from penstock.cli.plugin_opening import plugins_of
    from penstock.cli.plugin_words import kind_and_names
    from penstock.singer.definition import PluginKind

    terminal: Terminal = context.obj
    terminal.quiet = quiet
    plugins = plugins_of(terminal, project, environment)
    words = names or []
    alone = PluginKind.of(words[0]) if len(words) == 1 else None
    present = {spec.name for _, spec in plugins.loaded.project.plugins.all()}
    if alone is not None and words[0] not in present:
        chosen = list(plugins.entries(alone))
    elif words:
        kind, wanted = kind_and_names(words, plugin_type)
        chosen = [plugins.entry(name, kind) for name in wanted]
    else:
        kind, _ = kind_and_names(["all"], plugin_type)
        chosen = list(plugins.entries(kind))
    _install(terminal, plugins, chosen, force=force, upgrade=upgrade)


def _install(
    terminal: Terminal, plugins: Plugins, entries: list[Entry], *, force: bool = False, upgrade: bool = False
) -> None:
    from penstock.plugins.environment import Wish
    from penstock.report.text import faint, good, line

    def say(text: str) -> None:
        if terminal.follows:
            terminal.say([line(faint(f"  {text}"))])

    for entry in entries:
        if terminal.follows:
            terminal.say([line(f"installing {entry.kind.singular} {entry.name} ...")])
        found = plugins.install(entry, Wish(force, upgrade, plugins.variables(entry) | plugins.dotenv, say))
        version = f" {found.version}" if found.version else ""
        terminal.say([line(good(f"installed {entry.name}{version}"))])


def remove(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="[KIND] NAME...", help="Plugins.")],
    plugin_type: KindOption = None,
    project: options.Project = None,
    quiet: options.Quiet = False,
) -> None:
    """Take plugins out of the project, and their environments from this machine."""
    from penstock.cli.plugin_opening import writer_of
    from penstock.cli.plugin_words import kind_and_names
    from penstock.report.text import good, line

    terminal: Terminal = context.obj
    terminal.quiet = quiet
    kind, wanted = kind_and_names(names, plugin_type)
    for name in wanted:
        writer = writer_of(terminal, project, "")
        entry = writer.plugins.entry(name, kind)
        writer.remove(entry)
        writer.plugins.uninstall(entry)
        terminal.say([line(good(f"removed {entry.kind.singular} {name}"))])
