"""Which streams and properties a tap is to give: Meltano's language of patterns, on a catalog.

A pattern is `stream.property`; `*` and `?` stand for characters, those between dots included, and `\\.`
for a dot in a name. `stream` alone is `stream.*`, and `a.b.c` takes `a` and `a.b` too. `!` excludes, and
every exclusion is applied after every inclusion: `!stream.*` leaves the stream out, `!stream.property`
only the property.
Source: Meltano's `select`, `select_filter`, `metadata` and `schema` extras, version 4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from penstock.errors import ProjectError
from penstock.singer.catalog import Breadcrumb, Catalog, Stream, dotted

# Any throughout: catalogs and what projects say of them.
EVERYTHING = "*.*"
_DOT = re.compile(r"(?<!\\)\.")


class Mark(StrEnum):
    """What becomes of a stream or property; automatic ones come with their stream whether asked or not."""

    SELECTED = "selected"
    AUTOMATIC = "automatic"
    EXCLUDED = "excluded"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern: which streams, and which of their properties by their dotted path (`*`: all)."""

    stream: str
    path: str
    negated: bool
    text: str

    @property
    def whole(self) -> bool:
        """Whether it says something of the stream itself."""
        return not self.negated or self.path == "*"

    def places(self) -> Iterator[str]:
        """The places that it names, with stars in them; of an inclusion those above them too."""
        names = _DOT.split(self.path)
        depths = (len(names),) if self.negated else range(1, len(names) + 1)
        return (_as_crumb(".".join(names[:depth])) for depth in depths)


@dataclass(frozen=True, slots=True)
class Listed:
    """A stream (`property` empty) or property of a catalog, and what becomes of it."""

    stream: str
    property: str
    mark: Mark


def parse_pattern(text: str) -> Pattern:
    """The pattern that a text is. Raises: ProjectError for one that names no stream."""
    negated = text.startswith("!")
    bare = text.removeprefix("!") if negated else text.removeprefix("\\") if text[:2] == "\\!" else text
    stream, *rest = _DOT.split(bare, maxsplit=1)
    path = rest[0] if rest else "*"
    if not stream or not path:
        raise ProjectError(
            "a selection names no stream",
            found=f"`{text}`",
            expected="`stream.property`, such as `releases.tag_name` or `*.*`",
        )
    return Pattern(stream.replace("\\.", "."), path, negated, text)


def select(
    catalog: Catalog,
    patterns: Sequence[str] = (EVERYTHING,),
    metadata: Mapping[str, Any] | None = None,
    schema: Mapping[str, Any] | None = None,
    select_filter: Sequence[str] = (),
) -> Catalog:
    """The catalog with its selection written into it, for taps new and old.

    `metadata` (`{stream: {key: value}}`, or a property with a mapping in place of the key) and `schema`
    (`{stream: {property: schema}}`) set what they say; a property that is not there is added.
    `select_filter` are streams, of which only those come that it lets pass.
    """
    asked = [parse_pattern(p) for p in patterns]
    document = catalog.document()
    for raw in document["streams"]:
        _override_schema(raw, schema or {})
        _complete(raw)
        for entry in raw["metadata"]:
            crumb = tuple(map(str, entry["breadcrumb"]))
            entry["metadata"] = _marked(raw, crumb, entry["metadata"], asked, select_filter)
            entry["metadata"].update(_said(raw, crumb, metadata or {}))
        top = next(e["metadata"] for e in raw["metadata"] if not e["breadcrumb"])
        raw["selected"] = bool(top.get("selected"))
        for key in ("replication-method", "replication-key"):
            if top.get(key) and key in _said(raw, (), metadata or {}):
                raw[key.replace("-", "_")] = top[key]
    return Catalog(document)


def chosen(catalog: Catalog, select_filter: Sequence[str]) -> Catalog:
    """The catalog with only those of its selected streams that a filter lets pass."""
    if not select_filter:
        return catalog
    document = catalog.document()
    for raw in document["streams"]:
        if not _passes(Stream(raw).id, select_filter):
            raw["selected"] = False
            for entry in raw.get("metadata") or ():
                if not entry["breadcrumb"]:
                    entry["metadata"]["selected"] = False
    return Catalog(document)


def listing(catalog: Catalog) -> tuple[Listed, ...]:
    """Every stream, and after it its properties, with what becomes of them."""
    found: list[Listed] = []
    for stream in catalog.streams:
        known = stream.metadata()
        top = _mark_of_stream(known.get((), {}), stream.raw)
        found.append(Listed(stream.id, "", top))
        marks: dict[Breadcrumb, Mark] = {(): top}
        for crumb, schema in stream.properties():
            own = _mark(known.get(crumb, {}), schema)
            above = marks[crumb[:-2]]
            if above in (Mark.EXCLUDED, Mark.UNSUPPORTED) and own is not Mark.UNSUPPORTED:
                own = Mark.EXCLUDED
            marks[crumb] = own
            found.append(Listed(stream.id, dotted(crumb), own))
    return tuple(found)


def is_selected(stream: Stream) -> bool:
    """Whether a tap is asked for any of a stream."""
    return _mark_of_stream(stream.metadata().get((), {}), stream.raw) in (Mark.SELECTED, Mark.AUTOMATIC)


# ------------------------------------------------------------------------------- one stream


