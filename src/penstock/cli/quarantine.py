"""`penstock quarantine`: what was set aside, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal

quarantine = typer.Typer(
    help="See what was set aside, and load it after all.", invoke_without_command=True, rich_markup_mode=None
)


@quarantine.callback()
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@quarantine.command("list")
def list_entries(
    context: typer.Context,
    pipelines: options.Pipelines = None,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """List the files and rows that are in quarantine."""
    from penstock.cli.opening import opened
    from penstock.report.aside import quarantine_lines
    from penstock.report.document import quarantine_document

    terminal: Terminal = context.obj
    terminal.json = json
    with opened(terminal, project, environment) as session:
        entries = session.quarantine_list(pipelines or [])
    terminal.answer(lambda: quarantine_document(entries), lambda: quarantine_lines(entries))


@quarantine.command("show")
def show_rows(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="A file of the list, or a table.")],
    limit: options.Limit = 10,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Show rows: where they stood and what they broke."""
    from penstock.cli.opening import opened
    from penstock.report.aside import row_lines
    from penstock.report.document import rows_document

    terminal: Terminal = context.obj
    terminal.json = json
    with opened(terminal, project, environment) as session:
        rows = session.quarantine_show(what, limit)
    terminal.answer(lambda: rows_document(rows), lambda: row_lines(rows, terminal.width()), data=True)


@quarantine.command()
def export(
    context: typer.Context,
    what: Annotated[
        str | None,
        typer.Argument(metavar="WHAT", help="A file of the list or a table; else all.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write to.")] = Path(
        "quarantined"
    ),
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Write rows and files to a folder, to be mended."""
    from penstock.cli.opening import opened
    from penstock.report.text import counted, good, line

    terminal: Terminal = context.obj
    terminal.json = json
    with opened(terminal, project, environment) as session:
        written = session.quarantine_export(out, what)
    paths = [path.as_posix() for path in written]
    terminal.answer(
        lambda: {"folder": out.as_posix(), "files": paths},
        lambda: [*map(line, paths), line(good(f"{counted(len(paths), 'file')} written"))],
    )


@quarantine.command()
def replay(
    context: typer.Context,
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="WHAT", help="Files of the list or tables; else all.", show_default=False),
    ] = None,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Judge rows again, and load those that pass now."""
    from penstock.cli.opening import opened
    from penstock.cli.progress import followed
    from penstock.cli.run import tell
    from penstock.cli.stopping import stoppable

    terminal: Terminal = context.obj
    terminal.json, terminal.quiet = json, quiet
    with opened(terminal, project, environment) as session, stoppable(terminal) as stop:
        with followed(terminal) as observe:
            result = session.quarantine_replay(what or [], stop.watched(observe))
        tell(terminal, result)
        stop.check(done=True)
    raise typer.Exit(result.exit_code)
