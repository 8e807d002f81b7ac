"""Real Singer plugins for tests: installed once a session, from the package index, and shared by its workers.

A suite imports the fixture into its module or its `conftest.py`:

    from singer_plugins import plugin_home, share
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def plugin_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of plugins that all workers of this test run share."""
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "singer-plugins"
    home.mkdir(exist_ok=True)
    return home


def share(home: Path, project: Path) -> Path:
    """Make `home` the plugin folder of a project, and return it as the project sees it."""
    own = project / ".penstock" / "plugins"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.symlink_to(home)
    return own
