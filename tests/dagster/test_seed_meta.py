"""What `meta: {dagster: …}` asks: conditions that fire, and mistakes that are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

dg = pytest.importorskip("dagster")

from penstock.dagster.meta import automation_of, freshness_of, kinds_of  # noqa: E402
from penstock.errors import ProjectError  # noqa: E402

SEED = {
    "dagster": {
        "automation_condition": "on_schedule",
        "automation_condition_config": {"cron_schedule": "@daily", "cron_timezone": "utc"},
        "freshness_lower_bound_delta_seconds": 108000,
    }
}


def requested(condition: Any, moments: list[datetime]) -> list[int]:
    """How many assets are asked for at each moment, below a source that never tells that it was updated."""

    @dg.asset(deps=[dg.AssetSpec("source")], automation_condition=condition)
    def landed() -> None: ...

    defs = dg.Definitions(assets=[landed, dg.AssetSpec("source")])
    instance, cursor, counts = dg.DagsterInstance.ephemeral(), None, []
    for moment in moments:
        result = dg.evaluate_automation_conditions(
            defs, instance, dg.AssetSelection.assets(landed), evaluation_time=moment, cursor=cursor
        )
        cursor = result.cursor
        counts.append(result.total_requested)
    return counts


def days(count: int) -> list[datetime]:
    return [datetime(2030, 1, 1, 23, 59, tzinfo=UTC) + timedelta(days=n, minutes=2 * n) for n in range(count)]


def test_each_tick_fires_below_an_external_source_even_if_nothing_was_looked_at_between_two_ticks() -> None:
    assert requested(automation_of(SEED, "here"), days(5)) == [0, 1, 1, 1, 1]


def test_dagsters_own_condition_is_the_trap_that_this_is_not() -> None:
    assert requested(dg.AutomationCondition.on_cron("@daily"), days(4)) == [0, 0, 0, 0]


def test_nothing_fires_between_two_ticks() -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    moments = [noon, noon + timedelta(hours=1), noon + timedelta(hours=13), noon + timedelta(hours=14)]
    assert requested(automation_of(SEED, "here"), moments) == [0, 0, 1, 0]


def test_the_time_zone_holds() -> None:
    config = {"cron_schedule": "0 9 * * *", "cron_timezone": "asia/tokyo"}
    meta = {"dagster": {"automation_condition": "on_cron", "automation_condition_config": config}}
    before = datetime(2030, 1, 1, 23, 59, tzinfo=UTC)  # nine in Tokyo is midnight UTC
    assert requested(automation_of(meta, "here"), [before, before + timedelta(minutes=2)]) == [0, 1]


def test_what_was_never_made_is_made_once() -> None:
    condition = automation_of({"dagster": {"automation_condition": "missing_or_changed"}}, "here")
    assert condition is not None
    assert condition.get_label() == "missing_or_changed"


@pytest.mark.parametrize("meta", [{}, {"dagster": None}, {"dagster": {"automation_condition": "manual"}}])
def test_what_is_not_asked_for_is_not_there(meta: dict[str, Any]) -> None:
    assert automation_of(meta, "here") is None
    assert freshness_of(meta, "here") is None
    assert kinds_of(meta, "here") == frozenset()


def test_thirty_hours() -> None:
    policy = freshness_of(SEED, "here")
    assert policy is not None
    assert policy == dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=30))


def test_kinds_are_one_or_many() -> None:
    assert kinds_of({"dagster": {"kinds": "api"}}, "here") == {"api"}
    assert kinds_of({"dagster": {"kinds": ["api", "json"]}}, "here") == {"api", "json"}


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ("daily", "no mapping"),
        ({"automation_conditions": "eager"}, "did you mean 'automation_condition'?"),
        ({"automation_condition": "on_shedule"}, "did you mean 'on_schedule'?"),
        ({"automation_condition": "on_schedule"}, "needs a schedule"),
        ({"automation_condition": "on_schedule", "automation_condition_config": "@daily"}, "no mapping"),
        (
            {
                "automation_condition": "on_schedule",
                "automation_condition_config": {"cron_schedule": "at noon"},
            },
            "'at noon' is not a schedule",
        ),
        (
            {
                "automation_condition": "on_schedule",
                "automation_condition_config": {"cron_schedule": "@daily", "cron_timezone": "Europe/Lundon"},
            },
            "did you mean 'Europe/London'?",
        ),
        ({"freshness_lower_bound_delta_seconds": "a day"}, "seconds, 60 or more"),
        ({"freshness_lower_bound_delta_seconds": 1}, "seconds, 60 or more"),
    ],
)
def test_mistakes_are_told_with_their_place(asked: Any, what: str) -> None:
    with pytest.raises(ProjectError) as told:
        automation_of({"dagster": asked}, "resource `a.b`")
        freshness_of({"dagster": asked}, "resource `a.b`")
    assert what in str(told.value)
    assert told.value.where == "resource `a.b`"
