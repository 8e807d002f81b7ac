"""Where the columns of models come from: a corpus with the answers, and DuckDB's own columns beside them."""

from __future__ import annotations

import time

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.models.lineage import Lineage, lineage
from penstock.models.model import Model

TABLES = {
    "orders": ["id", "customer_id", "amount", "status", "due"],
    "customers": ["id", "name", "country"],
    "lists": ["k", "xs"],
    "months": ["k", "jan", "feb"],
}


def model(name: str, sql: str, *reads: str) -> Model:
    return Model(name, f"models/{name}.sql", sql=sql, reads=reads)


def of(sql: str, **tables: list[str]) -> dict[str, str]:
    """The lineage of one query, as text: `table.column` with spaces between."""
    found = lineage([model("m", sql)], {**TABLES, **tables}, "duckdb")["m"]
    return {name: " ".join(f"{r}.{c}" for r, c in origins) for name, origins in found.items()}


ORDERS = {c: f"orders.{c}" for c in TABLES["orders"]}

CORPUS: dict[str, dict[str, str]] = {
    # stars
    "select * from orders": ORDERS,
    "from orders": ORDERS,
    "table orders": ORDERS,
    "select * exclude (status, due) replace (amount * 2 as amount) rename (id as order_id) from orders": {
        "order_id": "orders.id",
        "customer_id": "orders.customer_id",
        "amount": "orders.amount",
    },
    "select c.*, o.id as o from orders o join customers c on c.id = o.customer_id": {
        "id": "customers.id",
        "name": "customers.name",
        "country": "customers.country",
        "o": "orders.id",
    },
    "select * from orders o, customers c": ORDERS
    | {"id_1": "customers.id", "name": "customers.name", "country": "customers.country"},
    "select columns('.*id') from orders": {"id": "orders.id", "customer_id": "orders.customer_id"},
    "select columns(* exclude (xs)) from lists": {"k": "lists.k"},
    # expressions
    "select amount + 1 as a, upper(status) s, id::varchar as i, 1 as one, amount from orders": {
        "a": "orders.amount",
        "s": "orders.status",
        "i": "orders.id",
        "one": "",
        "amount": "orders.amount",
    },
    "select case when status = 'x' then amount else 0 end as v from orders where id > 1 order by due": {
        "v": "orders.amount orders.status"
    },
    "select amount * 2 as d, d + id as e from orders": {"d": "orders.amount", "e": "orders.amount orders.id"},
    "select doubled: amount * 2 from orders": {"doubled": "orders.amount"},
    "select (id), main.orders.due, orders.amount from main.orders": {
        "id": "orders.id",
        "due": "orders.due",
        "amount": "orders.amount",
    },
    "select STATUS, Orders.ID as x from ORDERS": {"STATUS": "orders.status", "x": "orders.id"},
    "select o from orders o": {"o": "orders.amount orders.customer_id orders.due orders.id orders.status"},
    "select count(*), count(*) as n from orders": {"count_star()": "", "n": ""},
    # aggregates and windows
    "select count(distinct name) as n, max(id) filter (where name <> '') as m from customers": {
        "n": "customers.name",
        "m": "customers.id customers.name",
    },
    "select sum(amount) over (partition by customer_id order by due) as s from orders": {
        "s": "orders.amount orders.customer_id orders.due"
    },
    "select sum(amount) over w as s from orders window w as (order by due)": {
        "s": "orders.amount orders.due"
    },
    "from orders select id qualify row_number() over (order by due) = 1": {"id": "orders.id"},
    # joins
    "select * from orders left join customers using (id)": ORDERS
    | {"name": "customers.name", "country": "customers.country"},
    "select id, name from orders right join customers using (id)": {
        "id": "customers.id",
        "name": "customers.name",
    },
    "select id from orders full join customers using (id)": {"id": "customers.id orders.id"},
    "select * from lists natural join months": {
        "k": "lists.k",
        "xs": "lists.xs",
        "jan": "months.jan",
        "feb": "months.feb",
    },
    "select * from orders semi join customers using (id)": ORDERS,
    "select b.* from orders a left join customers b using (id)": {
        c: f"customers.{c}" for c in TABLES["customers"]
    },
    "select x.name, y.jan from (customers x join months y on x.id = y.k)": {
        "name": "customers.name",
        "jan": "months.jan",
    },
    "select z from orders o, lateral (select o.amount + 1 as z)": {"z": "orders.amount"},
    # subqueries and CTEs
    "select i from (select id as i from orders) q": {"i": "orders.id"},
    "select * from (select id, due from orders) q(a)": {"a": "orders.id", "due": "orders.due"},
    "select (select max(amount) from orders o where o.customer_id = c.id) as m, name from customers c": {
        "m": "orders.amount",
        "name": "customers.name",
    },
    "select (select max(amount + c.id) from orders) as m from customers c": {
        "m": "customers.id orders.amount"
    },
    "select exists (from orders) as e, id in (select customer_id from orders) as i from customers": {
        "e": "",
        "i": "customers.id orders.customer_id",
    },
    "with a as (select id, amount as x from orders), b as (select *, x * id y from a) from b select y, x": {
        "y": "orders.amount orders.id",
        "x": "orders.amount",
    },
    "with a(p, q) as (select id, due from orders) select q from a": {"q": "orders.due"},
    "with orders as (select * from orders where id > 1) select id from orders": {"id": "orders.id"},
    "with a as (from orders) select n from (with a as (select name as n from customers) from a) a": {
        "n": "customers.name"
    },
    "with recursive t(n, p) as (select id, customer_id from orders union select p, n from t) from t": {
        "n": "orders.customer_id orders.id",
        "p": "orders.customer_id orders.id",
    },
    "with c as (select 1 as one) (select * from c)": {"one": ""},
    # sets
    "select id as a, due from orders union all select customer_id, due from orders": {
        "a": "orders.customer_id orders.id",
        "due": "orders.due",
    },
    "select id from orders union by name select name, id from customers": {
        "id": "customers.id orders.id",
        "name": "customers.name",
    },
    "select id from orders except select id from customers": {"id": "orders.id"},
    "select id from orders intersect select id from customers": {"id": "orders.id"},
    "(select id from orders) limit 3": {"id": "orders.id"},
    # lists, lambdas, functions
    "select list_transform(xs, x -> x + k) as a, [x + 1 for x in xs if x > k] as b, xs[1] as c from lists": {
        "a": "lists.k lists.xs",
        "b": "lists.k lists.xs",
        "c": "lists.xs",
    },
    "select list_filter(xs, lambda k: k > 1) as a from lists": {"a": "lists.xs"},
    "select u.e, k from lists, unnest(xs) u(e)": {"e": "lists.xs", "k": "lists.k"},
    "select unnest(xs) as x from lists": {"x": "lists.xs"},
    "select {'a': k, 'b': xs}.a as s from lists": {"s": "lists.k lists.xs"},
    "select * from (values (1, 2)) v(a, b)": {"a": "", "b": ""},
    "select id from query_table('orders')": {"id": "orders.id"},
    "select i from generate_series(1, 3) g(i)": {"i": ""},
    # PIVOT
    "unpivot months on jan, feb into name month value sales": {
        "k": "months.k",
        "month": "",
        "sales": "months.feb months.jan",
    },
    "from months unpivot (v for n in (jan, feb))": {"k": "months.k", "n": "", "v": "months.feb months.jan"},
    "from orders pivot (sum(amount) as s for status in ('a', 'b') group by customer_id)": {
        "customer_id": "orders.customer_id",
        "a_s": "orders.amount",
        "b_s": "orders.amount",
    },
    "select customer_id, a from (pivot orders on status using sum(amount) group by customer_id)": {
        "customer_id": "orders.customer_id",
        "a": "orders.amount",
    },
}