def _complete(raw: dict[str, Any]) -> None:
    """Give every property its entry: automatic at the top, where older taps leave it to others."""
    entries = raw.get("metadata")
    if not isinstance(entries, list):
        entries = raw["metadata"] = []
    entries[:] = [e for e in entries if isinstance(e, dict) and isinstance(e.get("breadcrumb"), list)]
    for entry in entries:
        if not isinstance(entry.get("metadata"), dict):
            entry["metadata"] = {}
    known = {tuple(map(str, e["breadcrumb"])) for e in entries}
    if () not in known:
        entries.insert(0, {"breadcrumb": [], "metadata": {"inclusion": "automatic"}})
    for crumb, schema in Stream(raw).properties():
        if crumb not in known:
            said = schema.get("inclusion")
            inclusion = said if isinstance(said, str) else "automatic" if len(crumb) == 2 else "available"
            entries.append({"breadcrumb": list(crumb), "metadata": {"inclusion": inclusion}})


def _marked(
    raw: Mapping[str, Any],
    crumb: Breadcrumb,
    before: Mapping[str, Any],
    patterns: Sequence[Pattern],
    select_filter: Sequence[str],
) -> dict[str, Any]:
    """An entry's metadata with `selected` as the patterns say."""
    id_ = Stream(raw).id
    selected = False
    for pattern in sorted(patterns, key=lambda p: p.negated):
        if fnmatchcase(id_, pattern.stream) and _meets(crumb, pattern):
            selected = not pattern.negated
    if before.get("inclusion") == "unsupported" or (not crumb and not _passes(id_, select_filter)):
        selected = False
    return {**before, "selected": selected}


def _meets(crumb: Breadcrumb, pattern: Pattern) -> bool:
    if not crumb:
        return pattern.whole
    name = ".".join(crumb)
    return any(fnmatchcase(name, place) for place in pattern.places())


def _passes(stream: str, select_filter: Sequence[str]) -> bool:
    """Whether a filter of streams, some with `!`, lets a stream pass."""
    wanted = [p for p in select_filter if not p.startswith("!")]
    unwanted = [p.removeprefix("!") for p in select_filter if p.startswith("!")]
    inside = not wanted or any(fnmatchcase(stream, p) for p in wanted)
    return inside and not any(fnmatchcase(stream, p) for p in unwanted)


def _as_crumb(place: str) -> str:
    """`a.b` as `properties.a.properties.b`, which is what stars are matched against."""
    if place.startswith("properties."):
        return place
    return ".".join("properties." + name.replace("\\.", ".") for name in _DOT.split(place))


def _mark_of_stream(metadata: Mapping[str, Any], legacy: Mapping[str, Any]) -> Mark:
    """A stream that was deselected stays out, automatic or not."""
    found = _mark(metadata, legacy)
    out = metadata.get("selected", legacy.get("selected")) is False
    return Mark.EXCLUDED if found is Mark.AUTOMATIC and out else found


def _mark(metadata: Mapping[str, Any], legacy: Mapping[str, Any]) -> Mark:
    inclusion = metadata.get("inclusion", legacy.get("inclusion"))
    if inclusion == "unsupported":
        return Mark.UNSUPPORTED
    if inclusion == "automatic":
        return Mark.AUTOMATIC
    selected = metadata.get("selected", legacy.get("selected", metadata.get("selected-by-default")))
    return Mark.SELECTED if selected else Mark.EXCLUDED


# ------------------------------------------------------------------------- what projects set


def _said(raw: Mapping[str, Any], crumb: Breadcrumb, rules: Mapping[str, Any]) -> dict[str, Any]:
    """What `metadata` sets of a stream (`{stream: {key: value}}`) or property (one level more)."""
    id_, found = Stream(raw).id, dict[str, Any]()
    for pattern, said in rules.items():
        if not isinstance(said, Mapping) or not fnmatchcase(id_, str(pattern)):
            continue
        if not crumb:
            found.update({k: v for k, v in said.items() if not isinstance(v, Mapping)})
            continue
        for name, below in said.items():
            if isinstance(below, Mapping) and fnmatchcase(".".join(crumb), _as_crumb(str(name))):
                found.update(below)
    return found


def _override_schema(raw: dict[str, Any], rules: Mapping[str, Any]) -> None:
    """Lay `schema` (`{stream: {property: schema}}`) over a stream's own."""
    for pattern, properties in rules.items():
        if not isinstance(properties, Mapping) or not fnmatchcase(Stream(raw).id, str(pattern)):
            continue
        schema = raw.setdefault("schema", {})
        for name, said in properties.items():
            hits = [c for c, _ in Stream(raw).properties() if fnmatchcase(".".join(c), _as_crumb(str(name)))]
            for crumb in hits or _new(str(name)):
                _at(schema, crumb).update(json.loads(json.dumps(said)))


def _new(name: str) -> Iterable[Breadcrumb]:
    """Where a property is added that no stream had, unless its name is a pattern."""
    if any(mark in name for mark in "*?["):
        return ()
    names = (part.replace("\\.", ".") for part in _DOT.split(name))
    return (tuple(step for part in names for step in ("properties", part)),)


def _at(schema: dict[str, Any], crumb: Breadcrumb) -> dict[str, Any]:
    for step in crumb:
        below = schema.setdefault(step, {})
        assert isinstance(below, dict)
        schema = below
    return schema
