"""What dbt leaves behind beside tables: how fresh its sources are, and its documentation. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from penstock.catalogue import Freshness

# Any throughout: JSON that another program wrote

_SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}


class FreshnessStatus(StrEnum):
    """What dbt says of a source: `error` is too old, `failed` is that nobody could tell."""

    PASS = "pass"  # noqa: S105  a word, not a password
    WARN = "warn"
    ERROR = "error"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SourceFreshness:
    """How old the newest row of a source is. Units: `age_s` seconds; instants in UTC."""

    source: str
    status: FreshnessStatus
    age_s: float | None = None
    loaded_at: datetime | None = None
    limits: Freshness | None = None
    message: str | None = None


def freshness_of(sources: Mapping[str, Any]) -> tuple[SourceFreshness, ...]:
    """What a `sources.json` says, by the name of the source and its table: `ingestion.orders`."""
    return tuple(_one(raw) for raw in sources.get("results") or ())


def _one(raw: Mapping[str, Any]) -> SourceFreshness:
    name = ".".join(str(raw["unique_id"]).split(".")[2:])
    said = str(raw.get("status"))
    if said not in ("pass", "warn", "error"):
        message = str(raw.get("error") or raw.get("message") or said).strip()
        return SourceFreshness(name, FreshnessStatus.FAILED, message=message)
    at = raw.get("max_loaded_at")
    return SourceFreshness(
        name,
        FreshnessStatus(said),
        age_s=_number(raw.get("max_loaded_at_time_ago_in_s")),
        loaded_at=datetime.fromisoformat(str(at).replace("Z", "+00:00")) if at else None,
        limits=limits_of(raw.get("criteria") or {}),
    )


def limits_of(criteria: Mapping[str, Any]) -> Freshness | None:
    """dbt's `error_after` and `warn_after`; None where there is no `error_after`."""
    fail, warn = _seconds(criteria.get("error_after")), _seconds(criteria.get("warn_after"))
    if fail is None and warn is None:
        return None
    return Freshness(fail if fail is not None else float("inf"), warn)


def _seconds(raw: Any) -> float | None:
    if not raw or raw.get("count") is None or raw.get("period") not in _SECONDS:
        return None
    return float(raw["count"]) * _SECONDS[raw["period"]]


def _number(value: Any) -> float | None:
    return float(value) if value is not None else None
