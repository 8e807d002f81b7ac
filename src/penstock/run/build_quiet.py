"""Telling that no model needs to be built without opening anything.

As `run.quiet` does for a pipeline: a build that leaves nothing to do notes how everything looked. The note
is a shortcut only, and nothing that builds or decides reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from penstock.report.facts import ModelResult, ModelStatus

FORM = 1
"""Notes of another form are not read."""


@dataclass(frozen=True, slots=True)
class Look:
    """How everything looks: digests of the project, of the files of its models, and of the destination.

    `day` is today, in UTC.
    """

    project: str
    version: str
    files: str
    destination: str
    day: str


class BuildQuiet:
    """The note about the models of a project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "models.json"

    def holds(self, look: Look | None) -> tuple[ModelResult, ...] | None:
        """Every model as unchanged, if everything looks as it did when nothing was left to do; else None."""
        note = self._read()
        if note is None or look is None or note["look"] != asdict(look):
            return None
        return tuple(
            ModelResult(m["model"], ModelStatus.UNCHANGED, m["materialized"], m["tool"], m["why"])
            for m in note["models"]
        )

    def knows(self, project: str, files: str) -> bool:
        """Whether the note speaks of these digests of the project and of the files of its models."""
        note = self._read()
        return note is not None and (note["look"]["project"], note["look"]["files"]) == (project, files)

    def beside(self) -> list[str] | None:
        """The further files that models were read from when the note was made; None without one."""
        note = self._read()
        return None if note is None else list(note["beside"])

    def _read(self) -> dict[str, Any] | None:  # Any: JSON
        try:
            note = json.loads(self.path.read_text())
            return note if note["form"] == FORM else None
        except (OSError, ValueError, KeyError, TypeError):  # no note, or a torn one: look at the facts
            return None

    def note(self, look: Look | None, results: Sequence[ModelResult], beside: Sequence[str]) -> None:
        """Write down how everything looks, the models that there are, and the files beside theirs."""
        if look is None:
            return
        models = [
            {"model": r.model, "materialized": r.materialized, "tool": r.tool, "why": r.why} for r in results
        ]
        note = {"form": FORM, "look": asdict(look), "models": models, "beside": list(beside)}
        with suppress(OSError):  # a project that cannot be written to has no shortcut
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(note))

    def forget(self) -> None:
        """Remove the note."""
        with suppress(OSError):  # one that stays is still only believed if everything looks the same
            self.path.unlink(missing_ok=True)

    def move_others(self, before: str | None, after: str | None) -> None:
        """Have the notes of pipelines that speak of a destination as it was speak of it as it is.

        A build changes nothing that a pipeline goes by. Called with the lock held between the two looks.
        """
        if before is None or after is None or before == after:
            return
        for path in self.folder.glob("*.json"):
            with suppress(OSError, ValueError):  # a note that cannot be read is not believed either
                note: dict[str, Any] = json.loads(path.read_text())
                if note.get("destination") == before:
                    path.write_text(json.dumps({**note, "destination": after}))


def today(now: Callable[[], float]) -> date:
    """The day, in UTC."""
    return datetime.fromtimestamp(now(), UTC).date()


def files_digest(files: Mapping[str, bytes]) -> str:
    """A digest of files by name."""
    import hashlib

    digest = hashlib.sha256()
    for name in sorted(files):
        data = files[name]
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()
