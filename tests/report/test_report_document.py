"""The JSON shapes: keys are a promise."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath

import pytest

from penstock.report.document import (
    json_value,
    plan_document,
    quarantine_document,
    rows_document,
    run_document,
    status_document,
)
from penstock.report.facts import PipelineStatus, PlanResult, QuarantinedRow, QuarantineEntry, RunResult
from penstock.schema.types import INT64, Struct


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (datetime(2026, 1, 31, 14, 0, tzinfo=timezone(timedelta(hours=1))), "2026-01-31T13:00:00Z"),
        (datetime(2026, 1, 31, 14, 0, 0, 5, UTC).replace(tzinfo=None), "2026-01-31T14:00:00.000005"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00Z"),
        (date(2026, 1, 31), "2026-01-31"),
        (time(1, 2), "01:02:00"),
        (Decimal("12.50"), "12.50"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (1.5, 1.5),
        (2**70, 2**70),
        (True, True),
        (None, None),
        (b"\xff", "/w=="),
        (Struct((("a", INT64),)), "struct<a: int64>"),
        (PurePosixPath("a/b"), "a/b"),
        ({"a": (1, frozenset({2}))}, {"a": [1, [2]]}),
    ],
)
def test_value(value: object, shown: object) -> None:
    assert json_value(value) == shown
    json.dumps(json_value(value), allow_nan=False)


def test_run(result: RunResult) -> None:
    document = json.loads(json.dumps(run_document(result)))
    assert list(document) == ["exit_code", "pipelines", "models", "needs_a_look"]
    assert document["exit_code"] == 1
    shop, money, quiet = document["pipelines"]
    assert list(shop) == [
        "pipeline", "status", "load_ids", "tables", "findings", "files_landed", "files_drained", "seconds",
        "error", "exit_code",
    ]  # fmt: skip
    assert [p["status"] for p in (shop, money, quiet)] == ["loaded", "refused", "nothing_new"]
    orders = shop["tables"][1]
    assert list(orders) == [
        "table", "files", "rows", "loaded", "dropped", "quarantined", "broken", "changes", "discarded",
        "part_of",
    ]  # fmt: skip
    assert orders["changes"][1] == {
        "kind": "wider_type", "table": "orders", "column": "amount", "before": "int64", "after": "float64",
    }  # fmt: skip
    assert shop["findings"][0]["finding"]["action"] == "allow"
    assert document["needs_a_look"][0] == {"what": "`money` was refused", "command": "penstock plan money"}


def test_plan(planned: PlanResult) -> None:
    document = json.loads(json.dumps(plan_document(planned)))
    assert list(document) == ["exit_code", "quick", "pipelines", "models", "needs_a_look"]
    shop = document["pipelines"][0]
    assert [step["step"] for step in shop["steps"]] == ["clear", "land", "judge", "keep", "load"]
    assert shop["steps"][1]["offer"]["origin"] == "raw_data/orders.jsonl"
    assert shop["tables"][0]["accepted"] == 2_970


def test_status(statuses: list[PipelineStatus]) -> None:
    document = json.loads(json.dumps(status_document(statuses)))
    assert document["pipelines"][0]["last_load"]["committed_at"] == "2026-01-31T13:30:05.250000Z"
    assert document["pipelines"][1]["last_load"] is None
    assert len(document["needs_a_look"]) == 3


def test_quarantine(entries: list[QuarantineEntry], rows: list[QuarantinedRow]) -> None:
    listed = json.loads(json.dumps(quarantine_document(entries)))["entries"]
    assert [entry["kept"] for entry in listed] == ["rows", "file", "rows"]
    shown = json.loads(json.dumps(rows_document(rows)))["rows"]
    assert shown[0]["broken"][0] == {"rule": "amount: type", "column": "amount", "value": "12,50"}
    assert shown[0]["raw"].endswith('\x1b[31mred"}')
