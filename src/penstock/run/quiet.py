"""Telling that nothing is new without opening anything.

A run that ends with nothing left to do leaves a note of how everything looked: the project, the
destination, the source and the layers. If all of it looks the same at the next run, there is
nothing to do. The note is a shortcut only: without it, or when anything differs, the run looks at
the facts. Nothing that loads or decides reads it.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from penstock.run.flow import Flow
from penstock.run.shelf import Shelf


class Quiet:
    """The note of one pipeline. `digest` stands for the project as it was read."""

    def __init__(self, folder: Path, pipeline: str, digest: str) -> None:
        name = hashlib.sha256(pipeline.encode()).hexdigest()[:16]
        self.path = folder / f"{name}.json"
        self.digest = digest
        self._source: str | None = None

    def holds(self, flow: Flow) -> bool:
        """Whether everything looks as it did when the last run had nothing left to do."""
        try:
            note = json.loads(self.path.read_text())
        except (OSError, ValueError):  # no note, or a torn one: look at the facts
            return False
        look = self._look(flow, _fingerprint(flow))
        return look is not None and note == look

    def begin(self, flow: Flow) -> None:
        """Remove the note, and look at the source before it is asked what is new.

        What appears there later is not taken by this run, so the note must not speak of it.
        """
        self.forget()
        self._source = _fingerprint(flow)

    def note(self, flow: Flow) -> None:
        """Write down how everything looks, if everything can tell. Called after `begin`."""
        look = self._look(flow, self._source)
        if look is None:
            return
        with suppress(OSError):  # a project that cannot be written to has no shortcut
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(look))

    def forget(self) -> None:
        """Remove the note."""
        with suppress(OSError):  # one that stays is still only believed if everything looks the same
            self.path.unlink(missing_ok=True)

    def _look(self, flow: Flow, source_look: str | None) -> dict[str, str] | None:
        shelf = Shelf(flow)
        parts = (flow.destination.fingerprint(), source_look, shelf.fingerprint)
        if any(part is None for part in parts) or any(w.in_land for w in shelf.found.values()):
            return None
        destination, source, layers = (str(part) for part in parts)
        return {
            "project": self.digest,
            "version": flow.version,
            "destination": destination,
            "source": source,
            "layers": layers,
        }


def _fingerprint(flow: Flow) -> str | None:
    """A digest of everything on offer; None if only asking tells what is new."""
    if flow.producer is not None:
        return None
    return "land" if flow.source is None else flow.source.fingerprint()
