"""Python models: a function that takes relations and gives rows.

    import penstock as ps

    @ps.model(materialized="table", description="How many releases there are of each kind")
    def summary(releases: pd.DataFrame) -> pd.DataFrame:
        return releases.groupby("kind", as_index=False).size()

A parameter is called as the relation that it reads, or `reads` says which one it means; parameters with a
default read nothing. Its annotation says in which form it comes: `pyarrow.Table` if there is none,
`pandas.DataFrame`, `polars.DataFrame` or `polars.LazyFrame`. The other words are those of the front matter
of a `.sql` file. Pure: what is imported for a form is what the function itself works with.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias, overload

from penstock.errors import ProjectError, suggest

# Any throughout: the function, its annotations and its rows are the user's

Read: TypeAlias = Callable[[str], Any]
"""What gives the rows of a relation, as a `pyarrow.Table`."""


class Form(StrEnum):
    """In which form a function takes the rows of a relation."""

    ARROW = "arrow"
    PANDAS = "pandas"
    POLARS = "polars"
    POLARS_LAZY = "polars_lazy"


@dataclass(frozen=True, slots=True)
class ModelFunction:
    """What `@ps.model` makes of a function: the relation and the form of each parameter, and its words.

    Calling it calls the function itself, so that it can be tried without a warehouse.
    """

    function: Callable[..., Any]
    words: Mapping[str, Any] = field(default_factory=dict)
    relations: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, Form] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    @property
    def reads(self) -> tuple[str, ...]:
        """The relations that it reads, each once."""
        return tuple(dict.fromkeys(self.relations.values()))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function gives."""
        return self.function(*args, **kwargs)

    def make(self, read: Read) -> Any:
        """The rows that the function gives for what is in the warehouse, as a `pyarrow.Table`.

        Raises: ProjectError if it gives something else; and whatever the function raises.
        """
        given = {name: in_form(read(self.relations[name]), form) for name, form in self.forms.items()}
        return as_arrow(self.function(**given), self)


@overload
def model(function: Callable[..., Any], /) -> ModelFunction:
    """As a decorator without words."""


@overload
def model(
    *, reads: Mapping[str, str] | None = None, **words: Any
) -> Callable[[Callable[..., Any]], ModelFunction]:
    """As a decorator with words."""


def model(
    function: Callable[..., Any] | None = None, /, *, reads: Mapping[str, str] | None = None, **words: Any
) -> ModelFunction | Callable[[Callable[..., Any]], ModelFunction]:
    """A function as a model of the project; works bare, and with the words of a model.

    `reads` says which relation a parameter means: `reads={"orders": "sales.orders"}`.
    Raises: ProjectError for parameters that no relation can be given for.
    """
    if function is not None:
        return _made(function, reads or {}, words)
    return lambda function: _made(function, reads or {}, words)


def _made(function: Callable[..., Any], reads: Mapping[str, str], words: Mapping[str, Any]) -> ModelFunction:
    where = _where(function)
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        raise ProjectError("a model is a plain function", where=where, found=repr(function))
    named = inspect.signature(function).parameters.values()
    if odd := [p for p in named if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY)]:
        raise unnamed_parameter(odd[0].name, where)
    wanted = [p for p in named if p.default is p.empty]
    relations = relations_of([p.name for p in wanted], reads, where)
    forms = {p.name: _form(p.annotation, function, where) for p in wanted}
    return ModelFunction(function, dict(words), relations, forms)


def relations_of(parameters: list[str], reads: Mapping[str, str], where: str) -> dict[str, str]:
    """The relation of each parameter. Raises: ProjectError if `reads` speaks of one that is not there."""
    for name in reads:
        if name not in parameters:
            raise ProjectError(
                f"`reads` speaks of `{name}`, which is no parameter without a default",
                where=where,
                hint=suggest(name, parameters),
            )
    return {name: reads.get(name, name) for name in parameters}


def unnamed_parameter(name: str, where: str) -> ProjectError:
    """What is said of a parameter that no relation can be given for."""
    return ProjectError(
        f"no relation can be given for `{name}`",
        where=where,
        expected="a parameter for each relation, by name",
    )


def _where(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


# -------------------------------------------------------------------------------------- forms

_FORMS = {
    ("pyarrow", "Table"): Form.ARROW, ("pa", "Table"): Form.ARROW,
    ("pandas", "DataFrame"): Form.PANDAS, ("pd", "DataFrame"): Form.PANDAS,
    ("polars", "DataFrame"): Form.POLARS, ("pl", "DataFrame"): Form.POLARS,
    ("polars", "LazyFrame"): Form.POLARS_LAZY, ("pl", "LazyFrame"): Form.POLARS_LAZY,
}  # fmt: skip


def _form(annotation: Any, function: Callable[..., Any], where: str) -> Form:
    if isinstance(annotation, str):
        annotation = _looked_up(annotation, function)
    if annotation in (inspect.Parameter.empty, Any):
        return Form.ARROW
    if isinstance(annotation, str):
        package, _, kind = annotation.rpartition(".")
        form = _FORMS.get((package.partition(".")[0], kind))
    else:
        package = str(getattr(annotation, "__module__", "")).partition(".")[0]
        form = _FORMS.get((package, getattr(annotation, "__name__", "")))
    if form is None:
        raise ProjectError(
            "a model cannot take rows in this form",
            where=where,
            found=str(annotation),
            expected="`pyarrow.Table`, `pandas.DataFrame`, `polars.DataFrame` or `polars.LazyFrame`",
        )
    return form


def _looked_up(annotation: str, function: Callable[..., Any]) -> Any:
    """What a name with dots means in the function's module; the text itself where it means nothing there."""
    first, *rest = annotation.strip("'\"").split(".")
    value = getattr(function, "__globals__", {}).get(first)
    for part in rest:
        value = getattr(value, part, None)
    return annotation.strip("'\"") if value is None else value


def in_form(table: Any, form: Form) -> Any:
    """A `pyarrow.Table` in the form that a function takes."""
    if form is Form.PANDAS:
        return table.to_pandas()
    if form in (Form.POLARS, Form.POLARS_LAZY):
        import polars

        frame = polars.from_arrow(table)
        return frame.lazy() if form is Form.POLARS_LAZY and isinstance(frame, polars.DataFrame) else frame
    return table


def as_arrow(value: Any, function: ModelFunction) -> Any:
    """What a function gave, as a `pyarrow.Table`. Raises: ProjectError for what is no table."""
    package, kind = type(value).__module__.partition(".")[0], type(value).__name__
    if package == "pandas" and kind == "DataFrame":
        import pyarrow as pa

        return pa.Table.from_pandas(value, preserve_index=False)
    if package == "polars" and kind in ("DataFrame", "LazyFrame"):
        return (value.collect() if kind == "LazyFrame" else value).to_arrow()
    if package == "pyarrow" and kind in ("Table", "RecordBatch", "RecordBatchReader"):
        import pyarrow as pa

        if kind == "RecordBatch":
            return pa.Table.from_batches([value])
        return value.read_all() if kind == "RecordBatchReader" else value
    raise ProjectError(
        f"the model `{function.name}` gave no table",
        where=_where(function.function),
        found=f"{type(value).__module__}.{kind}".removeprefix("builtins."),
        expected="a `pyarrow.Table`, a data frame of pandas, or a data frame or lazy frame of polars",
    )