@pytest.fixture(scope="module")
def warehouse() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("SET lambda_syntax = 'ENABLE_SINGLE_ARROW'")
    con.execute("CREATE TABLE orders (id INT, customer_id INT, amount INT, status VARCHAR, due DATE)")
    con.execute("CREATE TABLE customers (id INT, name VARCHAR, country VARCHAR)")
    con.execute("CREATE TABLE lists (k INT, xs INT[])")
    con.execute("CREATE TABLE months (k INT, jan INT, feb INT)")
    con.execute("INSERT INTO orders VALUES (1, 1, 1, 'a', '2026-01-01'), (2, 1, 1, 'b', '2026-01-01')")
    return con


@pytest.mark.parametrize("sql", CORPUS)
def test_columns_come_from_there(sql: str) -> None:
    assert of(sql) == CORPUS[sql]


@pytest.mark.parametrize("sql", CORPUS)
def test_the_engine_gives_the_same_columns(sql: str, warehouse: duckdb.DuckDBPyConnection) -> None:
    names = warehouse.sql(sql).columns
    if sql == "select STATUS, Orders.ID as x from ORDERS":  # the engine spells it as the table does
        names = ["STATUS", "x"]
    if "o, customers c" in sql:
        names = list(CORPUS[sql])  # twice `id`: it tells them apart when it makes a table
    assert list(of(sql)) == names


