"""Paths into nested rows."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from type_strategies import STEADY

from penstock.errors import RefusedError
from penstock.schema.jsonpath import ANY, MISSING, parse_path

ROW = {
    "id": 7,
    "meta": {"ts": "a", "a.b": {"c": 1}, "it's": 2},
    "items": [{"ts": 3}, {"x": 0}, {"ts": 4}],
    "updated at": 5,
    "none": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("id", [7]),
        ("$.id", [7]),
        ("$id", None),
        ("$", [ROW]),
        ("meta.ts", ["a"]),
        ("$['meta']['ts']", ["a"]),
        ('meta["a.b"].c', [1]),
        (r"meta['it\'s']", [2]),
        ("items[0].ts", [3]),
        ("items[-1].ts", [4]),
        ("items[3].ts", []),
        ("items[-4].ts", []),
        ("items[*].ts", [3, 4]),
        ("items.*.ts", [3, 4]),
        ("meta.*", ["a", {"c": 1}, 2]),
        ("[*].ts", ["a"]),
        ("updated at", [5]),
        ("none", [None]),
        ("none.deeper", []),
        ("id[0]", []),
        ("meta[0]", []),
        ("items.ts", []),
        ("gone", []),
    ],
)
def test_finds_values(path: str, found: list[object] | None) -> None:
    if found is None:
        with pytest.raises(RefusedError):
            parse_path(path)
        return
    assert list(parse_path(path).find(ROW)) == found
    assert parse_path(path).first(ROW) == (found[0] if found else MISSING)


@pytest.mark.parametrize(
    "path", ["", "a.", ".a", "a..b", "a[", "a[]", "a[b]", "a['b]", "a]b", "a[1]b", "a.[0]"]
)
def test_refuses_what_is_no_path(path: str) -> None:
    with pytest.raises(RefusedError, match="path"):
        parse_path(path)


def test_says_which_paths_are_plain_names() -> None:
    assert parse_path("$.updated-at").name == "updated-at"
    assert parse_path("['a.b']").name == "a.b"
    assert parse_path("a.b").name is None
    assert parse_path("a.b").names == ("a", "b")
    assert parse_path("a[0]").names is None
    assert parse_path("a[*]").steps == ("a", ANY)
    assert parse_path("$").names is None


@STEADY
@given(st.lists(st.one_of(st.text(max_size=5), st.integers(0, 3)), min_size=1, max_size=4))
def test_quoted_steps_find_what_they_name(steps: list[str | int]) -> None:
    value: object = "found"
    for step in reversed(steps):
        value = {step: value} if isinstance(step, str) else [None] * step + [value]
    text = "".join(
        f"[{s}]" if isinstance(s, int) else "['" + s.replace("\\", "\\\\").replace("'", "\\'") + "']"
        for s in steps
    )
    path = parse_path(text)
    assert list(path.steps) == steps
    assert path.first(value) == "found", json.dumps(value)
