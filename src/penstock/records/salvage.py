"""JSON lines that do not all fit: the good ones saved, the bad ones named, growth found.

Lines are cut into pieces and each piece is tried at once; only in failing pieces is each line
decoded by itself, first by a typed decoder that says yes or no, and only on a no by looking at
every value. Lines that may stay but need rewriting (a number in a text column, a value or key that
the contract discards) are rewritten from their own bytes, so the exact text of a number survives.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal as Exact
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any

import msgspec
import pyarrow as pa

from penstock.errors import ContractError
from penstock.records.broken import Broken
from penstock.records.chunk import UNKNOWN_COLUMN, UNPARSABLE, WRONG_TYPE, Bad, Growth, Parsed
from penstock.records.observe import fits, types_of
from penstock.records.wire import Lines, Wire, read_lines
from penstock.schema import types as t
from penstock.schema.contract import Contract, Mode, Ruling, rule_on
from penstock.schema.table import Table
from penstock.schema.types import DataType, Decimal, List, Struct, merge

PIECES = 16
FIRST_LOOK = 512
SHOWN_CHARACTERS = 200

_anything = msgspec.json.Decoder(float_hook=Exact)
_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(slots=True)
class _Kept:
    """What has been saved so far: batches with their line offsets, bad lines, discarded values."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    discarded: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that goes on, where it stood, and whether every value of it was looked at."""

    place: int
    text: bytes
    examined: bool = False


class _GrowthNeededError(Exception):
    def __init__(self, seen: Mapping[str, DataType]) -> None:
        self.seen = dict(seen)


