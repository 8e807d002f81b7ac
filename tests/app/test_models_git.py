"""The version of a project's files, as git tells it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from penstock.app.git_version import VARIABLE, version_of_files
from penstock.errors import ProjectError

WHO = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@b.c",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@b.c",
}
ENV = {**os.environ, **WHO, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True, env=ENV)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit."""
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def test_a_commit_a_tag_and_a_change(repository: Path) -> None:
    assert version_of_files(repository, ENV) == git(repository, "rev-parse", "--short", "HEAD")
    git(repository, "tag", "v1.2.0")
    assert version_of_files(repository, ENV) == "v1.2.0"
    (repository / "a").write_text("2")
    assert version_of_files(repository, ENV) == "v1.2.0-dirty"
    git(repository, "commit", "-q", "-a", "-m", "two")
    assert version_of_files(repository, ENV).startswith("v1.2.0-1-g")


def test_a_folder_without_a_repository(tmp_path: Path) -> None:
    with pytest.raises(
        ProjectError, match=r"(?s)cannot be told.*not a git repository.*PENSTOCK_PROJECT_VERSION"
    ):
        version_of_files(tmp_path, {**ENV, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})
    git(tmp_path, "init", "-q")
    with pytest.raises(ProjectError, match="cannot be told"):
        version_of_files(tmp_path, ENV)


def test_a_machine_without_git(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"(?s)cannot be told.*No such file"):
        version_of_files(tmp_path, {"PATH": str(tmp_path)})


def test_a_variable_says_it_where_there_is_no_repository(tmp_path: Path) -> None:
    assert version_of_files(tmp_path, {VARIABLE: "v3"}) == "v3"
