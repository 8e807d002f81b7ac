"""The schema files of dlt (`schema.yaml` of a pipeline): tables with columns that have a `data_type`.

Tables and columns that dlt keeps for itself (`_dlt_…`) are left out; they are written back with
the file that they came from.
Source: dlt's docs, "Schema" and "Data types"; `engine_version` 9 to 11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from penstock.errors import suggest
from penstock.schema import types as t
from penstock.schema.faults import either
from penstock.schema.formats.form import Form, Notes, Parts, Raw, remember, write_table
from penstock.schema.formats.reading import Page, Spot
from penstock.schema.table import Column, Table
from penstock.schema.types import DataType, Decimal, Kind, Scalar, Timestamp, is_nested

# Any throughout: schema files hold values of every type.
SCHEMA = "$$schema_file"
HIDDEN = "$$hidden"
_PREFIX = "_dlt_"
_PLAIN: Mapping[str, DataType] = {
    "text": t.TEXT, "double": t.FLOAT64, "bool": t.BOOL, "binary": t.BINARY, "json": t.JSON,
    "complex": t.JSON, "date": t.DATE, "time": t.TIME, "wei": Decimal(38, 0),
}  # fmt: skip
_WORDS = ("bigint", "timestamp", "decimal", *_PLAIN)
_BITS = {8: Kind.INT8, 16: Kind.INT16, 32: Kind.INT32, 64: Kind.INT64}
_HEAD_KEYS = frozenset({"name", "description", "columns"})
_UNSAID = (
    "enum", "pattern", "minimum", "maximum", "min_length", "max_length", "sensitive", "foreign_key",
)  # fmt: skip
_TYPE_KEYS = frozenset({"data_type", "precision", "scale", "timezone"})
_COLUMN_KEYS = _TYPE_KEYS | {"name", "description", "nullable", "unique", "primary_key", "partition"}


def read_dlt(raw: Mapping[str, Any], page: Page) -> list[Table]:
    """The tables of a schema file; what is wrong goes to `page`."""
    around = {**raw, "tables": {k: v for k, v in raw["tables"].items() if str(k).startswith(_PREFIX)}}
    found: list[Table] = []
    for name, told in raw["tables"].items():
        if str(name).startswith(_PREFIX):
            continue
        spot = Spot(("tables", name), str(name))
        if not isinstance(told, Mapping) or not isinstance(told.get("columns"), Mapping):
            page.fault(spot, f"the table `{name}` has no `columns`", expected="a mapping of name to hints")
            continue
        table = read_table(told, str(name), page, spot)
        if not page.faults:
            table = remember(table, told, FORM)
            own = {k: v for k, v in told["columns"].items() if str(k).startswith(_PREFIX)}
            table = replace(table, extra={**table.extra, SCHEMA: around, HIDDEN: own})
        found.append(table)
    return found


def read_table(raw: Mapping[str, Any], name: str, page: Page, spot: Spot) -> Table:
    """One table of a schema file."""
    columns: list[Column] = []
    keys: list[str] = []
    parts: list[str] = []
    for column_name, told in (raw.get("columns") or {}).items():
        place = Spot((*spot.path, "columns", column_name), f"{spot.label}.{column_name}")
        if str(column_name).startswith(_PREFIX):
            page.notes.add("columns that dlt keeps for itself are left out", str(column_name))
            continue
        if not isinstance(told, Mapping):
            page.fault(place, "a column has no hints", found=repr(told), expected="a mapping")
            continue
        column = Column(
            str(column_name),
            _type(told, page, place),
            nullable=told.get("nullable") is not False,
            description=page.value(told, "description", str, "text", place),
            unique=told.get("unique") is True,
        )
        columns.append(page.checked(column, place))
        keys += [column.name] * (told.get("primary_key") is True)
        parts += [column.name] * (told.get("partition") is True)
    description = page.value(raw, "description", str, "text", spot)
    return Table(name, tuple(columns), tuple(keys), tuple(parts), description)


def _type(raw: Mapping[str, Any], page: Page, spot: Spot) -> DataType:
    word = raw.get("data_type")
    precision, scale = raw.get("precision"), raw.get("scale")
    if word is None:
        return t.NULL
    if word == "bigint":
        return Scalar(_BITS.get(precision if isinstance(precision, int) else 64, Kind.INT64))
    if word == "timestamp":
        return Timestamp(raw.get("timezone") is not False, "ns" if precision in (7, 8, 9) else "us")
    if word == "decimal":
        digits = precision if isinstance(precision, int) else t.MAX_PRECISION
        places = scale if isinstance(scale, int) else min(9, digits)
        if not (0 < digits <= t.MAX_PRECISION and 0 <= places <= digits):
            page.fault(spot, f"decimal({digits},{places}) is outside 1..{t.MAX_PRECISION} digits")
            return t.NULL
        return Decimal(digits, places)
    if str(word) not in _PLAIN:
        hint = suggest(str(word), _WORDS)
        what = f"`{word}` is no data type of dlt"
        page.fault(spot.key("data_type"), what, expected=either(_WORDS), hint=hint)
        return t.NULL
    return _PLAIN[str(word)]


# -------------------------------------------------------------------------------------- writing


def _parts(table: Table, notes: Notes) -> Parts:
    head: Raw = {"columns": None}
    if table.description is not None:
        head["description"] = table.description
    columns: list[tuple[str, Any]] = []
    for column in table.columns:
        raw = _spelt(column.type)
        page = Page(column.name)
        if _type(raw, page, Spot()) != column.type:
            notes.add(f"dlt has no `{column.type}`: written as `{raw.get('data_type')}`", column.name)
        raw["nullable"] = column.nullable
        if column.description is not None:
            raw["description"] = column.description
        for key, is_so in (
            ("unique", column.unique),
            ("primary_key", column.name in table.primary_key),
            ("partition", column.name in table.partitions),
        ):
            if is_so:
                raw[key] = True
        for key in _UNSAID:
            if (said := getattr(column, key)) is not None and said is not False:
                notes.add(f"dlt has no place for `{key}`", column.name)
        columns.append((column.name, raw))
    return head, columns


def _spelt(kind: DataType) -> Raw:
    if isinstance(kind, Decimal):
        return {"data_type": "decimal", "precision": kind.precision, "scale": kind.scale}
    if isinstance(kind, Timestamp):
        raw: Raw = {"data_type": "timestamp"} if kind.zone else {"data_type": "timestamp", "timezone": False}
        return raw if kind.unit == "us" else {**raw, "precision": 9}
    if is_nested(kind):
        return {"data_type": "json"}
    assert isinstance(kind, Scalar)
    for bits, own in _BITS.items():
        if kind.kind is own:
            return {"data_type": "bigint"} if bits == 64 else {"data_type": "bigint", "precision": bits}
    words: dict[Kind, Raw] = {Kind.UINT8: {"data_type": "bigint", "precision": 16},
             Kind.UINT16: {"data_type": "bigint", "precision": 32}, Kind.UINT32: {"data_type": "bigint"},
             Kind.UINT64: {"data_type": "decimal", "precision": 20, "scale": 0},
             Kind.FLOAT32: {"data_type": "double"}, Kind.UUID: {"data_type": "text"},
             Kind.NULL: {}}  # fmt: skip
    if kind.kind in words:
        return words[kind.kind]
    return {"data_type": "double" if kind == t.FLOAT64 else kind.kind.value}


def _split(raw: Mapping[str, Any]) -> Parts:
    head = {**raw, "columns": None}
    return head, [(str(k), v) for k, v in (raw.get("columns") or {}).items()]


def _join(head: Raw, columns: list[tuple[str, Any]]) -> Raw:
    return {**head, "columns": dict(columns)}


def _reread(raw: Raw, name: str) -> Table:
    page = Page(name)
    table = read_table(raw, name, page, Spot())
    page.end()
    return table


FORM = Form("dlt", _parts, _split, _join, _reread, _HEAD_KEYS, _COLUMN_KEYS, _TYPE_KEYS)


def write_dlt(tables: list[Table], notes: Notes) -> Raw:
    """A schema file of some tables; the one that the first of them was read from is kept around them."""
    kept = next((x.extra[SCHEMA] for x in tables if SCHEMA in x.extra), None)
    written = {table.name: write_table(table, FORM, notes) for table in tables}
    for table in tables:
        written[table.name]["columns"] |= table.extra.get(HIDDEN, {})
    if kept is None:
        name = tables[0].name if tables else "tables"
        return {"version": 1, "engine_version": 11, "name": name, "tables": written}
    return {**kept, "tables": {**kept["tables"], **written}}
