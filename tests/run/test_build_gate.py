"""The gate before a model's table: the rules of sources, asked of the rows of a query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_bed import ModelBed
from penstock.report.facts import ModelResult, ModelStatus

DESTINATIONS = ("duckdb:///w.duckdb", "parquet://w")


@pytest.fixture(params=DESTINATIONS)
def bed(tmp_path: Path, request: pytest.FixtureRequest) -> ModelBed:
    return ModelBed(tmp_path, request.param)


@pytest.fixture
def duck(tmp_path: Path) -> ModelBed:
    return ModelBed(tmp_path)


def values(*cells: object) -> str:
    """A query of one column `v`."""
    told = ", ".join(f"({'NULL' if c is None else repr(c)})" for c in cells)
    return f"SELECT * FROM (VALUES {told}) AS t(v)"


def counted(m: ModelResult) -> tuple[int | None, int | None, int, int, dict[str, int]]:
    return m.rows, m.kept, m.dropped, m.quarantined, dict(m.broken)


def test_each_action(bed: ModelBed) -> None:
    words = """columns: {v: {type: int64, nullable: false, minimum: 2, maximum: 9, enum: [1, 2, 3, 4, 10]}}
gate: {actions: {v.minimum: drop, v.maximum: quarantine, v.enum: allow, v.nullable: quarantine}}"""
    found = bed.model("m", values(1, 2, 3, 10, 5, None), words).builds()["m"]
    broken = {"v.minimum": 1, "v.maximum": 1, "v.enum": 1, "v.nullable": 1}
    assert counted(found) == (6, 3, 1, 2, broken)
    assert bed.rows("m", "v") == [2, 3, 5]
    [entry] = bed.session().quarantine_list([])
    assert (entry.pipeline, entry.table, entry.rows) == ("models", "m", 2)
    rows = bed.session().quarantine_show("m", 10)
    assert [(r.row, r.broken[0].rule, r.broken[0].value, r.raw) for r in rows] == [
        (4, "maximum", "10", '{"v": 10}'),
        (6, "nullable", None, '{"v": null}'),
    ]


def test_a_row_goes_by_its_strongest_action_and_tells_everything(duck: ModelBed) -> None:
    words = """columns: {v: {type: int64, minimum: 2, enum: [2]}}
