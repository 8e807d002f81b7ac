"""Names: kept, or rewritten by a convention; never two columns under one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from type_strategies import STEADY

from penstock.errors import RefusedError
from penstock.schema.naming import (
    DIRECT,
    NAMINGS,
    SNAKE_CASE,
    SQL_CI,
    Collide,
    Naming,
    allotted,
    fitted,
    joined,
    names_of,
    naming_of,
)

WORDS = st.text(st.sampled_from("aAbBzZ019_ -+*@|.$éß٣\nÄK\u017f"), max_size=8)
COLUMNS = st.lists(WORDS, max_size=8, unique=True)
CONVENTIONS = st.sampled_from(list(NAMINGS.values()))

# what dlt 1.31.0 makes of these names
SNAKE = [
    ("userId", "user_id"), ("HTTPServer", "http_server"), ("user-id", "user_id"), ("a+b*c", "axbxc"),
    ("me@home", "meahome"), ("a|b", "alb"), ("1st", "_1st"), ("total_", "totalx"), ("total__", "totalxx"),
    ("a__b", "a_b"), ("  Name ", "name"), ("Größe", "gr_e"), ("amount ($)", "amountx"),
    ("_dlt_id", "_dlt_id"), ("getHTTPResponse2XX", "get_http_response2_xx"), ("ÄÖ", "x"),
    ("_", "x"), ("A B", "a_b"),
]  # fmt: skip
LOWER = [
    ("userId", "userid"), ("user-id", "user_id"), ("a+b", "a_b"), ("1st", "_1st"), ("total__", "total"),
    ("a__b", "a_b"), ("Größe", "gr_e"), ("_", "_"), (" X ", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name"), SNAKE)
def test_snake_case_is_that_of_dlt(text: str, name: str) -> None:
    assert SNAKE_CASE.name(text) == name


@pytest.mark.parametrize(("text", "name"), LOWER)
def test_sql_ci_is_that_of_dlt(text: str, name: str) -> None:
    assert SQL_CI.name(text) == name


@pytest.mark.parametrize("naming", [SNAKE_CASE, SQL_CI])
def test_a_blank_name_gets_one(naming: Naming) -> None:
    assert naming.name("") == naming.name(" \n") == naming.name("_empty") == "_empty"


@STEADY
@given(WORDS, CONVENTIONS)
def test_naming_twice_is_naming_once(text: str, naming: Naming) -> None:
    assert naming.name(naming.name(text)) == naming.name(text)


@STEADY
@given(COLUMNS, CONVENTIONS, st.booleans())
def test_no_two_columns_have_one_name_whatever_their_order(
    columns: list[str], naming: Naming, fold: bool
) -> None:
    names = names_of(columns, naming, collide=Collide.SUFFIX, fold=fold)
    assert list(names) == columns
    keys = [name.casefold() if fold else name for name in names.values()]
    assert len(set(keys)) == len(columns)
    assert names_of(columns[::-1], naming, collide=Collide.SUFFIX, fold=fold) == names


@STEADY
@given(COLUMNS, COLUMNS, CONVENTIONS)
def test_names_given_before_stay(first: list[str], more: list[str], naming: Naming) -> None:
    before = names_of(first, naming, collide=Collide.SUFFIX, fold=True)
    after = names_of([*more, *first], naming, collide=Collide.SUFFIX, fold=True, earlier=before)
    assert {column: after[column] for column in first} == before
    assert len({name.casefold() for name in after.values()}) == len(after)


def test_kept_names_are_their_own() -> None:
    assert names_of(["Id", "id", "a b", ""]) == {"Id": "Id", "id": "id", "a b": "a b", "": ""}


def test_two_columns_under_one_name_are_refused_by_name() -> None:
    with pytest.raises(RefusedError, match="`user_id` and `userId` would both be called `user_id`"):
        names_of(["userId", "user_id"], SNAKE_CASE)
    with pytest.raises(RefusedError, match="`ID` and `id`"):
        names_of(["id", "ID"], fold=True)


def test_a_name_given_before_is_refused_to_another() -> None:
    with pytest.raises(RefusedError, match="`userId` and `user_id`"):
        names_of(["userId", "user_id"], SNAKE_CASE, earlier={"userId": "user_id"})


def test_the_column_that_is_called_so_keeps_its_name() -> None:
    names = names_of(["userID", "user-id", "user_id"], SNAKE_CASE, collide=Collide.SUFFIX)
    assert names == {"user_id": "user_id", "userID": "user_id__2", "user-id": "user_id__3"}


def test_a_number_is_not_taken_from_a_column_that_has_it() -> None:
    assert allotted([("a", "x"), ("b", "x"), ("c", "x__2")]) == {"a": "x", "c": "x__2", "b": "x__3"}
    assert allotted([("a", "_id")], reserved=["_ID"]) == {"a": "_id__2"}


@STEADY
@given(st.text(max_size=60), st.integers(16, 40))
def test_long_names_are_cut_to_fit(name: str, longest: int) -> None:
    cut = fitted(name, longest)
    assert len(cut.encode()) <= longest or cut == name
    assert len(cut.encode()) <= longest
    assert fitted(cut, longest) == cut


def test_long_names_that_differ_late_stay_apart() -> None:
    long = ["a" * 70 + "1", "a" * 70 + "2"]
    names = names_of(long, longest=63)
    assert len(set(names.values())) == 2
    assert all(len(name) == 63 for name in names.values())
    twins = names_of(["A" * 63, "a" * 63], fold=True, longest=63, collide=Collide.SUFFIX)
    assert all(len(name) <= 63 for name in twins.values())
    assert len({name.casefold() for name in twins.values()}) == 2


def test_a_path_is_joined_by_the_separator() -> None:
    assert joined(SNAKE_CASE, ["homeAddress", "Zip-Code"]) == "home_address__zip_code"
    assert joined(DIRECT, ["a", "B c"]) == "a__B c"


CUSTOM = """
def shout(text):
    return text.upper()

class Short:
    def name(self, text):
        return text[:3]

nothing = 5

def silent(text):
    return ""
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "conventions_of_my_own.py").write_text(CUSTOM)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "conventions_of_my_own", raising=False)
    return "conventions_of_my_own"


def test_a_convention_of_ones_own(module: str) -> None:
    assert naming_of(f"{module}:shout").name("ab") == "AB"
    assert naming_of(f"{module}:Short").name("abcdef") == "abc"
    assert naming_of("snake_case") is SNAKE_CASE


@pytest.mark.parametrize("ref", ["missing", "nothing"])
def test_what_is_no_convention_is_refused(module: str, ref: str) -> None:
    with pytest.raises(RefusedError, match=ref):
        naming_of(f"{module}:{ref}")


def test_a_convention_that_gives_no_name_is_refused(module: str) -> None:
    with pytest.raises(RefusedError, match="no name for `x`"):
        naming_of(f"{module}:silent").name("x")


def test_a_misspelt_convention_gets_a_hint() -> None:
    with pytest.raises(RefusedError, match="snake_case"):
        naming_of("snakecase")
