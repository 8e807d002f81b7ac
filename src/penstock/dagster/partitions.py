"""Days as partitions, where `meta: {dagster: {partitions: daily, start: 2026-01-01}}` asks for them.

What is asked for of Dagster reaches the source as an interval: cursors that follow a scheduler
(`allow_external_schedulers`) read it. A range of days is one run, over all of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from dagster import DailyPartitionsDefinition

from penstock.cursors.schedule import END, START
from penstock.dagster.meta import said
from penstock.errors import ProjectError, suggest

DAILY = "daily"


def partitions_of(meta: Mapping[str, Any], where: str) -> DailyPartitionsDefinition | None:
    """The days that an asset is parted into, or None. Raises: ProjectError for what is no day."""
    asked = said(meta, where)
    word, start = asked.get("partitions"), asked.get("start")
    if word is None:
        if start is not None:
            raise ProjectError(
                "`meta.dagster.start` is the first of the partitions, and there are none",
                where=where,
                hint="add `partitions: daily`, or leave `start` out",
            )
        return None
    if word != DAILY:
        raise ProjectError(
            "there are no such partitions",
            where=where,
            found=repr(word),
            expected=DAILY,
            hint=suggest(str(word), (DAILY,)),
        )
    return DailyPartitionsDefinition(start_date=_day(start, where))


def _day(start: object, where: str) -> datetime:
    try:
        day = start if isinstance(start, date) else date.fromisoformat(str(start))
    except ValueError:
        raise ProjectError(
            "`meta.dagster.start` is no day",
            where=where,
            found=repr(start),
            expected="the first day, such as 2026-01-01",
        ) from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@contextmanager
def interval(window: tuple[datetime, datetime] | None) -> Iterator[None]:
    """Ask sources for this window of time, for as long as the block lasts; None: for what is new.

    It goes through the variables of the process, as it would from any scheduler.
    """
    if window is None:
        yield
        return
    before = {name: os.environ.get(name) for name in (START, END)}
    os.environ[START], os.environ[END] = (moment.astimezone(UTC).isoformat() for moment in window)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
