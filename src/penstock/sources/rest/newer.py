"""Which records of a table are new: its cursor, over records that stay the bytes that they are."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypedDict

import msgspec
from msgspec import Raw

from penstock.cursors.incremental import Incremental
from penstock.cursors.value import decode, decode_digests, encode_digests
from penstock.project.rest import RestIncrementalSpec
from penstock.schema.jsonpath import parse_path

# Any throughout: cursor values


class Newer:
    """The cursor of one table in one pass. `kept` is its state before the pass, `so_far` what an earlier
    part of the pass came to. `one_way` says that the records come in one sequence."""

    def __init__(
        self,
        table: str,
        spec: RestIncrementalSpec,
        primary_key: tuple[str, ...],
        kept: dict[str, Any],
        so_far: dict[str, Any] | None,
        *,
        one_way: bool,
    ) -> None:
        self._state = copy.deepcopy(kept)
        self._so_far = so_far
        words = {name: getattr(spec, name) for name in spec.model_fields_set}
        if not one_way:
            words.pop("row_order", None)
        incremental: Incremental[Any] = Incremental(**words)
        self._bound = incremental.bind(table, self._state, primary_key)
        self._ordered = incremental.row_order is not None
        key = tuple(spec.primary_key) if spec.primary_key is not None else primary_key
        self._decoder = _decoder(spec.cursor_path, key)
        self._func = incremental.last_value_func

    @property
    def values(self) -> dict[str, bytes | None]:
        """The values that a question may ask with, as JSON texts by their place."""
        start = self._bound.start_value
        found = {"start_value": start, "last_value": start, "end_value": self._bound.end_value}
        return {
            f"incremental.{name}": None if value is None else msgspec.json.encode(value)
            for name, value in found.items()
        }

    @property
    def stop(self) -> bool:
        """Whether nothing new can come any more."""
        return self._ordered and self._bound.stop

    def admit(self, records: list[Raw]) -> list[Raw]:
        """Those records that are new, in their order. Raises: RefusedError."""
        if not records:
            return records
        rows: Sequence[Any] = self._decoder.decode(b"[" + b",".join(records) + b"]")
        admitted = self._bound.apply(rows)
        if admitted is rows or len(admitted) == len(rows):
            return records
        chosen = {id(row) for row in admitted}
        return [raw for raw, row in zip(records, rows, strict=True) if id(row) in chosen]

    def finish(self) -> dict[str, Any]:
        """The cursor's state after what was read so far. Raises: RefusedError if it cannot be kept."""
        self._bound.finish()
        if self._so_far is None:
            return dict(self._state)
        return _later(self._func, self._so_far, self._state)


def _decoder(path: str, key: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Reads of each record what the cursor looks at: all of it, if nothing tells records apart."""
    name = parse_path(path).names
    if name is None or not key:
        return msgspec.json.Decoder(list[dict[str, Any]])
    wanted = dict.fromkeys((name[0], *key), Any)
    return msgspec.json.Decoder(list[TypedDict("Row", wanted, total=False)])  # type: ignore[misc,operator]


def _later(func: Any, one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The state that has come further; what both have seen, if they stand at one value."""
    if "last_value" not in other or "last_value" not in one:
        return dict(one if "last_value" in one else other)
    first, second = decode(one["last_value"]), decode(other["last_value"])
    if first == second:
        seen = decode_digests(one.get("seen", "")) | decode_digests(other.get("seen", ""))
        return {**other, "seen": encode_digests(seen)}
    return dict(one if func((first, second)) == first else other)
