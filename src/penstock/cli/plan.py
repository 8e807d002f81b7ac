"""`penstock plan`: what a run would do."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal


def plan(
    context: typer.Context,
    pipelines: options.Pipelines = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Do not read the files: no rows, schema changes or broken rules."),
    ] = False,
    steps: Annotated[bool, typer.Option("--steps", help="List every single step, too.")] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Show what a run would do, without doing it."""
    from penstock.cli.failure import complain
    from penstock.cli.opening import opened
    from penstock.cli.progress import followed
    from penstock.report.document import plan_document
    from penstock.report.outlook import plan_lines

    terminal: Terminal = context.obj
    terminal.json, terminal.quiet = json, quiet
    with opened(terminal, project, environment) as session:
        with followed(terminal) as observe:
            result = session.plan(pipelines or [], observe, quick=quick)
        for pipeline in result.pipelines:
            if pipeline.error:
                complain(terminal, pipeline.error)
        terminal.answer(lambda: plan_document(result), lambda: plan_lines(result, steps=steps))
    raise typer.Exit(result.exit_code)
