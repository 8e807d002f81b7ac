"""Writing the formats whose tables are a list of columns: ours, etl_manager's and mojap-metadata's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from penstock.schema.formats.form import DATETIME_FORMAT, Form, Notes, Parts, Raw, listed
from penstock.schema.table import Column, Table
from penstock.schema.types import NULL, DataType, Decimal, Kind, List, Scalar, Timestamp
from penstock.schema.vocabulary import ETL_MANAGER, MOJAP, OWN, Format

# Any throughout: metadata files hold values of every type.

_ETL_WORDS = {
    Kind.BOOL: "boolean", Kind.INT8: "int", Kind.INT16: "int", Kind.INT32: "int", Kind.INT64: "long",
    Kind.UINT8: "int", Kind.UINT16: "int", Kind.UINT32: "long", Kind.UINT64: "decimal(20,0)",
    Kind.FLOAT32: "float", Kind.FLOAT64: "double", Kind.TEXT: "character", Kind.BINARY: "binary",
    Kind.DATE: "date", Kind.TIME: "character", Kind.UUID: "character", Kind.JSON: "character",
    Kind.NULL: "character",
}  # fmt: skip
_MOJAP_WORDS = {kind: kind.value for kind in Kind} | {
    Kind.BOOL: "bool_", Kind.TEXT: "string", Kind.DATE: "date32", Kind.TIME: "time64(us)",
    Kind.UUID: "string", Kind.JSON: "string",
}  # fmt: skip
_CATEGORIES = {
    Kind.NULL: "null", Kind.BOOL: "boolean", Kind.FLOAT32: "float", Kind.FLOAT64: "float",
    Kind.TEXT: "string", Kind.UUID: "string", Kind.JSON: "string", Kind.BINARY: "binary",
    Kind.DATE: "timestamp", Kind.TIME: "timestamp",
}  # fmt: skip
_ETL_SCHEMA = "https://moj-analytical-services.github.io/metadata_schema/table/v1.4.0.json"
_MOJAP_SCHEMA = "https://moj-analytical-services.github.io/metadata_schema/mojap_metadata/v1.4.0.json"
_ETL_FILES = {"jsonl": "json", "snappy.parquet": "parquet", "json": "json", "csv": "csv"}
_MOJAP_FILES = {"json": "jsonl", "csv_quoted_nodate": "csv", "par": "parquet"}
TRANSLATED = frozenset(
    {"data_format", "file_format", "location", "table_location", "sensitivity", "redacted"}
)
"""Keys of etl_manager and mojap-metadata that each writes in its own words."""
_RULES = {
    "minimum": "minimum", "maximum": "maximum", "min_length": "minLength", "max_length": "maxLength",
    "unique": "unique", "foreign_key": "foreign_key",
}  # fmt: skip


def columnar_form(
    name: str, canonical: Callable[[Table, Notes], Parts], read: Callable[[Raw, str], Table], *keys: str
) -> Form:
    """A form whose tables are mappings with a list of `columns`; `keys` are further ones of columns."""
    columns = {"name", "type", "description", "nullable", "enum", "pattern", *_RULES.values(), "sensitive"}
    return Form(
        name,
        canonical,
        lambda raw: listed(raw, "columns", [_name(c) for c in raw.get("columns") or ()]),
        lambda head, found: {**head, "columns": [column for _, column in found]},
        read,
        frozenset({"name", "description", "columns", "primary_key", "partitions", "$schema"}),
        frozenset({*columns, *keys}),
        frozenset({"type", "type_category"}),
        TRANSLATED if name != OWN.name else frozenset({"sensitivity", "redacted"}),
    )


def _name(raw: Any) -> str:
    return str(raw.get("name", "")) if isinstance(raw, Mapping) else ""


# -------------------------------------------------------------------------------------- our own


def own_parts(table: Table, notes: Notes) -> Parts:
    """A table as our own metadata files spell it."""
    del notes  # it can say everything
    head: Raw = {"name": table.name, **_head(table), "columns": None}
    return head, [(c.name, {**_column(c, str(c.type)), **_rules(c)}) for c in table.columns]


def _head(table: Table) -> Raw:
    head: Raw = {}
    if table.description is not None:
        head["description"] = table.description
    if table.primary_key:
        head["primary_key"] = list(table.primary_key)
    if table.partitions:
        head["partitions"] = list(table.partitions)
    return head


def _column(column: Column, kind: str | None) -> Raw:
    """What all three formats say of a column in the same words."""
    raw: Raw = {"name": column.name}
    if kind is not None and column.type != NULL:
        raw["type"] = kind
    if column.description is not None:
        raw["description"] = column.description
    if not column.nullable:
        raw["nullable"] = False
    if column.enum is not None:
        raw["enum"] = list(column.enum)
    if column.pattern is not None:
        raw["pattern"] = column.pattern
    return raw


def _rules(column: Column) -> Raw:
    raw: Raw = {}
    for field in ("minimum", "maximum", "min_length", "max_length"):
        if getattr(column, field) is not None:
            raw[_RULES[field]] = getattr(column, field)
    if column.unique:
        raw["unique"] = True
    if column.sensitive:
        raw["sensitive"] = True
    if column.foreign_key is not None:
        raw["foreign_key"] = {"table": column.foreign_key.table, "columns": list(column.foreign_key.columns)}
    if DATETIME_FORMAT in column.extra:
        raw[DATETIME_FORMAT] = column.extra[DATETIME_FORMAT]
    return raw


# ---------------------------------------------------------------------------------- etl_manager


def etl_manager_parts(table: Table, notes: Notes) -> Parts:
    """A table as etl_manager's table files spell it."""
    head: Raw = {
        "$schema": _ETL_SCHEMA,
        "name": table.name,
        "description": table.description or "",
        "data_format": _translated(table, "data_format", "file_format", _ETL_FILES, "parquet"),
        "location": _translated(table, "location", "table_location", {}, f"{table.name}/"),
        "columns": None,
    } | {k: v for k, v in _head(table).items() if k != "description"}
    columns: list[tuple[str, Any]] = []
    for column in table.columns:
        kind = spell(column.type, ETL_MANAGER, _ETL_WORDS, column.name, notes)
        raw = {**_column(column, kind), "description": column.description or ""}
        for field, key in _RULES.items():
            if (said := getattr(column, field)) is not None and said is not False:
                notes.add(f"etl_manager has no place for `{key}`", column.name)
        if column.sensitive and not {"sensitivity", "redacted"} & column.extra.keys():
            raw["sensitivity"] = "personal_data"
        if column.type == NULL:
            notes.add("etl_manager needs a type: written as `character`", column.name)
            raw["type"] = kind
        if DATETIME_FORMAT in column.extra:
            notes.add(f"etl_manager has no place for `{DATETIME_FORMAT}`", column.name)
        columns.append((column.name, raw))
    return head, columns


