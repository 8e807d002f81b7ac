"""Where boxes go: to the right of what they read, with as few crossings as sorting by neighbours gives."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.report.site.graph import positions, ranks


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Nodes that read some of those before them."""
    number = draw(st.integers(0, 25))
    return {
        str(i): tuple(str(j) for j in draw(st.sets(st.integers(0, i - 1), max_size=4)) if i) if i else ()
        for i in range(number)
    }


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_every_box_is_right_of_what_it_reads(reads: dict[str, tuple[str, ...]]) -> None:
    found = positions(reads)
    assert set(found) == set(reads)
    assert len(set(found.values())) == len(found)
    for node, sources in reads.items():
        assert all(found[source][0] < found[node][0] for source in sources)
        assert found[node][0] == max((found[s][0] + 1 for s in sources), default=0)
    assert positions(reads) == found


def test_a_circle_is_no_end() -> None:
    assert set(ranks({"a": ("b",), "b": ("a",), "c": ("c",)})) == {"a", "b", "c"}


def test_what_is_not_there_is_not_waited_for() -> None:
    assert positions({"a": ("gone",)}) == {"a": (0, 0)}


def test_a_long_chain_is_followed_without_recursion() -> None:
    chain = {str(i): (str(i - 1),) if i else () for i in range(5000)}
    assert ranks(dict(reversed(chain.items())))["4999"] == 4999


def test_lines_are_uncrossed() -> None:
    crossed = {"a": (), "b": (), "c": (), "x": ("c",), "y": ("b",), "z": ("a",)}
    found = positions(crossed)
    order = {node: at for node, (_, at) in found.items()}
    assert [order[n] for n in "xyz"] == [order[n] for n in "cba"]