gate:
  actions: {v.minimum: drop, v.enum: quarantine}
  expectations: [{name: odd, constraint: "v % 2 = 1", action: allow}]"""
    found = duck.model("m", values(0, 2), words).builds()["m"]
    assert counted(found) == (2, 1, 0, 1, {"v.minimum": 1, "v.enum": 1, "odd": 2})
    [row] = duck.session().quarantine_show("m", 10)
    assert [b.rule for b in row.broken] == ["enum", "minimum", "odd"]


def test_fail_leaves_the_old_table(bed: ModelBed) -> None:
    words = "gate: {expectations: [{name: small, constraint: v < 9, action: fail}]}"
    bed.model("m", values(1), words).builds()
    found = bed.model("m", values(2, 10, 11), words).build()["m"]
    assert (found.status, found.exit_code) == (ModelStatus.REFUSED, 1)
    assert "2 rows of 3 break a rule whose action is `fail`" in (found.error or "")
    assert "small (2 rows)" in (found.error or "")
    assert bed.rows("m", "v") == [1]
    assert bed.session().quarantine_list([]) == []


def test_a_rule_that_is_null_is_broken(duck: ModelBed) -> None:
    words = "gate: {expectations: [{name: small, constraint: v < 9, action: drop}]}"
    assert counted(duck.model("m", values(1, None), words).builds()["m"]) == (2, 1, 1, 0, {"small": 1})


@pytest.mark.parametrize(
    ("gate", "rows", "rule"),
    [
        ("min_rows: 3", (1, 2), "min_rows"),
        ("max_rows: 1", (1, 2), "max_rows"),
        ("min_rows: 1", (), "min_rows"),
    ],
)
def test_a_table_of_the_wrong_size(duck: ModelBed, gate: str, rows: tuple[int, ...], rule: str) -> None:
    sql = values(*rows) if rows else "SELECT 1 AS v WHERE false"
    found = duck.model("m", sql, f"gate: {{{gate}}}").build()["m"]
    assert found.status is ModelStatus.REFUSED
    assert f"`m` breaks `{rule}`" in (found.error or "")
    assert not any(t["table"] == "m" for t in duck.session().show(None).to_pylist())


def test_of_rows_that_share_a_key_the_first_stays(bed: ModelBed) -> None:
    sql = "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (1, 'c'), (NULL, 'd')) AS t(k, v)"
    words = "columns: {k: {type: int64, unique: true}}\ngate: {on_broken: quarantine}"
    found = bed.model("m", sql, words).builds()["m"]
    assert counted(found) == (4, 3, 0, 1, {"k.unique": 1})
    assert bed.rows("m", "v") == ["a", "b", "d"]
    [row] = bed.session().quarantine_show("m", 9)
    assert (row.row, row.broken[0].value, row.raw) == (3, "1", '{"k": 1, "v": "c"}')


def test_a_primary_key_of_several_columns(duck: ModelBed) -> None:
    sql = "SELECT * FROM (VALUES (1, 'a'), (1, 'b'), (1, 'a'), (NULL, 'a')) AS t(k, v)"
    words = "primary_key: [k, v]\ngate: {on_broken: drop}\ncolumns: {k: int64, v: text}"
    found = duck.model("m", sql, words).builds()["m"]
    assert counted(found) == (4, 2, 2, 0, {"k.nullable": 1, "unique(k, v)": 1})


def test_uniqueness_is_asked_of_the_rows_that_stay(duck: ModelBed) -> None:
    sql = "SELECT * FROM (VALUES (1, 0), (1, 5), (2, 5), (2, 6)) AS t(k, v)"
    words = "columns: {k: {type: int64, unique: true}, v: {type: int64, minimum: 1}}\ngate: {on_broken: drop}"
    assert counted(duck.model("m", sql, words).builds()["m"]) == (4, 2, 2, 0, {"v.minimum": 1, "k.unique": 1})
    assert duck.rows("m") == [(1, 5), (2, 5)]


def test_a_foreign_key(bed: ModelBed) -> None:
    bed.model("towns", "SELECT * FROM (VALUES ('A'), ('B'), (NULL)) AS t(name)")
    sql = "SELECT t.* FROM (VALUES ('A'), ('X'), (NULL)) AS t(town), towns WHERE towns.name = 'A'"
    words = (
        "columns: {town: {type: text, foreign_key: {table: towns, columns: name}}}\ngate: {on_broken: drop}"
    )
    found = bed.model("m", sql, words).builds()["m"]
    assert counted(found) == (3, 2, 1, 0, {"town.foreign_key": 1})


def test_sensitive_values_are_masked(duck: ModelBed) -> None:
    words = "columns: {v: {type: text, enum: [a], sensitive: true}}"
    duck.model("m", values("secret"), words).builds()
    [row] = duck.session().quarantine_show("m", 9)
    assert (row.broken[0].value, row.raw) == ("***", "***")


def test_quarantined_rows_are_exported_as_they_came(duck: ModelBed, tmp_path: Path) -> None:
    words = "columns: {v: {type: int64, maximum: 1}}"
    duck.model("m", values(1, 2, 3), words).builds()
    [path] = duck.session().quarantine_export(tmp_path / "out", "m")
    assert path.read_text() == '{"v": 2}\n{"v": 3}\n'


def test_the_quarantine_of_a_model_made_anew_is_that_of_its_last_build(duck: ModelBed) -> None:
    words = "columns: {v: {type: int64, maximum: 1}}"
    duck.model("m", values(2, 3), words).builds()
    duck.model("m", values(1, 4), words).builds()
    assert [r.raw for r in duck.session().quarantine_show("m", 9)] == ['{"v": 4}']
    duck.model("m", values(1), words).builds()
    assert duck.session().quarantine_list([]) == []


def test_many_rows_are_set_aside(duck: ModelBed) -> None:
    words = "columns: {v: {type: int64, maximum: 99999}}"
    found = duck.model("m", "SELECT range AS v FROM range(145000)", words).builds()["m"]
    assert counted(found) == (145_000, 100_000, 0, 45_000, {"v.maximum": 45_000})
    rows = duck.session().quarantine_show("m", 50_000)
    assert [r.row for r in rows] == list(range(100_001, 145_001))


def test_a_wrong_expectation_is_named(duck: ModelBed) -> None:
    words = "gate: {expectations: [{name: fine, constraint: v > 0}, {name: wrong, constraint: nothing > 0}]}"
    error = duck.model("m", values(1), words).build()["m"].error or ""
    assert "`wrong`" in error
    assert "nothing" in error
    assert "models/m.sql" in error


# ------------------------------------------------------------------------------------- alignment


def test_columns_come_in_the_declared_order_and_types(bed: ModelBed) -> None:
    sql = "SELECT 'x' AS extra, 1::INTEGER AS a, '2.50' AS amount, DATE '2026-01-31' AS b"
    bed.model("m", sql, "columns: {b: date, amount: 'decimal(9, 2)', a: int64}").builds()
    shape = bed.session().show("m").schema
    kept = [(f.name, str(f.type)) for f in shape if not f.name.startswith("_penstock")]
    assert kept == [("b", "date32[day]"), ("amount", "decimal128(9, 2)"), ("a", "int64"), ("extra", "string")]


def test_values_that_do_not_fit_a_declared_type(duck: ModelBed) -> None:
    found = duck.model("m", values("1", "x", None), "columns: {v: int64}").builds()["m"]
    assert counted(found) == (3, 2, 0, 1, {"v.type": 1})
    [row] = duck.session().quarantine_show("m", 9)
    assert (row.broken[0].rule, row.broken[0].value) == ("type", "x")
    error = (
        duck.model("m", values("x"), "columns: {v: int64}\ncontract: {data_type: freeze}").build()["m"].error
    )
    assert "v.type (1 row)" in (error or "")


def test_no_number_is_rounded(duck: ModelBed) -> None:
    found = duck.model("m", values(1.0, 2.5), "columns: {v: int64}").builds()["m"]
    assert counted(found)[:4] == (2, 1, 0, 1)
    assert duck.rows("m") == [1]


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [
        ("evolve", (2, 2, 0, 0)), ("discard_value", (2, 2, 0, 0)), ("discard_row", (2, 1, 1, 0)),
        ("quarantine", (2, 1, 0, 1)),
    ],
)  # fmt: skip
def test_columns_that_are_not_declared(duck: ModelBed, mode: str, outcome: tuple[int, ...]) -> None:
    sql = "SELECT * FROM (VALUES (1, 5), (2, NULL)) AS t(a, b)"
    found = duck.model("m", sql, f"columns: {{a: int64}}\ncontract: {{columns: {mode}}}").builds()["m"]
    assert counted(found)[:4] == outcome
    names = [n for n in duck.session().show("m").column_names if not n.startswith("_penstock")]
    assert names == (["a", "b"] if mode == "evolve" else ["a"])


def test_a_frozen_shape(duck: ModelBed) -> None:
    words = "columns: {a: int64}\ncontract: freeze"
    error = duck.model("m", "SELECT 1 AS a, 2 AS b", words).build()["m"].error or ""
    assert "has a column `b`, which its contract does not let in" in error


def test_a_declared_column_that_does_not_come(duck: ModelBed) -> None:
    error = duck.model("m", "SELECT 1 AS aa", "columns: {a: int64}").build()["m"].error or ""
    assert "has no column `a`, which is declared" in error
    assert "did you mean 'aa'?" in error


def test_a_view_has_the_declared_order_and_types(duck: ModelBed) -> None:
    duck.model(
        "m", "SELECT 'x' AS b, 1::INTEGER AS a", "materialized: view\ncolumns: {a: int64, b: text}"
    ).builds()
    assert [(f.name, str(f.type)) for f in duck.session().show("m").schema] == [
        ("a", "int64"),
        ("b", "string"),
    ]


def test_columns_that_are_called_as_the_gate_calls_its_own(duck: ModelBed) -> None:
    sql = 'SELECT 1 AS m0, 2 AS penstock_c0, 3 AS "select", 5 AS n, 6 AS "penstock_m0"'
    words = """columns: {m0: {type: int64, maximum: 0}, penstock_c0: int64, select: {type: int64, minimum: 3}}
gate: {on_broken: quarantine}"""
    found: Any = duck.model("m", sql, words).builds()["m"]
    assert counted(found) == (1, 0, 0, 1, {"m0.maximum": 1})
