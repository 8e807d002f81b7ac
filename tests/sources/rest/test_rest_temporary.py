"""Files on their way to the landing area do not stay behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from rest_runs import source

from penstock.ports import Block
from penstock.temporary import YOUNG_S, TemporaryFolder
from servers.rest_api import Api


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_files_that_have_landed_are_removed(api: Api, temporary: Path) -> None:
    api.answers["/t"] = lambda _: [{"id": 1}]
    asking = source(api.url, tables={"t": {"path": "t", "repeat": 9}}, checkpoint_s=0)
    most = 0
    for item in asking.produce(None):
        if isinstance(item, Block):
            most = max(most, len([*temporary.rglob("*.jsonl.gz")]))
    assert most == 3
    [*asking.produce(None)]
    assert len([*temporary.iterdir()]) == 1
    del asking, item
    gc.collect()
    assert not [*temporary.iterdir()]


def test_what_a_killed_process_left_is_swept_up(temporary: Path) -> None:
    code = "from penstock.temporary import TemporaryFolder as S; s = S(0); print(s.path, flush=True); input()"
    env = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        later = time.time() + 2 * YOUNG_S
        mine = TemporaryFolder(later)
        assert left.exists()
        other.send_signal(signal.SIGKILL)
    TemporaryFolder(time.time()).close()
    assert left.exists()
    TemporaryFolder(later).close()
    assert not left.exists()
    assert mine.path.exists()
    mine.close()
    assert not [*temporary.iterdir()]
