"""Opening the project that a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.cli.terminal import Terminal

if TYPE_CHECKING:
    from penstock.app.session import Session


@contextmanager
def opened(terminal: Terminal, project: Path | None, environment: str | None) -> Iterator[Session]:
    """The project's session for the length of a command; from here on secrets are taken out.

    Raises: ProjectError.
    """
    from penstock.app.session import open_session

    session = open_session(project, environment)
    terminal.redact = session.redact
    try:
        yield session
    finally:
        session.close()