class Salvage:
    """Reads one chunk against one state of a table."""

    def __init__(self, table: Table, contract: Contract, wire: Wire) -> None:
        self.table = table
        self.contract = contract
        self.wire = wire
        self.known = {c.name: c.type for c in table.columns}
        self.sensitive = {c.name for c in table.columns if c.sensitive}

    def parse(self, data: bytes) -> Parsed | Growth:
        """The chunk's records, or what the table must grow by.

        Raises: ContractError when a record brings what the contract freezes.
        """
        lines = data.split(b"\n")
        try:
            if not self.table.columns and (seen := self._first_look(lines)):
                return Growth(seen)
            kept = _Kept()
            self._read(lines, range(len(lines)), kept)
        except _GrowthNeededError as needed:
            return Growth(needed.seen)
        return self._result(kept)

    def _first_look(self, lines: list[bytes]) -> dict[str, DataType]:
        seen: dict[str, DataType] = {}
        looked = 0
        for line in lines:
            record = decoded(line)
            if isinstance(record, dict):
                for name, kind in types_of(record, {}).items():
                    seen[name] = merge(seen.get(name, t.NULL), kind)
                looked += 1
            if looked == FIRST_LOOK:
                break
        return seen

    # ------------------------------------------------------------------------- pieces and lines

    def _read(self, lines: list[bytes], places: range | list[int], kept: _Kept) -> None:
        """Read the lines at `places`: at once if they fit, else in pieces, else one by one."""
        if not self.wire.raw_json and self._at_once(lines, places, kept):
            return
        size = max(len(places) // PIECES, 1)
        for start in range(0, len(places), size):
            piece = places[start : start + size]
            if self.wire.raw_json or not self._at_once(lines, piece, kept):
                self._one_by_one(lines, piece, kept)

    def _at_once(self, lines: list[bytes], places: range | list[int], kept: _Kept) -> bool:
        read = read_lines(b"\n".join([lines[i] for i in places]), self.wire)
        if read is None:
            return False
        at = list(places[: read.rows]) if read.offsets is None else [places[i] for i in read.offsets]
        if read.suspects:
            self._look_at_suspects(lines, at, read, kept)
        else:
            self._keep(read.batch, at, kept)
        return True

    def _look_at_suspects(self, lines: list[bytes], at: list[int], read: Lines, kept: _Kept) -> None:
        again: list[_Line] = []
        gone = set()
        for row in sorted(read.suspects):
            line = self._examine(lines[at[row]], at[row], kept)
            if line is None:
                gone.add(row)
            elif line != lines[at[row]] or row in read.failed:
                gone.add(row)
                again.append(_Line(at[row], line, examined=True))
        self._keep_all_but(gone, read, at, kept)
        self._reread(again, kept)

    def _one_by_one(self, lines: list[bytes], places: range | list[int], kept: _Kept) -> None:
        decoder = typed_decoder(self.table)
        decimals = [(n, k) for n, k in self.known.items() if isinstance(k, Decimal)]
        good: list[_Line] = []
        for i in places:
            line = lines[i]
            if not line or line.isspace():
                continue
            if not self.wire.raw_json and _is_typed(decoder, line, decimals):
                good.append(_Line(i, line))
            elif (fitted := self._examine(line, i, kept)) is not None:
                good.append(_Line(i, fitted, examined=True))
        self._reread(good, kept)

    def _reread(self, good: list[_Line], kept: _Kept) -> None:
        """Parse lines that were found good; what the parser still refuses is halved until it is alone."""
        if not good:
            return
        read = read_lines(b"\n".join([line.text for line in good]), self.wire)
        if read is not None and read.offsets is None:
            self._settle(good, read, kept)
        elif len(good) == 1:
            kept.bad.append(Bad(good[0].place, Broken(UNPARSABLE, None, reason_of(good[0].text))))
        else:
            middle = len(good) // 2
            self._reread(good[:middle], kept)
            self._reread(good[middle:], kept)

    def _settle(self, good: list[_Line], read: Lines, kept: _Kept) -> None:
        """Keep reread rows; those that fail although they were found good are refused all the same."""
        gone = set()
        for row in sorted(read.suspects):
            line = good[row]
            if not line.examined and self._examine(line.text, line.place, kept) is None:
                gone.add(row)
            elif row in read.failed:
                gone.add(row)
                broken = Broken(WRONG_TYPE, None, shown(line.text))
                kept.bad.append(Bad(line.place, broken, Mode.QUARANTINE))
        self._keep_all_but(gone, read, [line.place for line in good], kept)

    def _keep_all_but(self, gone: set[int], read: Lines, at: list[int], kept: _Kept) -> None:
        stay = [row for row in range(len(at)) if row not in gone]
        batch = read.batch.take(pa.array(stay, pa.int64())) if gone else read.batch
        self._keep(batch, [at[row] for row in stay], kept)

    def _keep(self, batch: pa.RecordBatch, at: list[int], kept: _Kept) -> None:
        if batch.num_rows:
            kept.batches.append(batch)
            kept.offsets.extend(at)

    def _result(self, kept: _Kept) -> Parsed:
        rows = pa.Table.from_batches(kept.batches, schema=self.wire.target).combine_chunks()
        offsets = kept.offsets
        if any(b < a for a, b in pairwise(offsets)):
            order = sorted(range(len(offsets)), key=offsets.__getitem__)
            rows = rows.take(pa.array(order, pa.int64()))
            offsets = [offsets[i] for i in order]
        batches = rows.to_batches()
        batch = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=self.wire.target)
        bad = tuple(sorted(kept.bad, key=lambda b: b.offset))
        return Parsed(batch, offsets, batch.num_rows + len(bad), bad, dict(kept.discarded))

    # ------------------------------------------------------------------------------ one record

    def _examine(self, line: bytes, place: int, kept: _Kept) -> bytes | None:
        """The line as it may go on, perhaps rewritten; None when it is bad (and says so)."""
        record = decoded(line)
        if not isinstance(record, dict) or not (record or self.known):
            kept.bad.append(Bad(place, Broken(UNPARSABLE, None, reason_of(line))))
            return None
        ruling = rule_on(self.table, self.contract, types_of(record, self.known))
        if ruling.grow:
            raise _GrowthNeededError(ruling.grow)
        for rule, found in ((UNKNOWN_COLUMN, ruling.columns), (WRONG_TYPE, ruling.types)):
            for name, mode in found.items():
                if mode is Mode.FREEZE:
                    raise self._frozen(rule, name, record[name], place)
                if mode is not Mode.DISCARD_VALUE:
                    value = "***" if name in self.sensitive else shown(record[name])
                    kept.bad.append(Bad(place, Broken(rule, name, value), mode))
                    return None
        return self._refit(line, place, ruling, kept)

    def _refit(self, line: bytes, place: int, ruling: Ruling, kept: _Kept) -> bytes | None:
        if (twins := twins_in(line)) is not None:
            kept.bad.append(Bad(place, Broken(UNPARSABLE, None, twins)))
            return None
        values = _raw_object.decode(line)
        for name in ruling.columns:
            kept.discarded[name] += 1
            if name in self.known:
                values[name] = prune(values[name], self.known[name])
            else:
                del values[name]
        for name in ruling.types:
            kept.discarded[name] += 1
            values[name] = msgspec.Raw(b"null")
        fitted = {n: refit(v, self.known[n]) if n in self.known else v for n, v in values.items()}
        return msgspec.json.encode(fitted)

    def _frozen(self, rule: str, name: str, value: Any, place: int) -> ContractError:
        found = "***" if name in self.sensitive else shown(value)
        if rule == UNKNOWN_COLUMN:
            return ContractError(
                f"`{self.table.name}` has no column `{name}`, and its contract takes no new ones",
                where=f"line {place + 1:,} of the chunk",
                found=f"{name}: {found}",
                hint="set `contract: {columns: evolve}` to take it in, or `quarantine` to set rows aside",
            )
        return ContractError(
            f"`{self.table.name}.{name}` holds a value that is no {self.known[name]}",
            where=f"line {place + 1:,} of the chunk",
            found=found,
            expected=str(self.known[name]),
            hint="set `contract: {data_type: quarantine}` to set such rows aside",
        )


# ------------------------------------------------------------------------------------- pure parts


