"""The generator: same options, same bytes; exact shares of bad rows; files that go on."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import Outcome

from penstock.cli.recipe import Bad, Format, Recipe, latest, possible, read_shares
from penstock.cli.synthetic import COLUMNS, copy_sql, rows_sql
from penstock.errors import UsageError

Penstock = Callable[..., Outcome]
# fmt: off
COUNTRIES = {"US", "DE", "FR", "GB", "ES", "IT", "NL", "SE", "PL", "BR", "IN", "CN", "JP", "CA", "AU", "MX"}
TAGS = {"new", "vip", "promo", "gift", "return", "eu", "us", "mobile", "web", "churn"}
CITIES = {
    "Berlin", "Paris", "London", "Madrid", "Rome", "Utrecht", "Lund", "Krakow", "Recife", "Pune", "Xian",
    "Osaka", "Toronto", "Perth", "Puebla", "Austin",
}
# fmt: on


def read(path: Path) -> list[Any]:
    """The rows of a JSONL file; a line that does not parse is None."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        rows = []
        for line in lines:
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                rows.append(None)
        return rows


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_good(row: dict[str, Any]) -> bool:
    """Whether a row is as the generator's own description says, but for its id."""
    created, updated = (datetime.fromisoformat(row[name]) for name in ("created_at", "updated_at"))
    return (
        tuple(row) == COLUMNS
        and uuid.UUID(row["uuid"]).version == 4
        and re.fullmatch(r"[A-Z][a-z]+ [A-Z][a-z]+", row["name"]) is not None
        and re.fullmatch(r"[a-z]+\.[a-z]+\d+@example\.com", row["email"]) is not None
        and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["created_at"]) is not None
        and timedelta(0) <= updated - created < timedelta(seconds=10**6)
        and isinstance(row["amount"], float)
        and 1 <= row["amount"] <= 5000
        and 1 <= row["quantity"] <= 99
        and isinstance(row["is_active"], bool)
        and row["country"] in COUNTRIES
        and list(row["address"]) == ["street", "city", "postcode"]
        and re.fullmatch(r"\d+ [A-Z][a-z]+ St", row["address"]["street"]) is not None
        and row["address"]["city"] in CITIES
        and re.fullmatch(r"\d{5}", row["address"]["postcode"]) is not None
        and len(row["tags"]) == len(set(row["tags"])) <= 3
        and set(row["tags"]) <= TAGS
    )


def test_defaults(penstock: Penstock, tmp_path: Path) -> None:
    told = penstock("generate")
    assert (told.code, told.err) == (0, "")
    assert [path.name for path in (tmp_path / "raw_data").iterdir()] == ["synthetic_data_0.jsonl"]
    rows = read(tmp_path / "raw_data/synthetic_data_0.jsonl")
    assert [row["id"] for row in rows] == list(range(1, 1001))
    assert all(map(is_good, rows))
    assert 0.6 < sum(row["is_active"] for row in rows) / 1000 < 0.8
    assert {len(row["tags"]) for row in rows} == {0, 1, 2, 3}
    assert len({row["uuid"] for row in rows}) == 1000
    created = [datetime.fromisoformat(row["created_at"]) for row in rows]
    assert created[0].replace(microsecond=0).isoformat() == "2024-01-01T00:00:07+00:00"
    assert all(timedelta(seconds=6) < b - a < timedelta(seconds=8) for a, b in pairwise(created))
    assert "1,000 rows, all of them good" in told.out


def test_the_first_row_never_changes(penstock: Penstock, tmp_path: Path) -> None:
    penstock("generate", "--rows", "1")
    assert read(tmp_path / "raw_data/synthetic_data_0.jsonl") == [
        {
            "id": 1,
            "uuid": "29346855-1382-432d-8388-6ca50cccce94",
            "name": "Ana Brown",
            "email": "ana.brown1@example.com",
            "created_at": "2024-01-01T00:00:07.202479Z",
            "updated_at": "2024-01-12T06:06:01.202479Z",
            "amount": 1197.95,
            "quantity": 24,
            "is_active": True,
            "country": "ES",
            "address": {"street": "852 Brown St", "city": "Rome", "postcode": "64733"},
            "tags": ["us"],
        }
    ]


@pytest.mark.parametrize("file_format", list(Format))
def test_same_bytes_twice_and_for_any_number_of_threads(file_format: Format, tmp_path: Path) -> None:
    # enough rows for several batches, and for several row groups of parquet
    rows = {Format.PARQUET: 130_000, Format.JSONL: 50_000}.get(file_format, 5_000)
    recipe = Recipe(rows, 7, file_format, read_shares(["0.01"], file_format))
    digests = set()
    for run, threads in enumerate((1, 4)):
        with duckdb.connect(config={"threads": threads}) as connection:
            connection.execute(copy_sql(recipe, 3, 390_001, str(tmp_path / f"{run}")))
        digests.add(digest(tmp_path / f"{run}"))
    assert len(digests) == 1