# -------------------------------------------------------------------------------- mojap-metadata


def mojap_parts(table: Table, notes: Notes) -> Parts:
    """A table as mojap-metadata's files spell it."""
    head = {"$schema": _MOJAP_SCHEMA, "name": table.name, **_head(table), "columns": None}
    if kept := _translated(table, "file_format", "data_format", _MOJAP_FILES, None):
        head["file_format"] = kept
    if kept := _translated(table, "table_location", "location", {}, None):
        head["table_location"] = kept
    columns: list[tuple[str, Any]] = []
    for column in table.columns:
        kind = spell(column.type, MOJAP, _MOJAP_WORDS, column.name, notes)
        raw = {"name": column.name, "type": kind, "type_category": _category(column.type)}
        raw |= {k: v for k, v in _column(column, None).items() if k != "name"}
        rules = _rules(column)
        if "foreign_key" in rules:
            rules["foreign_key"] = [rules["foreign_key"]]
        columns.append((column.name, raw | rules))
    return head, columns


def _translated(table: Table, key: str, other: str, words: Mapping[str, str], default: Any) -> Any:
    """What a file of this format, or one of the other, says under its own key."""
    if key in table.extra:
        return table.extra[key]
    said = table.extra.get(other)
    return default if said is None else words.get(str(said), said)


def _category(kind: DataType) -> str:
    if isinstance(kind, Decimal):
        return "float"
    if isinstance(kind, Timestamp):
        return "timestamp"
    if isinstance(kind, Scalar):
        return _CATEGORIES.get(kind.kind, "integer")
    return "list" if isinstance(kind, List) else "struct"


# ---------------------------------------------------------------------------------------- types


def spell(kind: DataType, words: Format, scalars: Mapping[Kind, str], column: str, notes: Notes) -> str:
    """A type in the words of a format; what reads back as another type is noted."""
    text = _spelt(kind, words, scalars)
    try:
        back = words.type_of(text)
    except ValueError:  # a field's name that the format cannot write
        notes.add(f"{words.name} cannot write the names of these fields: written as text", column)
        return scalars[Kind.TEXT]
    if back != kind and kind != NULL:
        notes.add(f"{words.name} has no `{kind}`: written as `{text}`", column)
    return text


def _spelt(kind: DataType, words: Format, scalars: Mapping[Kind, str]) -> str:
    etl = words is ETL_MANAGER
    if isinstance(kind, Scalar):
        return scalars[kind.kind]
    if isinstance(kind, Decimal):
        return f"{'decimal' if etl else 'decimal128'}({kind.precision},{kind.scale})"
    if isinstance(kind, Timestamp):
        return "datetime" if etl else f"timestamp({kind.unit})"
    if isinstance(kind, List):
        return f"{'array' if etl else 'list_'}<{_spelt(kind.item, words, scalars)}>"
    fields = ((name, _spelt(field, words, scalars)) for name, field in kind.fields)
    return f"struct<{', '.join(f'{name}: {field}' for name, field in fields)}>"
