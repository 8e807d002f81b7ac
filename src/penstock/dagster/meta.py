"""What `meta: {dagster: …}` asks of Dagster: when an asset is made by itself, and how old it may be.

    meta:
      dagster:
        automation_condition: on_schedule
        automation_condition_config: {cron_schedule: "@daily", cron_timezone: utc}
        freshness_lower_bound_delta_seconds: 108000
        kinds: [api]

A schedule fires at each of its ticks, whatever is upstream. Dagster's own `on_cron` waits for every asset
upstream to be updated first, and a source outside of Dagster never is: such an asset would never be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from dagster import AutomationCondition, FreshnessPolicy
from dagster._check import CheckError

from penstock.errors import ProjectError, suggest

# Any throughout: what a project says for other programs is looked at here first

KEY = "dagster"
_CONDITION, _CONFIG = "automation_condition", "automation_condition_config"
_FRESHNESS = "freshness_lower_bound_delta_seconds"
_DEADLINE = "freshness_cron"
_WORDS = (_CONDITION, _CONFIG, _FRESHNESS, _DEADLINE, "kinds", "partitions", "start", "sensor")
_ON_TICKS = ("on_schedule", "on_cron_no_deps", "on_cron")
_PLAIN = ("eager", "any_deps_updated", "on_missing", "missing_or_changed", "manual")


def said(meta: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """What a node's `meta` says for Dagster; `where` is what errors name.

    Raises: ProjectError for what is no mapping, and for a key that nothing here reads.
    """
    asked = meta.get(KEY) or {}
    if not isinstance(asked, Mapping):
        raise ProjectError(
            "`meta.dagster` is no mapping", where=where, found=repr(asked), expected=", ".join(_WORDS)
        )
    for word in asked:
        if word not in _WORDS:
            raise ProjectError(
                f"`meta.dagster.{word}` is not known",
                where=where,
                expected=", ".join(_WORDS),
                hint=suggest(str(word), _WORDS),
            )
    return asked


def automation_of(meta: Mapping[str, Any], where: str) -> AutomationCondition[Any] | None:
    """When the asset is made by itself; None: when somebody or a job asks for it.

    Raises: ProjectError for a condition that is not known, a schedule or a time zone that is none.
    """
    asked = said(meta, where)
    name = asked.get(_CONDITION)
    config = asked.get(_CONFIG) or {}
    if name is None or name == "manual":
        return None
    if name not in (*_ON_TICKS, *_PLAIN):
        raise ProjectError(
            f"`{name}` is no automation condition",
            where=where,
            expected=", ".join((*_ON_TICKS, *_PLAIN)),
            hint=suggest(str(name), (*_ON_TICKS, *_PLAIN)),
        )
    if not isinstance(config, Mapping):
        raise ProjectError(f"`{_CONFIG}` is no mapping", where=where, found=repr(config))
    if name == "eager":
        return AutomationCondition.eager()
    if name == "any_deps_updated":
        return _any_deps_updated()
    if name == "on_missing":
        return AutomationCondition.on_missing()
    if name == "missing_or_changed":
        return _missing_or_changed()
    return _on_ticks(name, config, where)


def freshness_of(meta: Mapping[str, Any], where: str) -> FreshnessPolicy | None:
    """How old the asset may be, at any time or at the ticks of `freshness_cron`; None: not said.

    Raises: ProjectError for what is no number of seconds, and no schedule for it.
    """
    asked = said(meta, where)
    seconds, deadline = asked.get(_FRESHNESS), asked.get(_DEADLINE)
    if seconds is None and deadline is None:
        return None
    try:
        window = timedelta(seconds=float(seconds or 0))
    except (TypeError, ValueError, OverflowError):
        window = timedelta()
    if window < timedelta(seconds=60):  # Dagster refuses less
        raise ProjectError(
            f"`{_FRESHNESS}` is no length of time",
            where=where,
            found=repr(seconds),
            expected="seconds, 60 or more, such as 108000",
        )
    if deadline is None:
        return FreshnessPolicy.time_window(fail_window=window)
    try:
        return FreshnessPolicy.cron(deadline_cron=str(deadline), lower_bound_delta=window)
    except CheckError as error:
        raise ProjectError(
            f"`{_DEADLINE}` is no schedule for `{_FRESHNESS}`",
            where=where,
            found=repr(deadline),
            expected="five cron fields in UTC, whose ticks are no closer than those seconds",
        ) from error


def kinds_of(meta: Mapping[str, Any], where: str) -> frozenset[str]:
    """The kinds that the asset is shown with, beside those that follow from what it is."""
    kinds = said(meta, where).get("kinds") or ()
    return frozenset([kinds] if isinstance(kinds, str) else map(str, kinds))


def _on_ticks(name: str, config: Mapping[str, Any], where: str) -> AutomationCondition[Any]:
    """At each tick, once: nothing is waited for, so a daemon that slept over a tick makes up for it."""
    cron = config.get("cron_schedule")
    zone = _zone(str(config.get("cron_timezone", "UTC")), where)
    try:
        ticked = AutomationCondition.cron_tick_passed(cron or "", zone)
    except CheckError as error:
        raise ProjectError(
            f"`{name}` needs a schedule" if cron is None else f"{cron!r} is not a schedule",
            where=where,
            expected='`automation_condition_config: {cron_schedule: "@daily"}`, or five cron fields',
        ) from error
    return (AutomationCondition.in_latest_time_window() & ticked).with_label(f"{name}({cron}, {zone})")


def _zone(name: str, where: str) -> str:
    """The time zone of that name, however its letters are written: `utc` is `UTC`."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = {zone.casefold(): zone for zone in available_timezones()}
    if name.casefold() not in known:
        raise ProjectError(
            f"{name!r} is no time zone",
            where=where,
            expected="a name such as UTC or Europe/London",
            hint=suggest(name, known.values()),
        )
    return known[name.casefold()]


def _missing_or_changed() -> AutomationCondition[Any]:
    """When it was never made, or its definition is another one."""
    new = AutomationCondition.code_version_changed() | AutomationCondition.newly_missing()
    once = new.since_last_handled() & ~AutomationCondition.in_progress()
    return (AutomationCondition.in_latest_time_window() & once).with_label("missing_or_changed")


def _any_deps_updated() -> AutomationCondition[Any]:
    """When anything upstream is new; unlike `eager`, whatever else of it was never made."""
    updated = AutomationCondition.any_deps_updated().since_last_handled()
    once = updated & ~AutomationCondition.any_deps_in_progress() & ~AutomationCondition.in_progress()
    return (AutomationCondition.in_latest_time_window() & once).with_label("any_deps_updated")
