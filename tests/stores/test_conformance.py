"""The suite itself: a bad store fails it, and a declared gap is believed only as long as it is one."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

STORES = """
    import pytest
    from penstock.stores.local import LocalStore
    from penstock.testing.store import StoreSuite

    class Careless(LocalStore):
        def create(self, key, data):
            return self.replace(key, data if isinstance(data, bytes) else data.read())

    class Base(StoreSuite):
        @pytest.fixture
        def store(self, tmp_path):
            return self.kind(str(tmp_path / "store"))

    class TestCareless(Base):
        kind = Careless

    class TestHonest(Base):
        kind = Careless
        gaps = {"test_create_refuses_an_existing_key": "it overwrites"}

    class TestMended(Base):
        kind = LocalStore
        gaps = {"test_empty_object": "said to be broken, but is not"}

    class TestMistaken(Base):
        kind = LocalStore
        gaps = {"test_that_does_not_exist": "a name was mistyped"}
"""
CHOSEN = "test_create_refuses_an_existing_key or test_one_of_many_creators_wins or test_empty_object"


def test_bad_stores_and_false_gaps_are_found(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(textwrap.dedent(STORES))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "--tb=no", "-p", "no:cacheprovider", "-k", CHOSEN],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    ends = {
        tuple(line.split(" - ")[0].split("::")[1:]): line.split()[0]
        for line in done.stdout.splitlines()
        if "::" in line
    }
    refuses, race, empty = (name.strip() for name in CHOSEN.split(" or "))
    assert ends == {
        ("TestCareless", refuses): "FAILED",
        ("TestCareless", race): "FAILED",
        ("TestCareless", empty): "PASSED",
        ("TestHonest", refuses): "XFAIL",
        ("TestHonest", race): "FAILED",
        ("TestHonest", empty): "PASSED",
        ("TestMended", refuses): "PASSED",
        ("TestMended", race): "PASSED",
        ("TestMended", empty): "FAILED",
        ("TestMistaken", refuses): "ERROR",
        ("TestMistaken", race): "ERROR",
        ("TestMistaken", empty): "ERROR",
    }, done.stdout
