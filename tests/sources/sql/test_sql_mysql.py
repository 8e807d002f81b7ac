"""MySQL's protocol, spoken by a MariaDB where its server is installed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sql_bench import Bench, given, source

from servers.mariadb import PASSWORD, execute

Url = Callable[[], str]
# what is stored, and as which type and value it arrives
TYPES: dict[str, tuple[str, str, str, Any]] = {
    "big": ("bigint unsigned", "18446744073709551615", "UBIGINT", 18446744073709551615),
    "tiny": ("tinyint", "-128", "TINYINT", -128),
    "flag": ("tinyint(1)", "2", "TINYINT", 2),
    "small": ("smallint unsigned", "65535", "USMALLINT", 65535),
    "medium": ("mediumint", "-8388608", "INTEGER", -8388608),
    "money": ("decimal(38,10)", "1234567890123456789012345678.0123456789", "DECIMAL(38,10)",
              Decimal("1234567890123456789012345678.0123456789")),
    "wide": ("decimal(65,5)", "1.5", "VARCHAR", "1.50000"),
    "single": ("float", "0.1", "FLOAT", 0.10000000149011612),
    "wide_float": ("double", "0.1", "DOUBLE", 0.1),
    "bits": ("bit(10)", "b'1111111111'", "UBIGINT", 1023),
    "padded": ("char(5)", "'ab'", "VARCHAR", "ab"),
    "words": ("varchar(20)", r"'it''s \\ 50% €😀'", "VARCHAR", "it's \\\\ 50% €😀"),
    "bytes": ("varbinary(3)", "x'00ff'", "BLOB", b"\x00\xff"),
    "mood": ("enum('sad','ok')", "'ok'", "VARCHAR", "ok"),
    "several": ("set('x','y')", "'x,y'", "VARCHAR", "x,y"),
    "last_day": ("date", "'9999-12-31'", "DATE", date(9999, 12, 31)),
    "wall": ("datetime(6)", "'2024-01-01 10:00:00.123456'", "TIMESTAMP",
             datetime(2024, 1, 1, 10, 0, 0, 123456)),  # noqa: DTZ001 - it has no zone
    "instant": ("timestamp(6) NULL", "'2024-01-01 10:00:00.5'", "TIMESTAMP WITH TIME ZONE",
                datetime(2024, 1, 1, 10, 0, 0, 500000, UTC)),
    "span": ("time", "'-838:59:59'", "VARCHAR", "-838:59:59"),
    "year_of": ("year", "2024", "USMALLINT", 2024),
    "dot": ("geometry", "ST_GeomFromText('POINT(1 2)')", "VARCHAR", "POINT(1 2)"),
}  # fmt: skip


@pytest.fixture
def url(mariadb_url: Url) -> str:
    return mariadb_url()


@pytest.mark.parametrize("query", [False, True])
def test_every_type_arrives_exactly(bench: Bench, url: str, query: bool) -> None:
    columns = ", ".join(f"{name} {kind}" for name, (kind, *_) in TYPES.items())
    values = ", ".join(value for _, value, *_ in TYPES.values())
    execute(
        url,
        "SET time_zone = '+00:00'",
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
        f"CREATE TABLE odd (id int PRIMARY KEY AUTO_INCREMENT, {columns})",
        f"INSERT INTO odd ({', '.join(TYPES)}) VALUES ({values})",
        "INSERT INTO odd (id) VALUES (2)",
    )
    known = [name for name in TYPES if not (query and name == "dot")]
    said = {"odd": {"query": f"SELECT id, {', '.join(known)} FROM odd"} if query else {}}
    bench.loads(url, tables=said)
    kinds = bench.types("odd")
    assert {name: kinds[name] for name in known} == {name: TYPES[name][2] for name in known}
    [row, empty] = bench.sql(f"SELECT {', '.join(known)} FROM odd ORDER BY id")
    assert dict(zip(known, row, strict=True)) == {name: TYPES[name][3] for name in known}
    assert set(empty) == {None}


def test_zero_dates_are_refused_by_name_and_can_be_read_as_text(bench: Bench, url: str) -> None:
    execute(
        url,
        "SET sql_mode = ''",
        "CREATE TABLE t (d date, dt datetime)",
        "INSERT INTO t VALUES ('0000-00-00', '2024-02-30')",
    )
    assert "`t.d` holds what is no date" in bench.refuses(url)
    bench.loads(url, tables={"t": {"types": {"d": "text", "dt": "text"}}})
    assert bench.sql("SELECT d, dt FROM t") == [("0000-00-00", "0000-00-00 00:00:00")]


def test_keys_comments_views_and_globs(bench: Bench, url: str) -> None:
    execute(
        url,
        "CREATE TABLE a (x int, y int COMMENT 'why', PRIMARY KEY (y, x)) COMMENT 'of things'",
        "CREATE TABLE `odd ``name``` (`a b` int)",
        "CREATE VIEW v AS SELECT x FROM a",
        "CREATE TABLE w (p int, q int, FOREIGN KEY (q, p) REFERENCES a (y, x))",
    )
    blocks, _ = given(source(url, bench.root, tables=["*"], include_views=True))
    assert sorted(block.table for block in blocks) == ["a", "odd `name`", "v", "w"]
    hints = next(block.hints for block in blocks if block.table == "a")
    assert hints is not None
    assert (hints.declared.primary_key, hints.declared.description) == (("y", "x"), "of things")
    child = next(block.hints for block in blocks if block.table == "w")
    assert child is not None
    assert child.declared.extra["references"] == [
        {"columns": ["q", "p"], "referenced_table": "a", "referenced_columns": ["y", "x"]}
    ]
    assert [(c.name, c.nullable, c.description) for c in hints.declared.columns] == [
        ("x", False, None), ("y", False, "why"),
    ]  # fmt: skip


@pytest.mark.parametrize("cursor", ["n", "changed", "word"])
def test_a_cursor_reads_what_is_new(bench: Bench, url: str, cursor: str) -> None:
    """Text is compared by its bytes, not by the table's collation, for which `a` is `A`."""
    execute(
        url,
        "CREATE TABLE t (id int PRIMARY KEY, n decimal(9,2), changed timestamp(6) NULL, word varchar(9)) "
        "CHARSET latin1",
        "INSERT INTO t VALUES (1, 1.5, '2024-01-01', 'B'), (2, 2.5, '2024-01-02', 'a')",
    )
    made = source(url, bench.root, tables={"t": {"incremental": cursor}})
    blocks, checkpoints = given(made)
    assert [r["id"] for b in blocks for r in b.data.to_pylist()] == [1, 2]  # type: ignore[union-attr]
    execute(
        url,
        "INSERT INTO t VALUES (3, 2, '2024-01-01 12:00', 'C'), (4, 2.51, '2024-01-02 00:00:00.000001', 'a_')",
    )
    blocks, _ = given(made, checkpoints[-1].state)
    assert [r["id"] for b in blocks for r in b.data.to_pylist()] == [4]  # type: ignore[union-attr]


