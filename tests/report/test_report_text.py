"""Lines, columns, and numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.report import text


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (357_206_719, "357 MB"),
        (999_499_999, "999 MB"),
        (999_600_000, "1.00 GB"),
        (5 * 10**18, "5000 PB"),
    ],
)
def test_size(size_bytes: int, shown: str) -> None:
    assert text.size(size_bytes) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.00 s"),
        (0.994, "0.99 s"),
        (0.996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (7380, "2 h 3 min"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-3, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7300, "2 h ago"), (90000, "1 day ago")],
)
def test_ago(seconds: int, shown: str) -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    assert text.ago(now - timedelta(seconds=seconds), now) == shown


def test_counts() -> None:
    assert text.count(1_000_000) == "1,000,000"
    assert text.count(None) == "-"
    assert text.counted(1, "file") == "1 file"
    assert text.counted(1_200, "file") == "1,200 files"


def test_grid_aligns_by_what_a_terminal_shows() -> None:
    lines = text.grid([["漢字", "1"], ["cafe\u0301", text.warn("1,000")]], "lr", indent=0)
    assert [text.plain(line) for line in lines] == ["漢字      1", "cafe\u0301  1,000"]
    assert lines[1][1].tone is text.Tone.WARN


def test_grid_of_nothing() -> None:
    assert text.grid([], "lr") == []


def test_clean_disarms_terminal_codes() -> None:
    assert text.clean("a\x1b[31mb\nc\u202e") == "a\\x1b[31mb\\nc\\u202e"
    assert text.clean("naïve 漢字") == "naïve 漢字"


@given(st.text(max_size=40), st.integers(1, 20))
def test_cut_never_exceeds_its_width(words: str, wide: int) -> None:
    short = text.cut(words, wide)
    assert text.width(short) <= wide
    assert short == words or short.endswith("…")
