"""dlt's `source`, a little more patient with what the function gives.

dlt takes resources that are yielded one by one, each under a name of its own. Here a tuple or list of
them may be yielded as well, and resources that fill one table may share its name: all but the first
are told apart by a number, which their state is kept under.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

import penstock.sources.dlt.quiet  # noqa: F401  # isort: skip - before anything of dlt

import dlt
from dlt.extract import DltResource

# Any throughout: functions that make sources, and what dlt makes of them


def source(function: Any = None, /, **options: Any) -> Any:
    """A function that gives resources, as a source of dlt. Options: those of `dlt.source`."""
    if function is None:
        return functools.partial(source, **options)
    if inspect.iscoroutinefunction(function) or inspect.isclass(function):
        return dlt.source(function, **options)

    @functools.wraps(function)
    def given(*args: Any, **keywords: Any) -> Any:
        found = function(*args, **keywords)
        many = inspect.isgenerator(found) or isinstance(found, list | tuple)
        return _told_apart(list(_flat(found))) if many else found

    return dlt.source(given, **options)


def _flat(found: Any) -> Iterator[Any]:
    """Whatever is inside of tuples, lists of resources and generators."""
    for one in found:
        many = isinstance(one, tuple | list) and one and all(isinstance(part, DltResource) for part in one)
        yield from one if many else (one,)


def _told_apart(found: list[Any]) -> list[Any]:
    """The same, each resource with a name of its own."""
    seen: dict[str, int] = {}
    apart = []
    for one in found:
        if isinstance(one, DltResource):
            number = seen[one.name] = seen.get(one.name, 0) + 1
            if number > 1:
                table = one.table_name
                one = one.with_name(f"{one.name}_{number}")
                one.apply_hints(table_name=table)
        apart.append(one)
    return apart
