"""What a query reads: a corpus with the answers, random queries, and DuckDB's own opinion of both."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.models.sql import analyse

CORPUS = {
    # plain
    "select 1": "",
    "select a from t": "t",
    "select * from Orders o, customers as c": "Orders customers",
    "SELECT * FROM a JOIN b USING (x) LEFT JOIN c ON a.i = c.i CROSS JOIN d": "a b c d",
    "select * from a join b on true, c": "a b c",
    "select * from a natural join b positional join c": "a b c",
    "select * from a semi join b using (x) anti join c using (y)": "a b c",
    "select * from t asof join u using (a, b)": "t u",
    "table x": "x",
    "values (1, 2)": "",
    "select * from (values (1), (2)) v(a)": "",
    "from values (1), (2) t(x)": "",
    "select * from ((a join b using (x)) join (c join d using (x)) using (y))": "a b c d",
    "select * from ((select 1) x cross join y)": "y",
    # where FROM is no clause
    "select extract(year from d), trim(both 'x' from n), substring(a from 1 for 2) from t": "t",
    "select trim(from n) from t": "t",
    "select a is distinct from b, a is not distinct from b from t": "t",
    "select position('a' in b), overlay(a placing 'x' from 2 for 1) from t": "t",
    'select "from", t.from_x from t': "t",
    "select 'select * from nowhere' as text -- from nothing\n from t /* from /* also */ nothing */": "t",
    "select $$ from nothing $$, $x$ from $$ nothing $x$ from t": "t",
    "select E'it\\'s from nothing', 'it''s from nothing' from t": "t",
    # subqueries
    "select (select max(a) from u), b from t": "u t",
    "select * from t where a in (select b from u) and exists (from v)": "t u v",
    "select * from t, lateral (select * from u where u.a = t.a)": "t u",
    "from (from t select a) x select *": "t",
    "select array(select a from u) from t": "u t",
    "select * from t where (a, b) = any (select c, d from u)": "t u",
    "(select 1) union (select * from t)": "t",
    # sets
    "select a from t union all select b from u except select c from v intersect select 1": "t u v",
    "from a union all by name from b": "a b",
    "select * from a union (with x as (from b) from x)": "a b",
    # CTEs
    "with a as (select 1) select * from a": "",
    "with a as (select * from t), b as (select * from a) select * from b join A on true": "t",
    "with a as (from b), b as (select 1) select * from a": "b",
    "with t as (select * from t) select * from t": "t",
    "with t as (select 1) select * from main.t": "t",
    "with recursive a(n) as (select 1 union all select n + 1 from a where n < 9) from a": "",
    "with recursive a as (select * from t union all select * from a) select * from a, u": "t u",
    "with a as not materialized (from t), b(x, y) as materialized (from u) from a, b": "t u",
    "with a as (with b as (from t) from b) select * from a, b": "t b",
    "select * from (with a as (from t) from a) x, a": "t a",
    "with a as (select 1) (select * from a)": "",
    'with "A b" as (from t) select * from "a B"': "t",
    "with a as (select 1) select * from t where x in (with a2 as (from a) from a2)": "t",
    # friendly SQL
    "FROM x": "x",
    "FROM x SELECT a, b": "x",
    "select * exclude (a) replace (b + 1 as b) from t": "t",
    "select a, count(*) from t group by all having true qualify row_number() over (order by a) = 1": "t",
    "from t order by all limit 10 offset 5": "t",
    "select total: a + b, * from t": "t",
    "select * from x: t join y: u using (k)": "t u",
    "select a from t using sample 10%": "t",
    "select a from t tablesample bernoulli(10%)": "t",
    "select [x + 1 for x in l if x > 1], {'a': b}.a, map {'k': v}, l[1:2] from t": "t",
    "select list_transform(l, lambda x: x + 1), list_filter(l, x -> x > 1) from t": "t",
    "select columns('a.*'), min(columns(* exclude (b))) from t": "t",
    "select #1, max(a) filter (where b), a::int[], a::struct(b int), t.* like 'a%' from t": "t",
    "select first_value(a ignore nulls) over (order by c rows unbounded preceding) from t": "t",
    "select sum(a) over w from t window w as (partition by b), w2 as (order by c)": "t",
    "select case when a then b else c end, date '2020-01-01', interval 1 day, 1e-5, .5 from t": "t",
    "from (summarize t)": "t",
    "select * from (describe t)": "t",
    "select * from (describe select * from t)": "t",
    "select * from (show tables)": "",
    # PIVOT
    "pivot cities on year using sum(population) group by country": "cities",
    "pivot cities on year, country using sum(population)": "cities",
    "pivot (select * from t join u using (k)) on y using sum(p)": "t u",
    "select * from (pivot c on y using sum(p)), d": "c d",
    "unpivot m on jan, feb into name month value sales": "m",
    "from m pivot (sum(x) for y in ('a', 'b') group by z)": "m",
    "from m unpivot (v for n in (a, b))": "m",
    "with p as (pivot c on y using sum(p)) select * from p, q": "c q",
    # functions and files are no relations
    "select * from read_parquet('a/*.parquet') r, t": "t",
    "select * from 'x.csv', \"y.parquet\"": "",
    "select * from generate_series(1, 10) g(i), unnest([1, 2]) u(x), range(5)": "",
    "select * from t, unnest(t.l) u(x), v": "t v",
    "select * from query_table('t'), query_table(['u', 'v'])": "t u v",
    "select * from my_macro((select max(a) from t))": "t",
    # names
    'select * from "Orders-2", main.orders, "main"."Raw", db.main.x, o.y': "Orders-2 orders Raw x o.y",
    "select * from information_schema.tables, pg_catalog.pg_class, t": "t",
    "select main.orders.id, o.b.c from main.orders o": "orders",
    "select * from größe, 🦆, a\xa0, b\u3000c": "größe 🦆 a b",
    "select $🦆$ from nothing $🦆$ from t": "t",
    "with 'x' as (select 1) from x, t": "t",
    # dbt
    "select * from {{ ref('a') }} join {{source('s', 't')}} using (id)": "a t",
    "select * from {{- ref(\"pkg\", 'a') -}} x": "a",
    "select * from ref('a') r, source('s', 't'), ref('pkg', 'b')": "a t b",
    "select ref('a') from t": "t",
}
ENGINE = duckdb.connect()
NOT_FOR_DUCKDB = ("{{", "ref(", "source(")
"""What is another program's grammar, or means something else to the engine."""


