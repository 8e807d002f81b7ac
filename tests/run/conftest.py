"""A small project in a temporary folder for every test of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bed import Bed


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


@pytest.fixture
def make_bed(tmp_path: Path) -> Callable[..., Bed]:
    return lambda **settings: Bed(tmp_path, **settings)
