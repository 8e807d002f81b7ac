"""`penstock docs`: the project as a static site, in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal


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
    with opened(terminal, project, environment) as session, _following(terminal) as tell:
        pages = Gathering(session.loaded).site(profile=profile, tell=tell)
    for name, text in pages.items():
        write_whole(output / name, text)
    written = {(output / name).as_posix(): len(text.encode()) for name, text in pages.items()}
    terminal.answer(
        lambda: {"files": [{"path": path, "size_bytes": bytes_} for path, bytes_ in written.items()]},
        lambda: [line(strong(path), f" ({size(bytes_)})") for path, bytes_ in written.items()],
        data=True,
    )
    if browse:
        typer.launch((output / "index.html").resolve().as_uri())


@contextmanager
def _following(terminal: Terminal) -> Iterator[Callable[[str], None]]:
    """Says which table was looked at last, on one line of a terminal, which is empty again at the end."""
    from penstock.report.text import clean

    shown = terminal.follows and terminal.err.isatty()

    def write(text: str) -> None:
        if shown:
            terminal.err.write(f"\r\x1b[K{text}")
            terminal.err.flush()

    try:
        yield lambda table: write(f"looked at {clean(table)} ")
    finally:
        write("")
