"""The names that users write: `resource`, `transformer`, `source` and `defer`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from penstock.errors import RefusedError
from penstock.sources.python.group import FIFO, SourceFunction
from penstock.sources.python.hint_words import ResourceWords
from penstock.sources.python.resource import Resource
from penstock.sources.python.template import from_words

# Any throughout: data, functions and hints are users', and a decorator is also a plain call

P = ParamSpec("P")
T = TypeVar("T")
_OPTIONS = ("selected", "parallelized", "incremental")
_UNUSED = ("spec", "section", "standalone", "_impl_cls")


@overload
def resource(
    data: None = None,
    /,
    name: str | Callable[..., str] | None = None,
    *,
    data_from: Resource | None = None,
    **words: Unpack[ResourceWords],
) -> Callable[[Any], Resource]:
    """As a decorator with arguments."""


@overload
def resource(
    data: Callable[..., Any] | Iterable[Any],
    /,
    name: str | Callable[..., str] | None = None,
    *,
    data_from: Resource | None = None,
    **words: Unpack[ResourceWords],
) -> Resource:
    """As a decorator without arguments, or as a call."""


def resource(
    data: Any = None,
    /,
    name: str | Callable[..., str] | None = None,
    *,
    data_from: Resource | None = None,
    **words: Unpack[ResourceWords],
) -> Resource | Callable[[Any], Resource]:
    """A resource of a function (as a decorator, with or without arguments) or of data.

    `words` are `selected`, `parallelized`, `incremental`, and hints for the table: `table_name`
    (text, or a function of a row), `write` or `write_disposition` (a word or a mapping), `columns`
    (hints, a pydantic model, a dataclass, an Arrow schema, a Table), `primary_key`, `merge_key`,
    `contract` or `schema_contract`, `max_table_nesting`, `nesting`, `nested_hints`, `references` and
    `description`. Each hint may be a function of a row if `table_name` is one. `spec`, `section` and
    `standalone` are taken and not used.
    Raises: RefusedError for a hint that has no meaning, at once rather than in a run.
    """
    options, hints = _sorted(words)

    def make(data: Any) -> Resource:
        if isinstance(data, Resource):
            return _changed(data, name, options, hints)
        return _made(data, name, options, data_from, hints)

    return make if data is None else make(data)


@overload
def transformer(
    function: None = None,
    /,
    data_from: Resource | None = None,
    *,
    name: str | Callable[..., str] | None = None,
    **words: Unpack[ResourceWords],
) -> Callable[[Any], Resource]:
    """As a decorator with arguments."""


@overload
def transformer(
    function: Callable[..., Any],
    /,
    data_from: Resource | None = None,
    *,
    name: str | Callable[..., str] | None = None,
    **words: Unpack[ResourceWords],
) -> Resource:
    """As a decorator without arguments, or as a call."""


def transformer(
    function: Any = None,
    /,
    data_from: Resource | None = None,
    *,
    name: str | Callable[..., str] | None = None,
    **words: Unpack[ResourceWords],
) -> Resource | Callable[[Any], Resource]:
    """A resource that is fed with the items of another, one item or page at a time.

    As a decorator with or without arguments, or as a call. Without `data_from` it is piped into:
    `resource | transformer`. The words are those of `resource`.
    Raises: RefusedError for a function without a parameter for the item.
    """
    options, hints = _sorted(words)

    def make(function: Any) -> Resource:
        return _made(function, name, {**options, "transformer": True}, data_from, hints)

    return make if function is None else make(function)


def _sorted(words: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What concerns the resource, and what concerns its table."""
    options = {k: v for k, v in words.items() if k in _OPTIONS}
    return options, {k: v for k, v in words.items() if k not in _OPTIONS and k not in _UNUSED}


def _changed(resource: Resource, name: Any, options: dict[str, Any], hints: dict[str, Any]) -> Resource:
    made = resource.clone() if name is None else resource.with_name(name)
    made.selected = resource.selected and options.get("selected", True)
    if options.get("parallelized"):
        made.parallelize()
    template = from_words(hints, made.where)
    return made.say(template, options.get("incremental"))


def _made(data: Any, name: Any, options: dict[str, Any], data_from: Any, hints: dict[str, Any]) -> Resource:
    name = name or getattr(data, "__name__", None)
    if not name or name == "<lambda>":
        raise RefusedError("a resource has no name", found=type(data).__name__, hint='say `name="…"`')
    where = f"resource `{name if isinstance(name, str) else data.__name__}`"
    if data_from is not None:
        options = {**options, "transformer": True}
    made = Resource(data, name, from_words(hints, where), **options)
    if data_from is not None:
        made._feed_from(data_from)
    if callable(data):
        functools.update_wrapper(made, data, updated=())
    return made


@overload
def source(
    function: None = None,
    /,
    name: str | None = None,
    *,
    max_table_nesting: int | None = None,
    schema_contract: Any = None,
    contract: Any = None,
    root_key: bool = False,
    parallelized: bool = False,
    next_item_mode: str = FIFO,
    **unused: Any,
) -> Callable[[Callable[..., Any]], SourceFunction]:
    """As a decorator with arguments."""


@overload
def source(function: Callable[..., Any], /, name: str | None = None) -> SourceFunction:
    """As a decorator without arguments."""


def source(
    function: Any = None,
    /,
    name: str | None = None,
    *,
    max_table_nesting: int | None = None,
    schema_contract: Any = None,
    contract: Any = None,
    root_key: bool = False,
    parallelized: bool = False,
    next_item_mode: str = FIFO,
    **unused: Any,
) -> SourceFunction | Callable[[Callable[..., Any]], SourceFunction]:
    """Make a function that returns or yields resources give a `Source`, with or without arguments.

    `max_table_nesting` and `contract` hold for resources that say nothing else. `root_key` is
    taken and not used: child tables always know their root. So are `spec` and `section`.
    `next_item_mode`: resources run one after the other (`fifo`), or each gives a page or up to 5,000
    rows in turn (`round_robin`).
    Raises: RefusedError for an unknown word.
    """
    for word in unused:
        if word not in _UNUSED:
            raise RefusedError(
                f"`{word}` is no option of a source",
                expected="name, max_table_nesting, contract, root_key, parallelized, next_item_mode",
            )
    options = {
        "max_table_nesting": max_table_nesting,
        "contract": schema_contract if contract is None else contract,
        "root_key": root_key,
        "parallelized": parallelized,
        "next_item_mode": next_item_mode,
    }

    def make(function: Any) -> SourceFunction:
        if not callable(function) or isinstance(function, Resource):
            raise RefusedError(
                "a source is made of a function",
                found=type(function).__name__,
                expected="a function that returns or yields resources",
            )
        return SourceFunction(function, name, options)

    return make if function is None else make(function)


def defer(function: Callable[P, T]) -> Callable[P, Callable[[], T]]:
    """Make a function that runs later: what a call of it gives is yielded, and run on a thread.

    Several run at a time, and what they give comes in the order in which they were yielded.
    """

    @functools.wraps(function)
    def deferred(*args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
        def run() -> T:
            return function(*args, **kwargs)

        return run

    if inspect.iscoroutinefunction(function):
        raise RefusedError(
            f"`{function.__name__}` is async", hint="yield the coroutine itself: it runs beside others"
        )
    return deferred