# ------------------------------------------------------------------------------ several models


def lines(found: Lineage) -> dict[str, dict[str, str]]:
    return {m: {c: " ".join(map(".".join, o)) for c, o in cs.items()} for m, cs in found.items()}


def test_lineage_goes_one_step_and_stars_pass_through_models() -> None:
    models = [
        model("c", "select * exclude (b) from B", "B"),
        model("b", "select *, x + 1 as b from a", "a"),
        model("a", "select id as x, name as y from customers", "customers"),
    ]
    assert lines(lineage(models, TABLES, "duckdb")) == {
        "c": {"x": "b.x", "y": "b.y"},
        "b": {"x": "a.x", "y": "a.y", "b": "a.x"},
        "a": {"x": "customers.id", "y": "customers.name"},
    }
    assert list(lineage(models, TABLES, "duckdb")) == ["c", "b", "a"]


def test_what_is_not_known_is_said_as_far_as_it_goes() -> None:
    models = [
        model("a", "select * from nowhere"),
        model("b", "select x, q.y, x || q.y as z from a q", "a"),
        model("c", "select x, b.z from (select * from nowhere) p, b", "b"),
        model("d", "select u from a, nowhere", "a"),
    ]
    assert lines(lineage(models, {}, "duckdb")) == {
        "a": {},
        "b": {"x": "a.x", "y": "a.y", "z": "a.x a.y"},
        "c": {"x": "b.x", "z": "b.z"},
        "d": {"u": "a.u nowhere.u"},
    }


def test_columns_of_the_last_build_fill_what_a_star_leaves_open() -> None:
    models = [model("a", "select *, id + 1 as more from nowhere")]
    found = lines(lineage(models, {"A": ["id", "Name", "more"]}, "duckdb"))
    assert found == {"a": {"more": "nowhere.id", "id": "nowhere.id", "Name": "nowhere.Name"}}


def test_columns_without_a_name_have_the_engines() -> None:
    sql = "select id::int, amount + 1 from orders"
    found = lineage(
        [model("a", sql)], {**TABLES, "a": {"CAST(id AS INTEGER)": "", "(amount + 1)": ""}}, "duckdb"
    )
    assert lines(found) == {"a": {"CAST(id AS INTEGER)": "orders.id", "(amount + 1)": "orders.amount"}}


def test_a_column_that_nobody_told_of_is_its_relations_all_the_same() -> None:
    assert of("select o.new, new2 from orders o") == {"new": "orders.new", "new2": "orders.new2"}


def test_a_table_of_another_schema_is_no_other() -> None:
    assert of("select id from other.orders") == {"id": "orders.id"}
    assert of("select id from other.orders", **{"other.orders": ["id"]}) == {"id": "other.orders.id"}


