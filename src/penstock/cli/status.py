"""`penstock status`: how the pipelines stand."""

from __future__ import annotations

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal


def status(
    context: typer.Context,
    pipelines: options.Pipelines = None,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Show last loads, waiting files, quarantine and locks."""
    from datetime import UTC, datetime

    from penstock.cli.opening import opened
    from penstock.report.document import status_document
    from penstock.report.standing import status_lines

    terminal: Terminal = context.obj
    terminal.json = json
    with opened(terminal, project, environment) as session:
        statuses = session.status(pipelines or [])
    terminal.answer(lambda: status_document(statuses), lambda: status_lines(statuses, datetime.now(UTC)))
