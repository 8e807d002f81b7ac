"""The words at the head of a SQL file: YAML in a comment, with the file's own lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ProjectError
from penstock.project.front_matter import front_matter
from penstock.project.positions import Positions


def test_a_file_without_words() -> None:
    for text in (
        "SELECT 1",
        "",
        "/* materialized: view */ SELECT 1",
        "SELECT 1 /*--- materialized: view ---*/",
    ):
        found = front_matter(text, "m.sql")
        assert (found.words.plain(), found.body) == ({}, text)


def test_words_and_the_query_keep_their_lines() -> None:
    text = "-- who wrote this\n\n/*---\nmaterialized: view\ntags:\n  - a\n---*/\nSELECT 1\n"
    found = front_matter(text, "m.sql")
    assert found.words.plain() == {"materialized": "view", "tags": ["a"]}
    positions = Positions(found.words)
    assert positions.where(("tags",)) == "m.sql:5 (tags)"
    assert positions.where(("tags", 0)) == "m.sql:6 (tags[0])"
    assert found.body == "-- who wrote this\n\n\n\n\n\n\nSELECT 1\n"


def test_words_in_one_line() -> None:
    found = front_matter("\ufeff/*--- {materialized: view, tags: [a]} ---*/ SELECT 1", "m.sql")
    assert found.words.plain() == {"materialized": "view", "tags": ["a"]}
    assert found.body.endswith("SELECT 1")


def test_lines_that_end_as_on_windows() -> None:
    found = front_matter("\ufeff/*---\r\ntags: a\r\n---*/\r\nSELECT 1\r\n", "m.sql")
    assert (found.words.plain(), found.body) == ({"tags": "a"}, "\n\n\r\nSELECT 1\r\n")
    assert front_matter("\ufeffSELECT 1", "m.sql").body == "SELECT 1"


def test_no_words_between_the_marks() -> None:
    assert front_matter("/*---\n---*/SELECT 1", "m.sql").words.plain() == {}


@given(st.lists(st.sampled_from(["", "a: 1", "b: [x]", "# remark"]), unique_by=lambda t: t or id(t)))
def test_the_query_is_in_the_same_line_whatever_stands_before(lines: list[str]) -> None:
    text = "\n".join(["/*---", *lines, "---*/", "SELECT 1"])
    body = front_matter(text, "m.sql").body
    assert body.split("\n").index("SELECT 1") == len(lines) + 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n/*---\nmaterialized: view\nSELECT 1", "the words of this file have no end\n  where: m.sql:2"),
        ("/*---\n- a\n---*/", "the words of this file are no mapping\n  where: m.sql:1"),
        ("/*---\na: b: c\n---*/", "this is not YAML"),
        ("/*---\na: 1\n\tb: 2\n---*/", "where: m.sql:3"),
        ("/*---\na: 1\na: 2\n---*/", "the key `a` is there twice\n  where: m.sql:3"),
        ("/*---\nowners:\n  - ${ME}\n---*/", "`${ME}` is not filled in here\n  where: m.sql:3 (owners[0])"),
    ],
)
def test_wrong_words(text: str, message: str) -> None:
    with pytest.raises(ProjectError) as caught:
        front_matter(text, "m.sql")
    assert message in str(caught.value)
