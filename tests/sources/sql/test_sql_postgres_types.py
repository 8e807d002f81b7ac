"""Every type of PostgreSQL, through the whole pipeline: what arrives is what the server prints."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sql_bench import Bench

from servers.postgres import Postgres

ROWS = 300
_RANGE = {"smallint": 15, "integer": 31, "bigint": 63}


def _number(rng: random.Random, whole: int, scale: int) -> str:
    digits = str(rng.randrange(10 ** rng.randrange(1, whole + 1)))
    cents = "".join(rng.choice("0123456789") for _ in range(scale))
    return f"{rng.choice(['', '-'])}{digits}{'.' if cents else ''}{cents}"


def _instant(rng: random.Random, last_year: int = 290_000) -> str:
    year = rng.choice([rng.randrange(1, 9999), rng.randrange(1900, 2100), rng.randrange(10_000, last_year)])
    clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
    return f"{year:04}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02} {clock}.{rng.randrange(10**6):06}"


def _text(rng: random.Random) -> str:
    return "".join(rng.choice("ab \"'\\,{}\n\tä€😀$%:;") for _ in range(rng.randrange(12)))


def _float(rng: random.Random, form: str) -> str:
    odd = rng.choice(["NaN", "Infinity", "-Infinity", "0", "-0", None, None, None, None, None])
    if odd:
        return odd
    value = struct.unpack(form, rng.randbytes(struct.calcsize(form)))[0]
    return repr(value) if value == value else "NaN"


def _fraction(rng: random.Random) -> str:
    return f"{rng.randrange(-9, 10)}.{rng.randrange(10**17):017}"


ZONED = "TIMESTAMP WITH TIME ZONE"
# the type, one of its values, what the destination makes of it, and how that is printed as the server does
Maker = Callable[[random.Random], str]
TYPES: dict[str, tuple[str, Maker, str]] = {
    **{
        name: (name, lambda r, bits=bits: str(r.randrange(-(2**bits), 2**bits)), kind)
        for (name, bits), kind in zip(_RANGE.items(), ("SMALLINT", "INTEGER", "BIGINT"), strict=True)
    },
    "cents": ("numeric(12,2)", lambda r: _number(r, 10, 2), "DECIMAL(12,2)"),
    "most_scaled": ("numeric(18,17)", _fraction, "DECIMAL(18,17)"),
    "long_number": ("numeric(38,10)", lambda r: _number(r, 28, 10), "DECIMAL(38,10)"),
    "any_number": ("numeric", lambda r: _number(r, 60, r.randrange(40)), "VARCHAR"),
    "odd_number": ("numeric", lambda r: r.choice(["NaN", "Infinity", "-Infinity", "1e-30"]), "VARCHAR"),
    "hundreds": ("numeric(5,-2)", lambda r: str(r.randrange(10**6)), "VARCHAR"),
    "wide_number": ("numeric(60,5)", lambda r: _number(r, 55, 5), "VARCHAR"),
    "real": ("real", lambda r: _float(r, "f"), "FLOAT"),
    "double": ("double precision", lambda r: _float(r, "d"), "DOUBLE"),
    "truth": ("boolean", lambda r: r.choice(["true", "false"]), "BOOLEAN"),
    "words": ("text", _text, "VARCHAR"),
    "short": ("varchar(12)", _text, "VARCHAR"),
    "bytes": ("bytea", lambda r: "\\x" + r.randbytes(r.randrange(9)).hex(), "BLOB"),
    "day": ("date", lambda r: _instant(r)[: -len(" 00:00:00.000000")], "DATE"),
    "moment": ("timestamp", _instant, "TIMESTAMP"),
    "instant": ("timestamptz", lambda r: f"{_instant(r)}{r.randrange(-12, 14):+03}", ZONED),
    "clock": ("time", lambda r: _instant(r)[-15:], "TIME"),
    "zoned_clock": ("timetz", lambda r: _instant(r)[-15:] + "+05:30", "VARCHAR"),
    "span": ("interval", lambda r: f"{r.randrange(99)} mons {_instant(r)[-15:]}", "VARCHAR"),
    "uuid": ("uuid", lambda r: str(UUID(int=r.getrandbits(128))), "UUID"),
    "doc": ("json", lambda r: f'{{"n": {r.randrange(99)}.10, "a":  [1,null]}}', "JSON"),
    "tidy_doc": ("jsonb", lambda r: f'{{"n": 1.10, "t": {r.randrange(99)}}}', "JSON"),
    "mood": ("mood", lambda r: r.choice(["sad", "ok", "it's"]), "VARCHAR"),
    "positive": ("positive", lambda r: str(r.randrange(1, 99)), "INTEGER"),
    "price": ("price", lambda r: _number(r, 8, 2).strip("-"), "DECIMAL(10,2)"),
    "host": ("inet", lambda r: f"10.0.{r.randrange(256)}.1/24", "VARCHAR"),
    "net": ("cidr", lambda r: f"10.{r.randrange(256)}.0.0/16", "VARCHAR"),
    "mac": ("macaddr", lambda r: f"08:00:2b:01:02:{r.randrange(16, 256):x}", "VARCHAR"),
    "bits": ("bit varying", lambda r: bin(r.randrange(1, 999))[2:], "VARCHAR"),
    "dollars": ("money", lambda r: str(r.randrange(9999)), "VARCHAR"),
    "dot": ("point", lambda r: f"({r.randrange(9)},{r.randrange(9)})", "VARCHAR"),
    "gap": ("int4range", lambda r: f"[1,{r.randrange(2, 9)})", "VARCHAR"),
    "pair": ("pair", lambda r: f"({r.randrange(9)},x)", "VARCHAR"),
    "terms": ("tsvector", lambda r: f"'a' 'b{r.randrange(9)}'", "VARCHAR"),
    "number_of": ("oid", lambda r: str(r.randrange(2**32)), "BIGINT"),
}  # fmt: skip
_SETUP = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS integer CHECK (value > 0);
CREATE DOMAIN price AS numeric(10,2);
"""


