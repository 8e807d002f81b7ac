"""`penstock dbt`: the project's own dbt, with the profile that a run would have."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal


def dbt(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGUMENT", help="What dbt is given.")
    ] = None,
    project: options.Project = None,
    environment: options.Environment = None,
) -> None:
    """Run the project's own dbt with words of its own, such as `docs serve`, on the destination."""
    from penstock.app.dbt_invoking import invoke_dbt
    from penstock.app.files import load_project

    terminal: Terminal = context.obj
    loaded = load_project(project, environment)
    terminal.redact = loaded.redact
    raise typer.Exit(invoke_dbt(loaded, arguments or ["--help"]))
