"""The producer that runs Python: resources, sources and data of any kind, as blocks and state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from penstock.ports import Block, Checkpoint
from penstock.sources.python.blocks import Blocks
from penstock.sources.python.flow import Flow
from penstock.sources.python.group import ROUND_ROBIN, Source, SourceFunction, clones, state_names
from penstock.sources.python.memory import dump, load
from penstock.sources.python.resource import Resource, as_resource
from penstock.sources.python.template import Template, from_words
from penstock.sources.python.workers import Workers

# Any throughout: what users hand over


class PythonSource:
    """What users hand over, as a `ports.Producer`.

    `what` is a resource, a source, a function that makes either or yields rows, an iterator, a list
    of rows, a data frame, Arrow data, or a list of resources and sources. `name` names the source,
    `resources` those of it that run (none: all that are selected).
    `hints` are those of `resource`, and win over what the resources say themselves.
    Raises: RefusedError for what cannot be run.
    """

    def __init__(
        self, what: Any, *, name: str | None = None, resources: Sequence[str] = (), **hints: Any
    ) -> None:
        self.hints = from_words(hints, "hints of the run")
        self._anew = False
        self.source = _source(what, name, self.hints)
        if resources:
            self.source = self.source.with_resources(*resources)
        for resource in self.source.resources.values():
            self.source.defaults.over(resource.template).over(self.hints).check(resource.where)

    @property
    def repeatable(self) -> bool:
        """Whether it gives everything when it is asked once more; an iterator has been read by then."""
        selected = self.source.selected_resources.values()
        return not any(feeder.is_iterator for resource in selected for feeder in _line(resource))

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:
        """Everything that the selected resources give, beginning from `state`.

        Blocks have up to 5,000 rows. A checkpoint is given at the end if there is state, and at
        `mark.checkpoint()` if no cursor would have to begin anew from there.
        Raises: RefusedError, OutsideError that name the resource; from the user's own exception.
        """
        memory = load(state)
        blocks = Blocks()
        resources = list(self.source.selected_resources.values())
        with Workers() as workers:
            flow = Flow(
                resources,
                source=self.source.name,
                state=memory,
                workers=workers,
                names=state_names(self.source.resources.values()),
                before=self.source.defaults,
                after=self.hints,
                in_turn=self.source.next_item_mode == ROUND_ROBIN,
            )
            with closing(flow.run()) as given:
                for lane, chunk in given:
                    if not chunk.whole:
                        yield from blocks.add(lane, chunk)
                        yield from blocks.refused(lane)
                    elif flow.resumable:
                        yield from self._rest(flow, blocks)
                        flow.settle()
                        yield Checkpoint(dump(memory))
            yield from self._rest(flow, blocks)
            for lane in flow.lanes.values():
                if lane.selected:
                    yield from blocks.empty(lane, anew=self._anew)
        kept = dump(memory)
        if kept is not None or state is not None:
            yield Checkpoint(kept)

    def _rest(self, flow: Flow, blocks: Blocks) -> Iterator[Block]:
        """Everything that is held back."""
        yield from blocks.flush()
        for lane in flow.lanes.values():
            if lane.selected:
                yield from blocks.refused(lane)

    def restart(self, state: str | None) -> str | None:
        """The state without that of the selected resources and of those that feed them.

        From then on a table for which nothing comes has a block without rows, for it is refreshed.
        """
        self._anew = True
        memory = load(state)
        names = state_names(self.source.resources.values())
        for resource in self.source.selected_resources.values():
            for feeder in _line(resource):
                memory["resources"].pop(names[id(feeder)], None)
        return dump(memory)


def _line(resource: Resource) -> Iterator[Resource]:
    """A resource, the one that feeds it, and so on."""
    feeder: Resource | None = resource
    while feeder is not None:
        yield feeder
        feeder = feeder.parent


def _source(what: Any, name: str | None, hints: Template) -> Source:
    """The source that `what` is or makes."""
    if isinstance(what, SourceFunction):
        what = what()
    if isinstance(what, Source):
        return what if name is None else what.with_name(name)
    parts = what if isinstance(what, list | tuple) and what and not isinstance(what[0], dict) else [what]
    known = (Resource, Source, SourceFunction)
    if not any(isinstance(p, known) or callable(p) for p in parts):
        parts = [what]
    table = hints.table_name if isinstance(hints.table_name, str) else name
    found: list[Resource] = []
    for part in parts:
        made = part() if isinstance(part, SourceFunction) else part
        if isinstance(made, Source):
            found += [_with_defaults(r, made) for r in clones(made.resources.values())]
        elif isinstance(made, Resource):
            found.append(made)
        else:
            found.append(as_resource([made] if isinstance(made, dict) else made, _own_name(made) or table))
    return Source(name or (found[0].name if found else "python"), found)


def _own_name(value: Any) -> str | None:
    own = getattr(value, "__name__", None)
    return own if isinstance(own, str) and own != "<lambda>" else None


def _with_defaults(resource: Resource, source: Source) -> Resource:
    resource.template = source.defaults.over(resource.template)
    return resource
