"""Table metadata as tables, and back, in every format that people keep it in.

Our own form is a mapping with `columns` (a list, or a mapping of name to type or attributes),
`primary_key`, `partitions` and `description`. A key that it does not know is an error. The other
formats (etl_manager, mojap-metadata, ODCS, JSON Schema, dlt) are read as they are: what has no
meaning here is kept in `extra`, so that it can be written back. Which format a file has, its keys
and its words for types tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from penstock.errors import ProjectError, suggest
from penstock.schema.constraint import check_column
from penstock.schema.faults import either
from penstock.schema.formats.columnar import columnar_form, etl_manager_parts, mojap_parts, own_parts
from penstock.schema.formats.dlt import read_dlt, write_dlt
from penstock.schema.formats.form import DATETIME_FORMAT, Form, Notes, Raw, Written, remember, write_table
from penstock.schema.formats.json_schema import json_schema_form, read_json_schema
from penstock.schema.formats.odcs import read_odcs, write_odcs
from penstock.schema.formats.pydantic_read import read_pydantic
from penstock.schema.formats.pydantic_write import write_pydantic
from penstock.schema.formats.reading import RESERVED, Locate, Page, Spot
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import NULL, DataType
from penstock.schema.vocabulary import (
    CATEGORIES,
    ETL_MANAGER,
    MOJAP,
    OWN,
    Format,
    known_types,
    tell_format,
    tell_kind,
)

# Any throughout: metadata files hold values of every type.

TABLE_KEYS = ("name", "description", "columns", "primary_key", "partitions", "$schema")
COLUMN_KEYS = (
    "name", "type", "description", "nullable", "enum", "pattern", "minimum", "maximum",
    "minLength", "maxLength", "unique", "sensitive", "foreign_key",
)  # fmt: skip
_KINDS: Mapping[str, tuple[type, str]] = {
    "description": (str, "text"), "nullable": (bool, "true or false"), "enum": (list, "a list"),
    "pattern": (str, "text"), "unique": (bool, "true or false"), "sensitive": (bool, "true or false"),
}  # fmt: skip
_TWINS = {"min_length": "minLength", "max_length": "maxLength"}


def read_metadata(
    mapping: Mapping[str, Any],
    *,
    name: str,
    where: str,
    locate: Locate | None = None,
    part: str | None = None,
) -> Table:
    """The table that a metadata file describes. `name` is the table's, whatever the file calls it.

    `part` is the name that the file has for the table, for a file that describes several. `where`
    names the file in errors; `locate`, if given, tells the file and line of a path of keys.
    Raises: ProjectError telling everything that is wrong with the file, by column and key.
    """
    tables = read_tables(mapping, name=name, where=where, locate=locate).tables
    found = [t for t in tables if t.name == part] if part is not None else list(tables)
    if len(found) == 1:
        return replace(found[0], name=name)
    names = [t.name for t in tables]
    if part is not None:
        what, hint = f"the file describes no table `{part}`", suggest(part, names)
        raise ProjectError(what, where=where, expected=either(names), hint=hint)
    raise ProjectError(
        f"the file describes {len(names)} tables",
        where=where,
        found=", ".join(names) or None,
        hint=f"name one behind the file: `{where}#{names[0]}`" if names else None,
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """What a metadata file describes: its format, its tables, and what is kept but not enforced."""

    format: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()


def read_tables(
    mapping: Mapping[str, Any], *, name: str, where: str, locate: Locate | None = None
) -> Reading:
    """Every table that a metadata file describes; `name` is for a file that holds one without a name.

    Raises: ProjectError telling everything that is wrong with the file.
    """
    page = Page(where, locate)
    kind = tell_kind(mapping)
    tables: list[Table]
    if kind == "odcs":
        tables = read_odcs(mapping, page)
    elif kind == "dlt":
        tables = read_dlt(mapping, page)
    elif kind == "json_schema":
        tables = [remember(read_json_schema(mapping, name, page), mapping, JSON_SCHEMA)]
    else:
        reader = _Reader(page)
        tables = [reader.table(mapping, name)]
        kind = reader.format.name
        form = _FORMS.get(kind)
        if form and not page.faults and isinstance(mapping.get("columns"), list | tuple):
            tables = [remember(tables[0], mapping, form)]
    page.end()
    return Reading(kind, tuple(tables), page.notes.told())


class _Reader:
    """Reads one metadata file and collects what is wrong with it."""

    def __init__(self, page: Page, known: Format | None = None) -> None:
        self.fault = page.fault
        self.known = known
        self.format, self.sure = OWN, True
        self.all_sensitive = False

    def table(self, mapping: Any, name: str) -> Table:
        spot = Spot()
        if not isinstance(mapping, Mapping):
            self.fault(spot, "the metadata is no mapping", expected="a mapping with `columns`")
            return Table(name)
        self.format, self.sure = (self.known, True) if self.known else tell_format(mapping)
        self.all_sensitive = self.format is not OWN and mapping.get("sensitive") is True
        extra = self.unknown(mapping, TABLE_KEYS, spot)
        columns = self.columns(mapping.get("columns"), spot.key("columns"))
        names = {c.name for c in columns}
        return Table(
            name,
            tuple(columns),
            primary_key=self.names(mapping.get("primary_key"), names, spot.key("primary_key")),
            partitions=self.names(mapping.get("partitions"), names, spot.key("partitions")),
            description=self.value(mapping, "description", spot),
            extra=extra,
        )

    def columns(self, raw: Any, spot: Spot) -> list[Column]:
        """The columns in order; each name once."""
        if isinstance(raw, Mapping):
            specs = ((k, v if isinstance(v, Mapping) else {"type": v}) for k, v in raw.items())
            items: list[tuple[str | int, Any]] = [(name, {"name": name, **spec}) for name, spec in specs]
        elif isinstance(raw, Sequence) and not isinstance(raw, str):
            items = list(enumerate(raw))
        else:
            self.fault(spot, "`columns` is missing", expected="a list of columns, each with a name")
            return []
        found: dict[str, Column] = {}
        for step, item in items:
            column = self.column(item, Spot((*spot.path, step), f"columns[{step}]"))
            if column and column.name in found:
                again = Spot((*spot.path, step), f"columns.{column.name}")
                self.fault(again, f"the column `{column.name}` is there twice")
            elif column:
                found[column.name] = column
        return list(found.values())

    def column(self, raw: Any, spot: Spot) -> Column | None:
        """One column, or None if it has no name."""
        if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str) or not raw["name"]:
            self.fault(spot, "a column has no `name`", expected="a mapping with `name` and `type`")
            return None
        name = raw["name"]
        spot = Spot(spot.path, f"columns.{name}")
        if name.casefold().startswith(RESERVED):
            self.fault(spot, f"`{name}` cannot name a column", expected=f"a name without `{RESERVED}`")
        keys = {_TWINS.get(str(k), str(k)): v for k, v in raw.items()}
        extra = self.unknown(keys, COLUMN_KEYS, spot)
        kind = self.type(keys, spot)
        enum = self.value(keys, "enum", spot)
        column = Column(
            name,
            kind or NULL,
            nullable=self.value(keys, "nullable", spot) is not False,
            description=self.value(keys, "description", spot),
            enum=None if enum is None else tuple(v for v in enum if v is not None),
            pattern=self.value(keys, "pattern", spot),
            minimum=keys.get("minimum"),
            maximum=keys.get("maximum"),
            min_length=keys.get("minLength"),
            max_length=keys.get("maxLength"),
            unique=self.value(keys, "unique", spot) is True,
            sensitive=self.sensitive(keys, spot),
            foreign_key=self.foreign_key(keys.get("foreign_key"), spot.key("foreign_key")),
            declared=kind not in (None, NULL),
            extra=extra,
        )
        for f in check_column(column) if kind is not None else ():
            self.fault(spot.key(f.key), f.what, found=f.found, expected=f.expected, hint=f.hint)
        return column

    def type(self, raw: Mapping[str, Any], spot: Spot) -> DataType | None:
        """The column's type; `null` if it is not said, None if it cannot be understood."""
        text = raw.get("type")
        if text is None:
            category = raw.get("type_category")
            if category is not None and str(category) not in CATEGORIES:
                what = f"`{category}` is no category of types"
                self.fault(spot.key("type_category"), what, expected=either(CATEGORIES))
            return CATEGORIES.get(str(category), NULL)
        try:
            return self.format.type_of(str(text))
        except ValueError as error:
            self.fault(spot.key("type"), **bad_type(str(text), error, self.format.words))
            return None

    def sensitive(self, raw: Mapping[str, Any], spot: Spot) -> bool:
        """Whether values must not be shown, in the words of each format."""
        if self.format is ETL_MANAGER and (raw.get("sensitivity") or raw.get("redacted")):
            return True
        own = self.value(raw, "sensitive", spot)
        return self.all_sensitive if own is None else bool(own)

    def foreign_key(self, raw: Any, spot: Spot) -> ForeignKey | None:
        """`table.column`, a mapping of `table` and `columns`, or a list of one such mapping."""
        if isinstance(raw, Sequence) and not isinstance(raw, str) and len(raw) < 2:
            raw = raw[0] if raw else None
        if raw is None:
            return None
        if isinstance(raw, str) and "." in raw.strip("."):
            table, _, column = raw.rpartition(".")
            return ForeignKey(table, (column,))
        if isinstance(raw, Mapping) and raw.keys() == {"table", "columns"} and isinstance(raw["table"], str):
            columns = (raw["columns"],) if isinstance(raw["columns"], str) else raw["columns"]
            if isinstance(columns, Sequence) and columns and all(isinstance(c, str) for c in columns):
                return ForeignKey(raw["table"], tuple(columns))
        expected = "`table.column`, or a mapping of `table` and `columns`"
        self.fault(spot, "`foreign_key` does not point at one table's columns", expected=expected)
        return None

    def names(self, raw: Any, columns: set[str], spot: Spot) -> tuple[str, ...]:
        """Column names, each of which must be there, once."""
        if isinstance(raw, Mapping) or not isinstance(raw, str | Sequence | None):
            self.fault(spot, f"`{spot.label}` has a wrong kind of value", expected="a list of column names")
            return ()
        names = (raw,) if isinstance(raw, str) else tuple(map(str, raw or ()))
        for index, name in enumerate(names):
            if name not in columns:
                what = f"`{name}` of `{spot.label}` is not a column"
                self.fault(spot, what, hint=suggest(name, columns))
            elif name in names[:index]:
                self.fault(spot, f"`{name}` is in `{spot.label}` twice")
        return names

    def value(self, raw: Mapping[str, Any], key: str, spot: Spot) -> Any:
        """The value under `key`, None if there is none or it is of a wrong kind."""
        value, (kind, words) = raw.get(key), _KINDS[key]
        if value is None or isinstance(value, kind):
            return value
        what = f"`{key}` has a wrong kind of value"
        self.fault(spot.key(key), what, found=repr(value), expected=words)
        return None

    def unknown(self, raw: Mapping[str, Any], known: Sequence[str], spot: Spot) -> dict[str, Any]:
        """The keys that mean nothing here: kept for the foreign formats, refused in our own.

        Where only the words for types tell that a format is foreign, a key that is nearly one of
        ours is refused too.
        """
        extra = {str(key): value for key, value in raw.items() if key not in known}
        for key in extra.keys() - {DATETIME_FORMAT} if known is COLUMN_KEYS else extra:
            hint = suggest(key, known)
            if self.format is OWN or (hint and not self.sure):
                expected = None if hint else either(known)
                self.fault(spot.key(key), f"unknown key `{key}`", expected=expected, hint=hint)
        return extra if self.format is not OWN else {k: v for k, v in extra.items() if k == DATETIME_FORMAT}


