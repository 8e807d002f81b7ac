"""`penstock config PLUGIN set --interactive`: every setting with what it is for, asked for in turn.

The questions are read from a terminal or from a pipe, one line each: first which setting (a number, a name,
`all`, or `e` to leave), then its value. An empty line leaves a value as it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from penstock.cli.prompt import prompt
from penstock.cli.terminal import Terminal
from penstock.errors import ProjectError, suggest

if TYPE_CHECKING:
    from penstock.app.plugin_writes import Writer
    from penstock.app.plugins import Entry
    from penstock.singer.definition import Setting
    from penstock.singer.settings import Resolved


def ask_settings(terminal: Terminal, writer: Writer, entry: Entry, only: str | None = None) -> None:
    """Ask for settings and write them, until there are no more or a person leaves."""
    settings = [s for s in entry.plugin.settings if s.kind.value != "hidden"]
    if only is not None:
        _ask(terminal, writer, entry, _named(entry, settings, only))
        return
    if not settings:
        raise ProjectError(
            f"it is not known which settings `{entry.name}` has",
            hint=f"`penstock install {entry.name}` asks it; or `penstock config {entry.name} set NAME VALUE`",
        )
    _overview(terminal, entry, settings, writer.plugins.resolved(entry))
    while True:
        question = f"Setting: a number (1 to {len(settings)}), a name, all, or e to leave [all]"
        choice = prompt(terminal, question)
        if choice is None or choice.lower() in ("e", "exit", "q", "quit"):
            return
        if choice in ("", "all"):
            for number, setting in enumerate(settings, 1):
                if not _ask(terminal, writer, entry, setting, f"{number}/{len(settings)} "):
                    return
            return
        try:
            chosen = _named(entry, settings, choice)
        except ProjectError as error:
            _complain(terminal, error)
            continue
        if not _ask(terminal, writer, entry, chosen):
            return


def _named(entry: Entry, settings: list[Setting], choice: str) -> Setting:
    if choice.isdecimal() and 1 <= int(choice) <= len(settings):
        return settings[int(choice) - 1]
    found = entry.plugin.setting(choice)
    if found is None:
        names = [s.name for s in settings]
        raise ProjectError(f"`{entry.name}` has no setting `{choice}`", hint=suggest(choice, names))
    return found


def _overview(terminal: Terminal, entry: Entry, settings: list[Setting], resolved: Resolved) -> None:
    from penstock.report.text import Span, faint, grid, line, strong

    rows: list[list[str | Span]] = []
    for number, setting in enumerate(settings, 1):
        known = resolved.values.get(setting.name)
        shown = _shown(setting, known.value) if known is not None and known.value is not None else "-"
        rows.append([f"{number}", strong(setting.name), faint(setting.kind.value), shown[:60]])
    terminal.say([line(f"Settings of {entry.name}:"), *grid(rows, "rlll")])


def _ask(terminal: Terminal, writer: Writer, entry: Entry, setting: Setting, number: str = "") -> bool:
    """Ask for one setting until its value is one; False when there is nobody to answer."""
    from penstock.report.text import clean, faint, good, line, strong

    lines = [line(), line(faint(number), strong(setting.name), faint(f" ({setting.kind.value})"))]
    lines += [line(f"  {clean(text)}") for text in (setting.description or "").splitlines()[:4]]
    if setting.options:
        lines.append(line(faint(f"  one of {', '.join(o.value for o in setting.options)}")))
    terminal.say(lines)
    known = writer.plugins.resolved(entry).values.get(setting.name)
    present = f" [{_shown(setting, known.value)}]" if known is not None and known.value is not None else ""
    while True:
        typed = prompt(terminal, f"New value{present}", secret=setting.secret)
        if not typed:
            return typed is not None
        try:
            written = writer.set(entry, setting.name, typed)
        except ProjectError as error:
            _complain(terminal, error)
            if terminal.interactive:
                continue
            raise
        terminal.say([line(good(f"set {setting.name}"), f": {written.file}, {written.key}")])
        return True


def _shown(setting: Setting, value: object) -> str:
    if setting.secret:
        return "***"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _complain(terminal: Terminal, error: ProjectError) -> None:
    from penstock.cli.failure import complain

    complain(terminal, str(error))
