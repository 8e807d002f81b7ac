"""Real targets from the package index: target-jsonl, target-postgres, and what target-bigquery asks for."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal as Exact
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from penstock.destinations.singer_target.destination import SingerTargetDestination
from penstock.destinations.singer_target.target import Target, prepare
from penstock.errors import OutsideError
from penstock.ledger import LOAD_ID, Facts
from penstock.plugins.ask import about
from penstock.project.singer_target import SingerTargetSpec
from penstock.schema import types as t
from penstock.schema.disposition import WriteMode
from penstock.schema.types import Decimal, List
from penstock.testing.destination import APPEND, MERGE, REPLACE, batches, commit_of, file_of, table
from servers.postgres import postgres, postgres_url  # noqa: F401
from servers.resale import TABLE, fill
from singer_plugins import plugin_home, share  # noqa: F401

pytestmark = pytest.mark.slow
RESALE = table(
    "resale",
    id=t.INT64,
    month=t.DATE,
    town=t.TEXT,
    area=Decimal(12, 2),
    price=Decimal(38, 10),
    sold_at=t.TIMESTAMP_TZ,
    tags=List(t.TEXT),
)


def resale(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "id": number,
        "month": date(2024, 1, 1 + number % 28),
        "town": 'ANG MO KIO "x"' if number % 2 else None,
        "area": Exact(number) + Exact("0.25"),
        "price": Exact(f"12345678901234567{number:05}.0123456789"),
        "sold_at": datetime(2024, 1, 1, 0, 0, number % 60, 5, UTC),
        "tags": ["a", str(number)],
    }
    return row | changes


def load(destination: SingerTargetDestination, load_id: str, disposition: Any, rows: list[Any]) -> None:
    with destination.lock("p", "test"):
        transaction = destination.begin("p", load_id)
        try:
            transaction.shape(RESALE, disposition)
            transaction.write(RESALE, disposition, batches(RESALE, rows))
            file = file_of(load_id, f"k{load_id}", len(rows), table="resale")
            transaction.commit(commit_of(load_id, schemas=(RESALE,), files=(file,)))
        finally:
            transaction.rollback()


# ---------------------------------------------------------------------------------- target-jsonl


def test_a_project_runs_into_target_jsonl(tmp_path: Path, plugin_home: Path) -> None:  # noqa: F811
    share(plugin_home, tmp_path)
    (tmp_path / "in").mkdir()
    lines = [json.dumps({"id": i, "price": i + 0.25, "tags": [str(i)]}) for i in range(1000)]
    (tmp_path / "in/orders_1.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "penstock.yml").write_text(
        "name: shop\n"
        "destination: {type: singer_target, target: target-jsonl, config: {destination_path: output}}\n"
        "pipelines:\n"
        "  orders:\n"
        "    source: {type: filesystem, path: in, glob: '*.jsonl', min_age_s: 0}\n"
        "    tables:\n"
        "      orders:\n"
        "        columns: {price: 'decimal(20,4)'}\n"
    )
    for _ in range(2):  # the second time nothing is new, and nothing is sent twice
        subprocess.run([sys.executable, "-m", "penstock", "run"], cwd=tmp_path, check=True)
    written = (tmp_path / "output/orders.jsonl").read_text().splitlines()
    assert len(written) == 1000
    assert '"price": 7.2500' in written[7]
    assert [json.loads(line)["id"] for line in written] == list(range(1000))


# ------------------------------------------------------------------------------- target-postgres


@pytest.fixture
def warehouse(
    tmp_path: Path,
    plugin_home: Path,  # noqa: F811
    postgres_url: Callable[..., str],  # noqa: F811
) -> tuple[SingerTargetDestination, Callable[[str], list[tuple[Any, ...]]]]:
    """target-postgres on a fresh database, and a function that asks that database."""
    share(plugin_home, tmp_path)
    url = postgres_url()
    parts = urlsplit(url)
    (tmp_path / ".env").write_text(f"TARGET_POSTGRES_PASSWORD={parts.password}\n")
    config = {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username,
        "database": parts.path.lstrip("/"),
        "default_target_schema": "public",
    }
    spec = SingerTargetSpec(target="target-postgres", config=config)

    def ask(sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(url) as connection:
            return connection.execute(sql).fetchall()  # type: ignore[arg-type]

    return SingerTargetDestination(spec, tmp_path), ask


def test_target_postgres_appends_exactly(warehouse: Any) -> None:
    destination, ask = warehouse
    rows = [resale(i) for i in range(500)]
    load(destination, "L1", APPEND, rows)
    columns = "id, month, town, area, price, sold_at, tags"
    found = ask(f"SELECT {columns} FROM resale ORDER BY id")
    # the target's columns for instants have no zone; what is in them is UTC
    expected = [r | {"sold_at": r["sold_at"].replace(tzinfo=None)} for r in rows]
    assert [dict(zip(columns.split(", "), r, strict=True)) for r in found] == expected
    assert ask(f'SELECT DISTINCT "{LOAD_ID}" FROM resale') == [("L1",)]
    load(destination, "L2", APPEND, rows[:10])
    assert ask("SELECT count(*), count(DISTINCT id) FROM resale") == [(510, 500)]


def test_target_postgres_merges_by_key(warehouse: Any) -> None:
    destination, ask = warehouse
    load(destination, "L1", MERGE, [resale(i) for i in range(100)])
    load(destination, "L2", MERGE, [resale(i, town="NEW") for i in range(90, 120)])
    assert ask("SELECT count(*), count(DISTINCT id) FROM resale") == [(120, 120)]
    assert ask("SELECT count(*) FROM resale WHERE town = 'NEW'") == [(30,)]


def test_target_postgres_replaces(warehouse: Any) -> None:
    destination, ask = warehouse
    load(destination, "L1", REPLACE, [resale(i) for i in range(100)])
    time.sleep(0.002)
    load(destination, "L2", REPLACE, [resale(i) for i in range(7)])
    assert ask("SELECT count(*) FROM resale") == [(7,)]


def test_rows_sent_again_after_a_crash_are_there_once_if_merged(warehouse: Any) -> None:
    destination, ask = warehouse
    rows = [resale(i) for i in range(50)]
    load(destination, "L1", MERGE, rows)
    destination.path.unlink()  # as if the process had been killed before it could note the load
    load(destination, "L2", MERGE, rows)
    assert ask("SELECT count(*), count(DISTINCT id) FROM resale") == [(50, 50)]


def test_target_postgres_that_cannot_log_in(warehouse: Any, tmp_path: Path) -> None:
    destination, ask = warehouse
    (tmp_path / ".env").write_text("TARGET_POSTGRES_PASSWORD=wr0ng-s3cret\n")
    with pytest.raises(OutsideError) as caught:
        load(destination, "L1", APPEND, [resale(1)])
    assert "ended with exit code" in caught.value.what
    assert "password authentication failed" in str(caught.value)
    assert "wr0ng-s3cret" not in str(caught.value)
    assert destination.facts("p") == Facts()
    assert ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_the_other_variant_of_target_postgres(warehouse: Any, tmp_path: Path) -> None:
    """A target that hands back only what it has of `bookmarks` while it goes on."""
    ours, ask = warehouse
    told = ours._spec.config
    config = {k: told[k] for k in ("host", "port", "user", "default_target_schema")}
    config |= {"dbname": told["database"], "primary_key_required": False, "batch_size_rows": 100}
    spec = SingerTargetSpec(
        target="target-postgres", variant="transferwise", config=config, path="other.duckdb"
    )
    destination = SingerTargetDestination(spec, tmp_path)
    load(destination, "L1", MERGE, [resale(i) for i in range(250)])
    load(destination, "L2", MERGE, [resale(i, town="NEW") for i in range(240, 260)])
    assert ask("SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE town = 'NEW') FROM resale") == [
        (260, 260, 20)
    ]


def test_from_a_tap_to_a_target(
    warehouse: Any,
    tmp_path: Path,
    postgres_url: Callable[..., str],  # noqa: F811
) -> None:
    """tap-postgres to target-postgres, with everything of ours in between; the second run brings the news."""
    destination, ask = warehouse
    url = postgres_url()
    parts, config = urlsplit(url), destination._spec.config
    tap = {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username,
        "password": parts.password,
        "database": parts.path.lstrip("/"),
        "filter_schemas": ["public"],
    }
    source = {"type": "singer", "tap": "tap-postgres", "config": tap, "names": {f"public-{TABLE}": "resale"}}
    metadata = {f"public-{TABLE}": {"replication-method": "INCREMENTAL", "replication-key": "id"}}
    project = {
        "name": "p",
        "destination": {"type": "singer_target", "target": "target-postgres", "config": config},
        "pipelines": {
            "homes": {
                "source": source | {"metadata": metadata},
                "tables": {"resale": {"write": "merge", "primary_key": "id"}},
            }
        },
    }
    (tmp_path / "penstock.yml").write_text(json.dumps(project))
    command = [sys.executable, "-m", "penstock", "run"]
    columns = "id, month, town, floor_area_sqm, resale_price"
    for first, last in ((1, 300), (301, 350)):
        fill(url, last + 1 - first, first)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        with psycopg.connect(url) as connection:
            expected = connection.execute(f"SELECT {columns} FROM {TABLE} ORDER BY id").fetchall()  # type: ignore[arg-type]
        assert len(expected) == last
        assert ask(f"SELECT {columns} FROM resale ORDER BY id") == expected


# ------------------------------------------------------------------------------- target-bigquery


def test_options_of_target_bigquery_pass_through(tmp_path: Path, plugin_home: Path) -> None:  # noqa: F811
    share(plugin_home, tmp_path)
    config = {
        "project": "mine",
        "dataset": "ingestion",
        "credentials_path": "/keys/one.json",
        "method": "batch_job",
        "denormalized": "true",
        "flattening_enabled": True,
        "flattening_max_depth": "1",
        "upsert": True,
    }
    target: Target = prepare(SingerTargetSpec(target="target-bigquery", config=config), tmp_path)
    said = about(target.installed)
    assert said is not None, "it cannot be started: pkg_resources is missing from its environment"
    declared = set(said["settings"]["properties"])
    assert set(config) <= declared
    assert {k: target.config[k] for k in config} == config | {"denormalized": True, "flattening_max_depth": 1}
    assert target.writes == {WriteMode.APPEND, WriteMode.MERGE}
