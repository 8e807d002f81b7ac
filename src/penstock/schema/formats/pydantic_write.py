"""Tables as the Python source of pydantic models."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any  # metadata holds values of every type

from penstock.schema import types as t
from penstock.schema.formats.form import DATETIME_FORMAT, Notes, Raw, note_foreign
from penstock.schema.formats.patterns import searched
from penstock.schema.formats.pydantic_read import OURS
from penstock.schema.table import Column, Table
from penstock.schema.types import DataType, Decimal, Kind, List, Scalar, Struct, Timestamp

_WORDS = {
    Kind.BOOL: "bool", Kind.FLOAT32: "float", Kind.FLOAT64: "float", Kind.TEXT: "str", Kind.BINARY: "bytes",
    Kind.DATE: "date", Kind.TIME: "time", Kind.UUID: "UUID", Kind.JSON: "Any", Kind.NULL: "Any",
}  # fmt: skip
_EXACT = (t.BOOL, t.INT64, t.FLOAT64, t.TEXT, t.BINARY, t.DATE, t.TIME, t.UUID, t.JSON)
_HOMES = {
    "date": "datetime", "time": "datetime", "Decimal": "decimal", "UUID": "uuid", "Any": "typing",
    "Annotated": "typing", "Literal": "typing", "BaseModel": "pydantic", "ConfigDict": "pydantic",
    "Field": "pydantic", "AwareDatetime": "pydantic", "NaiveDatetime": "pydantic",
}  # fmt: skip
_WIDTH = 100
_TAKEN = frozenset(_HOMES) | {"bool", "float", "str", "bytes", "int", "list", "None"}


@dataclass(slots=True)
class _Source:
    """The source of some models in the making: the classes so far, and what they import."""

    classes: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=lambda: set(_TAKEN))

    def use(self, name: str) -> str:
        self.names.add(name)
        return name

    def called(self, wish: str) -> str:
        """A class name near to `wish` that is still free."""
        name = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^0-9A-Za-z]+", wish)) or "Row"
        name = f"Row{name}" if not name.isidentifier() or keyword.iskeyword(name) else name
        free, number = name, 2
        while free in self.taken:
            free, number = f"{name}{number}", number + 1
        self.taken.add(free)
        return free


def write_pydantic(tables: list[Table], notes: Notes) -> str:
    """A Python module with one model for each table, and those for the objects inside of them."""
    source = _Source()
    for table in tables:
        _model(table, source, notes)
    lines = ['"""Models of rows, made from table metadata."""', "", "from __future__ import annotations", ""]
    for home in ("datetime", "decimal", "typing", "uuid", "pydantic"):
        names = sorted(n for n in source.names if _HOMES[n] == home)
        if names and home == "pydantic" and lines[-1]:
            lines.append("")
        if names:
            lines.append(f"from {home} import {', '.join(names)}")
    return "\n".join([*lines, "", "", "\n\n\n".join(source.classes), ""])


def _model(table: Table, source: _Source, notes: Notes) -> None:
    name = source.called(table.name)
    lines = [f"class {name}({source.use('BaseModel')}):"]
    if table.description:
        lines += [f"    {_quoted(table.description)}", ""]
    said: Raw = {"primary_key": list(table.primary_key), "partitions": list(table.partitions)}
    said = {key: value for key, value in said.items() if value}
    if said:
        config = _arguments({"json_schema_extra": {OURS: said}})
        lines += [f"    model_config = {source.use('ConfigDict')}({config})", ""]
        for key in said:
            notes.add(f"pydantic has no word for `{key}`: it is under `{OURS}`", f"the table `{table.name}`")
    note_foreign(table, "pydantic", frozenset(), notes)
    used: set[str] = set()
    fields = [_field(column, name, used, source, notes) for column in table.columns]
    source.classes.append("\n".join([*lines, *(fields or ["    pass"])]))


def _quoted(text: str) -> str:
    escaped = text.strip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{escaped}{" " if escaped.endswith(chr(34)) else ""}"""'


def _field(column: Column, model: str, used: set[str], source: _Source, notes: Notes) -> str:
    told: Raw = {}
    ours: Raw = {}
    name = _identifier(column.name, used)
    kind = _annotation(column.type, f"{model}_{column.name}", source, told)
    if not _says_all(column.type):
        ours["type"] = str(column.type)
    if column.enum is not None and all(isinstance(v, str | int) for v in column.enum):
        kind = f"{source.use('Literal')}[{', '.join(map(_literal, column.enum))}]"
        if column.type not in (t.TEXT, t.BOOL, t.INT64):
            ours["type"] = str(column.type)
    elif column.enum is not None:
        ours["enum"] = list(column.enum)
    _rules(column, told, ours)
    if name != column.name:
        told["alias"] = column.name
    if column.description is not None:
        told["description"] = column.description
    if ours:
        told["json_schema_extra"] = {OURS: ours}
        for key in ours:
            notes.add(f"pydantic has no word for `{key}`: it is under `{OURS}`", column.name)
    kind = f"{kind} | None" if column.nullable and kind != "Any" else kind
    end = " = None" if column.nullable else ""
    if not told:
        return f"    {name}: {kind}{end}"
    parts = [kind, f"{source.use('Field')}({_arguments(told)})"]
    line = f"    {name}: {source.use('Annotated')}[{', '.join(parts)}]{end}"
    if len(line) <= _WIDTH:
        return line
    wrapped = [f"        {part}," for part in parts]
    return "\n".join([f"    {name}: Annotated[", *wrapped, f"    ]{end}"])


