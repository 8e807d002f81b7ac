"""Facts that the summaries are drawn from, and the comparison with what they should look like."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.gate.verdict import Action, Broken, Finding
from penstock.ledger import LedgerLoad
from penstock.plan import Clear, Judge, Keep, Land, Load
from penstock.ports import Offer
from penstock.report.facts import (
    FileFinding,
    Kept,
    PipelineResult,
    PipelineStatus,
    PlannedPipeline,
    PlannedTable,
    PlanResult,
    QuarantinedRow,
    QuarantineEntry,
    RunResult,
    Status,
    TableResult,
    TableTotals,
)
from penstock.report.text import Line, plain
from penstock.schema.table import Change, ChangeKind
from penstock.schema.types import FLOAT64, INT64, TEXT, List

GOLDEN = Path(__file__).parent.parent / "golden" / "report"
KEY = "shop/orders/file_land_timestamp=1767225600/orders_1767225600.jsonl"
CHANGES = (
    Change(ChangeKind.NEW_COLUMN, "orders", "tags", None, List(TEXT)),
    Change(ChangeKind.WIDER_TYPE, "orders", "amount", INT64, FLOAT64),
)


@pytest.fixture
def same() -> Callable[[str, Iterable[Line]], None]:
    """Compare lines with a golden file; PENSTOCK_GOLDEN=write makes them the new truth."""

    def compare(name: str, lines: Iterable[Line]) -> None:
        text = "".join(plain(line) + "\n" for line in lines)
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("PENSTOCK_GOLDEN") == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert text == path.read_text()

    return compare


@pytest.fixture
def loaded() -> PipelineResult:
    return PipelineResult(
        "shop",
        Status.LOADED,
        ("load-1",),
        (
            TableResult("customers", 1, 20_000, 20_000),
            TableResult(
                "orders",
                3,
                1_000_000,
                989_990,
                10,
                10_000,
                {"amount: type": 4_000, "country: enum": 6_010, "no\x1bname": 1},
                CHANGES,
                {"note": 7},
            ),
        ),
        (FileFinding("orders", KEY, Finding("volume", Action.ALLOW, "twice as many rows as usual")),),
        files_landed=4,
        files_drained=1,
        seconds=75.4,
    )


@pytest.fixture
def refused() -> PipelineResult:
    return PipelineResult(
        "money", Status.REFUSED, seconds=0.31, error="`money.sum` is text\n  hint: mend it", exit_code=1
    )


@pytest.fixture
def idle() -> PipelineResult:
    return PipelineResult("quiet", Status.NOTHING_NEW, seconds=0.02)


@pytest.fixture
def planned() -> PlanResult:
    offer = Offer("orders", "raw_data/orders.jsonl", "orders.jsonl:1:2", "jsonl", 1_234_567, 1767225000.0)
    steps = (
        Clear("shop", "orders", KEY.replace("00.jsonl", "00_0.jsonl")),
        Land("shop", "orders", offer, KEY, 1767225600),
        Judge("shop", "orders", KEY, 1_234_567),
        Keep("shop", "orders", KEY),
        Load("shop", ("orders",), (KEY,)),
    )
    table = PlannedTable(
        "orders", 0, 2, 1, 1_234_567, 3_000, 2_970, 0, 30, {"country: enum": 30}, {}, CHANGES
    )
    return PlanResult(
        (
            PlannedPipeline("shop", steps, (table,)),
            PlannedPipeline("quiet"),
            PlannedPipeline("money", error="`money.sum` is text", exit_code=1),
        )
    )


@pytest.fixture
def statuses() -> list[PipelineStatus]:
    at = datetime(2026, 1, 31, 13, 30, 5, 250_000, UTC)
    load = LedgerLoad("load-1", "shop", at, at, "done", 4, 1_020_000, 1_009_990, 10, 10_000, "0.1.0")
    return [
        PipelineStatus(
            "shop",
            "duckdb:///warehouse.duckdb",
            load,
            (
                TableTotals("customers", 1, 20_000, 20_000),
                TableTotals("orders", 3, 1_000_000, 989_990, 10, 10_000, 1),
            ),
            waiting_files=2,
            waiting_bytes=2_500_000,
            on_offer=1,
            holder="penstock-7 on host a, since 13:31",
        ),
        PipelineStatus("quiet", "parquet:///curated", on_offer=0),
    ]


@pytest.fixture
def entries() -> list[QuarantineEntry]:
    return [
        QuarantineEntry(
            "shop", "orders", KEY, Kept.ROWS, 5_120, 1767225600, 30, {"country: enum": 20, "amount: type": 10}
        ),
        QuarantineEntry("shop", "orders", KEY + ".gz", Kept.FILE, 0, 1767225600, reason="zero bytes"),
        QuarantineEntry("shop", "orders", KEY, Kept.ROWS, 99, 1767225600, 1, replayed=True),
    ]


@pytest.fixture
def rows() -> list[QuarantinedRow]:
    broken = (Broken("amount: type", "amount", "12,50"), Broken("malformed", None, None))
    return [
        QuarantinedRow("orders", KEY, 1_842, broken, '{"id":1842,"amount":"12,50","note":"\x1b[31mred"}'),
        QuarantinedRow("orders", KEY, 2_000, broken[:1], '{"id":2000}'),
    ]


@pytest.fixture
def result(loaded: PipelineResult, refused: PipelineResult, idle: PipelineResult) -> RunResult:
    return RunResult((loaded, refused, idle))
