"""Open Data Contract Standard, versions 3.0 to 3.2: a contract holds one table for each object.

A column is called by its `physicalName`, which is what the data has, or else by its `name`. Types come
from `physicalType` where that is a type of SQL, from `logicalType` and its options otherwise. Quality
rules of the library that must count 0 become rules of the column; all others are kept, not enforced.
A pattern must match the whole value.
What ODCS has no word for is written, and read, in a custom property `penstock`.
Source: github.com/bitol-io/open-data-contract-standard, the schemas and pages of 3.0.2, 3.1.0 and 3.2.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from penstock.schema import types as t
from penstock.schema.formats.form import (
    DATETIME_FORMAT,
    Form,
    Notes,
    Parts,
    Raw,
    mappings,
    remember,
    write_table,
)
from penstock.schema.formats.odcs_rules import (
    foreign_key,
    foreign_keys,
    name_of,
    references,
    rule_name,
    rules_of,
    used,
)
from penstock.schema.formats.odcs_types import is_secret, java_format, type_of
from penstock.schema.formats.odcs_write import (
    COLUMN_KEYS,
    HEAD_KEYS,
    OURS,
    PLACE,
    TYPE_KEYS,
    odcs_parts,
)
from penstock.schema.formats.patterns import unanchored
from penstock.schema.formats.reading import Page, Spot, inclusive
from penstock.schema.table import Column, Table
from penstock.schema.types import List, parse_type

# Any throughout: contracts hold values of every type.
CONTRACT = "$$contract"
IDS = "$$ids"
DEFAULT = "v3.1.0"
VERSIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")


def read_odcs(raw: Mapping[str, Any], page: Page) -> list[Table]:
    """The tables of a contract; what is wrong, and not enforced, goes to `page`."""
    spot = Spot()
    version = "v" + str(raw.get("apiVersion", DEFAULT)).removeprefix("v")
    if not version.startswith("v3."):
        expected = "a contract of ODCS 3, such as `apiVersion: v3.1.0`"
        page.fault(
            spot.key("apiVersion"), "this version of ODCS cannot be read", found=version, expected=expected
        )
        return []
    objects = raw.get("schema")
    if not isinstance(objects, list) or not all(isinstance(o, Mapping) for o in objects):
        expected = "a list of objects with `properties`"
        page.fault(spot.key("schema"), "the contract describes no tables", expected=expected)
        return []
    ids = references(objects)
    found: list[Table] = []
    around = {**raw, "schema": None}
    for number, raw_object in enumerate(objects):
        name = name_of(raw_object)
        if not name:
            page.fault(Spot(("schema", number), f"schema[{number}]"), "an object has no `name`")
            continue
        table = read_object(raw_object, name, page, Spot(("schema", number), name), ids)
        if not page.faults:
            others = {k: v for k, v in ids.items() if "/" in k or k != v}
            table = remember(table, raw_object, odcs_form(version, ids))
            table = replace(table, extra={**table.extra, CONTRACT: around, IDS: used(raw_object, others)})
        found.append(table)
    return found


def read_object(raw: Mapping[str, Any], name: str, page: Page, spot: Spot, ids: Mapping[str, str]) -> Table:
    """The table of one object of a contract."""
    properties = raw.get("properties")
    if properties is not None and not isinstance(properties, list):
        page.fault(spot.key("properties"), "`properties` has a wrong kind of value", expected="a list")
        properties = None
    columns: dict[str, Column] = {}
    keys: list[tuple[Any, str]] = []
    parts: list[tuple[Any, str]] = []
    foreign = foreign_keys(raw, ids, page, spot)
    for number, inner in enumerate(properties or ()):
        column_name = name_of(inner)
        place = Spot((*spot.path, "properties", number), f"{spot.label}.{column_name or number}")
        if not column_name:
            page.fault(place, "a property has no `name`", expected="a mapping with `name` and `logicalType`")
            continue
        if column_name in columns:
            page.fault(place, f"the column `{column_name}` is there twice")
            continue
        column = _column(column_name, inner, page, place, ids)
        if column.foreign_key is None and column_name in foreign:
            column = replace(column, foreign_key=foreign[column_name])
        columns[column_name] = column
        if inner.get("primaryKey") is True:
            keys.append((inner.get("primaryKeyPosition"), column_name))
        if inner.get("partitioned") is True:
            parts.append((inner.get("partitionKeyPosition"), column_name))
    for rule in page.value(raw, "quality", list, "a list of rules", spot) or ():
        page.notes.add(f"the quality rule {rule_name(rule)} is kept, not enforced", f"the table `{name}`")
    description = page.value(raw, "description", str, "text", spot)
    return Table(name, tuple(columns.values()), _placed(keys), _placed(parts), description)


def _placed(found: list[tuple[Any, str]]) -> tuple[str, ...]:
    """Names by their position; those without one come last, as they stand."""
    last = len(found) + 1
    order = [(p if isinstance(p, int) and p > 0 else last, n, name) for n, (p, name) in enumerate(found)]
    return tuple(name for _, _, name in sorted(order))


def _column(name: str, raw: Mapping[str, Any], page: Page, spot: Spot, ids: Mapping[str, str]) -> Column:
    ours = _ours(raw)
    kind = type_of(raw, page, spot)
    if isinstance(ours.get("type"), str):
        try:
            kind = parse_type(ours["type"])
        except ValueError as error:
            page.fault(spot.key("customProperties"), f"`{ours['type']}` is not a type: {error}")
    options = raw.get("logicalTypeOptions")
    options = options if isinstance(options, Mapping) else {}
    rules = rules_of(raw, name, page, spot)
    listed = isinstance(kind, List)
    pattern = options.get("pattern", rules.get("pattern"))
    extra: Raw = {}
    if kind in (t.DATE, t.TIME, t.TIMESTAMP, t.TIMESTAMP_TZ):
        written = ours.get(DATETIME_FORMAT) or java_format(options.get("format"), name, page)
        extra = {DATETIME_FORMAT: written} if written else {}
    for key in ("multipleOf", "uniqueItems", "minProperties", "maxProperties"):
        if key in options:
            page.notes.add(f"`{key}` is kept, not enforced", name)
    column = Column(
        name,
        kind,
        nullable=raw.get("required") is not True and not rules.get("required"),
        description=page.value(raw, "description", str, "text", spot),
        enum=None if listed else _enum(raw.get("enum"), rules.get("enum", ours.get("enum"))),
        pattern=unanchored(pattern) if isinstance(pattern, str) else None,
        minimum=ours.get("minimum", inclusive(options, "minimum", t.is_integer(kind), page, name)),
        maximum=ours.get("maximum", inclusive(options, "maximum", t.is_integer(kind), page, name)),
        min_length=options.get("minItems" if listed else "minLength"),
        max_length=options.get("maxItems" if listed else "maxLength"),
        unique=raw.get("unique") is True or bool(rules.get("unique")),
        sensitive=_is_secret(raw, ours),
        foreign_key=foreign_key(raw, ours, ids, page, name),
        extra=extra,
    )
    return page.checked(column, spot)


def _is_secret(raw: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    if "sensitive" in ours:
        return ours["sensitive"] is True
    return is_secret(raw.get("classification"))


def _ours(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    for custom in mappings(raw.get("customProperties")):
        if custom.get("property") == OURS:
            value = custom.get("value")
            return value if isinstance(value, Mapping) else {}
    return {}


def _enum(entries: Any, otherwise: Any) -> tuple[Any, ...] | None:
    """The values that `enum` of 3.2 lists, or otherwise a quality rule of 3.0 or 3.1."""
    entries = entries if isinstance(entries, list) else otherwise
    if not isinstance(entries, list):
        return None
    values = [e.get("value") if isinstance(e, Mapping) else e for e in entries]
    return tuple(v for v in values if v is not None)


# ---------------------------------------------------------------------------------------- writing


def _split(raw: Mapping[str, Any]) -> Parts:
    columns = raw.get("properties")
    if not isinstance(columns, list):
        return dict(raw), []
    return {**raw, "properties": PLACE}, [(name_of(c), c) for c in columns]


def _join(head: Raw, columns: list[tuple[str, Any]]) -> Raw:
    whole = head.get("properties") == PLACE or columns
    return {**head, "properties": [c for _, c in columns]} if whole else dict(head)


def odcs_form(version: str, ids: Mapping[str, str]) -> Form:
    """The form of objects in a contract of a version, such as `v3.1.0`; `ids` resolve its references."""

    def read(raw: Raw, name: str) -> Table:
        page = Page(name)
        table = read_object(raw, name, page, Spot(), ids)
        page.end()
        return table

    return Form(
        "odcs", lambda table, notes: odcs_parts(table, notes, version), _split, _join, read, HEAD_KEYS,
        COLUMN_KEYS, TYPE_KEYS,
    )  # fmt: skip


def write_odcs(tables: Sequence[Table], version: str | None, notes: Notes) -> Raw:
    """A contract of some tables. The one that the first of them was read from is kept around them.

    `version`, such as `v3.2.0`, is by default that of the contract they come from, or 3.1.
    """
    kept = next((t.extra[CONTRACT] for t in tables if CONTRACT in t.extra), None)
    was = "v" + str(kept.get("apiVersion", DEFAULT)).removeprefix("v") if kept else DEFAULT
    version = version or was
    objects = [write_table(t, odcs_form(version, t.extra.get(IDS, {})), notes) for t in tables]
    if kept is None:
        return _contract(tables[0].name if tables else "contract", version, objects)
    return {**kept, "schema": objects} | ({} if version == was else {"apiVersion": version})


def _contract(name: str, version: str, objects: list[Raw]) -> Raw:
    return {
        "kind": "DataContract",
        "apiVersion": version,
        "id": name,
        "name": name,
        "version": "1.0.0",
        "status": "active",
        "schema": objects,
    }