def test_a_file_depends_on_its_number_alone(penstock: Penstock, tmp_path: Path) -> None:
    penstock("generate", "--files", "3", "--rows", "50", "--out", "three", "--bad", "10%")
    for _ in range(3):
        penstock("generate", "--new-data", "--rows", "50", "--out", "one_by_one", "--bad", "10%")
    names = [f"synthetic_data_{i}.jsonl" for i in range(3)]
    for name in names:
        assert digest(tmp_path / "three" / name) == digest(tmp_path / "one_by_one" / name)
    ids = [row["id"] for name in names for row in read(tmp_path / "three" / name) if row]
    assert max(ids) == 150
    penstock("generate", "--files", "3", "--rows", "50", "--out", "other", "--seed", "8")
    assert read(tmp_path / "other" / names[0])[0]["id"] == 1
    assert digest(tmp_path / "other" / names[0]) != digest(tmp_path / "three" / names[0])


@pytest.mark.parametrize("file_format", list(Format))
def test_new_data_goes_on_after_the_last_id(file_format: Format, penstock: Penstock, tmp_path: Path) -> None:
    penstock("generate", "--rows", "30", "--files", "2", "--format", file_format)
    told = json.loads(penstock("generate", "--new-data", "--rows", "7", "--json").out)
    assert told["format"] == file_format
    assert [(f["path"], f["first_id"], f["last_id"]) for f in told["files"]] == [
        (f"raw_data/synthetic_data_2.{file_format}", 61, 67)
    ]
    again = json.loads(penstock("generate", "--new-data", "--rows", "30", "--files", "2", "--json").out)
    assert [f["first_id"] for f in again["files"]] == [91, 121]


def test_a_file_with_the_same_bytes_is_left_alone(penstock: Penstock, tmp_path: Path) -> None:
    first = json.loads(penstock("generate", "--json").out)
    path = tmp_path / "raw_data/synthetic_data_0.jsonl"
    before = path.stat()
    second = json.loads(penstock("generate", "--json").out)
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [f["unchanged"] for f in first["files"] + second["files"]] == [False, True]


