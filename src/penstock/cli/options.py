"""The options that commands share, as annotated types."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Project = Annotated[
    Path | None,
    typer.Option(
        "--project",
        "-p",
        metavar="PATH",
        envvar="PENSTOCK_PROJECT",
        help="The project's folder or file; by default the nearest penstock.yml from here upwards.",
    ),
]
Environment = Annotated[
    str | None,
    typer.Option(
        "--env",
        "--environment",
        "-e",
        metavar="NAME",
        envvar="PENSTOCK_ENVIRONMENT",
        help="The environment to apply.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress, and no summary unless something needs a look.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", metavar="ROWS", min=0, help="At most so many rows.")]
Pipelines = Annotated[
    list[str] | None,
    typer.Argument(metavar="PIPELINES", help="Pipelines; all of them by default.", show_default=False),
]