def _rereader(format_: Format) -> Any:
    """A reader of one table of a known format, for `Form.read`."""

    def read(raw: Raw, name: str) -> Table:
        page = Page(name)
        table = _Reader(page, format_).table(raw, name)
        page.end()
        return table

    return read


def _reread_json_schema(raw: Raw, name: str) -> Table:
    page = Page(name)
    table = read_json_schema(raw, name, page)
    page.end()
    return table


JSON_SCHEMA = json_schema_form(_reread_json_schema)
_FORMS: Mapping[str, Form] = {
    ETL_MANAGER.name: columnar_form(
        ETL_MANAGER.name, etl_manager_parts, _rereader(ETL_MANAGER), "data_format", "location"
    ),
    MOJAP.name: columnar_form(MOJAP.name, mojap_parts, _rereader(MOJAP), "type_category", DATETIME_FORMAT),
    OWN.name: columnar_form(OWN.name, own_parts, _rereader(OWN), DATETIME_FORMAT),
    JSON_SCHEMA.name: JSON_SCHEMA,
}


def read_model(model: type, *, name: str, where: str) -> Reading:
    """The table whose rows a pydantic model describes. Raises: ProjectError telling all that is wrong."""
    page = Page(where)
    table = read_pydantic(model, name, page)
    page.end()
    return Reading("pydantic", (table,), page.notes.told())


