"""What a source says of a table that it makes, as the slips of its files carry it.

A source that makes records (Python code, an API, another tool) knows more than the records show:
keys, write dispositions, the types that values had in memory. All of it travels with each file, so
that a later run, or a rebuild years on, reads the file as it was meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from penstock.schema.contract import Contract, Mode
from penstock.schema.definition import table_from_json, table_to_json
from penstock.schema.disposition import Disposition, Order, Scd2, Strategy, WriteMode
from penstock.schema.nesting import Nesting, NestingMode
from penstock.schema.table import Table
from penstock.schema.types import DataType, parse_type


@dataclass(frozen=True, slots=True)
class Hints:
    """What a source says of one table; None where it says nothing.

    `declared` has the columns, keys and description that were promised. `seen` are types that values
    had in memory and that their text does not show, such as instants; they are a floor under what
    is inferred, not a promise.
    """

    declared: Table
    seen: Mapping[str, DataType] = field(default_factory=dict)
    disposition: Disposition | None = None
    contract: Contract | None = None
    nesting: Nesting | None = None

    def __hash__(self) -> int:
        return hash((self.declared, self.disposition))


def hints_to_json(hints: Hints) -> str:
    """The JSON text of hints."""
    said: dict[str, Any] = {"declared": json.loads(table_to_json(hints.declared))}
    if hints.seen:
        said["seen"] = {name: str(kind) for name, kind in hints.seen.items()}
    for name in ("disposition", "contract", "nesting"):
        value = getattr(hints, name)
        if value is not None:
            said[name] = _plain(value)
    return json.dumps(said, ensure_ascii=False)


def hints_from_json(text: str) -> Hints:
    """The hints that `hints_to_json` wrote."""
    said = json.loads(text)
    return Hints(
        declared=table_from_json(json.dumps(said["declared"])),
        seen={name: parse_type(kind) for name, kind in said.get("seen", {}).items()},
        disposition=_disposition(said["disposition"]) if "disposition" in said else None,
        contract=Contract(**{k: Mode(v) for k, v in said["contract"].items()})
        if "contract" in said
        else None,
        nesting=_nesting(said["nesting"]) if "nesting" in said else None,
    )


def _plain(value: Any) -> Any:  # Any: a field of one of the values above
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "__dataclass_fields__"):
        return {
            f.name: _plain(getattr(value, f.name))
            for f in fields(value)
            if getattr(value, f.name) is not None
        }
    return value


def _disposition(said: Mapping[str, Any]) -> Disposition:
    readers: dict[str, Any] = {
        "mode": WriteMode,
        "dedup_order": Order,
        "strategy": Strategy,
        "scd2": _scd2,
        "at": datetime.fromisoformat,
    }
    values: dict[str, Any] = {
        k: readers[k](v) if k in readers else tuple(v) if isinstance(v, list) else v for k, v in said.items()
    }
    return Disposition(**values)


def _scd2(said: Mapping[str, Any]) -> Scd2:
    until = said.get("active_until")
    return Scd2(**{**said, "active_until": datetime.fromisoformat(until) if until else None})


def _nesting(said: Mapping[str, Any]) -> Nesting:
    return Nesting(NestingMode(said["mode"]), said.get("depth"))
