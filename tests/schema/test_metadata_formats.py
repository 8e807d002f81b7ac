"""Every metadata format, written and read: what it holds comes back, what it cannot hold is told."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from type_strategies import FLAT, STEADY, TYPES

from penstock.schema import types as t
from penstock.schema.constraint import check_column
from penstock.schema.formats.form import alike
from penstock.schema.metadata import FORMATS, read_model, read_tables, write_metadata
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import Decimal, Kind, List, Scalar, Struct

DOCUMENTS = [f for f in FORMATS if f != "pydantic"]
EXACT = ["own", "json_schema", "odcs-3.0", "odcs-3.1", "odcs-3.2"]
FEW = settings(STEADY, max_examples=30)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=8)
WORDS = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)


def bare(table: Table) -> Table:
    """A table as it would be if nobody had read it from a file."""
    return replace(table, extra={}, columns=tuple(replace(c, extra={}) for c in table.columns))


@st.composite
def columns(draw: st.DrawFn) -> Column:
    kind = draw(FLAT | TYPES)
    column = Column(draw(WORDS), kind, nullable=draw(st.booleans()), declared=kind != t.NULL)
    said: dict[str, Any] = {
        "unique": draw(st.booleans()),
        "sensitive": draw(st.booleans()),
        "description": draw(st.none() | TEXTS),
        "foreign_key": draw(st.none() | st.builds(lambda a, b: ForeignKey(a, (b,)), WORDS, WORDS)),
    }
    if kind == t.TEXT:
        said["pattern"] = draw(
            st.sampled_from([None, "[A-Z]+", "^a|b$", "^[0-9]{3}$", "a|b", "(?s:.*)(?:x)(?s:.*)"])
        )
        said["enum"] = draw(st.none() | st.lists(TEXTS, min_size=1, max_size=3, unique=True).map(tuple))
        said["min_length"] = draw(st.none() | st.integers(0, 3))
    if t.is_integer(kind):
        said["minimum"] = draw(st.none() | st.integers(0, 9))
        said["maximum"] = draw(st.none() | st.integers(10, 99))
        said["enum"] = draw(
            st.none() | st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True).map(tuple)
        )
    if isinstance(kind, Decimal):
        said["minimum"] = draw(st.sampled_from([None, 0, "0"]))
    if kind == t.DATE:
        said["maximum"] = draw(st.sampled_from([None, "2030-01-01"]))
    if isinstance(kind, List):
        said["max_length"] = draw(st.none() | st.integers(4, 9))
    column = replace(column, **said)
    assert not check_column(column)
    return column


@st.composite
def tables(draw: st.DrawFn) -> Table:
    found = tuple(draw(st.lists(columns(), min_size=1, max_size=4, unique_by=lambda c: c.name)))
    names = [c.name for c in found]
    keys = st.lists(st.sampled_from(names), unique=True, max_size=2).map(tuple)
    return Table(draw(WORDS), found, draw(keys), draw(keys), draw(st.none() | TEXTS))


@pytest.mark.parametrize("format_", EXACT)
@given(table=tables())
@FEW
def test_what_a_rich_format_writes_it_reads(format_: str, table: Table) -> None:
    """These formats have a place for everything, if need be one that is ours."""
    document = write_metadata([table], format_).document
    [back] = read_tables(document, name=table.name, where="f").tables
    assert bare(back) == bare(table)


@pytest.mark.parametrize("format_", DOCUMENTS)
@given(table=tables(), junk=st.dictionaries(WORDS.map("zz_{}".format), st.integers() | TEXTS, max_size=2))
@FEW
def test_a_file_comes_back_key_for_key(format_: str, table: Table, junk: dict[str, Any]) -> None:
    """read, then write: the same file, known keys and unknown ones alike."""
    document = write_metadata([table], format_).document
    for raw in [document, *objects(document, format_)] if format_ != "own" else []:
        raw |= junk
    read = read_tables(document, name=table.name, where="f")
    assert alike(write_metadata(read.tables, format_).document, document)


def objects(document: dict[str, Any], format_: str) -> list[dict[str, Any]]:
    """The tables and columns inside of a file."""
    if format_.startswith("odcs"):
        return [o for table in document["schema"] for o in [table, *table["properties"]]]
    if format_ == "json_schema":
        return list(document["properties"].values())
    if format_ == "dlt":
        return [o for table in document["tables"].values() for o in [table, *table["columns"].values()]]
    return list(document["columns"])


@pytest.mark.parametrize("format_", ["etl_manager", "mojap", "dlt"])
@given(table=tables())
@FEW
def test_what_a_poor_format_loses_it_tells(format_: str, table: Table) -> None:
    written = write_metadata([table], format_)
    [back] = read_tables(written.document, name=table.name, where="f").tables
    told = {name for note in written.notes for name in note.rpartition(": ")[2].split(", ")}
    for before, after in zip(table.columns, back.columns, strict=True):
        plain = replace(before, description=before.description or None)
        changed = (
            replace(after, description=after.description or None, extra={}, declared=plain.declared) != plain
        )
        assert not changed or before.name in told, (before, after, written.notes)


@given(table=tables())
@FEW
def test_a_pydantic_model_reads_as_the_table_it_was_made_from(table: Table) -> None:
    model = compiled(write_metadata([table], "pydantic").document, table.name)
    [back] = read_model(model, name=table.name, where="m").tables
    strip = table.description.strip() if table.description else None
    assert bare(back) == replace(bare(table), description=strip or None)


def compiled(source: str, name: str) -> type:
    """The last model of a module."""
    module = ModuleType("made")
    sys.modules["made"] = module
    try:
        exec(compile(source, "made.py", "exec"), module.__dict__)
        models = [v for v in vars(module).values() if isinstance(v, type) and v.__module__ == "made"]
        for model in models:
            model.model_rebuild()  # type: ignore[attr-defined]  # a model of pydantic's
        return models[-1]
    finally:
        del sys.modules["made"]


def test_a_change_keeps_what_it_does_not_touch() -> None:
    """A table that grew is written with the old columns as they were, extra keys and spelling included."""
    document = {
        "$schema": "https://example.org/mojap-metadata/v1.4.json",
        "name": "people",
        "owner": "us",
        "columns": [
            {"name": "id", "type": "large_string", "lineage": "crm"},
            {"name": "age", "type": "int8", "type_category": "integer", "note": 1},
        ],
    }
    [table] = read_tables(document, name="people", where="f").tables
    aged = replace(table.columns[1], type=Scalar(Kind.INT64), nullable=False)
    grown = replace(table, columns=(table.columns[0], aged, Column("at", t.TIMESTAMP_TZ)))
    written = write_metadata([grown], "mojap")
    assert written.document["columns"] == [
        document["columns"][0],
        {"name": "age", "type": "int64", "type_category": "integer", "note": 1, "nullable": False},
        {"name": "at", "type": "timestamp(us)", "type_category": "timestamp"},
    ]
    assert written.document["owner"] == "us"
    assert written.notes == ("mojap-metadata has no `timestamp_tz`: written as `timestamp(us)`: at",)


def test_nested_types_keep_their_spelling_when_a_rule_changes() -> None:
    deep = {"type": "object", "properties": {"a": {"type": "string", "description": "why"}}}
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "properties": {"o": deep}}
    [table] = read_tables(document, name="x", where="f").tables
    assert table.columns[0].type == Struct((("a", t.TEXT),))
    said = replace(table, columns=(replace(table.columns[0], description="new"),))
    properties = write_metadata([said], "json_schema").document["properties"]
    assert properties["o"]["properties"]["a"]["description"] == "why"
    assert properties["o"]["description"] == "new"