FORMATS = (
    "own", "etl_manager", "mojap", "odcs", "odcs-3.0", "odcs-3.1", "odcs-3.2", "json_schema",
    "pydantic", "dlt",
)  # fmt: skip
"""The words for the formats that can be written."""
ODCS_VERSIONS = {"odcs": None, "odcs-3.0": "v3.0.2", "odcs-3.1": "v3.1.0", "odcs-3.2": "v3.2.0"}
"""The words for contracts, and the version that each writes; None: as it was read, or 3.1."""


_NAMES = {"own": OWN.name, "mojap": MOJAP.name}


def write_metadata(tables: Sequence[Table], format_: str) -> Written:
    """Tables as a metadata file of a format: plain values, and what the format cannot say.

    `format_` is one of `FORMATS`. A table that was read from the same format comes back with every
    key that its file had. Several tables become one contract, dlt schema or Python module, or, in
    the formats that hold one table a file, a list.
    """
    notes = Notes()
    if format_ == "pydantic":
        return Written(write_pydantic(list(tables), notes), notes.told())
    if format_ == "dlt":
        return Written(write_dlt(list(tables), notes), notes.told())
    if format_.startswith("odcs"):
        return Written(write_odcs(tables, ODCS_VERSIONS[format_], notes), notes.told())
    form = _FORMS[_NAMES.get(format_, format_)]
    documents = [write_table(table, form, notes) for table in tables]
    return Written(documents[0] if len(documents) == 1 else documents, notes.told())


def bad_type(text: str, error: ValueError, words: Iterable[str] = ()) -> dict[str, Any]:
    """The facts of an error about a type that cannot be understood."""
    why = "" if f"'{text}'" in str(error) else f": {error}"
    return {
        "what": f"`{text}` is not a type{why}",
        "expected": "such as int64, text, decimal(12,2), timestamp_tz or list<text>",
        "hint": suggest(text.lower(), [*known_types(), *words]),
    }
