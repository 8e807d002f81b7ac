"""What the YAML of a project says, kept between starts: reading it takes longer than all that follows.

A shortcut only: it goes by the digest of a text, and what does not look right in it is read anew.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from penstock.app.writing import write_whole
from penstock.errors import ProjectError, StoreError
from penstock.project.nodes import Node, frozen, read_yaml, thawed
from penstock.version import __version__

WORTH_BYTES = 32_000
"""Projects with less text than this are read as quickly as they are looked up."""
FORM = 1


class Trees:
    """The trees of texts by their digest, kept in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._head = f"{__version__} {FORM}"
        self._known: dict[str, Any] | None = None  # Any: trees as lists and mappings
        self._used: dict[str, Any] = {}
        self._size_bytes = 0

    def read(self, text: str, file: str) -> tuple[Node, list[ProjectError]]:
        """The tree of a text as that of a file, and what is wrong with it."""
        if self._known is None:
            self._known = self._load()
        self._size_bytes += len(text)
        key = hashlib.sha256(text.encode()).hexdigest()
        if key in self._known:
            with suppress(LookupError, TypeError, AttributeError):  # somebody else wrote there
                tree = thawed(self._known[key], file)
                self._used[key] = self._known[key]
                return tree, []
        tree, faults = read_yaml(text, file)
        if not faults:
            self._used[key] = frozen(tree)
        return tree, faults

    def keep(self) -> None:
        """Write what was used, if that is worth it; a project that cannot be written to has no shortcut."""
        if self._size_bytes < WORTH_BYTES or self._known is None or self._used.keys() == self._known.keys():
            return
        with suppress(StoreError, OverflowError):  # a number that the file cannot hold
            data = msgspec.msgpack.encode({"head": self._head, "trees": self._used})
            write_whole(self._path, data, private=True)

    def _load(self) -> dict[str, Any]:
        try:
            said = msgspec.msgpack.decode(self._path.read_bytes())
        except (OSError, msgspec.DecodeError):  # none yet, or a torn one
            return {}
        if not isinstance(said, dict) or said.get("head") != self._head:
            return {}
        trees = said.get("trees")
        return trees if isinstance(trees, dict) else {}