def decoded(line: bytes) -> Any:  # Any: JSON
    """The record in a line, floats as exact decimals; None for what is not JSON."""
    try:
        return _anything.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, RecursionError):
        return None


def reason_of(line: bytes) -> str:
    """Why a line cannot be read as one JSON object, in words."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8 at byte {error.start + 1}"
    if not line.strip():
        return "a blank line"
    if (twins := twins_in(line)) is not None:
        return twins
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return f"{error.msg} at character {error.pos + 1}"
    except RecursionError:
        return "nested too deeply"
    if value == {}:
        return "an object without keys, and no column is known yet"
    if not isinstance(value, dict):
        return f"{'null' if value is None else type(value).__name__} where an object is wanted"
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        return str(error)
    return "the parser refused it (a lone surrogate, or a number out of range)"


def twins_in(line: bytes) -> str | None:
    """What is wrong if a key comes twice in one object of the line, else None."""
    try:
        json.loads(line, object_pairs_hook=_refuse_twins)
    except _TwinsError as twins:
        return f"key {twins} comes twice in one object"
    except (ValueError, RecursionError):  # not JSON at all: that is for others to say
        return None
    return None


class _TwinsError(ValueError):
    pass


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise _TwinsError(json.dumps(next(n for n, c in counts.items() if c > 1)))
    return record


def shown(value: Any) -> str:  # Any: JSON
    """A value as people see it in messages: JSON text, cut when long."""
    if isinstance(value, bytes):
        text = value.decode("utf-8", "backslashreplace")
    elif isinstance(value, str | Exact):
        text = str(value)
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def refit(raw: msgspec.Raw, kind: DataType) -> msgspec.Raw:
    """A value's bytes as a column of type `kind` is read: JSON as text, scalars in text columns too."""
    text = bytes(raw)
    if text == b"null":
        return raw
    if kind == t.JSON or (kind == t.TEXT and not text.startswith(b'"')):
        return msgspec.Raw(msgspec.json.encode(text.decode()))
    if isinstance(kind, Struct) and text.startswith(b"{"):
        fields = dict(kind.fields)
        inner = _raw_object.decode(text)
        return msgspec.Raw(
            msgspec.json.encode({n: refit(v, fields[n]) if n in fields else v for n, v in inner.items()})
        )
    if isinstance(kind, List) and text.startswith(b"["):
        return msgspec.Raw(msgspec.json.encode([refit(v, kind.item) for v in _raw_list.decode(text)]))
    return raw


def prune(raw: msgspec.Raw, kind: DataType) -> msgspec.Raw:
    """A value's bytes without the keys that its struct type does not have."""
    text = bytes(raw)
    if isinstance(kind, Struct) and text.startswith(b"{"):
        fields = dict(kind.fields)
        inner = _raw_object.decode(text)
        return msgspec.Raw(
            msgspec.json.encode({n: prune(v, fields[n]) for n, v in inner.items() if n in fields})
        )
    if isinstance(kind, List) and text.startswith(b"["):
        return msgspec.Raw(msgspec.json.encode([prune(v, kind.item) for v in _raw_list.decode(text)]))
    return raw


def _is_typed(
    decoder: msgspec.json.Decoder[Any] | None, line: bytes, decimals: list[tuple[str, Decimal]]
) -> bool:
    if decoder is None:
        return False
    try:
        record = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    values = ((getattr(record, _field(i)), kind) for i, (_, kind) in enumerate(decimals))
    return all(v is None or fits(v, kind) for v, kind in values)


@lru_cache(maxsize=64)
def typed_decoder(table: Table) -> msgspec.json.Decoder[Any] | None:
    """A decoder that takes exactly the lines whose values have the JSON types of the table's columns.

    None for a table with a name that such a decoder cannot have, such as one with a quote in it.
    """
    columns = sorted(table.columns, key=lambda c: not isinstance(c.type, Decimal))
    try:
        return msgspec.json.Decoder(_struct([(c.name, c.type) for c in columns]))
    except ValueError:
        return None


def _struct(fields: list[tuple[str, DataType]]) -> type[msgspec.Struct]:
    names = {_field(i): name for i, (name, _) in enumerate(fields)}
    return msgspec.defstruct(
        "Record",
        [(_field(i), _optional(kind), None) for i, (_, kind) in enumerate(fields)],
        rename=names,
        forbid_unknown_fields=True,
        gc=False,
    )


def _field(i: int) -> str:
    return f"f{i}"


def _optional(kind: DataType) -> Any:  # Any: a type expression
    return None if kind == t.NULL else _python(kind) | None


def _python(kind: DataType) -> Any:  # Any: a type expression
    if isinstance(kind, List):
        return list[_optional(kind.item)]  # type: ignore[misc]
    if isinstance(kind, Struct):
        return _struct(list(kind.fields))
    if isinstance(kind, Decimal):
        return Exact
    if t.is_integer(kind):
        return Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    if t.is_float(kind):
        return float
    if kind == t.BOOL:
        return bool
    return str
