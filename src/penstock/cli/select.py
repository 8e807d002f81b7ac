"""`penstock select`: which streams and properties an extractor is to give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import UsageError

if TYPE_CHECKING:
    from penstock.app.plugin_writes import Writer
    from penstock.app.plugins import Entry
    from penstock.report.text import Line
    from penstock.singer.selection import Listed


def select(
    context: typer.Context,
    extractor: Annotated[str, typer.Argument(metavar="EXTRACTOR", help="A tap of the project.")],
    stream: Annotated[
        str | None, typer.Argument(metavar="STREAM", help="A stream, or a glob.", show_default=False)
    ] = None,
    prop: Annotated[
        str | None,
        typer.Argument(metavar="PROPERTY", help="A property, or a glob; all by default.", show_default=False),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List what is selected.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="--list: what is not selected, too.")] = False,
    exclude: Annotated[bool, typer.Option("--exclude", help="Leave this out.")] = False,
    rm: Annotated[bool, typer.Option("--rm", "--remove", help="Take this pattern back.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Take all patterns back.")] = False,
    refresh_catalog: Annotated[
        bool, typer.Option("--refresh-catalog", help="Ask the tap again what there is.")
    ] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Choose the streams and properties that an extractor gives, or list them."""
    from penstock.cli.plugin_opening import writer_of
    from penstock.singer.definition import PluginKind

    terminal: Terminal = context.obj
    terminal.json = json
    writer = writer_of(terminal, project, environment)
    entry = writer.plugins.entry(extractor, PluginKind.EXTRACTORS)
    if clear:
        writer.put_key(entry, "select", [])
    if stream is not None:
        _change(terminal, writer, entry, _pattern(stream, prop, exclude=exclude), remove=rm)
    elif exclude or rm:
        raise UsageError("it is not said which stream", expected=f"`penstock select {extractor} STREAM`")
    if listed or everything or json or refresh_catalog or (stream is None and not clear):
        _list(terminal, writer, entry, everything=everything, refresh=refresh_catalog)


def _pattern(stream: str, prop: str | None, *, exclude: bool) -> str:
    from penstock.singer.selection import parse_pattern

    text = stream if stream.startswith("!") or not exclude else f"!{stream}"
    text = f"{text}.{prop or '*'}" if prop is not None or "." not in stream.replace("\\.", "") else text
    return parse_pattern(text).text


def _change(terminal: Terminal, writer: Writer, entry: Entry, pattern: str, *, remove: bool) -> None:
    from penstock.report.text import faint, good, line

    present = writer.said(entry).get("select") or []
    patterns = [present] if isinstance(present, str) else list(present)
    if remove and pattern not in patterns:
        raise UsageError(
            f"`{pattern}` is no pattern of {entry.name}", found=", ".join(patterns) or "no patterns at all"
        )
    if not remove and pattern in patterns:
        terminal.say([line(faint(f"{entry.name} has the pattern {pattern} already"))])
        return
    after = [p for p in patterns if p != pattern] if remove else [*patterns, pattern]
    written = writer.put_key(entry, "select", after)
    done = "took back" if remove else "excluded" if pattern.startswith("!") else "selected"
    terminal.say([line(good(f"{done} {pattern.removeprefix('!')}"), f" of {entry.name}: {written.file}")])


def _list(terminal: Terminal, writer: Writer, entry: Entry, *, everything: bool, refresh: bool) -> None:
    from penstock.app.plugin_trying import selected_catalog
    from penstock.cli.plugin_opening import plugins_of
    from penstock.singer.selection import EVERYTHING, Mark, listing

    plugins = plugins_of(terminal, writer.plugins.root, writer.environment or "")
    entry = plugins.entry(entry.name, entry.kind)
    patterns = tuple(plugins.resolved(entry).extras().get("select") or (EVERYTHING,))
    found = listing(selected_catalog(plugins, entry, refresh=refresh))
    taken = (Mark.SELECTED, Mark.AUTOMATIC)
    shown = [item for item in found if everything or (item.mark in taken and item.property)]
    terminal.answer(lambda: _document(patterns, shown), lambda: _lines(patterns, shown))


def _document(patterns: tuple[str, ...], found: list[Listed]) -> dict[str, object]:
    return {
        "patterns": list(patterns),
        "found": [
            {"stream": item.stream, "property": item.property or None, "selection": str(item.mark)}
            for item in found
        ],
    }


def _lines(patterns: tuple[str, ...], found: list[Listed]) -> list[Line]:
    from penstock.report.text import bad, faint, good, line, strong
    from penstock.singer.selection import Mark

    tones = {Mark.SELECTED: good, Mark.AUTOMATIC: strong, Mark.EXCLUDED: faint, Mark.UNSUPPORTED: bad}
    lines = [line("patterns:"), *(line(f"  {pattern}") for pattern in patterns), line()]
    lines += [
        line(tones[item.mark](f"[{item.mark:<11}]"), f" {item.stream}.{item.property}")
        for item in found
        if item.property
    ]
    if not any(item.property for item in found):
        lines.append(line(faint("nothing is selected; --all shows what there is")))
    return lines
