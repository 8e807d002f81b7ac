"""States as text and back, and laid over each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ProjectError
from penstock.singer.state import TapState, Versions, dump, load, merge

JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(st.text(max_size=2), JSON, min_size=1, max_size=3)
VERSIONS = st.dictionaries(
    st.text(max_size=2), st.builds(Versions, st.integers(0, 9), st.integers(9, 20)), max_size=2
)


@given(DOCUMENTS, VERSIONS)
def test_what_is_written_is_read(value: Any, versions: Any) -> None:
    state = TapState(json.dumps(value).encode(), versions)
    assert load(dump(state)) == state


@given(DOCUMENTS, DOCUMENTS)
def test_a_part_laid_over_a_whole(before: Any, after: Any) -> None:
    both = merge(before, after)
    assert merge(both, after) == both
    assert both.keys() == before.keys() | after.keys()
    found = TapState(json.dumps(before).encode()).merged(json.dumps(after).encode())
    assert json.loads(found.value or b"") == both


def test_digits_of_a_state_stay() -> None:
    text = dump(load('{"singer_state":{"at":1.10,"big":123456789012345678901234567890}}'))
    assert text == '{"singer_state":{"at":1.10,"big":123456789012345678901234567890}}'


@pytest.mark.parametrize("empty", [b"{}", b" {} ", b"null", b"[]"])
def test_nothing_never_replaces_something(empty: bytes) -> None:
    real = TapState(b'{"a":1}')
    assert real.told(empty) == real
    assert real.told(b'{"b":1}').value == b'{"b":1}'
    assert TapState().told(empty).is_empty
    assert TapState().told(empty).told(b'{"a":1}') == real


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, None),
        ("", None),
        ("{}", None),
        ('{"singer_state":null}', None),
        ('{"bookmarks": {}}', b'{"bookmarks": {}}'),
        ('{"completed": {"singer_state": 1}}', b'{"completed": {"singer_state": 1}}'),
        ('{"singer_state":{"a":1},"completed":true}', b'{"a":1}'),
    ],
)
def test_states_from_elsewhere(text: str | None, value: bytes | None) -> None:
    assert load(text).value == value


@pytest.mark.parametrize("text", ["x", "[1]", '{"singer_state":'])
def test_what_is_no_state(text: str) -> None:
    with pytest.raises(ProjectError, match="state"):
        load(text)
