"""Reading tables whose columns are a list or a mapping: our own form, etl_manager's, mojap-metadata's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.errors import suggest
from penstock.schema.constraint import check_column
from penstock.schema.faults import either
from penstock.schema.formats.form import DATETIME_FORMAT
from penstock.schema.formats.reading import RESERVED, Page, Spot
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import NULL, DataType
from penstock.schema.vocabulary import CATEGORIES, ETL_MANAGER, OWN, Format, known_types, tell_format

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


class ColumnarReader:
    """Reads one metadata file and collects what is wrong with it."""

    def __init__(self, page: Page, known: Format | None = None) -> None:
        self.fault = page.fault
        self.known = known
        self.format, self.sure = OWN, True
        self.all_sensitive = False

    def table(self, mapping: Any, name: str) -> Table:
        """The table of one file; its format is in `format` from then on."""
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


def bad_type(text: str, error: ValueError, words: Iterable[str] = ()) -> dict[str, Any]:
    """The facts of an error about a type that cannot be understood."""
    why = "" if f"'{text}'" in str(error) else f": {error}"
    return {
        "what": f"`{text}` is not a type{why}",
        "expected": "such as int64, text, decimal(12,2), timestamp_tz or list<text>",
        "hint": suggest(text.lower(), [*known_types(), *words]),
    }