@pytest.mark.parametrize("sql", ["select bad bad bad", "select (", "", "create table x (a int)", "🙂"])
def test_what_cannot_be_followed_has_no_columns(sql: str) -> None:
    models = [
        model("bad", sql),
        model("good", "select a from bad", "bad"),
        Model("py", "py.py", tool="python"),
    ]
    assert lines(lineage(models, TABLES, "duckdb")) == {"bad": {}, "good": {"a": "bad.a"}, "py": {}}


def test_models_in_a_circle_are_followed_as_far_as_it_goes() -> None:
    models = [model("a", "select x from b", "b"), model("b", "select x from a", "a")]
    assert lines(lineage(models, {}, "duckdb")) == {"a": {"x": "b.x"}, "b": {"x": "a.x"}}


def test_a_long_union_is_not_too_deep() -> None:
    sql = " union all ".join(["select id from orders", *["select id from customers"] * 150])
    assert of(sql) == {"id": "customers.id orders.id"}


# --------------------------------------------------------------------------------- random queries

COLUMNS = ("a", "b", "c")


@st.composite
def queries(draw: st.DrawFn, depth: int = 3) -> tuple[str, dict[str, set[tuple[str, str]]]]:
    """A query of columns `x0`, `x1`, … and what each is made of, known from how it was put together."""
    sources: list[tuple[str, dict[str, set[tuple[str, str]]]]] = []
    clauses = []
    for number in range(draw(st.integers(1, 2))):
        alias = f"s{number}"
        if depth and draw(st.booleans()):
            sql, shape = draw(queries(depth=depth - 1))
            clauses.append(f"({sql}) {alias}")
        else:
            table = draw(st.sampled_from(("t", "u")))
            shape = {c: {(table, c)} for c in COLUMNS}
            clauses.append(f"{table} {alias}")
        sources.append((alias, shape))
    items, made = [], {}
    for number in range(draw(st.integers(1, 3))):
        picks = draw(
            st.lists(st.sampled_from([(a, s, c) for a, s in sources for c in s]), min_size=1, max_size=2)
        )
        form = draw(st.sampled_from(("{}", "coalesce({}, 1)", "max({}) over ()", "case when {} then 1 end")))
        items.append(form.format(" + ".join(f"{a}.{c}" for a, _, c in picks)) + f" as x{number}")
        made[f"x{number}"] = {o for _, s, c in picks for o in s[c]}
    sql = f"select {', '.join(items)} from {', '.join(clauses)}"
    if draw(st.booleans()):
        sql = f"with w as ({sql}) select * from w"
    if depth and draw(st.booleans()):
        sql = f"{sql} union all select {', '.join(['null'] * len(made))}"
    return sql, made


@settings(max_examples=60, deadline=None)
@given(queries())
def test_origins_are_kept_however_queries_are_nested(
    query: tuple[str, dict[str, set[tuple[str, str]]]],
) -> None:
    sql, made = query
    found = lineage([model("m", sql)], {"t": COLUMNS, "u": COLUMNS}, "duckdb")["m"]
    assert {name: set(origins) for name, origins in found.items()} == made


@pytest.mark.slow
def test_five_hundred_models_of_twenty_columns_take_seconds() -> None:
    models = []
    for n in range(500):
        above = f"m{n - 50}" if n >= 50 else "raw"
        made = ", ".join(f"case when b.c{k} > 1 then b.c{k} else d.c{k} end as c{k}" for k in range(20))
        sql = f"with b as (select * from {above}), d as (from dim) select {made} from b join d on b.c0 = d.c0"
        models.append(model(f"m{n}", sql, above, "dim"))
    columns = {name: [f"c{k}" for k in range(20)] for name in ("raw", "dim")}
    began = time.process_time()
    found = lineage(models, columns, "duckdb")
    assert time.process_time() - began < 6
    assert found["m499"]["c7"] == (("dim", "c7"), ("m449", "c7"))
