"""What a user says of a table's columns, in any of the ways to say it, as facts by column.

A fact is a field of `schema.table.Column`, or one of `MARKS`, which concern the table as a whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from datetime import date, time
from decimal import Decimal as PyDecimal
from pathlib import Path
from typing import Any
from uuid import UUID

from penstock.errors import RefusedError, suggest
from penstock.schema import types as t
from penstock.schema.constraint import check_column
from penstock.schema.formats.form import DATETIME_FORMAT
from penstock.schema.table import Column, Table
from penstock.sources.python.annotation import Facts, columns_of_class, is_model
from penstock.sources.python.words import data_type

# Any throughout: hints hold values of every type

MARKS = ("primary_key", "merge_key", "hard_delete", "dedup_sort")
_FIELDS = tuple(
    f.name for f in dataclasses.fields(Column) if f.name not in ("name", "type", "declared", "extra")
)
_TYPE_WORDS = ("data_type", "type", "precision", "scale", "timezone")
_ASIDE = ("partition", "cluster", "sort", "row_key", "parent_key", "root_key", "variant", "incremental")
_YES_OR_NO = ("nullable", "unique", "sensitive", "timezone", "primary_key", "merge_key", "hard_delete")
_KNOWN = (*_FIELDS, *MARKS, *_TYPE_WORDS, *_ASIDE, DATETIME_FORMAT, "name")


def columns_of(said: Any, where: str, keys: Collection[str] = ()) -> dict[str, Facts]:
    """The facts by column that `said` means: hints as in dlt, columns of ours, a schema, or a file of one.

    `keys` are those of a row of the table, for a model whose fields have aliases.
    Raises: RefusedError, naming the column and the word that is wrong.
    """
    if isinstance(said, Table):
        keys = {name: {"primary_key": True} for name in said.primary_key}
        return {c.name: _of_column(c) | keys.get(c.name, {}) for c in said.columns}
    if is_model(said) or is_model(type(said)):
        return columns_of_class(said if isinstance(said, type) else type(said), keys)
    if dataclasses.is_dataclass(said):
        return columns_of_class(said if isinstance(said, type) else type(said), keys)
    if type(said).__module__.partition(".")[0] == "pyarrow":
        return _of_arrow(said)
    if isinstance(said, Mapping):
        return {name: _of_hints(name, hints, where) for name, hints in said.items()}
    if isinstance(said, Iterable) and not isinstance(said, str | bytes):
        return dict(_named(hints, where) for hints in said)
    if isinstance(said, str | Path):
        return columns_of(_of_file(Path(said), where), where, keys)
    raise RefusedError(
        "the columns are in no form that is known",
        where=where,
        found=type(said).__name__,
        expected="a mapping of name to hints, a list of them, a pydantic model, a dataclass, "
        "a pyarrow schema, a penstock Table, or the path of a metadata file",
    )


def _of_file(path: Path, where: str) -> Table:
    """The table that a metadata file describes; relative paths are taken from the working folder."""
    from penstock.project.metadata import read_table

    try:
        return read_table(str(path), path.read_text("utf-8"), None)
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(
            "the file of the columns cannot be read", where=where, found=f"{path}: {error}"
        ) from error


def _named(hints: Any, where: str) -> tuple[str, Facts]:
    if isinstance(hints, Column):
        return hints.name, _of_column(hints)
    if isinstance(hints, Mapping) and isinstance(hints.get("name"), str):
        return hints["name"], _of_hints(hints["name"], hints, where)
    raise RefusedError(
        "a column of the list has no name", where=where, found=repr(hints), expected='{"name": …, …}'
    )


def _of_column(column: Column) -> Facts:
    facts = {f: getattr(column, f) for f in _FIELDS if getattr(column, f) not in (None, False)}
    facts["nullable"] = column.nullable
    if column.type != t.NULL:
        facts["type"] = column.type
    if column.extra:
        facts["extra"] = dict(column.extra)
    return facts


def _of_arrow(schema: Any) -> dict[str, Facts]:
    from penstock.schema.arrow import from_arrow

    found: dict[str, Facts] = {}
    for field in schema:
        kind = from_arrow(field.type)
        found[field.name] = {"nullable": field.nullable} | ({} if kind == t.NULL else {"type": kind})
    return found


def _of_hints(name: str, hints: Any, where: str) -> Facts:
    spot = f"{where}, column `{name}`"
    if isinstance(hints, str):
        return {"type": data_type(hints, {}, spot)}
    if isinstance(hints, Column):
        return _of_column(hints)
    if not isinstance(hints, Mapping):
        raise RefusedError(
            "the hints of a column are no mapping",
            where=spot,
            found=repr(hints),
            expected='such as {"data_type": "bigint", "nullable": False}',
        )
    _refuse_unknown(hints, spot)
    facts: Facts = {k: hints[k] for k in (*_FIELDS, *MARKS) if hints.get(k) is not None}
    if isinstance(facts.get("enum"), list):
        facts["enum"] = tuple(facts["enum"])
    word = hints.get("data_type") or hints.get("type")
    if isinstance(word, str):
        facts["type"] = data_type(word, hints, spot)
    elif word is not None:
        facts["type"] = word
    if facts.get("type") == t.TEXT and hints.get("precision"):
        facts["max_length"] = hints["precision"]
    aside = (*_ASIDE, DATETIME_FORMAT)
    extra = {k: v for k, v in hints.items() if (k in aside or k.startswith("x-")) and v is not None}
    return facts | ({"extra": extra} if extra else {})


def _refuse_unknown(hints: Mapping[str, Any], spot: str) -> None:
    for key in hints:
        if key not in _KNOWN and not key.startswith("x-"):
            raise RefusedError(
                f"`{key}` is no hint of a column",
                where=spot,
                expected=", ".join(sorted(_KNOWN)),
                hint=suggest(key, _KNOWN),
            )
        if key in _YES_OR_NO and hints[key] not in (True, False, None):
            raise RefusedError(
                f"`{key}` is neither true nor false",
                where=spot,
                found=repr(hints[key]),
                expected="True or False",
            )
        if key in ("precision", "scale") and not isinstance(hints[key], int | None):
            raise RefusedError(f"`{key}` is no whole number", where=spot, found=repr(hints[key]))
    order = hints.get("dedup_sort")
    if order is not None and order not in ("asc", "desc"):
        raise RefusedError(
            "`dedup_sort` is neither `asc` nor `desc`", where=spot, found=repr(order), expected="asc or desc"
        )


def merged(before: Mapping[str, Facts], after: Mapping[str, Facts]) -> dict[str, Facts]:
    """The facts of both; what is said later wins, fact by fact."""
    return {**before, **{name: {**before.get(name, {}), **facts} for name, facts in after.items()}}


def column(name: str, facts: Facts, where: str) -> Column | None:
    """The column with these facts; None if they promise nothing of the column itself.

    Raises: RefusedError for bounds that contradict its type.
    """
    own = {k: v for k, v in facts.items() if k not in MARKS}
    if not own:
        return None
    kind = own.pop("type", t.NULL)
    for bound in ("minimum", "maximum"):
        if bound in own:
            own[bound] = _written(own[bound])
    if "enum" in own:
        own["enum"] = tuple(_written(v) for v in own["enum"] if v is not None)
    made = Column(name, kind, declared=kind != t.NULL, **own)
    for fault in check_column(made) if kind != t.NULL else ():
        raise RefusedError(
            fault.what,
            where=f"{where}, column `{name}`",
            found=fault.found,
            expected=fault.expected,
            hint=fault.hint,
        )
    return made


def _written(value: Any) -> Any:
    """A bound as metadata files hold it: dates, times, decimals and UUIDs as text."""
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, PyDecimal | UUID) else value
