"""A resource: something that yields rows for one or more tables, with its steps and its hints."""

from __future__ import annotations

import copy
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Self, Unpack, cast

from penstock.cursors.incremental import Incremental
from penstock.errors import RefusedError
from penstock.schema.table import Table
from penstock.sources.python.call import call_of
from penstock.sources.python.hint_words import HintWords
from penstock.sources.python.steps import (
    Count,
    Filter,
    Increment,
    ItemStep,
    Limit,
    Map,
    Step,
    YieldMap,
    with_mark,
)
from penstock.sources.python.template import Template, from_words
from penstock.sources.python.values import is_table

# Any throughout: data, functions and hints are users'


class Resource:
    """Rows for a table: a function or data, the steps that its items pass, and hints for the table.

    Made by `resource` and `transformer`. Calling one gives a copy with its arguments bound; `a | b`
    gives a copy of the transformer `b` that is fed by `a`. What changes a resource (`add_map`,
    `apply_hints`, ...) returns the same one, so that calls can be chained. Iterating over it runs it
    with empty state, and gives its rows.
    """

    def __init__(
        self,
        data: Any,
        name: str | Callable[..., str],
        template: Template,
        *,
        selected: bool = True,
        parallelized: bool = False,
        incremental: Any = None,
        transformer: bool = False,
    ) -> None:
        self.data = data
        self.namer = name if callable(name) else None
        self.name = getattr(data, "__name__", "resource") if callable(name) else name
        self.template = template
        self.variants: dict[str, Template] = {}
        self.selected = selected
        self.parallelized = parallelized
        self.transformer = transformer
        self.parent: Resource | None = None
        called = callable(data) and not is_table(data)
        self.call = call_of(data, int(transformer)) if called else None
        self.tables: frozenset[str] | None = None
        self.version = 0
        self._steps: list[Step] = []
        self._read = False
        self.custom_metrics: dict[str, Any] = {}
        self._incremental: Incremental[Any] | None = None
        self._check()
        if self.call is not None and self.call.cursor_parameter is not None:
            self._insert(Increment())
        if incremental is not None:
            self._set_incremental(incremental)
        self.__doc__ = getattr(data, "__doc__", None) if callable(data) else type(self).__doc__

    # ----------------------------------------------------------------------------------- looking

    @property
    def where(self) -> str:
        """How messages name it."""
        return f"resource `{self.name}`"

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps in order."""
        return tuple(self._steps)

    @property
    def is_transformer(self) -> bool:
        """Whether it takes items from another resource."""
        return self.transformer

    @property
    def is_iterator(self) -> bool:
        """Whether its data gives its rows a single time."""
        return self.call is None and isinstance(self.data, Iterator | AsyncIterator | Awaitable)

    def read(self) -> Any:
        """The data. Raises: RefusedError for an iterator that was read to its end, or by another run."""
        if self.is_iterator:
            if self._read or getattr(self.data, "gi_frame", self) is None:
                raise RefusedError(
                    f"{self.where} has given its rows already",
                    found=f"a {type(self.data).__name__} that was read",
                    hint="make the resource of the function that makes the iterator",
                )
            self._read = True
        return self.data

    @property
    def table_name(self) -> Any:
        """The table that rows go to, or the function of a row that tells it."""
        return self.template.table_name or self.name

    @table_name.setter
    def table_name(self, name: Any) -> None:
        """As `apply_hints` does."""
        self.apply_hints(table_name=name)

    @property
    def write_disposition(self) -> Any:
        """The write disposition as it was said."""
        return self.template.write or "append"

    @write_disposition.setter
    def write_disposition(self, said: Any) -> None:
        """As `apply_hints` does."""
        self.apply_hints(write=said)

    @property
    def schema_contract(self) -> Any:
        """The contract as it was said; None: not said."""
        return self.template.contract

    @schema_contract.setter
    def schema_contract(self, said: Any) -> None:
        """As `apply_hints` does."""
        self.apply_hints(contract=said)

    @property
    def max_table_nesting(self) -> int | None:
        """To which depth nested data becomes columns and child tables; None: not said."""
        depth: int | None = self.template.max_table_nesting
        return depth

    @max_table_nesting.setter
    def max_table_nesting(self, depth: int | None) -> None:
        """As `apply_hints` does."""
        self.template = replace(self.template, max_table_nesting=depth)
        self.version += 1

    @property
    def incremental(self) -> Incremental[Any] | None:
        """The cursor that a run would use; None if there is none."""
        return self.call.cursor(self._incremental) if self.call is not None else self._incremental

    @property
    def requires_args(self) -> bool:
        """Whether it must be called before it can run."""
        return self.call is not None and self.call.problem(self._incremental) is not None

    @property
    def args_bound(self) -> bool:
        """Whether it has its arguments, or takes none."""
        return self.call is None or self.call.bound or not self.call.signature.parameters

    def compute_table_schema(self, item: Any = None) -> Table:
        """The table as the hints declare it; for an `item`, if they are functions of one.

        Raises: RefusedError.
        """
        name = self.table_name(item) if self.template.dynamic else self.table_name
        hints = self.template.hints(name, self.where, item)
        return hints.declared if hints is not None else Table(name)

    def __repr__(self) -> str:
        fed = f", data_from={self.parent.name!r}" if self.parent is not None else ""
        return f"{'transformer' if self.transformer else 'resource'}({self.name!r}{fed})"

    # ----------------------------------------------------------------------------------- calling

    def __call__(self, *args: Any, **kwargs: Any) -> Self:
        """A copy whose function will be called with these arguments. Raises: RefusedError."""
        return self.clone().bind(*args, **kwargs)

    def bind(self, *args: Any, **kwargs: Any) -> Self:
        """Set the arguments of this very resource. Raises: RefusedError if they do not fit."""
        call = self.call
        if call is None or call.bound:
            raise RefusedError(
                f"{self.where} takes no arguments" if call is None else f"{self.where} has its arguments",
                hint="it can be called once, and only if it is a function",
            )
        made = call.with_arguments(args, kwargs)
        problem = made.problem(self._incremental)
        if problem is not None:
            raise RefusedError(
                f"{self.where} cannot be called so", found=problem, expected=f"{call.signature}"
            )
        self.call = made
        if self.namer is not None:
            self.name = self.namer(made.arguments)
        return self

    def function(self, cursor: Incremental[Any] | None) -> Callable[..., Any]:
        """What a run calls, with the run's cursor in its place.

        Raises: RefusedError if the resource was to be called first.
        """
        assert self.call is not None
        try:
            return self.call.prepared(cursor)
        except TypeError as error:
            raise RefusedError(
                f"{self.where} must be called before it can run",
                found=str(error),
                hint=f"such as {self.name}(…)",
            ) from error

    # ------------------------------------------------------------------------------------- pipes

    def __or__(self, other: Any) -> Resource:
        """`resource | transformer`, or `resource | function` of an item."""
        if isinstance(other, Resource):
            made = other.clone()
            first = made
            while first.parent is not None:
                first.parent = first.parent.clone()
                first = first.parent
            if not first.transformer:
                made = first = other.clone()
            first._feed_from(self)
            return made
        made = self.clone()
        return made.add_yield_map(other) if inspect.isgeneratorfunction(other) else made.add_map(other)

    def __ror__(self, data: Any) -> Resource:
        """`[…] | transformer`: data feeds the transformer."""
        return Resource(data, f"{self.name}_items", Template()) | self

    def pipe_data_from(self, data_from: Resource) -> None:
        """Feed this very transformer from a resource. Raises: RefusedError if it is none."""
        self._feed_from(data_from)

    def _feed_from(self, parent: Any) -> None:
        if not self.transformer:
            raise RefusedError(f"{self.where} takes no items", hint="only a transformer can be piped into")
        if not isinstance(parent, Resource):
            raise RefusedError(
                f"{self.where} cannot be fed by this",
                found=type(parent).__name__,
                expected="a resource",
                hint="decorate the function with `resource`",
            )
        self.parent = parent

    # ------------------------------------------------------------------------------------- steps

    def add_map(self, item_map: Callable[..., Any], insert_at: int | None = None) -> Self:
        """Put what a function makes of each row in its place; None takes the row away."""
        return self._insert(Map(with_mark(item_map, self.where)), insert_at)

    def add_filter(self, item_filter: Callable[..., Any], insert_at: int | None = None) -> Self:
        """Keep the rows for which a function is true."""
        return self._insert(Filter(with_mark(item_filter, self.where)), insert_at)

    def add_yield_map(self, item_map: Callable[..., Any], insert_at: int | None = None) -> Self:
        """Put all that a generator function yields for each row in its place."""
        return self._insert(YieldMap(with_mark(item_map, self.where)), insert_at)

    def add_step(self, item_transform: Any, insert_at: int | None = None) -> Self:
        """Put what a function makes of each item, a page as a whole, in its place; or a cursor."""
        if isinstance(item_transform, Incremental):
            return self._set_incremental(item_transform)
        return self._insert(ItemStep(with_mark(item_transform, self.where)), insert_at)

    def add_metrics(self, metrics_f: Callable[..., Any], insert_at: int | None = None) -> Self:
        """Look at each item as it came, with its mark and a mapping to count in: `custom_metrics`.

        The function is `f(item_or_page, mark, metrics)`; each run begins with an empty mapping.
        """
        return self._insert(Count(metrics_f), insert_at)

    def set_incremental(self, incremental: Any) -> Self:
        """Use this cursor, or one with these parameters. Raises: RefusedError for what is none."""
        return self._set_incremental(incremental)

    def add_limit(
        self, max_items: int | None = None, max_time: float | None = None, count_rows: bool = False
    ) -> Self:
        """End after some items (pages count as one), rows or seconds; the last one set holds.

        Units: `max_time` in seconds. Raises: RefusedError for a transformer.
        """
        if self.transformer:
            raise RefusedError(
                f"{self.where} is a transformer, which has no limit of its own",
                hint="limit the resource that feeds it, before the pipe",
            )
        self._steps = [s for s in self._steps if not isinstance(s, Limit)]
        if max_items is None and max_time is None:
            return self
        return self._insert(Limit(None if max_items == -1 else max_items, max_time, bool(count_rows)))

    def select_tables(self, *table_names: str) -> Self:
        """Give rows of these tables only, of those that the resource sends rows to."""
        self.tables = frozenset(table_names)
        return self

    def parallelize(self) -> Self:
        """Run beside other parallel resources, on a thread of its own. Raises: RefusedError for data."""
        if self.call is None and not inspect.isgenerator(self.data):
            raise RefusedError(
                f"{self.where} cannot run in parallel",
                found=type(self.data).__name__,
                expected="a generator, a generator function or a transformer",
            )
        self.parallelized = True
        return self

    def _insert(self, step: Step, insert_at: int | None = None) -> Self:
        """Add a step; 1 is the place right behind the function."""
        if insert_at is not None:
            if insert_at == 0:
                raise RefusedError(f"{self.where} has its function at 0", hint="steps begin at 1")
            self._steps.insert(insert_at - 1 if insert_at > 0 else insert_at, step)
            return self
        at = len(self._steps)
        while at and self._steps[at - 1].order > step.order:
            at -= 1
        self._steps.insert(at, step)
        return self

    def _set_incremental(self, said: Any) -> Self:
        if isinstance(said, Mapping):
            said = Incremental(**said)
        if not isinstance(said, Incremental):
            raise RefusedError(
                "`incremental` is no cursor",
                where=self.where,
                found=type(said).__name__,
                expected='such as incremental("updated_at")',
            )
        self._incremental = said
        if not any(isinstance(s, Increment) for s in self._steps):
            self._insert(Increment())
        return self

    # ------------------------------------------------------------------------------------- hints

    def apply_hints(
        self,
        table_name: Any = None,
        *,
        incremental: Any = None,
        create_table_variant: bool = False,
        **hints: Unpack[HintWords],
    ) -> Self:
        """Say more of the table, by the words of `resource`; what is said later wins.

        An empty value ("" or []) takes a hint away. With `create_table_variant` the hints are those
        of their `table_name` alone. Raises: RefusedError.
        """
        said = from_words({"table_name": table_name, **hints}, self.where)
        if create_table_variant:
            self._add_variant(said, incremental)
            return self
        return self.say(said, incremental)

    def say(self, said: Template, incremental: Any = None) -> Self:
        """Put hints on top of those that are there. Raises: RefusedError."""
        template = self.template.over(said)
        template.check(self.where)
        self.template = template
        self.version += 1
        return self if incremental is None else self._set_incremental(incremental)

    def _add_variant(self, said: Template, incremental: Any) -> None:
        name = said.table_name
        if not isinstance(name, str) or not name or incremental is not None:
            raise RefusedError(
                "these cannot be the hints of a variant",
                where=self.where,
                expected="a `table_name` that is text, and no `incremental`",
            )
        template = self.variants.get(name, self.template.static()).over(said)
        template.check(self.where)
        self.variants[name] = template
        self.version += 1

    # ------------------------------------------------------------------------------------- copies

    def with_name(self, name: str, section: str | None = None) -> Self:  # noqa: ARG002 - taken, not used
        """A copy with another name, which has state of its own, as has the resource that feeds it."""
        made = self.clone()
        made.name = name
        if made.parent is not None:
            old = made.parent.name
            made.parent = made.parent.with_name(
                old.replace(self.name, name) if self.name in old else f"{old}_{name}"
            )
        return made

    def clone(self) -> Self:
        """A copy that can be changed on its own; it is fed by the same resource."""
        made = copy.copy(self)
        made._steps = list(self._steps)
        made.variants = dict(self.variants)
        return made

    def __iter__(self) -> Iterator[Any]:
        """Run with empty state: its rows, and Arrow data as it is."""
        from penstock.sources.python.flow import items

        return items([self])

    def _check(self) -> None:
        if not self.name or self.name == "<lambda>":
            raise RefusedError("a resource has no name", hint='say `name="…"`')
        if self.data is None or isinstance(self.data, str | bytes | int | float | dict | type):
            raise RefusedError(
                f"{self.where} cannot be made of this",
                found=type(self.data).__name__,
                expected="a function, an iterator, a list of rows, a data frame or Arrow data",
                hint="put a single row into a list" if isinstance(self.data, dict) else None,
            )
        if self.transformer:
            _check_transformer(self.data, self.where)
        self.template.check(self.where)


def _check_transformer(data: Any, where: str) -> None:
    if not callable(data) or not inspect.signature(data).parameters:
        raise RefusedError(
            f"{where} cannot be a transformer",
            found=type(data).__name__ if not callable(data) else "a function without parameters",
            expected="a function whose first parameter is the item",
        )


def as_resource(value: Any, name: str | None = None, **options: Any) -> Resource:
    """A resource of whatever may be one. Raises: RefusedError for data without a name."""
    if isinstance(value, Resource):
        return value
    name = name or cast("str | None", getattr(value, "__name__", None))
    if not name or name == "<lambda>":
        raise RefusedError(
            "the data has no name",
            found=type(value).__name__,
            hint='say which table it goes to: table_name="…"',
        )
    return Resource(value, name, Template(), **options)
