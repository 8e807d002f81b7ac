"""One resource in one run: its function, steps, cursor and hints, in a context of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextvars import Context, copy_context
from typing import Any

from penstock.cursors.incremental import KEPT, Incremental
from penstock.errors import PenstockError, RefusedError
from penstock.schema.hints import Hints
from penstock.sources.python.chunk import ROOM, Chunk, Intake
from penstock.sources.python.current import RUNNING, Running
from penstock.sources.python.failure import failure
from penstock.sources.python.mark import Mark
from penstock.sources.python.memory import State
from penstock.sources.python.resource import Resource
from penstock.sources.python.steps import Flow, Limit
from penstock.sources.python.template import Template
from penstock.sources.python.validate import validated, validator_of
from penstock.sources.python.values import is_table
from penstock.sources.python.workers import Workers
from penstock.sources.python.writing import names

# Any throughout: these are users' values

_END: Any = object()
CURSORS = "incremental"


class Lane:
    """A resource while it runs. `key` is its name in the state; `children` are fed by it."""

    def __init__(
        self,
        resource: Resource,
        key: str,
        *,
        source: str,
        state: State,
        workers: Workers,
        before: Template,
        after: Template,
    ) -> None:
        self.resource = resource
        self.key = key
        self.selected = False
        self.children: list[Lane] = []
        self.head = resource.parent is None
        self.where = resource.where
        self.cursor: Incremental[Any] | None = None
        self.metrics: dict[str, Any] = {}
        resource.custom_metrics = self.metrics
        self._memory: dict[str, Any] = {}
        self._state = state
        self._workers = workers
        self._before, self._after = before, after
        self._overlay = Template()
        self._variants: dict[str, Template] = {}
        self._hints: dict[str, Hints | None] = {}
        self._version = resource.version
        self._template = self._whole_template()
        self._context: Context = copy_context()
        self._context.run(RUNNING.set, Running(source, key, resource, state))
        self._context.run(KEPT.set, self._kept)
        self._asking = self._context.copy()
        self._bind()
        self._prepared: Callable[..., Any] | None = None
        self._waiting = self.intake()
        self.validator = validator_of(self._template, self.where)
        self._flows = self._started()
        parameters = getattr(resource.data, "__code__", None)
        self._takes_meta = (
            parameters is not None and "meta" in parameters.co_varnames[: parameters.co_argcount]
        )

    def _started(self) -> list[Flow]:
        """The steps for this run: those that shape rows, the model, then cursor and limit."""
        steps = self.resource.steps
        flows = [step.start(self) for step in steps]
        if self.validator is not None:
            shaping = next((i for i, step in enumerate(steps) if step.order > 0), len(steps))
            flows.insert(shaping, validated(self.validator, self.metrics))
        return flows

    # ------------------------------------------------------------------------------------ running

    def intake(self) -> Intake:
        """A new place to gather what users' code yields.

        Where the run may end at any item, no item is asked for before the one in front was taken.
        """
        ordered = self.cursor is not None and self.cursor.row_order is not None
        careful = ordered or any(isinstance(s, Limit) for s in self.resource.steps)
        return Intake(self._workers, 1 if careful else ROOM)

    def run(self) -> Iterator[Chunk]:
        """All chunks of a resource that is not fed. Raises: PenstockError that names the resource."""
        if any(isinstance(s, Limit) and s.max_items == 0 for s in self.resource.steps):
            return
        opened: list[Iterator[Any]] = []

        def produced() -> Iterator[Chunk]:
            opened.append(self._values(self._open()))
            yield from self._waiting.chunks(opened[0])
            yield from self._waiting.rest()

        try:
            yield from self._guarded(self._stepped(produced()))
        finally:
            for iterator in opened:
                if hasattr(iterator, "close"):
                    self._context.run(iterator.close)

    def feed(self, item: Any, mark: Mark | None) -> Iterator[Chunk]:
        """The chunks that one item of the parent gives. Raises: PenstockError that names the resource."""
        extra = {"meta": mark} if self._takes_meta else {}
        if self.resource.parallelized:
            make = self._workers.stream(lambda: self._made(item, extra))
            yield from self._guarded(self._stepped(self._waiting.wait(make)))
            return

        def produced() -> Iterator[Chunk]:
            yield from self._waiting.take(self._function()(item, **extra))

        yield from self._guarded(self._stepped(produced()))

    def rest(self) -> Iterator[Chunk]:
        """The chunks that still wait, after the last item."""
        yield from self._guarded(self._stepped(self._waiting.rest()))

    def finish(self) -> None:
        """Keep where the cursor has come to. Raises: RefusedError."""
        if self.cursor is not None:
            self.cursor.finish()
            if self._memory:
                own = self._state["resources"].setdefault(self.key, {})
                own.setdefault(CURSORS, {})[self.cursor.cursor_path] = self._memory

    @property
    def resumable(self) -> bool:
        """Whether a run may begin in the middle of this one."""
        return self.cursor is None or self.cursor.resumable

    def _made(self, item: Any, extra: dict[str, Any]) -> Generator[Chunk, None, None]:
        intake = self.intake()
        yield from intake.take(self._function()(item, **extra))
        yield from intake.rest()

    def _function(self) -> Callable[..., Any]:
        if self._prepared is None:
            self._prepared = self.resource.function(self.cursor)
        return self._prepared

    def _stepped(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for flow in self._flows:
            chunks = flow(chunks)
        return chunks

    def _guarded(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """The same, each asked for in this resource's context, and errors named after it."""
        run = self._context.run
        while True:
            try:
                chunk = run(next, chunks, _END)
            except PenstockError:
                raise
            except Exception as error:
                raise failure(self.resource.name, error) from error
            if chunk is _END:
                return
            yield chunk

    def _values(self, made: Any) -> Iterator[Any]:
        """What a resource's function gave, or its data, as the values that it yields."""
        if isinstance(made, Awaitable):
            made = self._workers.spawn(made).result()
        if isinstance(made, AsyncIterator):
            return self._workers.pull(made, self._waiting.room)
        if isinstance(made, Resource):
            raise RefusedError(
                f"{self.where} gave a resource instead of rows",
                hint="decorate the function that makes resources with `source`",
            )
        if is_table(made) or isinstance(made, Mapping | str | bytes) or not isinstance(made, Iterable):
            return iter([made])
        if hasattr(made, "model_dump") or hasattr(made, "_asdict"):
            return iter([made])
        return iter(made)

    def _open(self) -> Any:
        return self._function()() if self.resource.call is not None else self.resource.read()

    # ------------------------------------------------------------------------------------- cursor

    def _bind(self) -> None:
        cursor = self.resource.incremental
        if cursor is None:
            return
        kept = self._state["resources"].get(self.key, {}).get(CURSORS, {})
        self._memory = dict(kept.get(cursor.cursor_path, {}))
        key = self._template.primary_key
        key = () if callable(key) else names(key) or self._key_of_columns()
        self.cursor = cursor.bind(self.resource.name, self._memory, key)

    def _kept(self, resource: str, path: str) -> Mapping[str, Any]:
        """The state of a cursor of this source."""
        found: dict[str, dict[str, Any]] = self._state["resources"].get(resource, {}).get(CURSORS, {})
        return found.get(path, {})

    def _key_of_columns(self) -> tuple[str, ...]:
        if self._template.dynamic:
            return ()
        hints = self._template.hints(self.resource.name, self.where)
        return hints.declared.primary_key if hints is not None else ()

    # -------------------------------------------------------------------------------------- hints

    def ask(self, function: Callable[..., Any], *args: Any) -> Any:
        """What a user's function says of the table; it may ask for what runs now.

        Raises: PenstockError that names the resource.
        """
        try:
            return self._asking.run(function, *args)
        except PenstockError:
            raise
        except Exception as error:
            raise failure(self.resource.name, error) from error

    @property
    def table(self) -> Any:
        """The table that rows go to, or the function of a row that tells it."""
        self._refresh()
        return self._template.table_name or self.resource.name

    def heed(self, mark: Mark) -> None:
        """Take in what an item said of its table's hints."""
        if mark.hints is None:
            return
        if mark.variant and mark.table is not None:
            self._variants[mark.table] = self._variant(mark.table).over(mark.hints)
        else:
            self._overlay = self._overlay.over(mark.hints)
        self._version = -1

    def hints(self, table: str, row: Any) -> Hints | None:
        """The hints of a table, from its first row where they depend on one; None: nothing is loaded."""
        self._refresh()
        if table not in self._hints:
            variant = table in self._variants or table in self.resource.variants
            template = self._variant(table) if variant else self._template
            self._hints[table] = self.ask(template.hints, table, self.where, row)
        return self._hints[table]

    def _variant(self, table: str) -> Template:
        own = self.resource.variants.get(table, self.resource.template.static())
        return self._before.over(own).over(self._variants.get(table, Template())).over(self._after)

    def _whole_template(self) -> Template:
        return self._before.over(self.resource.template).over(self._overlay).over(self._after)

    def _refresh(self) -> None:
        if self._version != self.resource.version:
            self._version = self.resource.version
            self._template = self._whole_template()
            self._hints.clear()
