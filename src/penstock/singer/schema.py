"""The schema of a stream as a table.

Types are what counts here: limits, enumerations and `required` of a tap's schema are often wrong, so
they are no rules; what a project's gate says is. A property whose schema says nothing of its type, or
several things at once, takes the type of its values. Numbers are exact where the schema has a
`multipleOf`, or a text is called `singer.decimal`.
Source: the schemas that tap-postgres (both), tap-mysql, tap-github and the Singer SDK write.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal as Exact
from decimal import InvalidOperation
from typing import Any

from penstock.schema import types as t
from penstock.schema.formats.json_types import Typed
from penstock.schema.formats.reading import Page, Spot
from penstock.schema.table import Column, Table
from penstock.schema.types import DataType, Decimal, Kind, Scalar, merge

# Any throughout: a JSON schema holds values of every type.
_OURS = "x-penstock"
_DECIMAL_FORMATS = frozenset({"singer.decimal", "x-singer.decimal"})
_BELOW = ("properties", "definitions", "$defs")
_LISTS = ("anyOf", "oneOf", "allOf")
_DEFAULT_DECIMAL = Decimal(38, 9)
_WIDEST_SCALE = 18
_INT64_MAX, _UINT64_MAX = 2**63 - 1, 2**64 - 1


def table_of(name: str, schema: Mapping[str, Any], keys: Sequence[str] = ()) -> Table:
    """The table of a stream: a column for each property, all of which may be null."""
    root = _spelt(schema)
    page = Page(name)
    body = Typed(root, page).resolved(root, Spot())
    properties = body.get("properties")
    columns = [
        _column(str(key), said, root, page)
        for key, said in (properties.items() if isinstance(properties, Mapping) else ())
    ]
    return Table(name, tuple(columns), primary_key=tuple(keys))


def grown(before: Table, after: Table) -> Table:
    """What holds the records of two schemas of one stream; the keys are those of the later one."""
    columns = {c.name: c for c in before.columns}
    for column in after.columns:
        known = columns.get(column.name)
        if known is None:
            columns[column.name] = column
            continue
        wider = merge(known.type, column.type)
        columns[column.name] = replace(known, type=wider, declared=wider != t.NULL)
    return Table(before.name, tuple(columns.values()), primary_key=after.primary_key)


def _column(name: str, said: Any, root: Mapping[str, Any], page: Page) -> Column:
    faults = len(page.faults)
    raw, kind, _ = Typed(root, page).column(said, Spot())
    if len(page.faults) > faults or _is_unclear(raw, kind):
        kind = t.NULL
    description = raw.get("description")
    return Column(
        name,
        kind,
        description=description if isinstance(description, str) and description else None,
        declared=kind != t.NULL,
    )


def _is_unclear(raw: Mapping[str, Any], kind: DataType) -> bool:
    """Whether a schema leaves the type to the values: it says nothing, or things that only text holds."""
    words = _words(raw)
    if kind == t.JSON:
        return "object" not in words and "array" not in words
    return kind == t.TEXT and bool(words - {"string"})


def _words(raw: Any) -> set[str]:
    """The JSON types that a schema lets pass, without null."""
    if not isinstance(raw, Mapping):
        return set()
    said = raw.get("type")
    words = set(map(str, said)) if isinstance(said, list) else {str(said)} if said is not None else set()
    for key in _LISTS:
        for choice in raw.get(key) or () if isinstance(raw.get(key), list) else ():
            words |= _words(choice)
    return words - {"null"}


# ------------------------------------------------------------------------- what JSON cannot say


def _spelt(schema: Any) -> Any:
    """A schema with exact types written where it means them, at every depth."""
    if isinstance(schema, list):
        return [_spelt(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    raw = {k: _spelt(v) if k in (*_LISTS, "items") else v for k, v in schema.items()}
    for key in _BELOW:
        if isinstance(raw.get(key), Mapping):
            raw[key] = {name: _spelt(below) for name, below in raw[key].items()}
    exact = _exact(raw)
    return raw if exact is None else {**raw, _OURS: {"type": str(exact)}}


def _exact(raw: Mapping[str, Any]) -> DataType | None:
    """The type that a schema means beyond its `type` and `format`, or None."""
    said = raw.get("type")
    words = [w for w in (said if isinstance(said, list) else [said]) if w != "null"]
    if raw.get("format") in _DECIMAL_FORMATS and words == ["string"]:
        precision, scale = raw.get("precision"), raw.get("scale")
        if isinstance(precision, int) and isinstance(scale, int) and 0 < precision <= t.MAX_PRECISION:
            return Decimal(precision, max(0, min(scale, precision)))
        return _DEFAULT_DECIMAL
    if words == ["number"] or words == ["integer", "number"] or words == ["number", "integer"]:
        return _fixed(raw)
    return _wide(raw) if words == ["integer"] else None


def _fixed(raw: Mapping[str, Any]) -> DataType | None:
    """The decimal of a number that is a multiple of a power of ten."""
    step = _number(raw.get("multipleOf"))
    if step is None or step <= 0:
        return None
    exponent = step.normalize().as_tuple().exponent
    scale = max(0, -exponent) if isinstance(exponent, int) else 0
    limit = max((abs(n) for n in map(_number, (raw.get("minimum"), raw.get("maximum"))) if n), default=None)
    whole = t.MAX_PRECISION if limit is None else max(1, limit.adjusted() + 1)
    if limit is not None and whole + scale <= t.MAX_PRECISION:
        return Decimal(whole + scale, scale)
    return Decimal(t.MAX_PRECISION, min(scale, _WIDEST_SCALE))


def _wide(raw: Mapping[str, Any]) -> DataType | None:
    """The type of integers beyond 64 bits, or beyond half of them."""
    low, high = _number(raw.get("minimum")), _number(raw.get("maximum"))
    if high is None or high <= _INT64_MAX:
        return None
    if low is not None and low >= 0 and high <= _UINT64_MAX:
        return Scalar(Kind.UINT64)
    return Decimal(t.MAX_PRECISION, 0)


def _number(said: Any) -> Exact | None:
    if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
        return None
    try:
        return Exact(str(said))
    except InvalidOperation:
        return None
