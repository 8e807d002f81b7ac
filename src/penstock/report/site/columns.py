"""The columns of a table: what is promised of each, how it is stored, and what its values are like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.report.document import json_value
from penstock.report.site.entities import Entity
from penstock.report.site.facts import ColumnProfile, TableFacts
from penstock.report.site.privacy import SENSITIVE, reason
from penstock.schema.table import Column

# Any: JSON, and values of whatever type a column has
_MOST_VALUES = 12


def columns_of(entity: Entity, known: TableFacts, kept: Mapping[str, str]) -> list[dict[str, Any]]:
    """The columns as JSON, in the order of the warehouse, then those that are promised and not there yet.

    `kept` are the columns whose values are not told (`privacy.hidden` of one table).
    """
    promised = {c.name: c for node in entity.layers for c in node.table.columns}
    stored = {c.name: c for c in known.stored.columns} if known.stored else {}
    profiles = dict(known.profile.columns) if known.profile else {}
    names = dict.fromkeys([*stored, *promised])
    lower = {n.lower() for n in names}
    names |= dict.fromkeys(n for n in profiles if n.lower() not in lower)
    keys = entity.node.table.primary_key or (known.stored.primary_key if known.stored else ())
    found = []
    for name in names:
        column = promised.get(name) or stored.get(name)
        why = reason(kept, name)
        profile = profiles.get(name) or next(
            (p for n, p in profiles.items() if n.lower() == name.lower()), None
        )
        found.append(
            {
                "name": name,
                "type": _type(stored.get(name), promised.get(name)),
                "key": name in keys,
                "partition": name in entity.node.table.partitions,
                "absent": bool(stored) and name not in stored and name in promised,
                "description": (column.description if column else None)
                or (stored[name].description if name in stored else None),
                "hidden": why,
                "rules": _rules(column, secret=why == SENSITIVE) if column else [],
                "profile": profile and profile_of(profile, why),
            }
        )
    return found


def _type(stored: Column | None, promised: Column | None) -> str | None:
    """The type that the warehouse has, or else the one that is promised."""
    column = stored or promised
    return None if column is None or str(column.type) == "null" else str(column.type)


def _rules(column: Column, *, secret: bool) -> list[str]:
    """What the values must satisfy, in words."""
    found = [] if column.nullable else ["never null"]
    found += ["unique"] if column.unique else []
    if column.enum is not None:
        values = ", ".join(_shown(v) for v in column.enum[:_MOST_VALUES])
        more = f" and {len(column.enum) - _MOST_VALUES} more" if len(column.enum) > _MOST_VALUES else ""
        found.append(f"one of {len(column.enum)} values" if secret else f"one of {values}{more}")
    if column.pattern is not None:
        found.append(f"matches {column.pattern}")
    if not secret:
        found += [f"at least {_shown(column.minimum)}"] if column.minimum is not None else []
        found += [f"at most {_shown(column.maximum)}"] if column.maximum is not None else []
    if column.min_length is not None or column.max_length is not None:
        found.append(_length(column.min_length, column.max_length))
    if column.foreign_key is not None:
        found.append(f"is in {column.foreign_key.table}.{', '.join(column.foreign_key.columns)}")
    return found


def _length(low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return f"at most {high} characters" if low is None else f"at least {low} characters"
    return f"{low} to {high} characters"


def _shown(value: Any) -> str:
    return str(json_value(value))


def profile_of(profile: ColumnProfile, why: str | None) -> dict[str, Any]:
    """A profile as JSON; nothing but counts for a column whose values are not told."""
    counts: dict[str, Any] = {"count": profile.count, "nulls": profile.nulls, "distinct": profile.distinct}
    counts |= {"about": True} if profile.estimated else {}
    if why or profile.hidden:
        return counts
    return counts | {
        "low": profile.low,
        "high": profile.high,
        "mean": None if profile.mean is None else float(f"{profile.mean:.6g}"),
        "quantiles": profile.quantiles,
        "bins": profile.bins,
        "top": profile.top,
    }