def _filled(url: str) -> None:
    rng = random.Random(20)
    columns = ", ".join(f'"{name}" {kind}' for name, (kind, _, _) in TYPES.items())
    with psycopg.connect(url) as connection:
        connection.execute(_SETUP)  # type: ignore[arg-type]
        connection.execute(f"CREATE TABLE odd (id int PRIMARY KEY, {columns})")  # type: ignore[arg-type]
        with connection.cursor().copy("COPY odd FROM STDIN") as copy:
            for number in range(ROWS):
                copy.write_row([number, *(_or_null(rng, make) for _, make, _ in TYPES.values())])


def _or_null(rng: random.Random, make: Maker) -> str | None:
    return None if rng.random() < 0.1 else make(rng)


def _printed(url: str) -> list[dict[str, Any]]:
    names = [f'"{n}"::text' if n != "bytes" else "encode(bytes, 'hex')" for n in TYPES]
    with psycopg.connect(url) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(f"SELECT {', '.join(names)} FROM odd ORDER BY id")  # type: ignore[arg-type]
        return [dict(zip(TYPES, row, strict=True)) for row in rows.fetchall()]


def test_every_type_arrives_as_the_server_prints_it(bench: Bench, postgres_url: Callable[[], str]) -> None:
    url = postgres_url()
    _filled(url)
    bench.loads(url)
    assert bench.types("odd") == {"id": "INTEGER"} | {name: kind for name, (_, _, kind) in TYPES.items()}
    names = ['hex("bytes")' if n == "bytes" else f'"{n}"::VARCHAR' for n in TYPES]
    arrived = bench.sql(f"SELECT {', '.join(names)} FROM odd ORDER BY id")
    wrong = []
    for number, (row, told) in enumerate(zip(arrived, _printed(url), strict=True)):
        for (name, (_, _, kind)), value in zip(TYPES.items(), row, strict=True):
            if not _same(kind, value, told[name]):
                wrong.append((number, name, value, told[name]))
    assert not wrong, f"{len(wrong)} of {ROWS * len(TYPES)}: {wrong[:5]}"


def _same(kind: str, arrived: str | None, told: str | None) -> bool:
    if arrived is None or told is None:
        return arrived is told
    if kind in ("FLOAT", "DOUBLE"):
        form = "f" if kind == "FLOAT" else "d"
        return struct.pack(form, float(arrived)) == struct.pack(form, float(told))
    return arrived.lower() == told if kind == "BLOB" else arrived == told