def test_a_read_goes_on_behind_the_last_checkpoint(bench: Bench, url: str) -> None:
    execute(
        url,
        "CREATE TABLE t (a varchar(9), b int, PRIMARY KEY (a, b))",
        "INSERT INTO t SELECT CONCAT('it''s ', seq % 7), seq FROM seq_1_to_1000",
    )
    made = source(url, bench.root, tables={"t": {"write": "append"}}, chunk_rows=100, checkpoint_rows=300)
    blocks, checkpoints = given(made)
    whole = [row for block in blocks for row in block.data.to_pylist()]  # type: ignore[union-attr]
    assert len(whole) == 1000
    again, _ = given(made, checkpoints[0].state)
    assert [row for block in again for row in block.data.to_pylist()] == whole[300:]  # type: ignore[union-attr]


def test_all_tables_are_read_at_one_instant(bench: Bench, url: str) -> None:
    execute(url, "CREATE TABLE a AS SELECT 1 AS id", "CREATE TABLE b AS SELECT 1 AS id")
    items = source(url, bench.root).produce(None)
    next(items)
    execute(url, "INSERT INTO b VALUES (2)")
    assert sum(len(item.data) for item in items if hasattr(item, "data")) == 1  # type: ignore[arg-type]


def test_what_goes_wrong_is_told(bench: Bench, url: str) -> None:
    execute(url, "CREATE TABLE t (id int)")
    assert "does not let us in" in bench.refuses(url.replace(PASSWORD, "s3cret-but-wrong"))
    assert "no such database" in bench.refuses(url.rpartition("/")[0] + "/nowhere")
    assert "the SQL of `t` names what is not there" in bench.refuses(url, tables={"t": {"where": "nope"}})
    assert "refuses to read `q`" in bench.refuses(url, tables={"q": {"query": "SELEC 1"}})
    port = url.partition("@")[2].partition(":")[2].partition("/")[0]
    assert "cannot be reached" in bench.refuses(url.replace(port, "1"), code=3)
