"""Messages are split as a JSON reader would read them, whatever their bytes look like."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import RefusedError
from penstock.singer.messages import (
    BatchFound,
    Message,
    Records,
    SchemaFound,
    Splitter,
    StateFound,
    Unknown,
    VersionActive,
)
from penstock.singer.spans import spans_of

# Any throughout: JSON holds values of every type.
BLANKS = st.text(" \t\r", max_size=2)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec="utf-8"))
    | st.sampled_from(['{"type":"STATE"}', '"}', "\\", "},\n{", "\u2028", "{,"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(max_size=4), VALUES, max_size=4)


@st.composite
def written(draw: st.DrawFn, value: Any) -> str:
    """A value as JSON text, with whitespace and escapes as they may come."""
    if isinstance(value, dict):
        members = [
            draw(BLANKS) + draw(written(k)) + draw(BLANKS) + ":" + draw(BLANKS) + draw(written(v))
            for k, v in value.items()
        ]
        return "{" + ",".join(members) + draw(BLANKS) + "}"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """A message of any type, its keys in any order."""
    stream = draw(st.sampled_from(["a", "b-ü", 'q"']))
    version = draw(st.none() | st.integers(0, 2**60))
    kinds: list[dict[str, Any]] = [
        {"type": "RECORD", "stream": stream, "record": draw(OBJECTS), "version": version,
         "time_extracted": draw(st.none() | st.text(max_size=3)), "more": draw(VALUES)},
        {"type": "RECORD", "stream": stream, "record": draw(OBJECTS)},
        {"type": "SCHEMA", "stream": stream, "schema": draw(OBJECTS), "key_properties": ["k"]},
        {"type": "STATE", "value": draw(VALUES)},
        {"type": "ACTIVATE_VERSION", "stream": stream, "version": version or 0},
        {"type": "LATER", "stream": 1},
    ]  # fmt: skip
    message = draw(st.sampled_from(kinds))
    return {k: message[k] for k in draw(st.permutations(list(message)))}


@st.composite
def streams_of_lines(draw: st.DrawFn) -> tuple[list[Any], list[str]]:
    said = draw(st.lists(messages(), max_size=6))
    return said, [draw(BLANKS) + draw(written(m)) + draw(BLANKS) for m in said]


def same(a: Any, b: Any) -> bool:
    """Whether two values are one, NaN included."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and bool(a == b)


def told(found: Sequence[Message]) -> list[Any]:
    """What was found, as plain values: records one by one."""
    plain: list[Any] = []
    for message in found:
        match message:
            case Records(stream, version, texts, times):
                lines = message.lines().split(b"\n")
                assert lines.pop() == b""
                assert len(lines) == len(texts)
                for i, line in enumerate(lines):
                    plain.append(["RECORD", stream, json.loads(line), version, times[i] if times else None])
            case SchemaFound(stream, schema, keys):
                plain.append(["SCHEMA", stream, dict(schema), list(keys)])
            case StateFound(value):
                plain.append(["STATE", json.loads(value)])
            case VersionActive(stream, version):
                plain.append(["ACTIVATE_VERSION", stream, version])
            case Unknown(kind, _):
                plain.append([kind])
    return plain


def expected(said: Sequence[dict[str, Any]]) -> list[Any]:
    orders = {
        "RECORD": ("stream", "record", "version", "time_extracted"),
        "SCHEMA": ("stream", "schema", "key_properties"),
        "STATE": ("value",),
        "ACTIVATE_VERSION": ("stream", "version"),
        "LATER": (),
    }
    return [[m["type"], *(m.get(key) for key in orders[m["type"]])] for m in said]


@given(streams_of_lines())
def test_it_agrees_with_a_json_reader(case: tuple[list[Any], list[str]]) -> None:
    said, lines = case
    block = "".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass")
    splitter = Splitter("tap", timed=True)
    found = told(list(splitter.split(block)) if block else [])
    assert same(found, expected([json.loads(line) for line in lines])), (found, said)
    assert splitter.line == len(lines)


@given(OBJECTS, st.data())
def test_spans_are_the_members_as_they_are_written(value: dict[str, Any], data: st.DataObject) -> None:
    text = data.draw(written(value))
    found = spans_of(text.encode("utf-8", "surrogatepass"))
    assert same({k: found.json(k) for k in found.members}, json.loads(text))
    assert all(part in text for _, part in found.members.values())


def test_texts_keep_their_digits() -> None:
    [found] = Splitter("t").split(b'{"record":{"a":1.10, "b" : 1E400,"c":-0},"type":"RECORD","stream":"s"}\n')
    assert isinstance(found, Records)
    assert found.lines() == b'{"a":1.10, "b" : 1E400,"c":-0}\n'


def test_records_that_follow_each_other_come_together() -> None:
    line = b'{"type":"RECORD","stream":"%s","record":{},"version":%d}\n'
    found = list(Splitter("t").split(line % (b"a", 1) * 3 + line % (b"a", 2) + line % (b"b", 2) * 2))
    assert [(f.stream, f.version, len(f.texts)) for f in found if isinstance(f, Records)] == [
        ("a", 1, 3),
        ("a", 2, 1),
        ("b", 2, 2),
    ]


def test_a_batch() -> None:
    [found] = Splitter("t").split(
        b'{"type":"BATCH","stream":"s","encoding":{"format":"jsonl","compression":"gzip","x":1},"manifest":["a"]}\n'
    )
    assert found == BatchFound("s", "jsonl", "gzip", ("a",))


@pytest.mark.parametrize(
    ("said", "keys"), [(b'"id"', ("id",)), (b"null", ()), (b'["a","b"]', ("a", "b")), (b"{}", ())]
)
def test_key_properties_as_taps_write_them(said: bytes, keys: tuple[str, ...]) -> None:
    [found] = Splitter("t").split(
        b'{"type":"SCHEMA","stream":"s","schema":{},"bookmark_properties":"x","key_properties":'
        + said
        + b"}\n"
    )
    assert isinstance(found, SchemaFound)
    assert found.keys == keys


@pytest.mark.parametrize(
    "line",
    [
        b"plain text",
        b"[]",
        b"1",
        b'{"type":"STATE","value":{}} trailing',
        b'{"type":"STATE","value":{}',
        b'{"type":"RECORD","stream":"s","record":{"a":"\x01"}}',
        b"{" * 100_000,
        b'{"type":"RECORD","stream":"s","record":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"type":5}',
        b'{"type":"ACTIVATE_VERSION","stream":"s","version":"soon"}',
    ],
)
def test_lines_that_are_no_messages_are_named(line: bytes) -> None:
    splitter = Splitter("tap-x")
    found = []
    with pytest.raises(RefusedError, match=r"`tap-x`, line 2 ") as caught:
        for message in splitter.split(b'{"type":"STATE","value":1}\n' + line + b"\n"):
            found.append(message)  # noqa: PERF402 what came before the error counts
    assert found == [StateFound(b"1")]
    assert len(caught.value.found or "") <= 200


def test_bytes_that_are_no_utf_8_stay_as_they_are() -> None:
    [found] = Splitter("t").split(b'{"type":"RECORD","stream":"s","record":{"a":"\xff", "b": NaN}}\n')
    assert isinstance(found, Records)
    assert found.lines() == b'{"a":"\xff", "b": NaN}\n'
