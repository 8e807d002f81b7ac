"""Messages are split as a JSON reader would read them, whatever their bytes look like."""

from __future__ import annotations

import json
import math
import random
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
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec="utf-8"), max_size=5)
    | st.sampled_from(['{"type":"STATE"}', '"}', "\\", "},\n{", "\u2028", "{,"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=3)
STREAMS = st.sampled_from(["a", "b-ü", 'q"'])
NUMBERS = st.integers(0, 2**60)


def message(kind: str, **members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), **members})


MESSAGES = st.one_of(
    message("RECORD", stream=STREAMS, record=OBJECTS),
    message(
        "RECORD", stream=STREAMS, record=OBJECTS, version=st.none() | NUMBERS,
        time_extracted=st.text(max_size=3), more=VALUES,
    ),
    message("SCHEMA", stream=STREAMS, schema=OBJECTS, key_properties=st.just(["k"])),
    message("STATE", value=VALUES),
    message("ACTIVATE_VERSION", stream=STREAMS, version=NUMBERS),
    message("LATER", stream=st.just(1)),
)  # fmt: skip


def written(value: Any, rng: random.Random, shuffled: bool = False) -> str:
    """A value as JSON text: whitespace and escapes as they may come, the top keys in any order."""
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=rng.random() < 0.5)
    keys = rng.sample(list(value), len(value)) if shuffled else list(value)

    def blank() -> str:
        return rng.choice(["", "", " ", "\t", "\r "])

    members = [
        f"{blank()}{written(k, rng)}{blank()}:{blank()}{written(value[k], rng)}{blank()}" for k in keys
    ]
    return "{" + ",".join(members) + blank() + "}"


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


@given(st.lists(MESSAGES, max_size=4), st.integers(0, 99))
def test_it_agrees_with_a_json_reader(said: list[dict[str, Any]], seed: int) -> None:
    rng = random.Random(seed)
    lines = [f"{' ' * rng.randrange(2)}{written(m, rng, shuffled=True)}" for m in said]
    block = "".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass")
    splitter = Splitter("tap", timed=True)
    found = told(list(splitter.split(block)) if block else [])
    assert same(found, expected([json.loads(line) for line in lines])), (found, said)
    assert splitter.line == len(lines)


@given(OBJECTS, st.integers(0, 99))
def test_spans_are_the_members_as_they_are_written(value: dict[str, Any], seed: int) -> None:
    text = written(value, random.Random(seed), shuffled=True)
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
