"""Patterns that every engine understands, held against one of them."""

from __future__ import annotations

import duckdb
import pytest

from penstock.schema.pattern import check_pattern

GOOD = [
    "", "a", "^[A-Z]{1,2}[0-9][A-Z0-9]? [0-9][A-Z]{2}$", r"\d+\.\w*\s?", "(?P<n>a)", "(?:a|b)", "(?i)a",
    "(?i:a)b",
    "(?s).", r"a\z", r"\pL+", r"\p{Lu}", r"[\p{L}]+", "[[:alpha:]]+", "[[:^alpha:]]", r"\x{1F600}",
    "[]a]", "[^]a]",
    r"[\]]", "[a++]", "[(?=]", r"\\1", r"\bA\B", r"a{2}", "x{0}", "a{1000}", "a*?", "é", r"\_", "[a[]",
]  # fmt: skip
BAD = {
    r"(a)\1": "refers back", "(?P<n>a)(?P=n)": "refers back", r"[\1]": "refers back",
    "(?=a)": "looks around", "(?!a)b": "looks around", "(?<=a)": "looks around", "(?<!a)b": "looks around",
    "[a[](?=b)": "looks around", "[^]a](?!b)": "looks around",
    "(?>a)": "give back", "a++": "give back", "a*+": "give back", "a?+": "give back", "a{2}+": "give back",
    "a{1001}": "more than 1000", "a{2,1001}": "more than 1000",
    r"\u1234": "not known", r"\Z": "leave it out", r"\é": "not known", r"[\b]": "not known",
    "(?#c)a": "not known",
    "(?(1)a|b)": "not known", "(?x)a": "flag", "(?a)a": "flag",
    "(": "no regular expression", "[": "no regular expression", "*a": "no regular expression",
    "a**": "no regular expression", "x{3,2}": "no regular expression", r"\G": "no regular expression",
    "(?<n>a)": "no regular expression", "[[:alpha:]": "no regular expression",
}  # fmt: skip


def _re2(pattern: str) -> bool:
    """Whether RE2, as DuckDB carries it, takes the pattern."""
    try:
        duckdb.execute("SELECT regexp_full_match('x', ?)", [pattern]).fetchall()
    except duckdb.Error:
        return False
    return True


@pytest.mark.parametrize("pattern", GOOD)
def test_what_passes_is_understood(pattern: str) -> None:
    assert check_pattern(pattern) is None
    assert _re2(pattern)


@pytest.mark.parametrize(("pattern", "reason"), BAD.items())
def test_what_is_refused_would_fail_later(pattern: str, reason: str) -> None:
    assert reason in str(check_pattern(pattern))
    assert not _re2(pattern)


def test_a_count_that_engines_read_in_two_ways() -> None:
    assert "write `{0,5}`" in str(check_pattern("a{,5}"))


def test_a_very_deep_pattern() -> None:
    assert check_pattern("(" * 5000 + ")" * 5000) is not None
