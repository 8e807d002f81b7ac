"""Row rules: compiled once, true for good rows, never null, told with column and value."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import RefusedError
from penstock.gate.judge import Judge, Judged, open_bench
from penstock.gate.rules import Expectation, RowRules, compile_rules, unique_keys
from penstock.gate.unique import KeyBook
from penstock.gate.verdict import Action
from penstock.schema.arrow import arrow_schema
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import parse_type

BENCH = open_bench()


NONE = RowRules()


def judge(rows: list[dict[str, Any]], *columns: Column, rules: RowRules = NONE, **table: Any) -> Judged:
    t = Table("t", columns, **table)
    batch = pa.RecordBatch.from_pylist(rows, schema=arrow_schema(t))
    return Judge(t, rules).judge(batch, BENCH.cursor())


def column(name: str, kind: str, **promises: Any) -> Column:
    return Column(name, parse_type(kind), declared=True, **promises)


@pytest.mark.parametrize(
    ("kind", "promise", "good", "bad", "rule"),
    [
        ("text", {"nullable": False}, ["", "x"], [None], "nullable"),
        ("text", {"enum": ("a", "it's; DROP")}, ["a", "it's; DROP", None], ["b", ""], "enum"),
        ("int64", {"enum": (1, 2)}, [1, 2, None], [3], "enum"),
        ("text", {"pattern": "[A-Z]{2}[0-9]"}, ["AB1", None], ["AB1; DROP", "xAB1", ""], "pattern"),
        ("int64", {"minimum": 0}, [0, 5, None], [-1], "minimum"),
        ("float64", {"minimum": 0.5}, [0.5, None], [0.4, float("nan")], "minimum"),
        ("float64", {"maximum": 9}, [9.0, float("-inf")], [9.1, float("nan"), float("inf")], "maximum"),
        ("decimal(12,2)", {"maximum": "10.05"}, ["10.05"], ["10.06"], "maximum"),
        ("date", {"minimum": "2024-01-01"}, ["2024-01-01"], ["2023-12-31"], "minimum"),
        ("timestamp_tz", {"maximum": "2024-01-01T00:00:00Z"}, ["2024-01-01"], ["2024-01-02"], "maximum"),
        ("text", {"min_length": 2}, ["éé", None], ["é"], "min_length"),
        ("text", {"max_length": 2}, ["éé", ""], ["ééé"], "max_length"),
        ("list<int64>", {"max_length": 1}, [[], [1], None], [[1, 2]], "max_length"),
        ("uint64", {"maximum": 2**64 - 1, "minimum": 2**63}, [2**64 - 1], [1], "minimum"),
    ],
)
def test_each_rule(kind: str, promise: dict[str, Any], good: list[Any], bad: list[Any], rule: str) -> None:
    def cell(value: Any) -> Any:
        if kind.startswith("decimal") and value is not None:
            return pa.scalar(value).cast(pa.decimal128(12, 2)).as_py()
        if kind in ("date", "timestamp_tz") and value is not None:
            text = pa.scalar(value)
            zone = pa.timestamp("us", "UTC")
            return (
                text.cast(pa.date32()) if kind == "date" else text.cast(pa.timestamp("us")).cast(zone)
            ).as_py()
        return value

    rows = [{"v": cell(v)} for v in [*good, *bad]]
    judged = judge(rows, column("v", kind, **promise))
    assert judged.good.num_rows == len(good)
    assert [r.row for r in judged.refused] == list(range(len(good), len(rows)))
    assert {b.rule for r in judged.refused for b in r.broken} == {rule}
    assert judged.counts == {f"v.{rule}": len(bad)}


def test_every_broken_rule_of_a_row_is_told() -> None:
    judged = judge(
        [{"a": -1, "b": "zz"}],
        column("a", "int64", minimum=0, enum=(1, 2)),
        column("b", "text", max_length=1, sensitive=True),
    )
    told = [(b.rule, b.column, b.value) for b in judged.refused[0].broken]
    assert told == [("enum", "a", "-1"), ("minimum", "a", "-1"), ("max_length", "b", "***")]


def test_an_expectation_that_is_null_is_broken() -> None:
    rules = RowRules(expectations=(Expectation("later", "b > a"),))
    judged = judge([{"a": 1, "b": 2}, {"a": 1, "b": None}, {"a": 2, "b": 1}], *ab(), rules=rules)
    assert judged.good.num_rows == 1
    assert judged.counts == {"later": 2}


def ab() -> tuple[Column, Column]:
    return column("a", "int64"), column("b", "int64")


def test_expectations_use_the_columns_own_names() -> None:
    names = ["a b", 'q"q', "select", "ID", "Id", "penstock_c0"]
    columns = [column(n, "int64") for n in names]
    rules = RowRules(
        expectations=(Expectation("all", '"a b" = 1 AND "q""q" = 2 AND "select" = 3 AND "Id__2" = 5'),)
    )
    row = dict(zip(names, range(1, 7), strict=True))
    assert judge([row], *columns, rules=rules).good.num_rows == 1


def test_a_wrong_expectation_is_an_error_that_names_it() -> None:
    rules = RowRules(expectations=(Expectation("oops", "amuont > 1"),))
    with pytest.raises(RefusedError, match="`oops` cannot be checked") as error:
        judge([{"amount": 1}], column("amount", "int64"), rules=rules)
    assert "did you mean 'amount'" in str(error.value)


def test_no_rule_can_reach_a_file() -> None:
    rules = RowRules(expectations=(Expectation("read", "a IN (SELECT 1 FROM read_csv('/etc/passwd'))"),))
    with pytest.raises(RefusedError):
        judge([{"a": 1}], column("a", "int64"), rules=rules)


def test_actions_by_rule_by_column_and_the_strongest_wins() -> None:
    columns = column("a", "int64", minimum=0), column("b", "int64", minimum=0, maximum=5)
    rules = RowRules(Action.DROP, actions={"minimum": Action.ALLOW, "b.minimum": Action.FAIL})
    rows = [{"a": -1, "b": 1}, {"a": -1, "b": -1}, {"a": 1, "b": 9}]
    judged = judge(rows, *columns, rules=rules)
    assert [(r.row, r.action) for r in judged.refused] == [(1, Action.FAIL), (2, Action.DROP)]
    assert judged.kept == [0]
    assert judged.counts == {"a.minimum": 2, "b.minimum": 1, "b.maximum": 1}


def test_a_primary_key_may_not_be_null() -> None:
    judged = judge([{"a": None, "b": 1}], *ab(), primary_key=("a",))
    assert judged.refused[0].broken[0].rule == "nullable"


def test_a_declared_column_that_never_comes_is_null_everywhere() -> None:
    t = Table("t", (column("a", "int64"), Column("b", parse_type("null"), nullable=False)))
    batch = pa.RecordBatch.from_pylist([{"a": 1}], schema=arrow_schema(t))
    judged = Judge(t, RowRules()).judge(batch, BENCH.cursor())
    assert judged.counts == {"b.nullable": 1}


def test_foreign_keys_are_looked_up() -> None:
    BENCH.execute("CREATE OR REPLACE TABLE penstock_keys_0 AS SELECT 1 AS k UNION ALL SELECT 2")
    judged = judge(
        [{"a": 1}, {"a": 3}, {"a": None}], column("a", "int64", foreign_key=ForeignKey("p", ("id",)))
    )
    assert [r.row for r in judged.refused] == [1]


texts = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(texts, min_size=1, max_size=4, unique=True), st.lists(texts | st.none(), min_size=1, max_size=8)
)
def test_an_enum_holds_exactly_its_values(allowed: list[str], given_: list[str | None]) -> None:
    judged = judge([{"v": v} for v in given_], column("v", "text", enum=tuple(allowed)))
    expected = [i for i, v in enumerate(given_) if v is not None and v not in allowed]
    assert [r.row for r in judged.refused] == expected
    assert judged.good.column("v").to_pylist() == [v for v in given_ if v is None or v in allowed]


def test_compiled_rules_are_in_column_order() -> None:
    t = Table("t", (column("b", "int64", minimum=1, maximum=2), column("a", "text", nullable=False)))
    assert [r.id for r in compile_rules(t, RowRules())] == ["b.minimum", "b.maximum", "a.nullable"]


# ------------------------------------------------------------------------------------------ unique


def test_repeated_keys_are_found_across_batches_and_files() -> None:
    book = KeyBook([("a",), ("a", "b")])
    schema = pa.schema([("a", pa.int64()), ("b", pa.string())])

    def batch(*rows: tuple[int | None, str | None]) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist([{"a": a, "b": b} for a, b in rows], schema=schema)

    book.add(batch((1, "x"), (2, "x"), (None, "x")), file=0, rows=[1, 2, 3])
    book.add(batch((1, "y"), (None, "x")), file=0, rows=[4, 6])
    book.add(batch((1, "x")), file=1, rows=[1])
    found = [(r.file, r.row, r.columns) for r in book.repeats()]
    book.close()
    assert found == [(0, 4, ("a",)), (1, 1, ("a",)), (1, 1, ("a", "b"))]


def test_what_must_be_unique() -> None:
    t = Table("t", (column("a", "int64", unique=True), column("b", "int64")))
    assert unique_keys(t, RowRules(unique_keys=(("a",), ("a", "b")))) == (("a",), ("a", "b"))
