"""A stage for the scripted tap."""

from __future__ import annotations

from pathlib import Path

import pytest
from singer_stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """An empty project with the scripted tap."""
    return Stage(tmp_path)
