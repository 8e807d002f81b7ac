"""Penstock: land it, check it, keep it for ever, load it exactly once.

    import penstock

    session = penstock.open_session("my-project")
    print(session.run([], penstock.ignore))

Importing this loads no engine and no driver; they come with the first thing that needs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import PenstockError
from penstock.version import __version__

if TYPE_CHECKING:
    from penstock.app.session import Session

__all__ = ["PenstockError", "__version__", "ignore", "open_session"]


def open_session(project: str | Path | None = None, environment: str | None = None) -> Session:
    """The project in a folder, or in the nearest one above the working folder.

    Raises: ProjectError telling everything that is wrong with it; NotFoundError if there is none.
    """
    from penstock.app.session import open_session as open_

    return open_(Path(project) if project is not None else None, environment)


def ignore(event: object) -> None:
    """An observer that does not look at what happens."""
