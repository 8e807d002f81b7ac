"""`@ps.model`: what it reads, in which form, and what becomes of what it gives."""

from __future__ import annotations

from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pyarrow as pa
import pytest

import penstock as ps
from penstock.errors import ProjectError
from penstock.models.function import Form, ModelFunction

ROWS = {"a": [1, 2], "b": ["x", None]}
TABLES = {"orders": pa.table(ROWS), "sales.people": pa.table({"id": [7]})}


def made(function: ModelFunction) -> pa.Table:
    return function.make(TABLES.__getitem__)


def test_the_bare_decorator() -> None:
    @ps.model
    def m(orders: Any) -> Any:
        return orders

    assert isinstance(m, ModelFunction)
    assert (m.name, m.reads, m.words, dict(m.forms)) == ("m", ("orders",), {}, {"orders": Form.ARROW})
    assert made(m) == TABLES["orders"]
    assert m(TABLES["orders"]) is TABLES["orders"]


def test_words_and_relations() -> None:
    @ps.model(materialized="view", tags=["a"], reads={"p": "sales.people"})
    def m(orders: Any, p: Any, rate: int = 2, *, again: Any = None) -> pa.Table:
        return pa.table({"n": [orders.num_rows * rate + p.num_rows]})

    assert m.words == {"materialized": "view", "tags": ["a"]}
    assert m.reads == ("orders", "sales.people")
    assert made(m).to_pydict() == {"n": [5]}


def test_every_form_in_which_rows_come() -> None:
    @ps.model(reads=dict.fromkeys(("one", "two", "three", "four", "five"), "orders"))
    def m(one: Any, two: pa.Table, three: pd.DataFrame, four: pl.DataFrame, five: pl.LazyFrame) -> pa.Table:
        given = (one, two, three, four, five)
        return pa.table({"kind": [f"{type(v).__module__[:6]}.{type(v).__name__}" for v in given]})

    assert m.reads == ("orders",)
    kinds = ["pyarro.Table", "pyarro.Table", "pandas.DataFrame", "polars.DataFrame", "polars.LazyFrame"]
    assert made(m).column("kind").to_pylist() == kinds


def test_a_form_whose_package_is_only_there_for_a_type_checker() -> None:
    text = (
        "from __future__ import annotations\ndef m(a: pl.LazyFrame, b: 'pandas.DataFrame', c: pa.Table): ..."
    )
    space: dict[str, Any] = {}
    exec(text, space)
    assert [*ps.model(space["m"]).forms.values()] == [Form.POLARS_LAZY, Form.PANDAS, Form.ARROW]


@pytest.mark.parametrize(
    "given",
    [
        pa.table(ROWS),
        pa.RecordBatch.from_pydict(ROWS),
        pa.table(ROWS).to_reader(),
        pd.DataFrame(ROWS, index=[4, 9]),
        pl.DataFrame(ROWS),
        pl.LazyFrame(ROWS),
    ],
    ids=lambda v: f"{type(v).__module__.partition('.')[0]}.{type(v).__name__}",
)
def test_every_form_in_which_rows_may_be_given(given: Any) -> None:
    @ps.model
    def m() -> Any:
        return given

    assert made(m).to_pydict() == ROWS


@pytest.mark.parametrize("given", [None, [{"a": 1}], 3, "x"])
def test_what_is_no_table_is_refused(given: Any) -> None:
    @ps.model
    def m() -> Any:
        return given

    with pytest.raises(ProjectError, match=r"(?s)the model `m` gave no table.*test_model_function.py:\d+"):
        made(m)


def test_what_cannot_be_a_model() -> None:
    with pytest.raises(ProjectError, match="cannot take rows in this form"):

        @ps.model
        def lists(orders: list[int]) -> None: ...

    with pytest.raises(ProjectError, match="no relation can be given for `orders`"):

        @ps.model
        def many(*orders: Any) -> None: ...

    with pytest.raises(ProjectError, match="did you mean 'orders'"):

        @ps.model(reads={"order": "x"})
        def mapped(orders: Any) -> None: ...

    with pytest.raises(ProjectError, match="a model is a plain function"):
        ps.model(len)
