"""The text of a model: what is taken, what is refused and where, what runs, and when it counts as changed."""

from __future__ import annotations

import json
import time

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ProjectError
from penstock.models.sql import Fault, Query, Reference, analyse, pointed


def look(text: str, **facts: object) -> Query:
    return analyse(text, "duckdb", "models/m.sql", **facts)  # type: ignore[arg-type]


def refused(text: str, **facts: object) -> ProjectError:
    with pytest.raises(ProjectError) as caught:
        look(text, **facts)
    return caught.value


def duckdb_judge(sql: str) -> Fault | None:
    told = json.loads(duckdb.connect().execute("SELECT json_serialize_sql(?)", [sql]).fetchone()[0])
    if told.get("error_type") != "parser":
        return None
    return Fault(told["error_message"], int(told["position"]))


# ---------------------------------------------------------------------------------- what runs


def test_the_text_that_runs_is_the_users_own() -> None:
    text = "-- a note\nSELECT  a,\n\tb -- another\nFROM   t\n"
    assert look(text).sql == text


def test_references_of_dbt_become_relations() -> None:
    query = look("select *\nfrom {{ ref('a') }} x\njoin source('raw', 't') using (id), ref('pkg', 'b')")
    assert query.sql == 'select *\nfrom "a" x\njoin "t" using (id), "b"'
    assert query.references == (
        Reference("a", "ref", 2),
        Reference("t", "source", 3, "raw"),
        Reference("b", "ref", 3, "pkg"),
    )


def test_a_reference_over_several_lines_keeps_the_count_of_lines() -> None:
    assert look("from {{ ref(\n 'a'\n) }}\nwhere x").sql == 'from "a"\n\n\nwhere x'


def test_the_mark_that_some_editors_put_first_is_left_out() -> None:
    assert look("\ufeffselect 1").sql == "select 1"


def test_a_semicolon_at_the_end_is_left_out() -> None:
    query = look("select ';' from t; -- not; here\n;\n")
    assert query.sql == "select ';' from t  -- not; here\n \n"
    wrapped = f"select count(*) from ({look('select 1;').sql}\n)"
    assert duckdb.connect().execute(wrapped).fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("database", "reads"),
    [
        (None, ("wh.orders", "x", "y")),
        ("WH", ("orders", "x", "y")),
        ("other", ("wh.orders", "wh.main.x", "y")),
    ],
    ids=["unknown", "known", "another"],
)
def test_the_name_of_the_database_itself_is_no_part_of_a_relation(
    database: str | None, reads: tuple[str, ...]
) -> None:
    assert look("from wh.orders, wh.main.x, main.y", database=database).reads == reads


def test_a_relation_is_named_once_however_it_is_spelt() -> None:
    assert look('from Orders, orders o, "ORDERS" p').reads == ("Orders",)


@pytest.mark.parametrize(
    ("text", "outside"),
    [
        ("select now() as at, t.now, now from t", ("now",)),
        ("select * from t where d > current_date - 7", ("current_date",)),
        ("select * from 'a.csv', \"b.parquet\"", ("a.csv", "b.parquet")),
        ("select * from read_json('x'), my_macro(1)", ("read_json", "my_macro")),
        ("select * from range(3), unnest([1]), ref('x')", ()),
        ("from information_schema.tables", ("information_schema.tables",)),
        ("select random(), uuid(), 'now()' from t -- today()", ("random", "uuid")),
    ],
)
def test_what_may_change_by_itself_is_told(text: str, outside: tuple[str, ...]) -> None:
    assert look(text).outside == outside


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "models/m.sql", "no SQL"),
        ("-- nothing\n/* at all */", "models/m.sql", "no SQL"),
        ("select 1;\nselect 2", "models/m.sql:2:1", "another statement"),
        ("create table x as select 1", "models/m.sql:1:1", "something else"),
        ("\n  insert into t select 1", "models/m.sql:2:3", "something else"),
        ("with a as (select 1)\ninsert into t from a", "models/m.sql:2:1", "something else"),
        ("describe t", "models/m.sql:1:1", "something else"),
        ("select (1 + 2", "models/m.sql:1:8", "not closed"),
        ("select [1, 2)", "models/m.sql:1:13", "closes nothing"),
        ("select 1)", "models/m.sql:1:9", "closes nothing"),
        ("select 'abc\nfrom t", "models/m.sql:1:8", "not closed"),
        ('select "abc', "models/m.sql:1:8", "not closed"),
        ("select 1 /* from t", "models/m.sql:1:10", "not closed"),
        ("select $x$ a $$", "models/m.sql:1:8", "not closed"),
        ("select {{ var('x') }} from t", "models/m.sql:1:8", "only `ref()` and `source()`"),
        ("{% if x %}\nselect 1", "models/m.sql:1:1", "only `ref()` and `source()`"),
        ("select 1 {# note #}", "models/m.sql:1:10", "only `ref()` and `source()`"),
        ("from {{ ref('a', v=2) }}", "models/m.sql:1:6", "only `ref()` and `source()`"),
        ("select '{{ var(\"x\") }}'", "models/m.sql:1:8", "in a string"),
        ("select * from where x", "models/m.sql:1:15", "cannot be read"),
    ],
)
def test_what_is_no_query_is_refused_where_it_stands(text: str, where: str, what: str) -> None:
    wrong = refused(text)
    assert (wrong.where, what in wrong.what) == (where, True), wrong


def test_nesting_without_end_is_refused() -> None:
    assert "nested" in refused("select " + "(" * 3000 + "1" + ")" * 3000).what
    deep = "select * from " + "(select * from " * 150 + "t" + ")" * 150
    assert look(deep).reads == ("t",)


