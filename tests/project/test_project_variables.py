"""Variables, the `.env` file and keeping secrets out of sight."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import ProjectError
from penstock.project.nodes import read_yaml
from penstock.project.variables import fill, parse_dotenv, redact

ENV = {"NAME": "value", "EMPTY": "", "_X1": "y"}


def filled(text: str) -> object:
    result = fill(read_yaml("a: " + text, "a.yml")[0], ENV)
    assert result.errors == ()
    return result.node.plain()["a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${NAME}", "value"),
        ("x-${NAME}-${_X1}", "x-value-y"),
        ("'${NONE:-a b}'", "a b"),
        ("'${NONE:-}'", ""),
        ("${NAME:-other}", "value"),
        ("${EMPTY}", ""),
        ("${EMPTY:-other}", "other"),
        ("$${NAME}", "${NAME}"),
        ("cost $5 $$", "cost $5 $"),
        ("$NAME", "$NAME"),
        ("{b: ['${NAME}', 1, true]}", {"b": ["value", 1, True]}),
    ],
)
def test_filling_in(text: str, value: object) -> None:
    assert filled(text) == value


def test_what_has_no_value_is_told_with_its_line() -> None:
    node, _ = read_yaml("a: 1\nb: {c: '${NAMES} ${2}'}\n", "a.yml")
    result = fill(node, ENV)
    assert [(e.what, e.where, e.hint) for e in result.errors] == [
        ("the variable `NAMES` is not set", "a.yml:2 (b.c)", "did you mean 'NAME'?"),
        ("`${2}` is not a variable", "a.yml:2 (b.c)", "for a dollar sign write `$$`"),
    ]
    b = result.node.child("b")
    assert b is not None
    assert [scalar.unset for _, scalar in b.scalars()] == [("NAMES", "${2}")]


def test_only_values_of_the_environment_are_secrets() -> None:
    result = fill(read_yaml("a: '${NAME} ${NONE:-default} plain'", "a.yml")[0], ENV)
    assert result.secrets == {"value"}


# ---------------------------------------------------------------------------------- .env


def test_dotenv() -> None:
    text = (
        "\ufeff# comment\r\n\n"
        "A=1\n"
        "export B = two words # comment\n"
        "C='single $X \\n # kept' # comment\n"
        'D="double \\"quoted\\" \\$ \\\\ \\n # kept"\n'
        'E="two\nlines"\n'
        "F=\n"
        "G=a#b\n"
        "H= # nothing\n"
        "A=2"
    )
    assert parse_dotenv(text) == {
        "A": "2",
        "B": "two words",
        "C": "single $X \\n # kept",
        "D": 'double "quoted" $ \\ \n # kept',
        "E": "two\nlines",
        "F": "",
        "G": "a#b",
        "H": "",
    }


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("A=1\nhunter2\n", "this line sets no variable", 2),
        ("2A=1", "this line sets no variable", 1),
        ('A=1\n\nB="hunter2\nC=3\n', "the value of `B` does not end with its quote", 3),
        ("A='hunter2' hunter2\n", "the value of `A` does not end with its quote", 1),
    ],
)
def test_a_wrong_dotenv_is_told_without_its_values(text: str, what: str, line: int) -> None:
    with pytest.raises(ProjectError) as caught:
        parse_dotenv(text)
    assert (caught.value.what, caught.value.where) == (what, f".env:{line}")
    assert "hunter2" not in str(caught.value)


@settings(derandomize=True, deadline=None, max_examples=60, database=None)
@given(st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])))
def test_a_quoted_value_reads_back(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_dotenv(f'A="{escaped}" # comment\nB=2') == {"A": value, "B": "2"}


# ------------------------------------------------------------------------------- redaction


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("user:hunter2@host", {"hunter2"}, "user:***@host"),
        ("hunter2hunter", {"hunter", "hunter2"}, "******"),
        ("a true null b", {"true", "null", "a", "b"}, "a true null b"),
        ("first\nsecond", {"first line\nsecond"}, "first\n***"),
        ("nothing", set(), "nothing"),
    ],
)
def test_masking(text: str, secrets: set[str], shown: str) -> None:
    assert redact(text, secrets) == shown


@settings(derandomize=True, deadline=None, max_examples=80, database=None)
@given(st.text("ab /?&=\"'\\é%+", min_size=4, max_size=12), st.text(max_size=5))
def test_a_secret_shows_in_no_form(secret: str, around: str) -> None:
    for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1]):
        assert form not in redact(f"{around}{form}{around}", {secret}).replace("***", "")
