"""dbt run by itself with words of the user's own, on the streams of whoever asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from penstock.app.dbt import make_room, open_dbt
from penstock.app.flows import holder
from penstock.app.parts import open_warehouse
from penstock.errors import NotFoundError
from penstock.plugins.process import FOREIGN
from penstock.project.loaded import LoadedProject

PIPELINE = "models"
# these write to the warehouse or open it; all others leave it alone
_TOUCHING = frozenset(
    {"build", "clone", "compile", "debug", "freshness", "generate", "retry", "run", "run-operation", "seed"}
    | {"show", "snapshot", "source", "test"}
)


def invoke_dbt(loaded: LoadedProject, arguments: Sequence[str]) -> int:
    """Run the project's own dbt, with the profile that a run would have; returns its exit code.

    The destination is locked meanwhile if dbt is going to open it. Raises: as `open_dbt`; LockHeldError.
    """
    project = open_dbt(loaded)
    make_room(project.setup.output)
    words, added = project.command(arguments)
    env = {k: v for k, v in os.environ.items() if k not in FOREIGN} | added
    with _held(loaded, arguments):
        try:
            return subprocess.run(words, env=env, cwd=project.folder, check=False).returncode
        except FileNotFoundError as error:
            raise NotFoundError("the program of dbt is not there", where=words[0]) from error


@contextmanager
def _held(loaded: LoadedProject, arguments: Sequence[str]) -> Iterator[None]:
    """The destination's lock, where dbt opens the destination."""
    if not _TOUCHING.intersection(arguments) or {"--help", "-h"}.intersection(arguments):
        yield
        return
    with open_warehouse(loaded, loaded.project.destination).lock(PIPELINE, holder()):
        yield
