"""The state of a tap as a pipeline keeps it: the tap's own value, and the versions that tables hold.

The text that travels with landed files is `{"singer_state": …, "versions": {stream: [oldest, newest]}}`;
the first key is the one under which Meltano keeps a state, so that its exports can be read. The tap's
value is opaque.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from penstock.errors import ProjectError

# Any: a tap's state is whatever it likes.
KEY = "singer_state"
_EMPTY = (b"{}", b"null", b"[]", b'""')


@dataclass(frozen=True, slots=True)
class Versions:
    """The oldest and the newest version of a stream's records that a table holds."""

    oldest: int
    newest: int

    def with_records(self, version: int) -> Versions:
        """What it holds when records of a version come."""
        return Versions(min(self.oldest, version), max(self.newest, version))


UNKNOWN = Versions(-(2**62), -(2**62))
"""The versions of a table that may hold rows of which nothing is remembered: older than any other."""


@dataclass(frozen=True, slots=True)
class TapState:
    """A tap's state (JSON text, None if there is none), and the versions of each stream."""

    value: bytes | None = None
    versions: Mapping[str, Versions] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether the tap said nothing that it could go on from."""
        return self.value is None or self.value.strip() in _EMPTY

    def told(self, value: bytes) -> TapState:
        """The state after the tap said another one; an empty one never replaces one that is not."""
        said = replace(self, value=value)
        return self if said.is_empty and not self.is_empty else said

    def merged(self, partial: bytes) -> TapState:
        """The state after a part of a sync: what it says laid over what was there."""
        if self.is_empty:
            return replace(self, value=partial)
        assert self.value is not None
        before, after = msgspec.json.decode(self.value), msgspec.json.decode(partial)
        return self.told(json.dumps(merge(before, after), ensure_ascii=False).encode())


def merge(before: Any, after: Any) -> Any:
    """`after` laid over `before`: objects key by key, everything else replaced."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    return {**before, **{k: merge(before[k], v) if k in before else v for k, v in after.items()}}


def dump(state: TapState) -> str | None:
    """The JSON text of a state, None for one that says nothing."""
    if state.value is None and not state.versions:
        return None
    versions = {name: [v.oldest, v.newest] for name, v in state.versions.items()}
    parts = {KEY: msgspec.Raw(state.value if state.value is not None else b"null")}
    told: dict[str, Any] = {**parts, **({"versions": versions} if versions else {})}
    return msgspec.json.encode(told).decode()


class _Kept(msgspec.Struct):
    singer_state: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    versions: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)


def load(text: str | None) -> TapState:
    """The state that `dump` wrote, one that Meltano exported, or a tap's bare value.

    Raises: ProjectError for text that is no JSON object.
    """
    if text is None or not text.strip():
        return TapState()
    try:
        kept = msgspec.json.decode(text, type=_Kept)
        if kept.singer_state is msgspec.UNSET:
            bare = {} if kept.versions else msgspec.json.decode(text, type=dict[str, Any])
            return TapState(text.encode() if bare else None, _versions(kept))
    except msgspec.MsgspecError as error:
        raise ProjectError("a tap's state cannot be read", found=str(error)) from error
    value = bytes(kept.singer_state)
    return TapState(None if value == b"null" else value, _versions(kept))


def _versions(kept: _Kept) -> dict[str, Versions]:
    return {name: Versions(*pair) for name, pair in kept.versions.items()}
