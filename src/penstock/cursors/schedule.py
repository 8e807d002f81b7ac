"""The interval that a scheduler asks for, as bounds of a cursor.

PENSTOCK_INTERVAL_START and PENSTOCK_INTERVAL_END come first, then the data interval of Airflow, if
this process is an Airflow task. Both are instants; without an offset they are in UTC.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from penstock.errors import ProjectError, RefusedError

START, END = "PENSTOCK_INTERVAL_START", "PENSTOCK_INTERVAL_END"


def interval(environ: Mapping[str, str]) -> tuple[datetime, datetime] | None:
    """The interval that is asked for, or None if nobody asks. Raises: ProjectError."""
    said = {name: environ[name] for name in (START, END) if environ.get(name)}
    if not said:
        return _airflow()
    if len(said) == 1:
        missing = END if START in said else START
        raise ProjectError(f"`{missing}` is not set, and `{next(iter(said))}` is", hint="set both or neither")
    start, end = (_instant(name, text) for name, text in said.items())
    if end < start:
        raise ProjectError(f"`{END}` is before `{START}`", found=f"{said[START]} to {said[END]}")
    return start, end


def convert(instant: datetime, kind: type | None, like: Any, where: str) -> Any:
    """An instant as a value of the cursor's type `kind`; `like` is a value to take the shape from.

    Units: numbers are seconds since 1970. Raises: RefusedError if there is no such value.
    """
    # Any: a cursor value has whatever type the user's rows have
    kind = kind or (type(like) if like is not None else None)
    if kind is None or kind is object:
        raise RefusedError(
            "the type of the cursor is not known, so the scheduler's interval cannot be a value of it",
            where=where,
            hint='say it, as in `ps.incremental[datetime]("updated_at")`, or give an `initial_value`',
        )
    if issubclass(kind, str):
        return _text(instant, like)
    if issubclass(kind, datetime):
        naive = isinstance(like, datetime) and like.tzinfo is None
        return instant.replace(tzinfo=None) if naive else instant
    if issubclass(kind, date):
        return instant.date()
    if issubclass(kind, bool) or not issubclass(kind, int | float | Decimal):
        raise RefusedError(
            f"a cursor of type `{kind.__qualname__}` cannot follow a scheduler's interval",
            where=where,
            expected="an instant, a date, seconds since 1970, or the ISO text of an instant or date",
            hint="leave `allow_external_schedulers` out",
        )
    return kind(instant.timestamp())


def _text(instant: datetime, like: Any) -> str:
    shape = like if isinstance(like, str) else ""
    if len(shape) == 10:
        return instant.date().isoformat()
    text = instant.isoformat(sep=" " if shape[10:11] == " " else "T")
    return text.removesuffix("+00:00") + "Z" if shape.endswith("Z") else text


def _instant(name: str, text: str) -> datetime:
    try:
        return _utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise ProjectError(
            f"`{name}` is no instant", found=repr(text), expected="ISO text, as 2026-01-04T00:00:00Z"
        ) from error


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _airflow() -> tuple[datetime, datetime] | None:
    if "airflow" not in sys.modules:
        return None
    for name in ("airflow.sdk", "airflow.operators.python"):
        try:
            context = importlib.import_module(name).get_current_context()
        except (ImportError, AttributeError):
            continue  # another version of Airflow keeps it in the other place
        except Exception:  # each version has its own error for "this is no task": nobody asks then
            return None
        bounds = [context.get(f"data_interval_{end}") for end in ("start", "end")]
        return (_utc(bounds[0]), _utc(bounds[1])) if all(bounds) else None
    return None