def _arguments(told: Raw) -> str:
    return ", ".join(f"{key}={_literal(value)}" for key, value in told.items())


def _literal(value: Any) -> str:
    """A plain value as Python writes it, texts in double quotes where that needs no escapes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(k)}: {_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    text = repr(value)
    plain = isinstance(value, str) and text[0] == "'" and '"' not in text and "\\'" not in text
    return f'"{text[1:-1]}"' if plain else text


def _identifier(name: str, used: set[str]) -> str:
    """A field name for a column: its own if Python and pydantic take it, else one near to it."""
    plain = re.sub(r"\W", "_", name).lstrip("_") or "field"
    plain = f"field_{plain}" if plain[0].isdigit() else plain
    if keyword.iskeyword(plain) or plain.startswith("model_") or plain in _TAKEN or hasattr(dict, plain):
        plain = f"{plain}_"
    free, number = plain, 2
    while free in used:
        free, number = f"{plain}_{number}", number + 1
    used.add(free)
    return free


def _rules(column: Column, told: Raw, ours: Raw) -> None:
    numeric = t.is_integer(column.type) or t.is_float(column.type)
    for key, word, bound in (("minimum", "ge", column.minimum), ("maximum", "le", column.maximum)):
        if bound is not None and numeric and column.enum is None:
            told[word] = bound
        elif bound is not None:
            ours[key] = bound
    if column.min_length is not None:
        told["min_length"] = column.min_length
    if column.max_length is not None:
        told["max_length"] = column.max_length
    if column.pattern is not None:
        told["pattern"] = searched(column.pattern)
    for key in ("unique", "sensitive"):
        if getattr(column, key):
            ours[key] = True
    if column.foreign_key is not None:
        to = column.foreign_key
        ours["foreign_key"] = {"table": to.table, "columns": list(to.columns)}
    if DATETIME_FORMAT in column.extra:
        ours[DATETIME_FORMAT] = column.extra[DATETIME_FORMAT]


def _says_all(kind: DataType) -> bool:
    """Whether an annotation says all of a type."""
    if isinstance(kind, List):
        return _says_all(kind.item)
    if isinstance(kind, Struct):
        return bool(kind.fields) and all(_says_all(inner) for _, inner in kind.fields)
    if isinstance(kind, Timestamp):
        return kind.unit == "us"
    return isinstance(kind, Decimal) or kind in _EXACT


def _annotation(kind: DataType, wish: str, source: _Source, told: Raw) -> str:
    """The Python type of a column type; what belongs into `Field(...)` goes to `told`."""
    if isinstance(kind, List):
        return f"list[{_item(kind.item, wish, source)}]"
    if isinstance(kind, Struct):
        return _nested(kind, wish, source)
    if isinstance(kind, Decimal):
        told |= {"max_digits": kind.precision, "decimal_places": kind.scale}
        return source.use("Decimal")
    if isinstance(kind, Timestamp):
        return source.use("AwareDatetime" if kind.zone else "NaiveDatetime")
    assert isinstance(kind, Scalar)
    word = _WORDS.get(kind.kind, "int")
    return source.use(word) if word in _HOMES else word


def _item(kind: DataType, wish: str, source: _Source) -> str:
    told: Raw = {}
    text = _annotation(kind, wish, source, told)
    text = text if text == "Any" else f"{text} | None"
    if not told:
        return text
    return f"{source.use('Annotated')}[{text}, {source.use('Field')}({_arguments(told)})]"


def _nested(kind: Struct, wish: str, source: _Source) -> str:
    if not kind.fields:
        return f"dict[str, {source.use('Any')}]"
    name = source.called(wish)
    lines = [f"class {name}({source.use('BaseModel')}):"]
    used: set[str] = set()
    for key, inner in kind.fields:
        own = _identifier(key, used)
        text = _item(inner, f"{name}_{key}", source)
        if own != key:
            text = f"{source.use('Annotated')}[{text}, {source.use('Field')}({_arguments({'alias': key})})]"
        lines.append(f"    {own}: {text} = None")
    source.classes.append("\n".join(lines))
    return name
