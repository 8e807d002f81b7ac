"""Annotated classes as columns: what the fields of dataclasses and pydantic models promise of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from penstock.schema import types as t
from penstock.schema.annotation import Field, Reading, bounds, fields_of, is_known, is_model, told
from penstock.schema.constraint import check_column
from penstock.schema.formats.patterns import whole
from penstock.schema.table import Column
from penstock.schema.types import DataType, List

# Any throughout: annotations are whatever users write

Facts = dict[str, Any]
_WORDS = {"ge": "minimum", "le": "maximum", "min_length": "min_length", "max_length": "max_length"}

__all__ = ["Facts", "columns_of_class", "is_model", "pattern_of"]


def columns_of_class(cls: type, keys: Collection[str] = ()) -> dict[str, Facts]:
    """The facts of each column that a dataclass or a pydantic model promises, by its name.

    A model's columns are called as its fields, or by their aliases if it is dumped by alias or if
    a row with these `keys` has them. A plain `datetime`, `Decimal` or `Any` says too little (no zone,
    no digits): its column is there and the data tells its type. Raises: RefusedError.
    """
    models_fields: Any = getattr(cls, "model_fields", {})
    aliases = {name: field.alias for name, field in models_fields.items() if field.alias}
    by_alias = any(alias in keys and name not in keys for name, alias in aliases.items())
    dumped = bool(getattr(cls, "model_config", {}).get("serialize_by_alias"))

    def name_of(name: str, field: Any) -> str:
        alias = (dumped and field.serialization_alias) or ((dumped or by_alias) and field.alias)
        return alias or name

    reading = Reading(name_of)
    return {field.name: _facts(field, reading) for field in fields_of(cls, reading)}


def _facts(field: Field, reading: Reading) -> Facts:
    said = told(field.kind, field.marks, reading)
    facts: Facts = {"nullable": said.nullable or not field.required}
    if said.values:
        facts["enum"] = said.values
    if not is_known(said.type):
        return facts
    facts["type"] = said.type
    found = bounds(said.marks, said.type)
    sized = said.type in (t.TEXT, t.BINARY) or isinstance(said.type, List)
    for theirs, ours in _WORDS.items():
        if theirs in found and (sized or "length" not in theirs):
            facts[ours] = found[theirs]
    if (pattern := pattern_of(found.get("pattern"), said.type)) is not None:
        facts["pattern"] = pattern
    return facts


def pattern_of(searched: str | None, kind: DataType = t.TEXT) -> str | None:
    """A model's pattern as one of a column; None for one that no column can have."""
    if searched is None:
        return None
    pattern = whole(searched)
    return None if check_column(Column("c", kind, pattern=pattern)) else pattern
