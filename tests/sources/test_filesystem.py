"""Files as a source: which are offered, when, and how often."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from penstock.sources.filesystem import FilesystemOptions, FilesystemSource, fixed_prefix, glob_pattern
from penstock.stores.local import LocalStore


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("*.jsonl", ["a.jsonl", ".jsonl"], ["a.jsonl.gz", "d/a.jsonl", "axjsonl"]),
        ("**/*.jsonl", ["a.jsonl", "d/a.jsonl", "d/e/a.jsonl"], ["a.csv"]),
        ("d/**", ["d/a", "d/e/f"], ["e/a", "d"]),
        ("part-?.csv", ["part-1.csv"], ["part-10.csv", "part-/.csv"]),
        ("[ab]*.{csv,tsv}", ["a1.csv", "b.tsv"], ["c.csv", "a.txt"]),
        ("[!a]*", ["b"], ["a"]),
        ("a+(b).csv", ["a+(b).csv"], ["aab.csv"]),
        ("a[b.csv", ["a[b.csv"], ["ab.csv"]),
    ],
)
def test_globs(glob: str, yes: list[str], no: list[str]) -> None:
    pattern = glob_pattern(glob)
    assert [k for k in yes + no if pattern.fullmatch(k)] == yes


@pytest.mark.parametrize(
    ("glob", "prefix"),
    [("*.csv", ""), ("a/b/*.csv", "a/b/"), ("a/b*/c.csv", "a/"), ("a/b.csv", "a/"), ("{a,b}/c", "")],
)
def test_only_the_folder_that_can_match_is_listed(glob: str, prefix: str) -> None:
    assert fixed_prefix(glob) == prefix


class Clock:
    """A clock that only sleeping moves; `during` happens while one sleeps."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.during = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.during()


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


def source(root: Path, clock: Clock, **options: object) -> FilesystemSource:
    chosen = FilesystemOptions({"t": "*"}, **{"min_age_s": 5.0, **options})  # type: ignore[arg-type]
    return FilesystemSource(LocalStore(str(root)), chosen, clock, clock.sleep)


def put(root: Path, name: str, data: bytes = b"x", at: float = 100.0) -> Path:
    path = root / name
    path.write_bytes(data)
    os.utime(path, (at, at))
    return path


def test_each_version_is_offered_once_oldest_first(tmp_path: Path, clock: Clock) -> None:
    put(tmp_path, "b.csv", at=50)
    put(tmp_path, "a.csv.gz", at=60)
    offers = source(tmp_path, clock).offers(frozenset(), None)
    assert [(o.origin.rpartition("/")[2], o.extension) for o in offers] == [
        ("b.csv", "csv"),
        ("a.csv.gz", "csv.gz"),
    ]
    taken = frozenset(o.identity for o in offers)
    assert source(tmp_path, clock).offers(taken, None) == []
    put(tmp_path, "b.csv", b"xx", at=50)
    assert [o.size_bytes for o in source(tmp_path, clock).offers(taken, None)] == [2]


@pytest.mark.parametrize("at", [999.0, 5000.0])
def test_a_young_file_is_taken_if_it_rests_and_left_if_it_changes(
    tmp_path: Path, clock: Clock, at: float
) -> None:
    put(tmp_path, "young.csv", at=at)
    asked = source(tmp_path, clock)
    assert len(asked.offers(frozenset(), None)) == 1
    clock.now = 1000.0
    clock.during = lambda: put(tmp_path, "young.csv", b"more", at=at + 1) and None
    assert asked.offers(frozenset(), None) == []
    assert asked.fingerprint() is None, "what was left must be looked at again"


def test_a_file_that_goes_away_is_not_offered(tmp_path: Path, clock: Clock) -> None:
    path = put(tmp_path, "young.csv", at=999)
    clock.during = path.unlink
    assert source(tmp_path, clock).offers(frozenset(), None) == []


def test_the_fingerprint_tells_every_change(tmp_path: Path, clock: Clock) -> None:
    seen = {source(tmp_path, clock).fingerprint()}
    put(tmp_path, "a.csv")
    seen.add(source(tmp_path, clock).fingerprint())
    put(tmp_path, "a.csv", b"yy")
    seen.add(source(tmp_path, clock).fingerprint())
    seen.add(source(tmp_path, clock, incremental="modified_date").fingerprint())
    assert len(seen) == 4
    assert None not in seen


def test_modified_date_passes_older_files_over(tmp_path: Path, clock: Clock) -> None:
    asked = source(tmp_path, clock, incremental="modified_date")
    put(tmp_path, "a.csv", at=100)
    state = asked.state(asked.offers(frozenset(), None), None)
    assert state == '{"modified_date": 100.0}'
    put(tmp_path, "old.csv", at=99)
    put(tmp_path, "new.csv", at=101)
    names = [o.origin.rpartition("/")[2] for o in asked.offers(frozenset(), state)]
    assert "old.csv" not in names
    assert "new.csv" in names
    assert asked.state([], state) == state


def test_a_table_without_extensions_is_told_one(tmp_path: Path, clock: Clock) -> None:
    put(tmp_path, "plain")
    assert source(tmp_path, clock, extensions={"t": "csv"}).offers(frozenset(), None)[0].extension == "csv"
