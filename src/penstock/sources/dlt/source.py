"""The rows of a dlt source, through dlt's own extract and nothing behind it.

dlt evaluates pipes of generators, transformers and steps in an iterator of its own. It finds the
state, the source and the configuration section in a container that is global to the process; they
are put there while it is asked for items and taken away again before anything goes on, so that
several sources can be asked in turn.

The state is dlt's own (`sources.<source>.resources.<resource>`), in dlt's JSON, so that instants and
decimals come back as what they were. Beside it, under `tables`, is which tables a resource that
replaces them has filled, so that they are emptied when it has nothing more.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import penstock.sources.dlt.quiet  # noqa: F401  # isort: skip - before anything of dlt

from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import ConfigSectionContext, known_sections
from dlt.common.json import json
from dlt.common.pipeline import StateInjectableContext
from dlt.extract import DltResource
from dlt.extract import DltSource as Source
from dlt.extract.decorators import SourceInjectableContext, SourceSchemaInjectableContext
from dlt.extract.extract import data_to_sources
from dlt.extract.incremental.context import TimeIntervalContext
from dlt.extract.pipe_iterator import PipeIterator
from dlt.extract.state import reset_resource_state

from penstock.cursors.schedule import interval
from penstock.errors import NotFoundError, RefusedError, suggest
from penstock.ports import Block, Checkpoint
from penstock.schema.nesting import Nesting, NestingMode
from penstock.sources.dlt.blocks import Blocks
from penstock.sources.dlt.failures import told
from penstock.sources.dlt.settings import Settings

# Any throughout: sources, resources and state of dlt, whose types say no more

_SOURCES, _TABLES = "sources", "tables"
_REPLACE = "replace"
_WORDS = {"write": "write_disposition", "contract": "schema_contract"}
_HINTS = ("table_name", "write_disposition", "primary_key", "columns", "schema_contract")


class DltSource:
    """A producer around anything that `run` of dlt takes, or a function that makes it.

    `arguments` are those of the function. `hints` hold for every resource, whatever it says itself:
    `table_name`, `write_disposition` (or `write`), `primary_key`, `columns`, `schema_contract` (or
    `contract`). `name` is that of the source that single resources are put into; their state is kept
    under it. `pipeline` is the one whose own sections of dlt's configuration hold, and `folder` the
    project's, whose `.dlt` is read; the working folder's if it has none.
    """

    def __init__(
        self,
        what: Any,
        *,
        name: str = "dlt",
        arguments: Mapping[str, Any] | None = None,
        resources: Sequence[str] = (),
        nesting: NestingMode = NestingMode.NATIVE,
        pipeline: str | None = None,
        folder: Path | None = None,
        **hints: Any,
    ) -> None:
        self.what = what
        self.name = name
        self.arguments = dict(arguments or {})
        self.resources = tuple(resources)
        self.hints = {_WORDS.get(name, name): value for name, value in hints.items() if value is not None}
        for name in self.hints:
            if name not in _HINTS:
                raise RefusedError(f"`{name}` is not a hint", hint=suggest(name, _HINTS))
        self.nesting = nesting
        self.pipeline = pipeline
        self._settings = Settings(folder)
        self._anew = False

    @property
    def repeatable(self) -> bool:
        """Whether it gives everything when it is asked once more; an iterator has been read by then."""
        return not _has_iterator(self.what)

    def produce(self, state: str | None) -> Iterator[Block | Checkpoint]:
        """The rows of all selected resources, then the state after them.

        Raises: OutsideError when the network or a database fails; ProjectError when configuration is
        missing; NotFoundError for a resource that is not there; else what dlt raises.
        """
        known: dict[str, Any] = json.typed_loads(state) if state else {}
        filled: dict[str, list[str]] = known.pop(_TABLES, {})
        with told():
            sources = self._sources(known)
        for source in sources:
            _refuse_exhausted(source)
            yield from self._run(source, known, filled)
        said = {**known, _TABLES: filled} if filled else known
        yield Checkpoint(_text(said))

    def restart(self, state: str | None) -> str | None:
        """The state without that of the selected resources and of those that feed them.

        What the source itself keeps stays.
        """
        self._anew = True
        if state is None:
            return None
        known: dict[str, Any] = json.typed_loads(state)
        with told():
            sources = self._sources(known)
        for source in sources:
            kept = known.get(_SOURCES, {}).get(source.name, {}).get("resources", {})
            for resource in source.resources.extracted:
                kept.pop(resource.name, None)
        return _text(known)

    def _sources(self, state: dict[str, Any]) -> list[Any]:
        """The sources of dlt to run, with the resources that were asked for selected."""
        stand_in = SimpleNamespace(pipeline_name=self.name, default_schema_name=None)
        contexts = (ConfigSectionContext(pipeline_name=self.pipeline), StateInjectableContext(state=state))
        with self._injected(contexts):
            sources: list[Any] = data_to_sources(self._made(), stand_in, **self.hints)
        if not self.resources:
            return sources
        known = [name for source in sources for name in source.resources]
        for name in self.resources:
            if name not in known:
                raise NotFoundError(
                    f"the source has no resource `{name}`",
                    found=", ".join(known) or "none",
                    hint=suggest(name, known),
                )
        chosen = [[name for name in source.resources if name in self.resources] for source in sources]
        return [source.with_resources(*some) for source, some in zip(sources, chosen, strict=True) if some]

    def _made(self) -> Any:
        """What to run: what was given, or what the function that was given makes."""
        bound = isinstance(self.what, DltResource) and not self.arguments
        if bound or not callable(self.what):
            if self.arguments:
                raise RefusedError(
                    "arguments were given to something that takes none",
                    found=f"a {type(self.what).__name__}, and {', '.join(self.arguments)}",
                    hint="refer to the function that makes the source, not to what it made",
                )
            return self.what
        return self.what(**self.arguments)

    def _run(self, source: Any, state: dict[str, Any], filled: dict[str, list[str]]) -> Iterator[Block]:
        """The blocks of one source of dlt; `state` and `filled` change with them."""
        contexts = (
            ConfigSectionContext(
                pipeline_name=self.pipeline,
                sections=(known_sections.SOURCES, source.section, source.name),
                source_state_key=source.name,
            ),
            StateInjectableContext(state=state),
            TimeIntervalContext(interval(os.environ)),
            SourceSchemaInjectableContext(source.schema),
            SourceInjectableContext(source),
        )
        replaced = [r for r in source.resources.extracted if r.write_disposition == _REPLACE]
        with told(), self._injected(contexts):
            for resource in replaced:
                reset_resource_state(resource.name)
            pipes = PipeIterator.from_pipes(source.resources.selected_pipes)
        blocks = Blocks(source.schema_contract, _nesting(source, self.nesting))
        with closing(pipes):
            while True:
                with told(), self._injected(contexts):
                    ready = _next(source, pipes, blocks)
                if ready is None:
                    break
                yield from ready
        with told():
            yield from blocks.rest()
            for resource in source.resources.selected.values():
                if resource.has_dynamic_table_name:
                    continue
                if resource.write_disposition == _REPLACE:
                    yield from blocks.empty(resource, filled.get(resource.name, []))
                elif self._anew:
                    yield from blocks.empty(resource, [resource.table_name])
        for resource in replaced:
            names = {*filled.get(resource.name, ()), *blocks.tables.get(resource.name, ())}
            if names:
                filled[resource.name] = sorted(names)

    def _injected(self, contexts: Sequence[Any]) -> ExitStack:
        """The contexts, in dlt's container until the stack is closed."""
        container = Container()
        with ExitStack() as stack:
            stack.enter_context(self._settings.in_place())
            for context in contexts:
                stack.enter_context(container.injectable_context(context))
            return stack.pop_all()


