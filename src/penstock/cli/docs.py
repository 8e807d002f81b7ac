"""`penstock docs`: the project as a static site, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable


def docs(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write to.")
    ] = Path("site"),
    profile: Annotated[
        bool,
        typer.Option("--profile/--no-profile", help="Look at the rows, or count them only."),
    ] = True,
    browse: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    project: options.Project = None,
    environment: options.Environment = None,
    json: options.Json = False,
) -> None:
    """Write the catalogue, lineage, runs and quality of the project as one HTML file.

    It works without a network and is the same for the same facts. Columns that are sensitive, or made of
    sensitive ones, show no values.
    """
    from penstock.app.site import Gathering
    from penstock.app.writing import write_whole
    from penstock.cli.opening import opened
    from penstock.report.text import line, size, strong

    terminal: Terminal = context.obj
    terminal.json = json
    with opened(terminal, project, environment) as session:
        pages = Gathering(session.loaded).site(profile=profile, tell=_teller(terminal))
    written = []
    for name, text in pages.items():
        write_whole(output / name, text)
        written.append({"path": (output / name).as_posix(), "size_bytes": len(text.encode())})
    terminal.answer(
        lambda: {"files": written},
        lambda: [line(strong(str(f["path"])), f" ({size(int(str(f['size_bytes'])))})") for f in written],
        data=True,
    )
    if browse:
        typer.launch((output / "index.html").resolve().as_uri())


def _teller(terminal: Terminal) -> Callable[[str], None]:
    """Says which table was looked at, on a terminal that follows; each takes the place of the one before."""
    from penstock.report.text import clean

    def tell(table: str) -> None:
        if terminal.follows and terminal.err.isatty():
            terminal.err.write(f"\r\x1b[Klooked at {clean(table)} ")
            terminal.err.flush()

    return tell
