"""Rows that a pydantic model looks at, where it says more than types and bounds of columns.

Types and bounds are the gate's matter: it knows the row of the file, and is faster. A model with
validators, defaults or computed fields makes rows of its own, so it is run, a page at a time.
"""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import ContractError, RefusedError
from penstock.schema.contract import Contract, Mode
from penstock.schema.hints import Hints
from penstock.schema.table import Column, Table
from penstock.schema.types import JSON, TEXT
from penstock.sources.python.annotation import is_model, pattern_of
from penstock.sources.python.chunk import Chunk
from penstock.sources.python.mark import FileImport
from penstock.sources.python.template import Template
from penstock.sources.python.values import is_table
from penstock.sources.python.writing import contract

# Any throughout: models and rows are users', and pydantic's schemas are plain mappings

Fault = tuple[str | None, str]
"""Which field is wrong, if it is one, and why."""
_BOUNDS = ("ge", "le", "min_length", "max_length", "pattern")
_MORE = ("gt", "lt", "multiple_of", "now_op", "strip_whitespace", "to_lower", "to_upper", "post_init")
_CODE = ("call", "callable", "custom-error", "is-instance", "is-subclass", "multi-host-url", "url")
_NOT_VALUES = ("metadata", "serialization", "ref", "config", "cls", "default", "function")


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that the model refused, and why."""

    row: Mapping[str, Any]
    field: str | None
    reason: str


class Validator:
    """A model, run over the rows of one resource. `mode` says what becomes of those that it refuses.

    `evolve` lets them pass as they came, `freeze` refuses the run, `discard_row` and `discard_value`
    leave them out, `quarantine` hands them to whoever asks for `refused`. `count` tells how many.
    """

    def __init__(self, model: Any, mode: Mode, where: str) -> None:
        from pydantic import TypeAdapter

        self.model = model
        self.mode = mode
        self.where = where
        self.refused: deque[Refused] = deque()
        self._adapter: TypeAdapter[list[Any]] = TypeAdapter(list[_open(model, ())])  # type: ignore[arg-type,misc]
        self._aliases = {n: f.alias for n, f in model.model_fields.items() if f.alias}
        self._seen = 0

    def __call__(self, items: list[Any]) -> list[Any]:
        """The rows as the model makes them, without those that it refuses. Raises: ContractError."""
        from pydantic import BaseModel

        at = [i for i, item in enumerate(items) if not isinstance(item, BaseModel)]
        made, faults = self._validated([items[i] for i in at])
        valid, whole = iter(made), list(items)
        for i, place in enumerate(at):
            whole[place] = self._set_aside(items[place], faults[i], i) if i in faults else next(valid)
        self._seen += len(at)
        return [row for row in whole if row is not None]

    def _validated(self, rows: list[Any]) -> tuple[list[Any], dict[int, Fault]]:
        """The rows that the model made of those it takes, and the faults of the others by their place."""
        from pydantic import ValidationError

        found: dict[int, Fault] = {}
        try:
            made = self._adapter.validate_python(rows)
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_context=False, include_input=False):
                row, *path = fault["loc"]
                assert isinstance(row, int)
                found.setdefault(row, (".".join(map(str, path)) or None, fault["msg"]))
            rows = [row for i, row in enumerate(rows) if i not in found]
            made = self._adapter.validate_python(rows)
        return self._dumped(made, rows[0] if rows else {}), found

    def _dumped(self, made: list[Any], first: Any) -> list[Any]:
        """The models as rows, under the names that the first row has."""
        keys = first if isinstance(first, Mapping) else {}
        aliased = any(alias in keys and name not in keys for name, alias in self._aliases.items())
        options: dict[str, Any] = {"by_alias": True} if aliased else {}
        return [_plain(row) for row in self._adapter.dump_python(made, **options)]

    def _set_aside(self, row: Any, fault: Fault, at: int) -> Any:
        field, reason = fault
        if self.mode is Mode.EVOLVE:
            return row
        if self.mode is Mode.FREEZE:
            raise ContractError(
                f"the model `{self.model.__name__}` refuses a row",
                where=f"{self.where}, row {self._seen + at + 1:,}" + (f", field `{field}`" if field else ""),
                found=reason,
                hint='contract={"data_type": "quarantine"} sets such rows aside, '
                '"discard_row" leaves them out',
            )
        self.refused.append(Refused(row, field, reason))
        return None

    def take(self) -> list[Refused]:
        """The rows that were refused since the last time."""
        return [self.refused.popleft() for _ in range(len(self.refused))]


def validator_of(template: Template, where: str) -> Validator | None:
    """What validates the rows of a resource: the last model among its columns, if it has code to run."""
    said = [c if isinstance(c, type) else type(c) for c in template.columns]
    model = next((c for c in reversed(said) if is_model(c)), None)
    if model is None or not has_code(model):
        return None
    clauses = contract(template.contract, where) if not callable(template.contract) else None
    return Validator(model, (clauses or Contract()).data_type, where)


def has_code(model: Any) -> bool:
    """Whether a model does more than a table's columns can promise. Raises: RefusedError."""
    from pydantic import PydanticUserError, TypeAdapter

    try:
        return _has_code(TypeAdapter(model).core_schema, 0)
    except PydanticUserError as error:
        raise RefusedError(
            f"the model `{model.__name__}` cannot be used", found=str(error).partition("\n")[0]
        ) from error