def _refuse_exhausted(source: Any) -> None:
    if source.exhausted:
        raise RefusedError(
            f"the source `{source.name}` of dlt has given its rows already",
            hint="make its resources of the functions that make their iterators",
        )


def _has_iterator(what: Any) -> bool:
    """Whether something that dlt runs holds an iterator, which gives its rows a single time."""
    if isinstance(what, list | tuple):
        return any(_has_iterator(part) for part in what)
    if isinstance(what, Source):
        return any(_has_iterator(resource) for resource in what.resources.values())
    if not isinstance(what, DltResource):
        return isinstance(what, Iterator | AsyncIterator)
    pipe = what._pipe
    while pipe.has_parent:
        pipe = pipe.parent
    return isinstance(pipe.gen, Iterator | AsyncIterator)


def _text(state: dict[str, Any]) -> str:
    """The state as JSON text, always the same for the same state."""
    text: str = json.typed_dumps(state, sort_keys=True)
    return text


def _next(source: Any, pipes: Any, blocks: Blocks) -> list[Block] | None:
    """The blocks that are ready next; None when all items were asked for."""
    for item in pipes:
        ready = list(blocks.take(source.resources.with_pipe(item.pipe), item.item, item.meta))
        if ready:
            return ready
    return None


def _nesting(source: Any, mode: NestingMode) -> Nesting | None:
    """What a source says of nested data: a depth alone flattens, as in dlt."""
    depth = source.max_table_nesting
    if depth is None and mode is NestingMode.NATIVE:
        return None
    return Nesting(NestingMode.FLATTEN, depth)