def test_lines_are_those_of_the_users_file() -> None:
    assert refused("\nselect (", first_line=7).where == "models/m.sql:8:8"


def test_jinja_is_pointed_to_dbt() -> None:
    assert "models: {dbt: " in str(refused("select {{ this }}"))
    assert "front matter" in str(refused("{{ config(materialized='view') }} select 1"))


@pytest.mark.parametrize("text", ["select map {{'a': 1}: 2}", "select '{{name}}' from t", "select '{%'"])
def test_braces_that_are_sql_are_no_jinja(text: str) -> None:
    assert look(text).sql == text


def test_the_engine_is_the_judge_of_syntax() -> None:
    wrong = refused("select 'größe',\n  a b c\nfrom t", first_line=3, judge=duckdb_judge)
    assert wrong.where == "models/m.sql:4:7"
    assert "syntax error" in wrong.what
    assert look("from t select a group by all", judge=duckdb_judge).reads == ("t",)


def test_a_fault_behind_a_reference_is_told_where_the_user_wrote_it() -> None:
    text = "select * from {{ ref('a') }} x y z"
    wrong = refused(text, judge=duckdb_judge)
    assert wrong.where == f"models/m.sql:1:{text.index('y z') + 1}"


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("\n\n\nselect id,\n  amount\nfrom orders", "m.sql:5:3"),
        ("select 'größe',\n\t nope, 1 from orders\n", "m.sql:2:3"),
        (
            f"\nselect '{'x' * 200}' as a, nope, '{'y' * 200}' as b from orders",
            f"m.sql:2:{len('select ') + 210}",
        ),
        ("select id from ordres", "m.sql:1:16"),
        ("select id\nfrom orders\nwhere id x y", "m.sql:3:10"),
        (
            "select id, nope\nfrom (select id, 1 as nope from orders)\n, (select id, 2 as nope from orders)",
            "m.sql:1:8",
        ),
    ],
)
def test_what_the_engine_points_at_is_found_in_the_file(sql: str, place: str) -> None:
    con = duckdb.connect()
    con.execute("CREATE TABLE orders (id INT)")
    with pytest.raises(duckdb.Error) as caught:
        con.execute(sql.strip())
    assert pointed(str(caught.value), sql, "m.sql") == place
    wrapped = f"CREATE TABLE m AS SELECT * FROM (\n{sql}\n) AS r"
    with pytest.raises(duckdb.Error) as caught:
        con.execute(wrapped)
    assert pointed(str(caught.value), sql, "m.sql") == place


def test_a_place_that_cannot_be_told_is_the_file() -> None:
    assert (
        pointed(None, "select 1", "m.sql") == pointed("Conversion Error: no", "select 1", "m.sql") == "m.sql"
    )
    assert pointed("LINE 9: nope\n        ^", "select 1\nnope\nnope", "m.sql") == "m.sql"


def test_what_the_engine_takes_is_taken_whatever_another_parser_says() -> None:
    assert look("from t, where x", judge=lambda sql: None).reads == ("t",)


# ------------------------------------------------------------------------- when it has changed

SAME = [
    "select a, 'x  y' from t where b >= -1",
    "SELECT".lower() + "\n\ta,\n\t'x  y'\nfrom t -- note\nwhere b>=-1;",
    "/* head */ select a ,'x  y' from t /* a /* b */ c */ where b >=\n- 1",
]
OTHER = [
    "select a, 'x y' from t where b >= -1",
    "select a, 'x  y' from t where b > = -1",
    "select a, 'x  y' from t where b >= 1",
    "select a, 'x  y' from \"t\" where b >= -1",
    "select ab, 'x  y' from t where b >= -1",
    "select A, 'x  y' from t where b >= -1",
]


def test_white_space_and_comments_are_no_change() -> None:
    assert len({look(text).digest for text in SAME}) == 1


def test_everything_else_is_a_change() -> None:
    assert len({look(text).digest for text in [SAME[0], *OTHER]}) == 1 + len(OTHER)


PIECES = ["a", "b", "'x y'", '"q"', "1", "1.5", "+", "-", "(", ")", ",", "<=", "::", "||", "t.c", "$$d$$"]
GAPS = [" ", "\n", "\t ", " -- c'\n", " /* ' */ ", "  "]


@given(st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(GAPS)), max_size=12), st.data())
def test_any_gap_is_as_good_as_any_other(pieces: list[tuple[str, str]], data: st.DataObject) -> None:
    depth, kept = 0, []
    for piece, gap in pieces:  # brackets in pairs
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if depth < 0:
            depth = 0
        else:
            kept.append((piece, gap))
    text = "select " + "".join(p + g for p, g in kept) + ")" * depth
    other = "select " + "".join(p + data.draw(st.sampled_from(GAPS)) for p, _ in kept) + ")" * depth
    assert look(text).digest == look(other).digest


@given(st.text(alphabet="select from t(),;'\"-*/{}$[]x1\n.:", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = look(text, judge=lambda sql: None)
    except ProjectError as wrong:
        assert wrong.where
        assert wrong.where.startswith("models/m.sql")
    else:
        assert query.sql.count("\n") == text.count("\n")


@pytest.mark.slow
def test_two_hundred_models_are_read_in_half_a_second() -> None:
    columns = ",\n  ".join(
        f"sum(a.c{n}) over (partition by b.k) + coalesce(b.c{n}, 0) as c{n}" for n in range(15)
    )
    text = f"with a as (select * from raw where d > 1)\nselect {columns}\nfrom a left join dim b using (k)\n"
    began = time.process_time()
    for _ in range(200):
        look(text)
    assert time.process_time() - began < 0.5
