"""Facts as JSON documents: the keys are the names of the fields, the order is theirs.

Instants are ISO 8601 in UTC with a `Z`, types and changes their text form. What JSON numbers cannot
hold exactly or at all (decimals, NaN) is text.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time
from enum import Enum
from pathlib import PurePath
from typing import TypeAlias, get_args

from penstock.ledger import RunRecord
from penstock.plan import Step
from penstock.report.facts import (
    ModelStanding,
    PipelineStatus,
    PlanResult,
    QuarantinedRow,
    QuarantineEntry,
    RunResult,
)
from penstock.report.look import Look, plan_looks, run_looks, status_looks
from penstock.schema.types import DataType

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_TYPES = get_args(DataType)
_STEPS = get_args(Step)


def json_value(value: object) -> Json:
    """Any fact, or any value that a warehouse returns, as JSON."""
    if value is None or isinstance(value, bool | str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, _TYPES):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _record(value)
    if isinstance(value, Mapping):
        return {str(k): json_value(v) for k, v in value.items()}
    if isinstance(value, Sequence | frozenset) and not isinstance(value, bytes):
        return [json_value(v) for v in value]
    return _scalar(value)


def _record(value: object) -> dict[str, Json]:
    step: dict[str, Json] = {"step": type(value).__name__.lower()} if isinstance(value, _STEPS) else {}
    assert is_dataclass(value)
    return step | {f.name: json_value(getattr(value, f.name)) for f in fields(value) if f.repr}


def _scalar(value: object) -> str:
    if isinstance(value, datetime):
        return instant(value) if value.tzinfo else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.as_posix() if isinstance(value, PurePath) else str(value)


def instant(at: datetime) -> str:
    """`2026-01-31T13:30:05.123456Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def run_document(result: RunResult) -> dict[str, Json]:
    """A run. Shape: exit_code, pipelines, models, needs_a_look."""
    return {
        "exit_code": result.exit_code,
        "pipelines": json_value(result.pipelines),
        "models": json_value(result.models),
        "needs_a_look": _looks(run_looks(result)),
    }


def plan_document(result: PlanResult) -> dict[str, Json]:
    """A plan. Shape: exit_code, quick, pipelines, models, needs_a_look."""
    return {
        "exit_code": result.exit_code,
        "quick": result.quick,
        "pipelines": json_value(result.pipelines),
        "models": json_value(result.models),
        "needs_a_look": _looks(plan_looks(result)),
    }


def status_document(
    statuses: Sequence[PipelineStatus], models: Sequence[ModelStanding] = ()
) -> dict[str, Json]:
    """How pipelines and models stand. Shape: pipelines, models, needs_a_look."""
    return {
        "pipelines": json_value(statuses),
        "models": json_value(models),
        "needs_a_look": _looks(status_looks(statuses, models)),
    }


def last_document(runs: Sequence[RunRecord]) -> dict[str, Json]:
    """The last runs of pipelines. Shape: runs."""
    return {"runs": json_value(runs)}


def quarantine_document(entries: Sequence[QuarantineEntry]) -> dict[str, Json]:
    """What is set aside. Shape: entries."""
    return {"entries": json_value(entries)}


def rows_document(rows: Sequence[QuarantinedRow]) -> dict[str, Json]:
    """Quarantined rows. Shape: rows."""
    return {"rows": json_value(rows)}


def _looks(looks: Sequence[Look]) -> Json:
    return json_value(looks)
