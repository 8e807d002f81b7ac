"""Where the paths and URLs of a project lead, and which of them lie inside which."""

from __future__ import annotations

import posixpath
import re
from pathlib import PurePath
from urllib.parse import unquote

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def absolute(root: PurePath, place: str) -> str:
    """A folder or URL of the project as one that means the same everywhere, without a slash at its end.

    Paths are taken from the project's folder; `file://` URLs become paths.
    """
    scheme = _SCHEME.match(place)
    if scheme and scheme[1].lower() != "file":
        host, _, path = place[scheme.end() :].partition("/")
        inner = posixpath.normpath("/" + path).lstrip("/")
        return f"{scheme[1].lower()}://{host}/{inner}".rstrip("/")
    path = unquote(place[scheme.end() :]) if scheme else place
    return posixpath.normpath(posixpath.join(root.as_posix(), path))


def inside(inner: str, outer: str) -> bool:
    """Whether one absolute place is the other or lies below it."""
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def overlap(one: str, other: str) -> bool:
    """Whether two absolute places share files."""
    return inside(one, other) or inside(other, one)


def join(place: str, *parts: str) -> str:
    """A place below an absolute one."""
    return "/".join([place.rstrip("/"), *(p.strip("/") for p in parts if p.strip("/"))])


def fixed(glob: str) -> str:
    """The folders of a glob before its first wildcard."""
    parts = glob.split("/")[:-1]
    known = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[{")), len(parts))
    return "/".join(parts[:known])
