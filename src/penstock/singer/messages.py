"""What a tap writes, as messages: records are cut out of their lines as bytes, and never made objects.

A block of lines is split by one call of a decoder that checks every line to its end and keeps each
record as the text that it is, so a number keeps its digits whatever the order of keys, the whitespace or
the escapes around it. Lines that the decoder refuses, and messages that it does not know, are looked at
one by one.
Source: the Singer specification, and the messages that the Singer SDK adds to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeAlias, cast

import msgspec

from penstock.errors import RefusedError
from penstock.singer.spans import Spans, spans_of

# Any: JSON schemas hold values of every type.
SHOWN = 200
DELETED_AT = "_sdc_deleted_at"
"""The column in which a tap or target says that a row is deleted, and since when."""


@dataclass(frozen=True, slots=True)
class Records:
    """Records of one stream and version that follow each other, as they were written.

    `times` are the instants at which they were extracted, as texts, if they were asked for.
    """

    stream: str
    version: int | None
    texts: Sequence[Any]  # Any: bytes, or something that has them
    times: Sequence[str | None] | None = None

    def lines(self) -> bytes:
        """The records as JSON lines."""
        return b"\n".join(self.texts) + b"\n"


@dataclass(frozen=True, slots=True)
class SchemaFound:
    """What a stream's records look like from here on, and the properties that tell one from another."""

    stream: str
    schema: Mapping[str, Any]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StateFound:
    """The state after all records so far, as JSON text."""

    value: bytes


@dataclass(frozen=True, slots=True)
class VersionActive:
    """Records of the stream with a lesser version are no longer."""

    stream: str
    version: int