def test_a_file_with_other_bytes_is_not_written_over(penstock: Penstock, tmp_path: Path) -> None:
    penstock("generate")
    path = tmp_path / "raw_data/synthetic_data_0.jsonl"
    before = digest(path)
    told = penstock("generate", "--seed", "1")
    assert told.code == 1
    assert "--new-data" in told.err
    assert digest(path) == before
    assert penstock("generate", "--seed", "1", "--force").code == 0
    assert digest(path) != before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_nothing_half_written_is_left(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    told = penstock("generate", "--out", "file/below")
    assert told.code == 3
    assert told.err.startswith("error: the files could not be written\n  where: file/below\n")


def test_every_bad_row_is_bad_in_its_way_and_no_other(penstock: Penstock, tmp_path: Path) -> None:
    asked = {kind: 3 + n for n, kind in enumerate(Bad)}
    options = [f"--bad={kind}={number / 500}" for kind, number in asked.items()]
    told = json.loads(penstock("generate", "--rows", "500", "--files", "2", "--json", *options).out)
    assert told["bad"] == {kind: 2 * number for kind, number in asked.items()}
    for index in range(2):
        rows = read(tmp_path / f"raw_data/synthetic_data_{index}.jsonl")
        seen: Counter[str] = Counter()
        ids: set[int] = set()
        for row in rows:
            kinds = faults(row, ids)
            seen.update(kinds)
            assert is_good(row) if kinds in ([], [Bad.DUPLICATE]) else len(kinds) == 1
        assert seen == asked
        assert len(ids) == 500 - asked[Bad.DUPLICATE] - asked[Bad.MALFORMED]


def faults(row: dict[str, Any] | None, ids: set[int]) -> list[Bad]:
    if row is None:
        return [Bad.MALFORMED]
    checks = {
        Bad.TYPE: isinstance(row["amount"], str),
        Bad.NULL: row["name"] is None,
        Bad.ENUM: row["country"] == "ZZ",
        Bad.RANGE: row["quantity"] == -1,
        Bad.PATTERN: "@" not in row["email"],
        Bad.DUPLICATE: row["id"] in ids,
    }
    ids.add(row["id"])
    return [kind for kind, broken in checks.items() if broken]


def test_bad_rows_are_spread_over_all_kinds(penstock: Penstock) -> None:
    told = json.loads(penstock("generate", "--rows", "1000", "--bad", "1%", "--json").out)
    assert sum(told["bad"].values()) == 10
    assert set(told["bad"]) == set(Bad)


def test_csv_holds_the_same_rows(penstock: Penstock, tmp_path: Path) -> None:
    penstock("generate", "--rows", "40")
    penstock("generate", "--rows", "40", "--format", "csv")
    penstock("generate", "--rows", "40", "--format", "csv.gz")
    text = (tmp_path / "raw_data/synthetic_data_0.csv").read_text()
    assert gzip.decompress((tmp_path / "raw_data/synthetic_data_0.csv.gz").read_bytes()).decode() == text
    rows = [
        row
        | {
            name: json.loads(row[name])
            for name in ("id", "amount", "quantity", "is_active", "address", "tags")
        }
        for row in csv.DictReader(text.splitlines())
    ]
    assert rows == read(tmp_path / "raw_data/synthetic_data_0.jsonl")


def test_parquet_holds_the_same_rows(penstock: Penstock, tmp_path: Path) -> None:
    penstock("generate", "--rows", "40")
    penstock("generate", "--rows", "40", "--format", "parquet")
    table = pq.read_table(tmp_path / "raw_data/synthetic_data_0.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert types["created_at"] == types["updated_at"] == "timestamp[us, tz=UTC]"
    assert types["address"].startswith("struct<street: string")
    assert types["tags"].startswith("list<")
    rows = [
        row | {name: f"{row[name]:%Y-%m-%dT%H:%M:%S.%f}Z" for name in ("created_at", "updated_at")}
        for row in table.to_pylist()
    ]
    assert rows == read(tmp_path / "raw_data/synthetic_data_0.jsonl")


def test_bad_rows_in_other_formats(penstock: Penstock, tmp_path: Path) -> None:
    penstock("generate", "--rows", "100", "--format", "csv", "--bad", "malformed=0.05", "--bad", "null=0.1")
    with (tmp_path / "raw_data/synthetic_data_0.csv").open(newline="") as lines:
        rows = list(csv.reader(lines))[1:]
    assert Counter(map(len, rows)) == {12: 95, 4: 5}
    assert sum(row[2] == "" for row in rows) == 10
    penstock("generate", "--rows", "100", "--format", "parquet", "--bad", "20%")
    table = pq.read_table(tmp_path / "raw_data/synthetic_data_0.parquet")
    seen: set[int] = set()
    found = Counter(kind for row in table.to_pylist() for kind in faults(row, seen))
    assert found == dict.fromkeys(possible(Format.PARQUET), 4)


@given(
    rows=st.integers(1, 400),
    numbers=st.lists(st.integers(0, 60), min_size=7, max_size=7),
    index=st.integers(0, 5),
)
def test_counts_add_up(rows: int, numbers: list[int], index: int) -> None:
    shares = dict(zip(Bad, (Decimal(n) / 1000 for n in numbers), strict=True))
    recipe = Recipe(rows, 1, Format.JSONL, shares)
    try:
        counts = recipe.counts()
    except UsageError:
        assert sum(numbers) + numbers[-1] > 400
        return
    assert sum(counts.values()) == int(sum(shares.values()) * rows + Decimal("0.5"))
    assert all(abs(counts.get(kind, 0) - share * rows) < 1 for kind, share in shares.items())
    assert rows_sql(recipe, index, 1).count("'ZZ'") == (1 if counts.get(Bad.ENUM) else 0)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["nul=0.1"], "did you mean 'null'"),
        (["null=2"], "from 0 to 1"),
        (["null=nan"], "from 0 to 1"),
        (["-1"], "from 0 to 1"),
        (["lots"], "from 0 to 1"),
        (["null=0.1", "null=0.2"], "given twice"),
        (["0.1", "0.2"], "given twice"),
    ],
)
def test_wrong_shares(texts: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_shares(texts, Format.JSONL)
    assert said in str(caught.value)


def test_parquet_has_no_lines_to_cut() -> None:
    with pytest.raises(UsageError, match="cannot hold `malformed`"):
        read_shares(["malformed=0.1"], Format.PARQUET)
    assert set(read_shares(["0.5"], Format.PARQUET)) == set(possible(Format.PARQUET))


def test_a_share_for_the_rest() -> None:
    shares = read_shares(["6%", "null=0.5"], Format.JSONL)
    assert shares[Bad.NULL] == Decimal("0.5")
    assert sum(shares.values()) == Decimal("0.56")


def test_more_bad_rows_than_rows(penstock: Penstock) -> None:
    told = penstock("generate", "--rows", "10", "--bad", "duplicate=0.6")
    assert told.code == 2
    assert "at most 10 rows a file" in told.err
    assert penstock("generate", "--rows", "10", "--bad", "duplicate=0.5").code == 0


def test_the_last_file() -> None:
    assert latest(["synthetic_data_2.csv", "synthetic_data_10.jsonl.gz", "synthetic_data_11.txt", "x"]) == (
        10,
        Format.JSONL_GZ,
    )
    assert latest([]) is None


def test_summary(penstock: Penstock, same: Callable[[str, str], None]) -> None:
    penstock("generate", "--rows", "200")
    same("generate", penstock("generate", "--rows", "200", "--new-data", "--files", "2", "--bad", "10%").out)
