"""`penstock run` and `penstock rebuild`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import UsageError
from penstock.ledger import Refresh

if TYPE_CHECKING:
    from penstock.report.facts import RunResult


def run(
    context: typer.Context,
    pipelines: options.Pipelines = None,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            min=0,
            help="How long to wait for a pipeline that another run holds.",
        ),
    ] = 0,
    refresh: Annotated[
        Refresh | None,
        typer.Option("--refresh", help="Ask the source for everything again, in place of what was loaded."),
    ] = None,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Land, check, keep and load whatever is new."""
    from penstock.cli.opening import opened
    from penstock.cli.progress import followed
    from penstock.cli.stopping import stoppable

    terminal: Terminal = context.obj
    terminal.json, terminal.quiet = json, quiet
    with opened(terminal, project, environment) as session, stoppable(terminal) as stop:
        with followed(terminal) as observe:
            result = session.run(pipelines or [], stop.watched(observe), wait_s=wait, refresh=refresh)
        tell(terminal, result)
        stop.check(done=True)
    raise typer.Exit(result.exit_code)


def rebuild(
    context: typer.Context,
    tables: Annotated[
        list[str] | None,
        typer.Option("--table", "-t", metavar="TABLE", help="A table; all by default. Repeatable."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="TIME", help="Only what landed by then: 2026-01-31T12:00Z."),
    ] = None,
    dropped: Annotated[
        bool, typer.Option("--dropped", help="Also what was dropped, or refreshed away.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Drop tables and load them again from raw history."""
    from penstock.cli.opening import opened
    from penstock.cli.progress import followed
    from penstock.cli.stopping import stoppable

    terminal: Terminal = context.obj
    terminal.json, terminal.quiet = json, quiet
    moment = None if as_of is None else _moment(as_of)
    with opened(terminal, project, environment) as session:
        if terminal.interactive and not (yes or json):
            what = ", ".join(tables) if tables else "every table"
            terminal.confirm(f"Drop {what} and load again from raw history?")
        with stoppable(terminal) as stop:
            with followed(terminal) as observe:
                result = session.rebuild(tables or [], moment, stop.watched(observe), dropped=dropped)
            tell(terminal, result)
            stop.check(done=True)
    raise typer.Exit(result.exit_code)


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromtimestamp(int(text), UTC) if text.isdecimal() else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            "the time is not one",
            found=f"--as-of {text}",
            expected="ISO 8601, such as 2026-01-31 or 2026-01-31T12:00Z, or Unix seconds",
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def tell(terminal: Terminal, result: RunResult) -> None:
    """Print the errors and the summary of a run."""
    from penstock.cli.failure import complain
    from penstock.report.document import run_document
    from penstock.report.look import run_looks
    from penstock.report.summary import run_lines

    for pipeline in result.pipelines:
        if pipeline.error:
            complain(terminal, pipeline.error)
    if terminal.json or not terminal.quiet or run_looks(result):
        terminal.answer(lambda: run_document(result), lambda: run_lines(result))
