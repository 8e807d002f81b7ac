"""What dbt says of the freshness of sources."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from penstock.catalogue import Freshness
from penstock.dbt.artifacts import FreshnessStatus, SourceFreshness, freshness_of


def one(**said: Any) -> SourceFreshness:
    (found,) = freshness_of({"results": [{"unique_id": "source.shop.raw.orders", **said}]})
    return found


def test_a_source_that_is_old_enough_to_warn() -> None:
    found = one(
        status="warn",
        max_loaded_at="2026-01-02T03:04:05+00:00",
        max_loaded_at_time_ago_in_s=90_000.5,
        criteria={
            "warn_after": {"count": 12, "period": "hour"},
            "error_after": {"count": 2, "period": "day"},
        },
    )
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    limits = Freshness(172_800, 43_200)
    assert found == SourceFreshness("raw.orders", FreshnessStatus.WARN, 90_000.5, at, limits)


def test_one_limit_and_none() -> None:
    only_warn = one(
        status="pass", criteria={"warn_after": {"count": 30, "period": "minute"}, "error_after": {}}
    )
    assert only_warn.limits == Freshness(float("inf"), 1_800)
    assert one(status="error", criteria={"error_after": {"count": None, "period": None}}).limits is None


def test_a_question_that_failed() -> None:
    found = one(status="runtime error", error="Binder Error: no column `at`")
    assert (found.status, found.message) == (FreshnessStatus.FAILED, "Binder Error: no column `at`")
    assert freshness_of({}) == ()
