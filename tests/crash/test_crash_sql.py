"""SQL sources that are killed while they are read or loaded: no row lost, none twice, none read anew."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from crash_nursery import KILLED, Nursery

from servers.postgres import postgres as postgres
from servers.postgres import postgres_url as postgres_url

ROWS, CHUNK, CHECKPOINT = 400, 40, 90
TABLES = {
    "log": {"incremental": "n", "write": "append"},  # no key: rows are told apart by all of their values
    "items": {"write": "merge"},  # read whole, behind the key of the last row that was landed
    "visits": {"incremental": "seen_at"},  # merged by its key
    "rates": {},  # takes the place of what was there
}
SCHEMA = """
CREATE TABLE log (n integer, v text);
CREATE TABLE items (a integer NOT NULL, b text NOT NULL, v text, PRIMARY KEY (a, b));
CREATE TABLE visits (id integer PRIMARY KEY NOT NULL, seen_at integer NOT NULL, v text);
CREATE TABLE rates (id integer PRIMARY KEY NOT NULL, v text)
"""


@dataclass
class Shop:
    """A database that goes on changing, and a project that reads it."""

    folder: Path
    url: str
    clock: int = 0

    def do(self, statements: list[tuple[str, list[tuple[Any, ...]]]]) -> None:
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.folder / "shop.db")) as connection, connection:
                for sql, rows in statements:
                    connection.executemany(sql, rows)
            return
        with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
            for sql, rows in statements:
                cursor.executemany(sql.replace("?", "%s"), rows)  # type: ignore[arg-type]

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.folder / "shop.db")) as connection:
                return connection.execute(sql).fetchall()
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql).fetchall()  # type: ignore[arg-type]

    def make(self) -> Shop:
        source = {
            "type": "sql_database",
            "url": self.url,
            "tables": TABLES,
            "chunk_rows": CHUNK,
            "checkpoint_rows": CHECKPOINT,
        }
        project = {
            "name": "shop", "destination": "duckdb:///w.duckdb", "pipelines": {"p": {"source": source}}
        }  # fmt: skip
        (self.folder / "penstock.yml").write_text(json.dumps(project))
        self.do([(sql, [()]) for sql in SCHEMA.split(";\n")])
        self.grow(random.Random(0), ROWS)
        return self

    def grow(self, rng: random.Random, rows: int) -> None:
        """New rows in every table, some of them at the very value where a cursor stands; and changes."""
        first = self.clock
        self.clock += rows
        numbers = range(first, self.clock)
        self.do(
            [
                ("INSERT INTO log VALUES (?, ?)", [(n // 3, f"v{n}") for n in numbers]),
                ("INSERT INTO items VALUES (?, ?, ?)", [(n % 7, f"it's {n}", f"v{n}") for n in numbers]),
                ("INSERT INTO visits VALUES (?, ?, ?)", [(n, n // 2, f"v{n}") for n in numbers]),
                ("INSERT INTO rates VALUES (?, ?)", [(n, f"v{n}") for n in numbers]),
                (
                    "UPDATE visits SET v = ?, seen_at = ? WHERE id = ?",
                    [("again", self.clock // 2, rng.randrange(self.clock)) for _ in range(5)],
                ),
                ("UPDATE items SET v = ? WHERE a = ?", [(f"new{self.clock}", rng.randrange(7))]),
                ("DELETE FROM rates WHERE id = ?", [(rng.randrange(self.clock),)]),
            ]
        )

    # ------------------------------------------------------------------------------- the truth

    def check(self) -> None:
        with duckdb.connect(self.folder / "w.duckdb", read_only=True) as loaded:
            for table in TABLES:
                found = loaded.execute(f"SELECT * EXCLUDE _penstock_load_id FROM {table}").fetchall()
                assert sorted(found) == sorted(self.ask(f"SELECT * FROM {table}")), table
            [(state,)] = loaded.execute("SELECT state FROM _penstock_state").fetchall()
            twice = "SELECT count(*) - count(DISTINCT key) FROM _penstock_files WHERE outcome = 'loaded'"
            assert loaded.execute(twice).fetchall() == [(0,)]
        kept = json.loads(state)["tables"]
        assert kept.keys() == {"log", "visits"}, "a table that was read to its end has no position"
        [(n,)], [(at,)] = self.ask("SELECT max(n) FROM log"), self.ask("SELECT max(seen_at) FROM visits")
        assert (kept["log"]["cursor"]["last_value"], kept["visits"]["cursor"]["last_value"]) == (n, at)
        left = [p for p in (self.folder / "data/land").rglob("*") if p.is_file()]
        assert not [p for p in left if ".tmp" not in p.parts]  # what a kill left half-written is swept later

    def read(self, table: str) -> int:
        """How many rows of a table were ever landed."""
        with duckdb.connect(self.folder / "w.duckdb", read_only=True) as loaded:
            sql = f"SELECT coalesce(sum(rows), 0) FROM _penstock_files WHERE table_name = '{table}'"
            return int(loaded.execute(sql).fetchall()[0][0])


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest, place: Path) -> Shop:
    made = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    return Shop(place, made() if made else "sqlite:///shop.db").make()


def ran(nursery: Nursery, shop: Shop) -> None:
    ended = nursery.run(shop.folder, "run")
    assert ended.code == 0, ended.output


def test_kills_anywhere(nursery: Nursery, shop: Shop) -> None:
    rng = random.Random(shop.url.partition(":")[0])
    killed = 0
    for _ in range(3):
        for _ in range(rng.randrange(1, 4)):
            fault = ("--kill-at", str(rng.randrange(1, 160)), "--when", rng.choice(["before", "after"]))
            ended = nursery.run(shop.folder, "run", faults=fault)
            assert ended.code in (0, KILLED), ended.output
            killed += ended.code == KILLED
            if rng.random() < 0.5:
                shop.grow(rng, rng.randrange(1, 120))
        ran(nursery, shop)
        ran(nursery, shop)  # `items` may have changed behind where a killed run had come to
        shop.check()
    assert killed > 2


def test_a_killed_run_does_not_read_all_again(nursery: Nursery, shop: Shop) -> None:
    """Each run is killed when its source has given so much; the next one goes on behind that."""
    fault = ("--ports", "source", "--kill-at", "16")
    codes = []
    while not codes or codes[-1]:
        assert len(codes) < 10, "it never comes to its end"
        ended = nursery.run(shop.folder, "run", faults=fault)
        assert ended.code in (0, KILLED), ended.output
        codes.append(ended.code)
    assert len(codes) > 1
    shop.check()
    there = {table: shop.ask(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}
    assert {table: shop.read(table) for table in TABLES} == there
