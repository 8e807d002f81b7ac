"""The warm process that a worker's runs are forked from, and a quick place for projects."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Starts runs; one for each worker of the test session."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """An empty folder, in memory where there is room: a killed process loses nothing of either kind,
    and syncing to a disk is most of what a small run does.
    """
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or shutil.disk_usage(shared).free < 256 << 20:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared, prefix="penstock-") as folder:
        yield Path(folder)
