"""Everything that may be yielded as rows, and what may not."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict, namedtuple
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pydantic
import pytest
from produced import blocks, tables

from penstock.errors import RefusedError
from penstock.sources.python import mark
from penstock.sources.python.decorators import resource
from penstock.sources.python.source import PythonSource

NOW = datetime(2024, 1, 2, tzinfo=UTC)


@dataclass
class Inner:
    at: datetime


@dataclass
class Outer:
    id: int
    inner: Inner
    more: list[Inner] = field(default_factory=list)


class Model(pydantic.BaseModel):
    id: int
    made_at: datetime = pydantic.Field(alias="madeAt")
    inner: Inner | None = None


class Aliased(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(serialize_by_alias=True)
    made_at: int = pydantic.Field(alias="madeAt")


class Point(NamedTuple):
    x: int
    y: int


class Struct(msgspec.Struct):
    id: int


Old = namedtuple("Old", ["a"])


@pytest.mark.parametrize(
    ("value", "row"),
    [
        ({"a": 1}, {"a": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (
            Outer(1, Inner(NOW), [Inner(NOW)]),
            {"id": 1, "inner": {"at": NOW}, "more": [{"at": NOW}]},
        ),
        (Model(id=1, madeAt=NOW), {"id": 1, "made_at": NOW, "inner": None}),
        (Aliased(madeAt=1), {"madeAt": 1}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Old(1), {"a": 1}),
        (Struct(1), {"id": 1}),
    ],
)
def test_rows(value: Any, row: dict[str, Any]) -> None:
    assert tables(resource(lambda: iter([value]), name="t")) == {"t": [row]}
    assert tables(resource(lambda: iter([[value, value]]), name="t")) == {"t": [row, row]}


def test_an_aliased_model_as_schema_has_the_names_of_its_rows() -> None:
    for model in (Model, Aliased):
        made = resource([model(id=1, madeAt=1)], name="t", columns=model)
        (block,) = blocks(made)
        assert block.hints is not None and isinstance(block.data, list)
        assert set(block.hints.declared.names) <= set(block.data[0])


def test_dicts_are_not_copied() -> None:
    rows = [{"a": 1}, {"a": 2}]
    (block,) = blocks(rows, name="t")
    assert isinstance(block.data, list) and [id(r) for r in block.data] == [id(r) for r in rows]


def test_arrow_data_passes_as_it_is() -> None:
    table = pa.table({"a": [1, 2]})
    batch = table.to_batches()[0]
    found = blocks(resource(lambda: iter([table, batch, [table]]), name="t"))
    assert [b.data is t for b, t in zip(found, [table, batch, table], strict=True)] == [True] * 3
    reader = pa.RecordBatchReader.from_batches(table.schema, [batch, batch])
    assert tables(reader, name="t") == {"t": [{"a": 1}, {"a": 2}] * 2}
    assert tables(table, name="t") == {"t": [{"a": 1}, {"a": 2}]}
    assert tables(resource(table, name="r")) == {"r": [{"a": 1}, {"a": 2}]}


def test_rows_and_tables_stay_in_order() -> None:
    @resource
    def mixed() -> Iterator[Any]:
        yield {"a": 1}
        yield [{"a": 2}, pa.table({"a": [3]}), {"a": 4}]
        yield pa.table({"a": [5]})
        yield {"a": 6}

    assert [type(b.data).__name__ for b in blocks(mixed)] == ["list", "Table", "list", "Table", "list"]
    assert [row["a"] for row in tables(mixed)["mixed"]] == [1, 2, 3, 4, 5, 6]


def test_pandas() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[7, 8])
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert tables(frame, name="t") == {"t": rows}
    assert tables(resource(lambda: iter([frame, frame]), name="t")) == {"t": rows * 2}
    assert tables(resource(frame, name="t").add_map(lambda f: f.head(1))) == {"t": rows[:1]}


def test_polars() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"a": [1, 2]})
    assert tables(frame, name="t") == {"t": [{"a": 1}, {"a": 2}]}
    assert tables(resource(lambda: iter([frame.lazy()]), name="t")) == {"t": [{"a": 1}, {"a": 2}]}


def test_none_is_nothing_and_iterators_are_what_they_give() -> None:
    @resource
    def nested() -> Iterator[Any]:
        yield None
        yield ({"a": i} for i in range(2))
        yield []
        yield iter([[{"a": 2}], None])

    assert tables(nested) == {"nested": [{"a": 0}, {"a": 1}, {"a": 2}]}


@pytest.mark.parametrize(
    ("value", "kind", "hint"),
    [
        (7, "int", 'yield {"value": value}'),
        ("text", "str", 'yield {"value": value}'),
        ((1, 2), "tuple", "a list of dicts"),
        ([[{"a": 1}]], "list", "a list of dicts"),
        ({1, 2}, "set", "a list of dicts"),
        (object(), "object", "turn it into a dict"),
    ],
)
def test_anything_else_is_refused(value: Any, kind: str, hint: str) -> None:
    with pytest.raises(RefusedError, match="no row") as caught:
        tables(resource(lambda: iter([value]), name="things"))
    assert caught.value.found == kind and caught.value.where == "resource `things`"
    assert caught.value.hint is not None and hint in caught.value.hint


def test_files_are_taken_as_they_are(tmp_path: Path) -> None:
    @resource(primary_key="id")
    def files() -> Iterator[Any]:
        yield {"id": 1}
        yield mark.with_file_import(tmp_path / "a.parquet", "parquet", 10)
        yield mark.with_file_import(str(tmp_path / "b.jsonl.gz"))
        yield {"id": 2}

    found = blocks(files)
    assert [b.data for b in found] == [
        [{"id": 1}], tmp_path / "a.parquet", tmp_path / "b.jsonl.gz", [{"id": 2}],
    ]  # fmt: skip
    assert {b.table for b in found} == {"files"} and all(b.hints is found[0].hints for b in found)
    with pytest.raises(RefusedError, match="formats differ"):
        mark.with_file_import("a.csv", "parquet")
    with pytest.raises(RefusedError, match="does not say its format"):
        mark.with_file_import("a.xlsx")


def test_marks_hold_for_pages_and_tables() -> None:
    @resource
    def events() -> Iterator[Any]:
        yield mark.with_table_name([{"a": 1}, {"a": 2}], "one")
        yield mark.with_table_name(pa.table({"a": [3]}), "two")
        yield mark.with_table_name(({"a": i} for i in (4, 5)), "one")

    assert tables(events) == {"one": [{"a": 1}, {"a": 2}, {"a": 4}, {"a": 5}], "two": [{"a": 3}]}


def test_nothing_heavy_is_imported_for_plain_rows() -> None:
    code = (
        "import sys; from penstock.sources.python.decorators import resource\n"
        "from penstock.sources.python.source import PythonSource\n"
        "list(PythonSource(resource([{'a': 1}], name='t', primary_key='a')).produce(None))\n"
        "print([m for m in ('pandas', 'polars', 'pyarrow', 'pydantic', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_source_can_be_asked_again() -> None:
    made = PythonSource(resource(lambda: iter([{"a": 1}]), name="t"))
    assert len(list(made.produce(None))) == len(list(made.produce(None))) == 1