def _has_code(schema: Any, depth: int) -> bool:
    if isinstance(schema, list | tuple):
        return any(_has_code(part, depth) for part in schema)
    if not isinstance(schema, Mapping):
        return False
    kind = schema.get("type")
    if isinstance(kind, str):
        more = any(schema.get(word) is not None and schema[word] is not False for word in _MORE)
        if kind.startswith("function-") or kind in _CODE or more:
            return True
        if kind == "default" and (schema.get("default") is not None or "default_factory" in schema):
            return True
        if schema.get("computed_fields") or schema.get("custom_init"):
            return True
        if schema.get("pattern") is not None and pattern_of(_text(schema["pattern"])) is None:
            return True
        inside = depth > 1 or kind in ("dict", "tuple")
        if inside and (kind in ("enum", "literal") or any(schema.get(word) is not None for word in _BOUNDS)):
            return True
        depth += kind in ("model", "dataclass", "typed-dict", "list", "set", "dict", "tuple", "definitions")
    return any(_has_code(part, depth) for name, part in schema.items() if name not in _NOT_VALUES)


def _text(pattern: Any) -> str:
    found: str = getattr(pattern, "pattern", pattern)
    return found


@functools.cache
def _open(model: Any, within: tuple[Any, ...]) -> Any:
    """The model, and those inside of it, with keys kept that they do not name, unless they say otherwise.

    A model that holds itself is as it was there.
    """
    from pydantic import ConfigDict, create_model

    made = model
    if model.model_config.get("extra") is None:
        body = {"model_config": ConfigDict(extra="allow"), "__module__": model.__module__}
        made = type(model)(model.__name__, (model,), body)
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        annotation = _opened(field.annotation, (*within, model))
        if annotation is not field.annotation:
            changed = field._copy() if hasattr(field, "_copy") else field
            changed.annotation = annotation
            fields[name] = (annotation, changed)
    return create_model(model.__name__, __base__=made, **fields) if fields else made


def _opened(annotation: Any, within: tuple[Any, ...]) -> Any:
    """An annotation with the models in it opened; itself if there are none."""
    if is_model(annotation):
        return annotation if annotation in within else _open(annotation, within)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    opened = tuple(_opened(a, within) for a in args)
    if origin is None or all(a is b for a, b in zip(args, opened, strict=True)):
        return annotation
    if origin in (typing.Union, types.UnionType):
        return functools.reduce(operator.or_, opened)
    return origin[opened]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose values of pydantic's own kinds (addresses, secrets) are texts, a secret as stars."""
    odd = {k: str(v) for k, v in row.items() if type(v).__module__.startswith("pydantic")}
    return {**row, **odd} if odd else row


def validated(validator: Validator, metrics: dict[str, Any]) -> Callable[[Iterator[Chunk]], Iterator[Chunk]]:
    """The step that a resource's items pass. Tables and files are left to the gate."""

    def run(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            rows = [i for i in chunk.items if not is_table(i) and type(i) is not FileImport and i is not None]
            others = [i for i in chunk.items if is_table(i) or type(i) is FileImport]
            if not rows:
                yield chunk
                continue
            if others:
                yield Chunk(others, chunk.page, chunk.mark)
            kept = validator(rows)
            if validator.mode is not Mode.EVOLVE and len(kept) < len(rows):
                metrics["refused_rows"] = metrics.get("refused_rows", 0) + len(rows) - len(kept)
            yield Chunk(kept, chunk.page and bool(kept), chunk.mark)

    return run


def refusals(table: str) -> Hints:
    """The hints of the table that refused rows of a table go to."""
    columns = (Column("row", JSON, False, declared=True), Column("field", TEXT, declared=True))
    return Hints(Table(f"{table}_refused", (*columns, Column("reason", TEXT, False, declared=True))))
