"""What is asked of a table, asked of a real one."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from penstock.destinations.engine import rows_of, table_of
from penstock.report.site import profiling
from penstock.report.site.facts import ColumnProfile
from penstock.report.site.profiling import (
    Asked,
    Nature,
    first_answer,
    first_question,
    sample,
    second_answer,
    second_question,
)

# Any: DuckDB is untyped


def profile(
    con: Any, table: str = "t", hide: str | None = None, key: tuple[str, ...] = ()
) -> dict[str, ColumnProfile]:
    columns = [
        Asked(row[0], row[1], "sensitive" if row[0] == hide else None)
        for row in rows_of(con, f'DESCRIBE "{table}"')
    ]
    number = rows_of(con, f'SELECT count(*) FROM "{table}"')[0][0]
    rows = sample(table, number, stored=not key, key=key)
    exact = number <= profiling.EXACT
    first = table_of(con, first_question(rows, columns, exact=exact)).to_pylist()[0]
    found = first_answer(first, columns, exact=exact)
    more = " UNION ALL ".join(second_question(rows, columns, first))
    return second_answer(found, columns, first, rows_of(con, more) if more else [])


@pytest.fixture
def con() -> Any:
    opened = duckdb.connect()
    yield opened
    opened.close()


def test_numbers(con: Any) -> None:
    con.execute("CREATE TABLE t AS SELECT i::INTEGER AS i, (i / 4)::DECIMAL(9, 2) AS d FROM range(160) r(i)")
    con.execute("INSERT INTO t VALUES (NULL, NULL)")
    found = profile(con)
    assert found["i"] == ColumnProfile(
        161, 1, 160, "0", "159", 79.5, ("7", "39", "79", "119", "151"), (10,) * 16
    )
    assert (found["d"].low, found["d"].high) == ("0.00", "39.75")
    assert sum(found["d"].bins) == 160


def test_few_whole_numbers_have_a_bin_each(con: Any) -> None:
    con.execute("CREATE TABLE t AS SELECT (i % 3 + 5)::BIGINT AS i FROM range(10) r(i)")
    assert profile(con)["i"].bins == (4, 3, 3)


def test_moments(con: Any) -> None:
    con.execute(
        "CREATE TABLE t AS SELECT DATE '2026-01-01' + i::INTEGER AS d, "
        "TIMESTAMPTZ '2026-01-01 00:00:00+00' + INTERVAL (i) HOUR AS at FROM range(32) r(i)"
    )
    found = profile(con)
    assert (found["d"].low, found["d"].high, found["d"].mean) == ("2026-01-01", "2026-02-01", None)
    assert found["d"].bins == (2,) * 16
    assert found["d"].quantiles[2] == "2026-01-16"
    assert sum(found["at"].bins) == 32


def test_words(con: Any) -> None:
    con.execute(
        "CREATE TABLE t AS SELECT 'w' || (i % 4) AS few, 'w' || i AS all_, i % 2 = 0 AS b FROM range(40) r(i)"
    )
    con.execute("UPDATE t SET few = 'w0' WHERE few = 'w3'")
    found = profile(con)
    assert found["few"].top == (("w0", 20), ("w1", 10), ("w2", 10))
    assert found["all_"].top == ()
    assert found["all_"].distinct == 40
    assert found["b"].top == (("false", 20), ("true", 20))


def test_odd_values(con: Any) -> None:
    con.execute(
        "CREATE TABLE t AS SELECT * FROM (VALUES (1.5::DOUBLE, NULL::VARCHAR, [1], {'a': 1}), "
        "('nan', NULL, NULL, NULL), ('inf', NULL, [2, 3], NULL), (2.5, NULL, [], {'a': NULL})) v(f, n, l, s)"
    )
    found = profile(con)
    assert (found["f"].mean, sum(found["f"].bins), found["f"].nulls) == (2.0, 2, 0)
    assert (found["n"].nulls, found["n"].distinct, found["n"].low) == (4, 0, None)
    assert (found["l"].nulls, found["s"].nulls) == (1, 2)


def test_one_value_and_huge_ones(con: Any) -> None:
    con.execute("CREATE TABLE t AS SELECT 7 AS one, 1e308 * (i - 1) AS huge FROM range(3) r(i)")
    found = profile(con)
    assert (found["one"].low, found["one"].high, found["one"].bins) == ("7", "7", ())
    assert found["huge"].bins == ()  # from end to end it is more than a number can say


def test_infinite_dates(con: Any) -> None:
    con.execute("CREATE TABLE t AS SELECT unnest(['infinity'::DATE, '2026-01-01', '2026-01-17'])::DATE AS d")
    assert sum(profile(con)["d"].bins) == 2


def test_names_of_all_kinds(con: Any) -> None:
    con.execute("""CREATE TABLE "a ""b" ("x ""y" INTEGER, "select" VARCHAR)""")
    con.execute("""INSERT INTO "a ""b" VALUES (1, '</script>'), (2, '</script>')""")
    rows = sample('a "b', 2, stored=True, key=())
    columns = [Asked('x "y', "INTEGER"), Asked("select", "VARCHAR")]
    first = table_of(con, first_question(rows, columns, exact=True)).to_pylist()[0]
    assert first_answer(first, columns, exact=True)["select"].high == "</script>"


def test_a_hidden_column_is_only_counted(con: Any) -> None:
    con.execute("CREATE TABLE t AS SELECT 'ada' || (i % 2) AS email FROM range(10) r(i)")
    columns = [Asked("email", "VARCHAR", "sensitive")]
    question = first_question("SELECT * FROM t", columns, exact=True)
    assert "min(" not in question
    assert columns[0].nature is Nature.OTHER
    assert profile(con, hide="email")["email"] == ColumnProfile(10, 0, 2, hidden="sensitive")


@pytest.mark.parametrize("key", [(), ("i",)])
def test_a_large_table_is_told_from_an_even_part(
    con: Any, key: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiling, "ROWS", 10_000)
    con.execute("CREATE TABLE t AS SELECT i::INTEGER AS i FROM range(100_000) r(i)")
    found = profile(con, key=key)["i"]
    assert 9_000 < found.count < 12_500
    assert found.mean is not None
    assert abs(found.mean - 50_000) < 4_000
    assert found == profile(con, key=key)["i"]


def test_a_part_without_a_key_is_chosen_by_the_whole_row(con: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "ROWS", 100)
    con.execute("CREATE TABLE base AS SELECT i, i % 2 AS two FROM range(1000) r(i)")
    con.execute("CREATE VIEW t AS SELECT * FROM base")
    rows = sample("t", 1000, stored=False, key=())
    assert 50 < rows_of(con, f"SELECT count(*) FROM ({rows})")[0][0] < 200


def test_long_values_are_cut(con: Any) -> None:
    con.execute("CREATE TABLE t AS SELECT repeat('x', 5000) AS x FROM range(4)")
    found = profile(con)["x"]
    assert found.low is not None
    assert len(found.low) == 60
    assert found.top == (("x" * 60, 4),)


def test_distinct_values_of_many_rows_are_estimated(con: Any) -> None:
    con.execute("CREATE TABLE t AS SELECT i AS i, i % 50 AS few FROM range(20_000) r(i)")
    found = profile(con)
    assert found["i"].distinct is not None
    assert 18_000 < found["i"].distinct <= 20_000
    assert found["few"].distinct is not None
    assert 45 <= found["few"].distinct <= 55
    assert found["few"].estimated