@dataclass(frozen=True, slots=True)
class BatchFound:
    """Files of records: their format and compression, and where they are."""

    stream: str
    format: str
    compression: str
    manifest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a type that nobody here knows."""

    type: str
    line: int


Message: TypeAlias = Records | SchemaFound | StateFound | VersionActive | BatchFound | Unknown


class _Record(msgspec.Struct, tag_field="type", tag="RECORD", gc=False):
    stream: str
    record: msgspec.Raw
    version: int | None = None


class _TimedRecord(msgspec.Struct, tag_field="type", tag="RECORD", gc=False):
    stream: str
    record: msgspec.Raw
    version: int | None = None
    time_extracted: str | None = None


class _Schema(msgspec.Struct, tag_field="type", tag="SCHEMA"):
    stream: str
    schema: dict[str, Any]
    key_properties: list[str] | None = None


class _State(msgspec.Struct, tag_field="type", tag="STATE"):
    value: msgspec.Raw


class _Activate(msgspec.Struct, tag_field="type", tag="ACTIVATE_VERSION"):
    stream: str
    version: int


class _Encoding(msgspec.Struct):
    format: str = "jsonl"
    compression: str | None = None


class _Batch(msgspec.Struct, tag_field="type", tag="BATCH"):
    stream: str
    manifest: list[str]
    encoding: _Encoding = msgspec.field(default_factory=_Encoding)


_OTHERS = _Schema | _State | _Activate | _Batch
_PLAIN: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Record | _OTHERS)
_TIMED: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_TimedRecord | _OTHERS)
_KNOWN = ("RECORD", "SCHEMA", "STATE", "ACTIVATE_VERSION", "BATCH")


class Splitter:
    """Turns blocks of whole lines into messages; `line` is how many lines there were so far.

    `who` wrote the lines, for errors. `timed` asks for the instants at which records were extracted.
    """

    def __init__(self, who: str, *, timed: bool = False) -> None:
        self.who = who
        self.line = 0
        self._timed = timed
        self._decoder = _TIMED if timed else _PLAIN

    def split(self, block: bytes) -> Iterator[Message]:
        """The messages of a block, in order.

        Raises: RefusedError naming the line that is no message, after the messages before it.
        """
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        try:
            messages = self._decoder.decode_lines(block)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            messages = None
        if messages is None or len(messages) != lines:
            yield from self._one_by_one(block)
            return
        yield from self._told(messages)
        self.line += lines

    def _told(self, messages: Iterable[Any]) -> Iterator[Message]:
        for kind, same in groupby(messages, key=type):
            if kind is _Record:
                for (stream, version), run in groupby(same, key=attrgetter("stream", "version")):
                    yield Records(stream, version, [m.record for m in run])
            elif kind is _TimedRecord:
                for (stream, version), run in groupby(same, key=attrgetter("stream", "version")):
                    whole = list(run)
                    times = [m.time_extracted for m in whole]
                    yield Records(stream, version, [m.record for m in whole], times)
            else:
                yield from map(_other, same)

    # ------------------------------------------------------------------------------ line by line

    def _one_by_one(self, block: bytes) -> Iterator[Message]:
        for line in block.removesuffix(b"\n").split(b"\n"):
            self.line += 1
            if not line.strip():
                continue
            try:
                message = self._decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                yield self._doubtful(line)
            else:
                yield from self._told([message])

    def _doubtful(self, line: bytes) -> Message:
        """A line that the decoder refused: no JSON, an unknown message, or values that are no JSON."""
        try:
            found = spans_of(line)
        except (ValueError, RecursionError) as error:
            what = "a line on stdout is no message"
            raise self._refused(
                what, line, "one JSON object a line; everything else belongs on stderr"
            ) from error
        kind = found.json("type")
        if not isinstance(kind, str):
            raise self._refused("a message on stdout has no `type`", line, ", ".join(_KNOWN))
        if kind not in _KNOWN:
            return Unknown(kind, self.line)
        if kind == "RECORD":
            return self._record(found, line)
        return self._other(kind, found, line)

    def _record(self, found: Spans, line: bytes) -> Records:
        """A record whose message has something unusual in it, such as NaN."""
        stream, text = found.value("stream"), found.text("record")
        if not isinstance(stream, str) or text is None:
            raise self._refused("a RECORD is not whole", line, "`stream` and `record`")
        at = found.value("time_extracted")
        times = [at if isinstance(at, str) else None] if self._timed else None
        return Records(stream, _version(found.value("version")), [text], times)

    def _other(self, kind: str, found: Spans, line: bytes) -> Message:
        """A message other than a record with something unusual in it."""
        stream = found.value("stream")
        if kind == "STATE" and (text := found.text("value")) is not None:
            return StateFound(text)
        if kind == "SCHEMA" and isinstance(stream, str) and isinstance(schema := found.json("schema"), dict):
            return SchemaFound(stream, schema, _keys(found.json("key_properties")))
        version = _version(found.value("version"))
        if kind == "ACTIVATE_VERSION" and isinstance(stream, str) and version is not None:
            return VersionActive(stream, version)
        raise self._refused(f"a {kind} message is not whole", line, "the keys that the specification names")

    def _refused(self, what: str, line: bytes, expected: str) -> RefusedError:
        text = line[:SHOWN].decode("utf-8", "replace")
        return RefusedError(
            what, where=f"`{self.who}`, line {self.line:,} of its stdout", found=text, expected=expected
        )


def _other(message: Any) -> Message:
    if isinstance(message, _State):
        return StateFound(bytes(message.value))
    if isinstance(message, _Schema):
        return SchemaFound(message.stream, message.schema, tuple(message.key_properties or ()))
    if isinstance(message, _Activate):
        return VersionActive(message.stream, message.version)
    batch = cast(_Batch, message)
    compression = batch.encoding.compression or "none"
    return BatchFound(batch.stream, batch.encoding.format, compression, tuple(batch.manifest))


def _keys(said: Any) -> tuple[str, ...]:
    """The key properties; some taps say one bare name."""
    if isinstance(said, str):
        return (said,)
    return tuple(k for k in said if isinstance(k, str)) if isinstance(said, list) else ()


def _version(said: Any) -> int | None:
    try:
        return None if said is None or isinstance(said, bool) else int(float(said))
    except (TypeError, ValueError, OverflowError):
        return None