def parsed(sql: str) -> Any:
    """What DuckDB's own parser makes of a query."""
    return json.loads(ENGINE.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()[0])


def named(node: Any, scope: frozenset[str] = frozenset()) -> Iterator[str]:
    """The relations in such a tree that are no CTEs."""
    if isinstance(node, list):
        for each in node:
            yield from named(each, scope)
    elif isinstance(node, dict):
        if node.get("type") == "RECURSIVE_CTE_NODE":
            scope = scope | {node["cte_name"].casefold()}
        for cte in (node.get("cte_map") or {}).get("map", ()):
            yield from named(cte["value"], scope)
            scope = scope | {cte["key"].casefold()}
        if node.get("type") == "BASE_TABLE":
            path = node["qualified_name"]["path"]
            if len(path) > 1 or path[0].casefold() not in scope:
                yield ".".join(path)
        yield from (name for key, part in node.items() if key != "cte_map" for name in named(part, scope))


@pytest.mark.parametrize("sql", CORPUS)
def test_the_relations_of_a_query_are_found(sql: str) -> None:
    assert list(analyse(sql, "duckdb", "m.sql").reads) == CORPUS[sql].split()


@pytest.mark.parametrize("sql", [s for s in CORPUS if not any(word in s for word in NOT_FOR_DUCKDB)])
def test_the_engine_names_the_same_relations(sql: str) -> None:
    tree = parsed(sql)
    if tree["error"]:
        assert "Only SELECT statements" in tree["error_message"], (sql, tree)  # PIVOT is several statements
        assert "pivot" in sql
        return
    query = analyse(sql, "duckdb", "m.sql", database="db")
    found = [n.removeprefix("db.").removeprefix("main.") for n in named(tree)]
    told = {n.casefold() for n in found if not n.startswith(("information_schema", "pg_catalog"))}
    files = {name.casefold() for name in query.outside}
    if "query_table" not in sql and "show tables" not in sql:  # the binder's doing, not the parser's
        assert {n.casefold() for n in query.reads} == told - files


# ------------------------------------------------------------------------------- random queries

NAMES = ("a", "b", "c", "d")


@st.composite
def queries(draw: st.DrawFn, scope: frozenset[str] = frozenset(), depth: int = 3) -> tuple[str, set[str]]:
    """A query, and the relations that it reads: those that no CTE in sight hides."""
    reads: set[str] = set()
    prefix = ""
    if depth and draw(st.booleans()):
        ctes = []
        for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)):
            body, inner = draw(queries(scope=scope, depth=depth - 1))
            ctes.append(f"{name} as ({body})")
            reads |= inner
            scope = scope | {name}
        prefix = "with " + ", ".join(ctes) + " "
    items = []
    for number in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(("name", "name", "schema", "query", "joined") if depth else ("name",)))
        name = draw(st.sampled_from(NAMES))
        if kind == "query":
            body, inner = draw(queries(scope=scope, depth=depth - 1))
            reads |= inner
            items.append(f"({body}) q{number}")
        elif kind == "joined":
            items.append(f"({name} j{number} cross join main.{name} k{number})")
            reads.add(name)
        else:
            items.append(f"main.{name} t{number}" if kind == "schema" else f"{name} t{number}")
            reads |= set() if kind == "name" and name in scope else {name}
    joint = draw(st.sampled_from((", ", " cross join ", "\n  join lateral (select 1) on true cross join ")))
    clause = "from " + joint.join(items)
    where = ""
    if depth and draw(st.booleans()):
        body, inner = draw(queries(scope=scope, depth=depth - 1))
        reads |= inner
        where = f" where exists ({body}) or extract(year from date '2020-01-01') is distinct from 1"
    form = draw(st.sampled_from(("select {c} {f}{w}", "{f} select {c}{w}", "select [{c}] {f}{w}")))
    sql = form.format(c="1 /* from x */", f=clause, w=where)
    if depth and draw(st.booleans()):
        body, inner = draw(queries(scope=scope, depth=0))
        sql += f" union all ({body})"
        reads |= inner
    return prefix + sql, reads


@settings(max_examples=150, deadline=None)
@given(queries())
def test_scopes_are_kept_apart_however_they_are_nested(query: tuple[str, set[str]]) -> None:
    sql, reads = query
    assert set(analyse(sql, "duckdb", "m.sql").reads) == reads
    assert {name.removeprefix("main.") for name in named(parsed(sql))} == reads


def test_finding_relations_loads_no_parser() -> None:
    code = (
        "import sys, penstock; from penstock.models.sql import analyse;"
        "analyse('with a as (from b) from a pivot (sum(x) for y in (1))', 'duckdb', 'm');"
        "assert not {'sqlglot', 'duckdb'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
