"""Rows that pydantic models look at, and what becomes of those that they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pydantic
import pytest
from produced import blocks, tables
from pydantic import BaseModel, Field

import penstock as ps
from penstock.errors import ContractError, RefusedError
from penstock.sources.python import mark
from penstock.sources.python.decorators import resource, transformer
from penstock.sources.python.validate import has_code

Row = dict[str, Any]


class Inner(BaseModel):
    code: str


class Sale(BaseModel):
    id: int
    word: str
    inner: Inner | None = None
    size: int = 7

    @pydantic.field_validator("word")
    @classmethod
    def _loud(cls, value: str) -> str:
        if value == "bad":
            raise ValueError("no such word")
        return value.upper()


GOOD = {"id": 1, "word": "a", "extra": 3, "inner": {"code": "x", "more": [1]}}
MADE = {"id": 1, "word": "A", "inner": {"code": "x", "more": [1]}, "size": 7, "extra": 3}
BAD = {"id": 2, "word": "bad", "kept": True}


def test_rows_are_as_the_model_makes_them_and_lose_no_key() -> None:
    assert tables(resource([[GOOD], GOOD], name="sales", columns=Sale)) == {"sales": [MADE, MADE]}


def test_rows_that_are_refused_have_a_table_of_their_own() -> None:
    found = tables(resource([BAD, GOOD, {"id": "x", "word": "b"}], name="sales", columns=Sale))
    assert found["sales"] == [MADE]
    assert found["sales_refused"] == [
        {"row": BAD, "field": "word", "reason": "Value error, no such word"},
        {
            "row": {"id": "x", "word": "b"},
            "field": "id",
            "reason": "Input should be a valid integer, unable to parse string as an integer",
        },
    ]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("discard_row", [MADE]), ("discard_value", [MADE]), ("evolve", [BAD, MADE])],
)
def test_the_contract_says_what_becomes_of_them(mode: str, expected: list[Row]) -> None:
    sales = resource([BAD, GOOD], name="sales", columns=Sale, contract={"data_type": mode})
    assert tables(sales) == {"sales": expected}
    assert sales.custom_metrics == ({} if mode == "evolve" else {"refused_rows": 1})


def test_a_frozen_contract_stops_at_the_row() -> None:
    def pages() -> Iterator[list[Row]]:
        yield [GOOD, GOOD]
        yield [GOOD, BAD]

    with pytest.raises(ContractError) as caught:
        tables(resource(pages, name="sales", columns=Sale, schema_contract="freeze"))
    assert "row 4, field `word`" in str(caught.value)
    assert "Value error, no such word" in str(caught.value)


def test_the_model_sees_what_steps_made_before_the_cursor_and_those_that_are_fed() -> None:
    fed: list[Any] = []

    @transformer
    def lines(row: Row) -> Iterator[Row]:
        fed.append(row["word"])
        yield row

    def shout(row: Row) -> Row:
        return {**row, "word": row["word"] + "!"}

    sales = resource([BAD, GOOD], name="sales", columns=Sale, incremental=ps.incremental("size"))
    found = tables([sales.add_map(shout), sales | lines])
    assert [row["word"] for row in found["sales"]] == fed == ["BAD!", "A!"]


def test_instances_tables_and_files_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": "x"}\n')
    table = pa.table({"id": [5], "word": ["bad"]})
    sale = Sale.model_construct(id=9, word="quiet", inner=None, size=1)
    found = blocks(resource([sale, table, mark.with_file_import(file), GOOD], name="sales", columns=Sale))
    data = [b.data if isinstance(b.data, list) else type(b.data).__name__ for b in found]
    assert [{"id": 9, "word": "quiet", "inner": None, "size": 1}] in data
    assert "Table" in data
    assert [MADE] in data


class Aliased(BaseModel):
    number: int = Field(alias="theNumber")
    address: pydantic.HttpUrl
    key: pydantic.SecretStr

    @pydantic.model_validator(mode="before")
    @classmethod
    def _renamed(cls, row: Row) -> Row:
        return {"theNumber" if k == "NUMBER" else k: v for k, v in row.items()}


def test_values_of_pydantics_own_are_texts_and_secrets_stay_secret() -> None:
    rows = [{"theNumber": 1, "address": "http://a.b/c", "key": "hush", "x": 0}]
    made = {"theNumber": 1, "address": "http://a.b/c", "key": "**********", "x": 0}
    assert tables(resource(rows, name="r", columns=Aliased)) == {"r": [made]}
    rows = [{"NUMBER": 1, "address": "http://a.b/c", "key": "hush"}]
    assert tables(resource(rows, name="r", columns=Aliased))["r"][0]["number"] == 1


class Strict(BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    id: int = 0


class Loose(BaseModel):
    model_config = pydantic.ConfigDict(extra="ignore")
    id: int = 0


def test_a_model_may_have_its_say_on_further_keys() -> None:
    assert list(tables(resource([{"id": 1, "x": 2}], name="r", columns=Strict))) == ["r_refused"]
    assert tables(resource([{"id": 1, "x": 2}], name="r", columns=Loose)) == {"r": [{"id": 1}]}


class Typed(BaseModel):
    id: int = Field(ge=1)
    name: str | None = Field(default=None, max_length=5)
    at: datetime
    price: Decimal
    kind: Literal["a", "b"]
    inner: list[Inner]


class Nested(BaseModel):
    class Part(BaseModel):
        size: int = Field(ge=1)

    part: Part


class Computed(BaseModel):
    n: int

    @pydantic.computed_field  # type: ignore[prop-decorator]  # as pydantic's users write it
    @property
    def double(self) -> int:
        return 2 * self.n


class Tree(BaseModel):
    word: Annotated[str, pydantic.AfterValidator(str.upper)]
    parts: list[Tree] = Field(default_factory=list)


class Exclusive(BaseModel):
    n: Annotated[float, Field(gt=0)]


@pytest.mark.parametrize(
    ("model", "expected"),
    [(Typed, False), (Inner, False), (Nested, True), (Computed, True), (Tree, True), (Exclusive, True)],
)
def test_a_model_is_run_where_it_says_more_than_columns_can(model: type, expected: bool) -> None:
    assert has_code(model) is expected


def test_types_and_bounds_are_left_to_the_gate() -> None:
    row = {"id": 0, "name": "too long", "at": datetime.now(UTC), "price": "x", "kind": "z", "inner": []}
    assert tables(resource([row], name="r", columns=Typed)) == {"r": [row]}


def test_computed_fields_and_models_that_hold_themselves() -> None:
    assert tables(resource([{"n": 2}], name="r", columns=Computed)) == {"r": [{"n": 2, "double": 4}]}
    tree = {"word": "a", "parts": [{"word": "b"}]}
    assert tables(resource([tree], name="r", columns=Tree)) == {
        "r": [{"word": "A", "parts": [{"word": "B", "parts": []}]}]
    }


def test_a_pipeline_loads_both_tables(tmp_path: Path) -> None:
    pipeline = ps.pipeline("shop", root=tmp_path)
    sales = resource([GOOD, BAD], name="sales", primary_key="id", write="merge")
    for _ in range(2):
        pipeline.run(sales, columns=Sale)
    assert pipeline.dataset().row_counts() == {"sales": 1, "sales_refused": 2}
    found = pipeline.dataset().sql("SELECT row->>'word', field, reason FROM sales_refused LIMIT 1").fetchall()
    assert found == [("bad", "word", "Value error, no such word")]


class Bounded(BaseModel):
    code: str = Field(pattern=r"^[A-Z]{2}$")
    count: Annotated[int, Field(ge=1)] | None
    sizes: list[int] = Field(max_length=3)


class Looking(BaseModel):
    code: str = Field(pattern="AB")


class Ahead(BaseModel):
    model_config = pydantic.ConfigDict(regex_engine="python-re")
    code: str = Field(pattern="^(?!X)")


def test_what_columns_can_promise_is_promised() -> None:
    found = {c.name: c for c in resource([], name="r", columns=Bounded).compute_table_schema().columns}
    assert found["code"].pattern is not None
    assert (found["count"].minimum, found["count"].nullable) == (1, True)
    assert found["sizes"].max_length == 3
    assert [has_code(model) for model in (Bounded, Looking, Ahead)] == [False, False, True]


def test_patterns_are_checked_by_the_gate(tmp_path: Path) -> None:
    pipeline = ps.pipeline("p", root=tmp_path)
    rows = [{"code": "xABx"}, {"code": "BA"}]
    [table] = pipeline.run(resource(rows, name="r", columns=Looking)).tables
    assert (table.loaded, table.quarantined) == (1, 1)


class Unfinished(BaseModel):
    what: Nowhere  # type: ignore[name-defined]  # noqa: F821 - the test


def test_a_model_that_is_not_finished_is_told() -> None:
    with pytest.raises(RefusedError, match="the model `Unfinished` cannot be used"):
        tables(resource([{"what": 1}], name="r", columns=Unfinished))
