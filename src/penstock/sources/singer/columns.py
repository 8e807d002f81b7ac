"""The columns that Singer adds to records: when and how a row came here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from penstock.singer.messages import Records

_EMPTY = re.compile(rb"^\{[ \t\r]*\}$", re.MULTILINE)


@dataclass(slots=True)
class Added:
    """Columns by name, and the instants of this run, in Unix seconds."""

    columns: Sequence[str]
    started_at: float
    batched_at: float = 0.0

    @property
    def timed(self) -> bool:
        """Whether each record's own instant is needed."""
        return "_sdc_extracted_at" in self.columns

    def lines(self, records: Records, received_at: float) -> bytes:
        """The records as JSON lines with the columns at their ends."""
        if not self.columns:
            return records.lines()
        texts = records.texts
        if self.timed:
            now = _instant(received_at)
            times = records.times or [None] * len(texts)
            own = (b'"_sdc_extracted_at":' + (msgspec.json.encode(t) if t else now) for t in times)
            texts = [_with(bytes(text), said) for text, said in zip(texts, own, strict=True)]
        lines = b"\n".join(texts) + b"\n"
        said = self._said(records.version, received_at)
        if not said:
            return lines
        if _EMPTY.search(lines):
            return b"".join(_with(line, said) + b"\n" for line in lines.splitlines())
        return lines.replace(b"}\n", b"," + said + b"}\n")  # no text in a line holds a line end

    def _said(self, version: int | None, received_at: float) -> bytes:
        """The members that all these records share."""
        instants = {"_sdc_received_at": received_at, "_sdc_batched_at": self.batched_at or received_at}
        numbers = {
            "_sdc_sequence": int(received_at * 1000),
            "_sdc_table_version": version,
            "_sdc_sync_started_at": int(self.started_at * 1000),
        }
        members = [b'"%b":%b' % (n.encode(), _instant(at)) for n, at in instants.items() if n in self.columns]
        members += [
            b'"%b":%d' % (n.encode(), number)
            for n, number in numbers.items()
            if n in self.columns and number is not None
        ]
        return b",".join(members)


def _with(text: bytes, members: bytes) -> bytes:
    """An object's text with members at its end; anything else as it is."""
    bare = text.rstrip()
    if not bare.endswith(b"}"):
        return text
    inner = bare[:-1].rstrip()
    return inner + (b"" if inner == b"{" else b",") + members + b"}"


def _instant(at: float) -> bytes:
    return b'"%b"' % datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").encode()
