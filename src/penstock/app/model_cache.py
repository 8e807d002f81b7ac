"""What was read of the files of models, kept between starts so that no file is taken apart twice.

A shortcut only: it goes by the digest of a file's text, and whatever does not look right in it is found out
anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import penstock.models
from penstock.app.writing import write_whole
from penstock.errors import StoreError
from penstock.version import __version__

# Any throughout: JSON, and words as a file holds them

_READERS = ("sql.py", "relations.py", "tokens.py")
_KINDS = {
    "words": dict,
    "sql": str,
    "reads": list,
    "digest": str,
    "tool": str,
    "outside": list,
    "imports": list,
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What is known of a model's file: its words, its query, and what it reads.

    `digest` changes with whatever decides the query's rows, `outside` is what else they depend on. `tool` is
    `sql` or `python`, or empty for a Python file without a model. `imports` are the modules that a Python
    file may import.
    """

    tool: str
    words: Mapping[str, Any] = field(default_factory=dict)
    sql: str = ""
    reads: tuple[str, ...] = ()
    digest: str = ""
    outside: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


class ModelCache:
    """What was taken from files, by the digest of their text, for one dialect of SQL."""

    def __init__(self, path: Path, dialect: str) -> None:
        self._path = path
        self._head = {"version": __version__, "readers": _readers(), "dialect": dialect}
        self._known = self._read()
        self._used: dict[str, dict[str, Any]] = {}

    def key(self, name: str, text: str) -> str:
        """What a file is known by: how its name ends, and its text."""
        return name.rpartition(".")[2] + hashlib.sha256(text.encode()).hexdigest()

    def get(self, key: str) -> Taken | None:
        """What is known of a file, or None."""
        said = self._known.get(key)
        if not isinstance(said, dict) or any(type(said.get(k)) is not kind for k, kind in _KINDS.items()):
            return None
        self._used[key] = said
        lists = {k: tuple(map(str, said[k])) for k in ("reads", "outside", "imports")}
        return Taken(tool=said["tool"], words=said["words"], sql=said["sql"], digest=said["digest"], **lists)

    def put(self, key: str, taken: Taken) -> None:
        """Remember what is known of a file."""
        self._used[key] = asdict(taken)
        self._known.pop(key, None)

    def keep(self) -> None:
        """Write what was used, whole or not at all; a project that cannot be written to has no shortcut."""
        if self._used.keys() == self._known.keys():
            return
        with suppress(StoreError):
            write_whole(self._path, json.dumps({**self._head, "models": self._used}))

    def _read(self) -> dict[str, Any]:
        try:
            said = json.loads(self._path.read_bytes())
        except (OSError, ValueError):  # none yet, or a torn one: every file is read anew
            return {}
        if not isinstance(said, dict) or any(said.get(k) != v for k, v in self._head.items()):
            return {}
        models = said.get("models")
        return models if isinstance(models, dict) else {}


def _readers() -> list[int]:
    """When the code was written that takes files apart: what it found before may not be what it finds now."""
    folder = Path(penstock.models.__file__).parent
    return [(folder / name).stat().st_mtime_ns for name in _READERS]
