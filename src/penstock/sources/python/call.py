"""The function of a resource and the arguments that a run will call it with."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.cursors.incremental import Incremental

# Any throughout: functions and arguments are users'


@dataclass(frozen=True, slots=True)
class Call:
    """A function, its parameters less the item of a transformer, and what they were given.

    `cursor_parameter` is the one that takes the incremental cursor, by its default or annotation.
    """

    function: Callable[..., Any]
    signature: inspect.Signature
    cursor_parameter: inspect.Parameter | None = None
    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)
    bound: bool = False

    def with_arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """The same call with its arguments."""
        return replace(self, positional=args, named=kwargs, bound=True)

    @property
    def arguments(self) -> dict[str, Any]:
        """What was given, and the defaults of the rest."""
        given = self.signature.bind_partial(*self.positional, **self.named)
        given.apply_defaults()
        return dict(given.arguments)

    def problem(self, hinted: Incremental[Any] | None) -> str | None:
        """Why the function cannot be called so, if that is; a cursor that was hinted counts as given."""
        named, taken = dict(self.named), self.cursor_parameter
        try:
            if taken is not None and taken.default is taken.empty and hinted is not None:
                given = self.signature.bind_partial(*self.positional, **named).arguments
                if taken.name not in given:
                    named[taken.name] = hinted
            self.signature.bind(*self.positional, **named)
        except TypeError as error:
            return str(error)
        return None

    def cursor(self, hinted: Incremental[Any] | None) -> Incremental[Any] | None:
        """The cursor that was passed (over the default), that was hinted, or that is the default.

        A plain value that was passed is its initial value, and None takes the cursor away.
        """
        taken = self.cursor_parameter
        if taken is None:
            return hinted
        base = taken.default if isinstance(taken.default, Incremental) else None
        given = self.signature.bind_partial(*self.positional, **self.named).arguments
        if taken.name not in given:
            return hinted or base
        said = given[taken.name]
        if said is None:
            return None
        if isinstance(said, Incremental):
            return base.merge(said) if base is not None else said
        return base.merge(Incremental(initial_value=said)) if base is not None else None

    def prepared(self, cursor: Incremental[Any] | None) -> Callable[..., Any]:
        """The function with its arguments, and the cursor of a run in its place.

        Raises: TypeError if arguments are missing.
        """
        given = self.signature.bind_partial(*self.positional, **self.named)
        taken = self.cursor_parameter
        if taken is not None and (
            cursor is not None or isinstance(given.arguments.get(taken.name), Incremental)
        ):
            given.arguments[taken.name] = cursor
        self.signature.bind(*given.args, **given.kwargs)
        args, kwargs, function = given.args, given.kwargs, self.function
        if not args:
            return functools.partial(function, **kwargs) if kwargs else function
        return lambda *item, **extra: function(*item, *args, **kwargs, **extra)


def call_of(function: Callable[..., Any], skipped: int) -> Call:
    """The call of a function whose first `skipped` parameters are given by the run."""
    try:
        found = inspect.signature(function)
    except ValueError:
        return Call(function, inspect.Signature())
    signature = found.replace(parameters=list(found.parameters.values())[skipped:])
    taken = (
        p for p in signature.parameters.values() if isinstance(p.default, Incremental) or _takes(p.annotation)
    )
    return Call(function, signature, next(taken, None))


def _takes(annotation: Any) -> bool:
    """Whether an annotation is that of a cursor, optional or not, also as text."""
    if isinstance(annotation, str):
        words = annotation.removeprefix("Optional[").replace("typing.", "").removeprefix("Optional[")
        head = words.partition("|")[0].partition("[")[0].strip(" ]")
        return head.rpartition(".")[2] in ("incremental", "Incremental")
    parts = (annotation, getattr(annotation, "__origin__", None), *getattr(annotation, "__args__", ()))
    return any(p is Incremental or getattr(p, "__origin__", None) is Incremental for p in parts)
