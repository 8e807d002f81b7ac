"""Changes to project and .env files: what is asked for changes, and not a line beside it."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import ProjectError
from penstock.project.dotenv import set_variable, unset_variable
from penstock.project.editing import Step, drop, plain, present, put
from penstock.project.variables import parse_dotenv

TEXT = """\
# top
name: my-project   # the name
layers: {land: data/land,  raw_hist: data/raw}   # odd   spacing

plugins:
  extractors:
  # about github
  - name: tap-github # inline
    config:
      # the repos
      repositories: ["a/b"]   # one
      start_date:   '2020-01-01'
    select:
    - releases.*

  - name: tap-postgres
  # trailing
  loaders:
    - name: target-jsonl
  utilities: []

pipelines:
  x:    {source: {type: land},   tables: {}}
# end
"""
GITHUB: list[Step] = ["plugins", "extractors", ("name", "tap-github")]


def changed(after: str, before: str = TEXT) -> list[str]:
    rows = difflib.ndiff(before.splitlines(), after.splitlines())
    return [row for row in rows if row[0] in "+-"]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ([*GITHUB, "config", "x"], [1], ["+       x:", "+       - 1"]),
        (
            [*GITHUB, "config", "repositories"],
            "c/d",
            ['-       repositories: ["a/b"]   # one', "+       repositories: c/d   # one"],
        ),
        (
            ["plugins", "extractors", ("name", "tap-postgres"), "config", "port"],
            5432,
            ["+     config:", "+       port: 5432"],
        ),
        (
            ["plugins", "loaders", ("name", "z")],
            {"name": "z", "variant": "v"},
            ["+     - name: z", "+       variant: v"],
        ),
        (["plugins", "mappers", ("name", "z")], {"name": "z"}, ["+   mappers:", "+   - name: z"]),
        (
            ["plugins", "utilities", ("name", "z")],
            {"name": "z"},
            ["-   utilities: []", "+   utilities:", "+   - name: z"],
        ),
        (
            ["jobs", ("name", "j")],
            {"name": "j", "tasks": ["a b"]},
            ["+ jobs:", "+ - name: j", "+   tasks:", "+   - a b"],
        ),
        (
            ["environments", "prod", "env", "A"],
            "b",
            ["+ environments:", "+   prod:", "+     env:", "+       A: b"],
        ),
    ],
)
def test_only_the_lines_of_a_change_change(path: list[Step], value: object, expected: list[str]) -> None:
    assert changed(put(TEXT, path, value)) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ([*GITHUB, "config", "start_date"], ["-       start_date:   '2020-01-01'"]),
        ([*GITHUB, "select"], ["-     select:", "-     - releases.*"]),
        ([*GITHUB, "config", "nothing"], []),
        (["plugins", "loaders", ("name", "target-jsonl")], ["-   loaders:", "-     - name: target-jsonl"]),
    ],
)
def test_only_the_lines_of_what_goes_go(path: list[Step], expected: list[str]) -> None:
    assert changed(drop(TEXT, path)) == expected


def test_what_stands_on_one_line_is_changed_too() -> None:
    after = put(TEXT, ["pipelines", "x", "tables", "t"], {"write": "append"})
    assert plain(after, ["pipelines", "x"]) == {
        "source": {"type": "land"},
        "tables": {"t": {"write": "append"}},
    }
    assert all(note in after for note in ("# top", "# the name", "# about github", "# inline", "# end"))


def test_a_file_with_anchors_keeps_their_meaning() -> None:
    text = "a: &a {x: 1}\nb: *a\nc: 2 # two\n"
    after = put(text, ["b"], {"x": 3})
    assert (plain(after), "# two" in after) == ({"a": {"x": 1}, "b": {"x": 3}, "c": 2}, True)


def test_an_empty_file_gets_its_first_line() -> None:
    assert put("", ["a", "b"], 1) == "a:\n  b: 1\n"
    assert put("# nothing yet\n", ["a"], 1) == "# nothing yet\na: 1\n"


def test_a_value_in_the_way_is_refused() -> None:
    with pytest.raises(ProjectError, match="not a mapping"):
        put("a: [1]\n", ["a", "b"], 1)
    with pytest.raises(ProjectError, match="not a list"):
        put("a: {b: 1}\n", ["a", ("name", "x")], {"name": "x"})


NAMES = st.sampled_from(["a", "b", "config", "x-y", "on", "1"])  # a `name` would rename its item
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12),
)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES, v, max_size=3), max_leaves=6
)
STEP = st.tuples(NAMES) | st.tuples(
    NAMES, st.tuples(st.just("name"), NAMES)
)  # an item is in a list, below a key
STEPS = st.lists(STEP, min_size=1, max_size=3).map(lambda steps: [s for step in steps for s in step])


@settings(deadline=None, max_examples=60)
@given(path=STEPS, value=VALUES)
def test_what_is_put_is_there_and_nothing_else_is_different(path: list[Step], value: object) -> None:
    whole: list[Step] = ["more", *path]
    if isinstance(whole[-1], tuple):
        value = {"name": whole[-1][1], "value": value}
    after = put(TEXT, whole, value)
    assert plain(after, whole) == value
    before = plain(TEXT)
    assert {k: v for k, v in plain(after).items() if k != "more"} == before
    gone = drop(after, whole)
    assert not present(gone, whole)
    assert {k: v for k, v in plain(gone).items() if k != "more"} == before


# -------------------------------------------------------------------------------------- .env


def test_a_variable_is_set_in_its_place() -> None:
    text = "# mine\nA=1 # one\nexport B='two\nlines'\n\nC=3"
    after = set_variable(text, "B", "it's")
    assert after == '# mine\nA=1 # one\nB="it\'s"\n\nC=3'
    assert set_variable(text, "D", "4") == text + "\nD=4\n"
    assert unset_variable(text, "B") == "# mine\nA=1 # one\n\nC=3"
    assert unset_variable(text, "Z") == text


@settings(deadline=None)
@given(value=st.text(st.characters(codec="utf-8", exclude_characters="\r\0")))
def test_any_value_comes_back_from_dotenv(value: str) -> None:
    before = "A='first'\nB=2\n"
    after = set_variable(before, "A", value)
    assert parse_dotenv(after) == {"A": value, "B": "2"}
    assert parse_dotenv(unset_variable(after, "A")) == {"B": "2"}
