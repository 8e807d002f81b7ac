"""All resources of a run: which feeds which, in what order they run, and what they give."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from penstock.sources.python.chunk import Chunk
from penstock.sources.python.group import Source, state_names
from penstock.sources.python.lane import Lane
from penstock.sources.python.memory import State, load
from penstock.sources.python.resource import Resource
from penstock.sources.python.template import Template
from penstock.sources.python.values import pieces
from penstock.sources.python.workers import Workers

Given = tuple[Lane, Chunk]


class Flow:
    """The selected resources and those that feed them, each of which runs once."""

    def __init__(
        self,
        resources: Sequence[Resource],
        *,
        source: str,
        state: State,
        workers: Workers,
        names: Mapping[int, str] | None = None,
        before: Template | None = None,
        after: Template | None = None,
        in_turn: bool = False,
    ) -> None:
        self._workers = workers
        self._options: dict[str, Any] = {"source": source, "state": state, "workers": workers}
        self._in_turn = in_turn
        self._before, self._after = before or Template(), after or Template()
        self._names = state_names(resources) if names is None else names
        self.lanes: dict[int, Lane] = {}
        self.heads: list[Lane] = []
        for resource in resources:
            self._lane(resource).selected = True

    @property
    def resumable(self) -> bool:
        """Whether another run may begin at a checkpoint in the middle of this one."""
        parallel = sum(head.resource.parallelized for head in self.heads) > 1
        mixed = parallel or (self._in_turn and len(self.heads) > 1)
        return not mixed and all(lane.resumable for lane in self.lanes.values())

    def _lane(self, resource: Resource) -> Lane:
        known = self.lanes.get(id(resource))
        if known is not None:
            return known
        parent = self._lane(resource.parent) if resource.parent is not None else None
        if parent is None and resource.transformer:
            resource._feed_from(None)
        lane = Lane(
            resource, self._names[id(resource)], before=self._before, after=self._after, **self._options
        )
        self.lanes[id(resource)] = lane
        (parent.children if parent is not None else self.heads).append(lane)
        return lane

    def run(self) -> Generator[Given, None, None]:
        """What the selected resources give, each in its order; the parallel ones run side by side.

        The others run one after the other, or give a page or a run of rows in turn.
        """
        trees = deque(self._trees())
        try:
            while trees:
                if not self._in_turn:
                    yield from trees[0]
                    trees.popleft()
                elif (given := next(trees[0], None)) is None:
                    trees.popleft()
                else:
                    yield given
                    trees.rotate(-1)
        finally:
            for tree in trees:
                tree.close()

    def _trees(self) -> Iterator[Generator[Given, None, None]]:
        parallel = [head for head in self.heads if head.resource.parallelized]
        beside = parallel if len(parallel) > 1 else []
        for head in self.heads:
            if head not in beside:
                yield self._tree(head)
            elif head is beside[0]:
                yield self._workers.merge([partial(self._tree, h) for h in beside])

    def settle(self) -> None:
        """Write what all cursors have come to into the state, in the middle of a run."""
        for lane in self.lanes.values():
            lane.finish()

    def _tree(self, head: Lane) -> Generator[Given, None, None]:
        for chunk in head.run():
            yield from self._spread(head, chunk)
        yield from self._drained(head)
        head.finish()

    def _spread(self, lane: Lane, chunk: Chunk) -> Iterator[Given]:
        """A chunk of a resource, and everything that the resources it feeds make of it."""
        if chunk.whole:
            yield from self._drained(lane, finish=False)
            yield lane, chunk
            return
        if lane.selected:
            yield lane, chunk
        for child in lane.children:
            for item in [chunk.items] if chunk.page else chunk.items:
                for made in child.feed(item, chunk.mark):
                    yield from self._spread(child, made)

    def _drained(self, lane: Lane, *, finish: bool = True) -> Iterator[Given]:
        """What still waits in the resources that are fed."""
        for child in lane.children:
            for chunk in child.rest():
                yield from self._spread(child, chunk)
            yield from self._drained(child, finish=finish)
            if finish:
                child.finish()


def items(resources: Sequence[Resource], source: Source | None = None) -> Iterator[Any]:
    """What resources give when they run with empty state: rows, and tables and files as they are."""
    name = source.name if source is not None else resources[0].name if resources else ""
    with Workers() as workers:
        flow = Flow(resources, source=name, state=load(None), workers=workers)
        with closing(flow.run()) as given:
            yield from _plain(given)


def _plain(given: Iterator[Given]) -> Iterator[Any]:
    for lane, chunk in given:
        for piece in pieces(chunk.items, lane.where):
            if type(piece) is list:
                yield from piece
            else:
                yield piece
