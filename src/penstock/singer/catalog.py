"""A tap's catalog: streams with their schemas and metadata, read and written back with every key.

The document is kept as it came; what is here looks into it and makes changed copies. Taps of before the
metadata write `selected` and `inclusion` into the schemas and onto the streams, and are read so.
Source: the discovery mode of the Singer specification, and what the SDK and older taps make of it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from penstock.errors import ProjectError

# Any throughout: a catalog holds JSON schemas, and keys that nobody here knows.
Breadcrumb: TypeAlias = tuple[str, ...]
"""Where a property is: `("properties", "user", "properties", "name")`; empty for the stream."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of a catalog: `raw` is its entry, as the tap wrote it."""

    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        """What selections and states call it."""
        return str(self.raw.get("tap_stream_id") or self.raw.get("stream") or "")

    @property
    def name(self) -> str:
        """What its messages call it."""
        return str(self.raw.get("stream") or self.id)

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON schema of its records."""
        return _mapping(self.raw.get("schema"))

    @property
    def keys(self) -> tuple[str, ...]:
        """The properties that tell one record from another."""
        top = self.metadata().get((), {})
        for said in (
            self.raw.get("key_properties"),
            top.get("table-key-properties"),
            top.get("view-key-properties"),
        ):
            if isinstance(said, list) and said:
                return tuple(map(str, said))
        return ()

    def metadata(self) -> dict[Breadcrumb, Mapping[str, Any]]:
        """What is said of the stream and of each property."""
        found: dict[Breadcrumb, Mapping[str, Any]] = {}
        for entry in _list(self.raw.get("metadata")):
            if isinstance(entry, Mapping) and isinstance(entry.get("breadcrumb"), list | tuple):
                crumb = tuple(map(str, entry["breadcrumb"]))
                found[crumb] = {**found.get(crumb, {}), **_mapping(entry.get("metadata"))}
        return found

    def properties(self) -> Iterator[tuple[Breadcrumb, Mapping[str, Any]]]:
        """Every property at every depth with its schema, parents first."""
        yield from _below(self.schema, ())


@dataclass(frozen=True, slots=True)
class Catalog:
    """A catalog: `raw` is the document, as the tap wrote it."""

    raw: Mapping[str, Any]

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams, in order."""
        return tuple(Stream(s) for s in self.raw["streams"])

    def stream(self, id_: str) -> Stream | None:
        """The stream of that id, or None."""
        return next((s for s in self.streams if s.id == id_), None)

    def document(self) -> dict[str, Any]:
        """A copy of the document, to be changed or written."""
        return copy.deepcopy(dict(self.raw))


def parse(document: Any, who: str) -> Catalog:
    """The catalog in a JSON document; `who` gave it, for errors. Raises: ProjectError."""
    streams = document.get("streams") if isinstance(document, Mapping) else None
    if not isinstance(streams, list) or not all(isinstance(s, Mapping) for s in streams):
        found = "a JSON object without it" if isinstance(document, Mapping) else type(document).__name__
        raise ProjectError(
            "this is no catalog of a Singer tap", where=who, found=found, expected="`streams`, a list"
        )
    nameless = [s for s in streams if not Stream(s).id]
    if nameless:
        raise ProjectError(
            "a stream of the catalog has no name", where=who, expected="`tap_stream_id` or `stream`"
        )
    return Catalog(document)


def dotted(crumb: Breadcrumb) -> str:
    """A property as selections name it: `user.name`."""
    return ".".join(crumb[1::2])


def _below(schema: Mapping[str, Any], at: Breadcrumb) -> Iterator[tuple[Breadcrumb, Mapping[str, Any]]]:
    for name, said in _mapping(schema.get("properties")).items():
        crumb = (*at, "properties", str(name))
        yield crumb, _mapping(said)
        yield from _below(_mapping(said), crumb)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
