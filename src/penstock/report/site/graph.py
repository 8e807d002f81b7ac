"""Where the boxes of the lineage graph go: a rank from left to right, and an order within each rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_SWEEPS = 4


def ranks(reads: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many steps lie between a node and the farthest beginning of its rows.

    A node is to the right of everything it reads. What reads itself by a detour, which no project can say
    but a hand-made fact may, is not followed round.
    """
    found: dict[str, int] = {}
    for start in reads:
        stack = [(start, False)]
        open_: set[str] = set()
        while stack:
            node, whole = stack.pop()
            before = [r for r in reads.get(node, ()) if r in reads]
            if whole:
                open_.discard(node)
                found[node] = 1 + max((found.get(r, -1) for r in before), default=-1)
            elif node not in found and node not in open_:
                open_.add(node)
                stack.append((node, True))
                stack += [(r, False) for r in before if r not in found and r not in open_]
    return found


def positions(reads: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, int]]:
    """The rank of each node and its place from the top, chosen so that few lines cross.

    Each rank is sorted by the mean place of what its nodes are connected with, to the right and back to the
    left a few times. Source: Sugiyama, Tagawa and Toda (1981), the barycentre method.
    """
    rank = ranks(reads)
    columns: list[list[str]] = [[] for _ in range(1 + max(rank.values(), default=-1))]
    for node in reads:
        columns[rank[node]].append(node)
    readers: dict[str, list[str]] = {node: [] for node in reads}
    for node, sources in reads.items():
        for source in sources:
            if source in readers:
                readers[source].append(node)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        beside: Mapping[str, Sequence[str]] = reads if forward else readers
        place = _places(columns)
        for column in columns if forward else reversed(columns):
            centres = {node: _centre(node, beside, place) for node in column}
            column.sort(key=lambda node: centres[node])
            place |= _places([column])
    return {node: (number, at) for number, column in enumerate(columns) for at, node in enumerate(column)}


def _places(columns: Sequence[Sequence[str]]) -> dict[str, float]:
    """Where nodes are from the top, as a share of their rank's height."""
    return {node: (at + 0.5) / len(column) for column in columns for at, node in enumerate(column)}


def _centre(node: str, beside: Mapping[str, Sequence[str]], place: Mapping[str, float]) -> float:
    around = [place[other] for other in beside[node] if other in place]
    return sum(around) / len(around) if around else place[node]
