"""`penstock adopt`: a project of another tool, written down as one of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import options
from penstock.cli.terminal import Terminal
from penstock.errors import RefusedError, UsageError


def adopt(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A meltano.yml, or the folder that has one.")],
    force: Annotated[bool, typer.Option("--force", help="Write over a penstock.yml that is there.")] = False,
    json: options.Json = False,
) -> None:
    """Write a penstock.yml that says what a meltano.yml does."""
    from penstock.app.files import meltano_files
    from penstock.app.writing import write_whole
    from penstock.project.adoption import adopt_meltano
    from penstock.project.load import PROJECT_FILES
    from penstock.project.meltano import MELTANO_FILE, project_name
    from penstock.report.text import good, line, warn

    terminal: Terminal = context.obj
    terminal.json = json
    place = file / MELTANO_FILE if file.is_dir() else file
    if not place.is_file() or place.name != MELTANO_FILE:
        raise UsageError(
            "there is nothing to adopt",
            where=str(place),
            expected=f"a `{MELTANO_FILE}`, or the folder that has one",
        )
    target = place.parent / PROJECT_FILES[0]
    if target.exists() and not force:
        raise RefusedError(
            f"`{target.name}` is there already", where=str(target), hint="write over it with `--force`"
        )
    adopted = adopt_meltano(meltano_files(place), project_name(place.parent))
    write_whole(target, adopted.text)
    _check(target)
    states = (place.parent / ".meltano").is_dir()
    left = [*adopted.left]
    if states:
        left.append("states: `meltano state get ID`, and here `penstock state set ID STATE`")
    document = {"file": str(target), "left": left, "variables": sorted(adopted.variables)}
    terminal.answer(
        lambda: document,
        lambda: [
            line(good(f"wrote {target}")),
            *(line(warn("left out: "), text) for text in left),
            *(
                [line(warn("to be set: "), ", ".join(sorted(adopted.variables)), " in .env or outside")]
                if adopted.variables
                else []
            ),
        ],
    )


def _check(target: Path) -> None:
    """Read what was written. Raises: ProjectError when it is no project, and takes it back."""
    from penstock.app.files import load_project
    from penstock.errors import ProjectError

    try:
        load_project(target, "")
    except ProjectError as error:
        if "is not set" not in str(error):
            target.unlink()
            raise
