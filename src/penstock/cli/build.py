"""`penstock build`: models, without pipelines."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal


def build(
    context: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODELS",
            help="Models; all of them by default. Words of --select are understood.",
            show_default=False,
        ),
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select",
            "-s",
            metavar="WORDS",
            help="Such as '+orders', 'orders+', 'tag:daily', 'path:marts'. Repeatable.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="WORDS", help="Models to leave out, by the same words."),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full", "--full-refresh", help="Build them anyway, and incremental ones from scratch."
        ),
    ] = False,
    wait: Annotated[
        float,
        typer.Option(
            "--wait", metavar="SECONDS", min=0, help="How long to wait for a destination that is held."
        ),
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be built, and why.")] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Build the models that changed, or whose inputs did."""
    from penstock.cli.opening import opened
    from penstock.cli.progress import followed
    from penstock.cli.run import tell
    from penstock.cli.stopping import stoppable

    terminal: Terminal = context.obj
    terminal.json, terminal.quiet = json, quiet
    words = [*(models or []), *(select or [])]
    left_out = exclude or []
    with opened(terminal, project, environment) as session:
        if dry_run:
            from penstock.report.document import plan_document
            from penstock.report.outlook import plan_lines

            plan = session.plan_build(words, exclude=left_out, full=full)
            terminal.answer(lambda: plan_document(plan), lambda: plan_lines(plan))
            raise typer.Exit(plan.exit_code)
        with stoppable(terminal) as stop:
            with followed(terminal) as observe:
                result = session.build(words, stop.watched(observe), exclude=left_out, full=full, wait_s=wait)
            tell(terminal, result)
            stop.check(done=True)
    raise typer.Exit(result.exit_code)
