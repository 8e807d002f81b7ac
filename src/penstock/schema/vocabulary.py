"""The words by which metadata formats name column types, and how to tell the formats apart.

Three formats are read. Our own names types as `schema.types` writes them. etl_manager has
`character`, `int`, `long`, `datetime` and nests them; mojap-metadata has the names of Arrow.

Source: the JSON schemas of etl_manager (table files) and of mojap-metadata (versions 1.0 to 1.5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.schema import types as t
from penstock.schema.types import DataType, Kind, parse_type

_TOKEN = re.compile(
    r"\s*(?:(?P<field>\w+)\s*:|(?P<word>[A-Za-z_]\w*)|(?P<mark>[<>(),])|(?P<digits>\d+)|(?P<bad>\S))"
)
_MAPS = frozenset({"map", "map_"})


@dataclass(frozen=True, slots=True)
class Format:
    """A metadata format: its name, its words for types, and the keys that give it away."""

    name: str
    words: Mapping[str, str]
    table_keys: frozenset[str]
    column_keys: frozenset[str]
    telling: frozenset[str]

    def type_of(self, text: str) -> DataType:
        """The column type that `text` names here. Raises: ValueError."""
        return parse_type(_translate(text, self.words) if self.words else text)


OWN = Format("penstock", {}, frozenset(), frozenset(), frozenset())
ETL_MANAGER = Format(
    "etl_manager",
    {"character": "text", "int": "int32", "long": "int64", "float": "float32", "double": "float64",
     "datetime": "timestamp", "boolean": "bool", "array": "list"},
    frozenset({"data_format", "location", "glue_specific"}),
    frozenset({"sensitivity", "redacted"}),
    frozenset({"character"}),
)  # fmt: skip
MOJAP = Format(
    "mojap-metadata",
    {"string": "text", "large_string": "text", "utf8": "text", "large_utf8": "text", "bool_": "bool",
     "float16": "float32", "date32": "date", "date64": "date", "large_binary": "binary",
     "list_": "list", "large_list": "list", "decimal128": "decimal"},
    frozenset({"file_format", "table_location", "database_name", "glue_table_properties", "_converted_from"}),
    frozenset({"type_category"}),
    frozenset({"string", "large_string", "utf8", "large_utf8", "bool_", "float16", "date32", "date64",
               "large_binary", "list_", "large_list", "map_", "decimal128", "time32", "time64"}),
)  # fmt: skip

CATEGORIES: Mapping[str, DataType] = {
    "null": t.NULL, "integer": t.INT64, "float": t.FLOAT64, "string": t.TEXT,
    "timestamp": t.TIMESTAMP, "binary": t.BINARY, "boolean": t.BOOL, "list": t.NULL, "struct": t.NULL,
}  # fmt: skip
"""What mojap-metadata's `type_category` alone says; lists and structs are left to the data."""


def tell_kind(document: Any) -> str:
    """What sort of document a metadata file is: `odcs`, `json_schema`, `dlt`, or `table` for one table."""
    if not isinstance(document, Mapping):
        return "table"
    version = str(document.get("apiVersion", ""))
    if document.get("kind") == "DataContract" or (version[:1] == "v" and "schema" in document):
        return "odcs"
    schema = str(document.get("$schema", "")).lower()
    if "json-schema.org" in schema or (
        "columns" not in document
        and (isinstance(document.get("properties"), Mapping) or "$defs" in document or "$ref" in document)
    ):
        return "json_schema"
    if isinstance(document.get("tables"), Mapping) and "columns" not in document:
        return "dlt"
    return "table"


def tell_format(table: Mapping[str, Any]) -> tuple[Format, bool]:  # Any: a metadata file
    """The format of a metadata file, and whether its keys say so or only its words for types."""
    raw = table.get("columns")
    columns = [c for c in raw if isinstance(c, Mapping)] if isinstance(raw, list | tuple) else []
    for foreign in (ETL_MANAGER, MOJAP):
        if _keys_tell(foreign, table, columns):
            return foreign, True
    words = {word for c in columns for word in _words(str(c.get("type", "")))}
    for foreign in (ETL_MANAGER, MOJAP):
        if foreign.telling & words:
            return foreign, False
    return OWN, True


def _keys_tell(foreign: Format, table: Mapping[str, Any], columns: list[Mapping[str, Any]]) -> bool:
    schema = str(table.get("$schema", "")).lower().replace("_", "-")
    named = foreign.name.replace("_", "-") in schema
    return (
        named
        or bool(foreign.table_keys & table.keys())
        or any(foreign.column_keys & c.keys() for c in columns)
    )


def known_types() -> list[str]:
    """The names of types, for suggestions."""
    others = (
        "timestamp",
        "timestamp_tz",
        "decimal",
        "list",
        "struct",
        "integer",
        "string",
        "boolean",
        "double",
    )
    return [*Kind.__members__.values(), *others]


def _words(text: str) -> frozenset[str]:
    return frozenset(m["word"].lower() for m in _TOKEN.finditer(text) if m["word"])


def _translate(text: str, words: Mapping[str, str]) -> str:
    """`text` with its type words replaced, field names kept, and maps as lists of key and value."""
    out: list[str] = []
    nested: list[str] = []
    last = ""
    for token in _TOKEN.finditer(text):
        word = (token["word"] or "").lower()
        if token["bad"]:
            raise ValueError(
                f"'{token['bad']}' at character {token.start('bad') + 1} of '{text}' means nothing"
            )
        if token["field"]:
            out.append(f'"{token["field"]}": ')
        elif token["mark"] == "<":
            out.append("<struct<key: " if last in _MAPS else "<")
            nested.append(last)
        elif token["mark"] == ">":
            out.append(">>" if nested and nested.pop() in _MAPS else ">")
        elif token["mark"] == "," and nested and nested[-1] in _MAPS:
            out.append(", value: ")
        else:
            out.append("list" if word in _MAPS else words.get(word, token[0].strip()))
        last = word
    return re.sub(r"\bbinary\s*\(\d+\)", "binary", "".join(out))
