"""YAML with lines: what is read, and what is told of what cannot be."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.project.nodes import Node, Position, dotted, overlay, read_yaml, where


def errors(text: str) -> list[str]:
    return [str(e).replace("\n  ", " | ") for e in read_yaml(text, "a.yml")[1]]


def test_values() -> None:
    text = """
    text: yes
    date: 2024-01-31
    quoted: "12"
    numbers: [12, -3, 0o17, 0x1f, 1_000, 1.5, 1e3, .inf]
    words: [true, False, null, ~]
    nothing:
    2024: key
    """
    node, wrong = read_yaml(text, "a.yml")
    assert wrong == []
    assert node.plain() == {
        "text": "yes",
        "date": "2024-01-31",
        "quoted": "12",
        "numbers": [12, -3, 15, 31, 1000, 1.5, 1000.0, math.inf],
        "words": [True, False, None, None],
        "nothing": None,
        "2024": "key",
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff"])
def test_an_empty_file_is_a_mapping(text: str) -> None:
    node, wrong = read_yaml(text, "a.yml")
    assert (node.plain(), wrong) == ({}, [])


def test_lines() -> None:
    node, _ = read_yaml(
        "a: 1\nb:\n  c:\n    - x\n    - d: >\n        long\n        text\ne: {f: 1,\n  g: 2}\n", "a.yml"
    )
    lines = {dotted(path): scalar.at.line for path, scalar in node.scalars()}
    assert lines == {"a": 1, "b.c[0]": 4, "b.c[1].d": 5, "e.f": 8, "e.g": 9}
    b = node.child("b")
    assert b is not None
    assert (b.at, b.child(0), b.child("x"), b.child(7)) == (Position("a.yml", 2), b.child("c"), None, None)


def test_anchors_aliases_and_merges() -> None:
    node, wrong = read_yaml("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\ne: *x\nf: {<<: [*x, {g: 4}]}\n", "a.yml")
    assert wrong == []
    plain = node.plain()
    assert (plain["d"], plain["e"], plain["f"]) == (
        {"b": 1, "c": 3},
        {"b": 1, "c": 2},
        {"b": 1, "c": 2, "g": 4},
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\tb: 1\n", "a.yml:2 | found: b: 1 | hint: YAML is indented with spaces"),
        ("a: b: c\n", "a.yml:1 | found: a: b: c | hint: a value that holds `: ` needs quotes"),
        (
            "a: 1\nb: *.jsonl\n",
            "a.yml:2 | found: b: *.jsonl | hint: a value that begins with `*` needs quotes",
        ),
        ("a: @b\n", "hint: a value that begins with this character needs quotes"),
        (
            "a: {b: 1\nc: 2\n",
            "a.yml:2 | found: c: 2 | hint: while parsing a flow mapping that began in line 1",
        ),
        ("a: 'b\n", "found unexpected end of stream"),
        ("a: 1\n---\nb: 2\n", "a second document begins | where: a.yml:2"),
        ("a: \x01", "this is not YAML | where: a.yml:1"),
        (
            "a: 1\nb:\n  c: 1\n  c: 2\n",
            "the key `c` is there twice | where: a.yml:4 (b) | hint: it is in line 3",
        ),
        ("a: !secret b\n", "the tag `!secret` means nothing here | where: a.yml:1 (a)"),
        ("a: !!int b\n", "'b' is not a number | where: a.yml:1 (a)"),
        ("[a]: b\n", "a key must be text | where: a.yml:1"),
        ("a: &x [*x]\n", "an alias leads to itself, or to too much | where: a.yml:1 (a[0])"),
        ("[" * 1000, "this is nested too deeply"),
    ],
)
def test_what_cannot_be_read(text: str, message: str) -> None:
    [error] = errors(text)
    assert message in error


def test_aliases_of_aliases_end() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    ]
    [error] = errors("\n".join(lines))
    assert "an alias leads to itself, or to too much" in error


@settings(derandomize=True, deadline=None, max_examples=150, database=None)
@given(st.text(st.sampled_from("ab: \n\t-[]{}'\"#&*!|>%@`,?\\0.~é\x00\ufeff"), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    node, wrong = read_yaml(text, "a.yml")
    assert isinstance(node, Node)
    assert all(e.where and e.where.startswith("a.yml:") for e in wrong)


def tree(text: str) -> Node:
    return read_yaml(text, "a.yml")[0]


def test_overlays() -> None:
    base = tree("a: {b: 1, c: {d: 2}}\ne: [1, 2]\nf: {type: x, g: 1}\nh: {type: x, i: 1}\n")
    over = tree("a: {c: {j: 3}}\ne: [3]\nf: {type: y, k: 2}\nh: {i: 2}\nl: ~\n")
    merged = overlay(base, over)
    assert merged.plain() == {
        "a": {"b": 1, "c": {"d": 2, "j": 3}},
        "e": [3],
        "f": {"type": "y", "k": 2},
        "h": {"type": "x", "i": 2},
        "l": None,
    }
    assert overlay(base, tree("a: ~")).plain()["a"] is None


def test_places_for_people() -> None:
    assert where(Position("a.yml", 3), ("a", 0, "b.c", "")) == "a.yml:3 (a[0]['b.c'][''])"
    assert where(Position("a.yml", 3)) == "a.yml:3"


def test_values_do_not_show() -> None:
    assert "hunter2" not in repr(tree("a: hunter2")).replace("written='hunter2'", "")