def test_lists_arrive_as_lists(bench: Bench, postgres: Any, postgres_url: Callable[[], str]) -> None:
    url = postgres_url()
    _do(url, """
        CREATE TABLE l (i int[], t text[], n numeric[], z timestamptz[], e double precision[]);
        INSERT INTO l VALUES
          ('{1,2,NULL}', '{a,"b c",NULL}', '{1.10,2}', '{2024-01-01 00:00:00+00}', '{NaN,1}'),
          ('{}', NULL, '{}', NULL, NULL)
    """)  # fmt: skip
    bench.loads(url)
    assert bench.types("l") == {
        "i": "INTEGER[]", "t": "VARCHAR[]", "n": "JSON", "z": "JSON", "e": "DOUBLE[]"
    }  # fmt: skip
    assert bench.sql("SELECT i, t, n, z FROM l ORDER BY len(i) DESC") == [
        ([1, 2, None], ["a", "b c", None], "[1.10, 2]", '["2024-01-01T00:00:00+00:00"]'),
        ([], None, "[]", None),
    ]


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("int[]", "'{{1,2},{3,4}}'", "several dimensions"),
        ("int[]", "'[5:6]={1,2}'", "not counted from 1"),
        ("date", "'infinity'", "infinite"),
        ("date", "'-infinity'", "infinite"),
        ("timestamp", "'infinity'", "infinite"),
        ("timestamptz", "'-infinity'", "infinite"),
        ("timestamp", "'294276-12-31'", "infinite"),
        ("time", "'24:00'", "24:00:00"),
        ("numeric(10,2)", "'NaN'", "NaN"),
        ("numeric(30,2)", "'NaN'", "no decimal(30,2)"),
    ],
)
def test_what_no_type_holds_is_refused_by_name_and_can_be_read_as_text(
    bench: Bench, postgres_url: Callable[[], str], kind: str, value: str, told: str
) -> None:
    url = postgres_url()
    _do(url, f"CREATE TABLE t (id int, odd {kind}); INSERT INTO t VALUES (1, NULL), (2, {value}::{kind})")
    error = bench.refuses(url)
    assert told in error
    assert "`odd`" in error
    assert "types: {odd: text}" in error
    bench.loads(url, tables={"t": {"types": {"odd": "text"}}})
    with psycopg.connect(url) as connection:
        printed = connection.execute("SELECT odd::text FROM t ORDER BY id").fetchall()
    assert bench.sql("SELECT odd FROM t ORDER BY id") == printed


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_text_of_other_encodings(bench: Bench, postgres: Postgres, encoding: str) -> None:
    name = f"in_{encoding.lower()}"
    postgres.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'")
    url = postgres.url(name)
    with psycopg.connect(url, client_encoding="UTF8") as connection:
        connection.execute("CREATE TABLE t (id int, w text)")
        connection.execute("INSERT INTO t VALUES (1, 'Zürich')")
    bench.loads(url)
    assert bench.sql("SELECT w FROM t") == [("Zürich",)]
    if encoding == "SQL_ASCII":
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO t VALUES (2, E'Z\\xfcrich')")
        assert "`t` holds text that is none" in bench.refuses(url)
        bench.loads(url, tables={"u": {"table": "t", "types": {"w": "binary"}, "where": "id = 2"}})
        assert bench.sql("SELECT w FROM u") == [(b"Z\xfcrich",)]


def test_types_can_be_chosen(bench: Bench, postgres_url: Callable[[], str]) -> None:
    url = postgres_url()
    _do(url, """
        CREATE TABLE t (id int, n numeric, grid int[], raw bytea);
        INSERT INTO t VALUES (1, 1.5, '{{1,2},{3,4}}', '\\x00ff'),
          (2, 12345678901234567890.123456, NULL, NULL)
    """)  # fmt: skip
    types = {"n": "decimal(38,6)", "grid": "list<list<int64>>", "raw": "binary"}
    bench.loads(url, tables={"t": {"types": types}})
    assert bench.types("t") == {"id": "INTEGER", "n": "DECIMAL(38,6)", "grid": "BIGINT[][]", "raw": "BLOB"}
    assert bench.sql("SELECT grid, raw, n::VARCHAR FROM t ORDER BY id") == [
        ([[1, 2], [3, 4]], b"\x00\xff", "1.500000"),
        (None, None, "12345678901234567890.123456"),
    ]
    error = bench.refuses(url, tables={"t": {"types": {"n": "decimal(20,2)"}, "columns": ["id", "n"]}})
    assert "`t.n` holds what is no decimal(20,2)" in error


def test_a_query_has_the_types_of_its_columns(bench: Bench, postgres_url: Callable[[], str]) -> None:
    url = postgres_url()
    _do(url, """
        CREATE TABLE t (id int, n numeric(12,2), free numeric, l text[], at timestamptz, o oid, j jsonb);
        INSERT INTO t VALUES (1, 1.5, 1.50, '{a}', '2024-01-01 00:00+00', 4294967295, '{"a": 1.10}')
    """)  # fmt: skip
    bench.loads(url, tables={"q": {"query": "SELECT *, n * 2 AS twice FROM t WHERE n > 1 -- all of them"}})
    assert bench.types("q") == {
        "id": "INTEGER", "n": "DECIMAL(12,2)", "free": "VARCHAR", "l": "VARCHAR[]",
        "at": "TIMESTAMP WITH TIME ZONE", "o": "BIGINT", "j": "JSON", "twice": "VARCHAR",
    }  # fmt: skip
    assert bench.sql("SELECT n::VARCHAR, free, l, o, j, twice FROM q") == [
        ("1.50", "1.50", ["a"], 4294967295, '{"a": 1.10}', "3.00")
    ]


def _do(url: str, sql: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(sql)  # type: ignore[arg-type]
