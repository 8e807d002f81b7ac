"""`penstock status`: how the pipelines stand, and how their last runs went."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal

MODELS = "models"


def status(
    context: typer.Context,
    pipelines: options.Pipelines = None,
    last: Annotated[
        bool, typer.Option("--last", help="How the last run of each pipeline went, phase by phase.")
    ] = False,
    runs: Annotated[
        int, typer.Option("--runs", metavar="NUMBER", min=1, help="With --last: so many runs of each.")
    ] = 1,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Show last loads, waiting files, quarantine, locks and models; or the last runs.

    Models answer to the name `models`.
    """
    from datetime import UTC, datetime

    from penstock.cli.opening import opened
    from penstock.report.document import last_document, status_document
    from penstock.report.last import last_lines
    from penstock.report.standing import status_lines

    terminal: Terminal = context.obj
    terminal.json = json
    with opened(terminal, project, environment) as session:
        if last or runs > 1:
            found = session.last_runs(pipelines or [], runs)
            terminal.answer(lambda: last_document(found), lambda: last_lines(found, datetime.now(UTC)))
            return
        statuses = session.status(pipelines or [])
        models = session.model_status() if not pipelines or MODELS in pipelines else ()
    terminal.answer(
        lambda: status_document(statuses, models),
        lambda: status_lines(statuses, datetime.now(UTC), models),
    )
