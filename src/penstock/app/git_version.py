"""The version of a project's files, as git tells it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from penstock.errors import ProjectError

VARIABLE = "PENSTOCK_PROJECT_VERSION"
"""Says the version where there is no repository, such as in a container."""
_ASK = ("git", "describe", "--tags", "--always", "--dirty")


def version_of_files(root: Path, env: Mapping[str, str] | None = None) -> str:
    """What `git describe --tags --always --dirty` says of a folder, such as `v1.2.0-3-g1a2b3c4`.

    The variable PENSTOCK_PROJECT_VERSION wins over it. Raises: ProjectError if there is no git, or no
    repository with a commit.
    """
    env = os.environ if env is None else env
    if said := env.get(VARIABLE):
        return said
    try:
        done = subprocess.run(_ASK, cwd=root, capture_output=True, text=True, env={**env, "LC_ALL": "C"})
    except FileNotFoundError as error:
        raise _unknown(root, str(error)) from error
    if done.returncode:
        raise _unknown(root, done.stderr.strip().partition("\n")[0])
    return done.stdout.strip()


def _unknown(root: Path, found: str) -> ProjectError:
    return ProjectError(
        "the version of the project cannot be told, which a `version_column` asks for",
        where=str(root),
        found=found,
        expected="git, and a repository with a commit",
        hint=f"where there is none, the variable {VARIABLE} says the version",
    )
