"""A file's volume is unusual only against enough history, and outliers in it do not bend the measure."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.gate.verdict import Action
from penstock.gate.volume import VolumeRules, judge_volume, robust_score

RULES = VolumeRules(tolerance=6, min_history=8, action=Action.FAIL)
ROWS = [1000, 1010, 990, 1005, 995, 1020, 980, 1000, 1003]
BYTES = [n * 100 for n in ROWS]


def found(rows, size, past_rows=ROWS, past_bytes=BYTES, rules=RULES):
    return [f.rule for f in judge_volume(rows, size, past_rows, past_bytes, rules)]


def test_a_usual_file_passes():
    assert found(1004, 100_400) == []


@pytest.mark.parametrize(
    ("rows", "size", "rules"),
    [
        (10, 100_000, ["volume_rows"]),
        (1000, 1_000_000, ["volume_bytes"]),
        (0, 0, ["volume_rows", "volume_bytes"]),
    ],
)
def test_an_unusual_file_is_found(rows, size, rules):
    assert found(rows, size) == rules


def test_the_message_says_what_is_usual_and_the_action_is_the_rules():
    (finding,) = judge_volume(2000, 100_000, ROWS, BYTES, RULES)
    assert finding.action is Action.FAIL
    assert finding.message.startswith("2,000 rows, usual are 1,000 (+")


def test_a_cold_start_is_silent():
    assert found(0, 0, ROWS[:7], BYTES[:7]) == []
    assert found(0, 0, [], [], VolumeRules(min_history=0)) == []


def test_one_outlier_in_history_does_not_hide_the_next():
    assert found(1_000_000, 100_000, [*ROWS, 1_000_000]) == ["volume_rows"]


def test_a_steady_history_tolerates_a_little():
    assert found(104, 100, [100] * 10, [100] * 10) == []
    assert found(1_050_000, 100, [1_000_000] * 10, [100] * 10) == []
    assert found(1_100_000, 100, [1_000_000] * 10, [100] * 10) == ["volume_rows"]


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=30), st.integers(0, 10**12))
def test_the_score_grows_with_the_distance_and_is_nothing_at_the_median(past, now):
    middle = sorted(past)[len(past) // 2] if len(past) % 2 else None
    if middle is not None:
        assert robust_score(middle, past) == 0
    assert robust_score(now, past) <= robust_score(now + 1, past)
