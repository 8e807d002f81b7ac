"""JSON lines that do not all fit: the good ones saved, the bad ones named, growth found.

Lines are cut into pieces and each piece is tried at once; only in failing pieces is each line
decoded by itself, first by a typed decoder that says yes or no, and only on a no by looking at
every value. Lines that may stay but need rewriting (a number in a text column, a value or key that
the contract discards) are rewritten from their own bytes, so the exact text of a number survives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec
import pyarrow as pa

from penstock.errors import ContractError
from penstock.records.broken import Broken
from penstock.records.chunk import UNKNOWN_COLUMN, UNPARSABLE, WRONG_TYPE, Bad, Growth, Parsed
from penstock.records.lines import (
    TOO_DEEP,
    decoded,
    is_typed,
    prune,
    raw_object,
    reason_of,
    refit,
    shown,
    twins_in,
    typed_decoder,
)
from penstock.records.observe import types_of
from penstock.records.wire import Lines, Wire, read_lines
from penstock.schema import types as t
from penstock.schema.contract import Contract, Mode, Ruling, rule_on
from penstock.schema.table import Table
from penstock.schema.types import DataType, Decimal, merge

PIECES = 16
FIRST_LOOK = 512


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
    """Reads one chunk, which begins at line `first_row`, against one state of a table."""

    def __init__(self, table: Table, contract: Contract, wire: Wire, first_row: int = 1) -> None:
        self.table = table
        self.contract = contract
        self.wire = wire
        self.first_row = first_row
        self.known = {c.name: c.type for c in table.columns}
        self.declared = {c.name for c in table.columns if c.declared}
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
            if isinstance(record, dict) and twins_in(line) is None:
                for name, kind in types_of(record, {}).items():
                    seen[name] = merge(seen.get(name, t.NULL), kind)
                looked += 1
            if looked == FIRST_LOOK:
                break
        return seen

    # ------------------------------------------------------------------------- pieces and lines

    def _read(self, lines: list[bytes], places: range | list[int], kept: _Kept) -> None:
        """Read the lines at `places`: at once if they fit, else in pieces, else one by one."""
        vectorised = self.known and not self.wire.raw_json  # a batch without columns counts no rows
        if vectorised and self._at_once(lines, places, kept):
            return
        size = max(len(places) // PIECES, 1)
        for start in range(0, len(places), size):
            piece = places[start : start + size]
            if not vectorised or not self._at_once(lines, piece, kept):
                self._one_by_one(lines, piece, kept)

    def _at_once(self, lines: list[bytes], places: range | list[int], kept: _Kept) -> bool:
        data = b"\n".join([lines[i] for i in places])
        read = None if self.wire.needs_care(data) else read_lines(data, self.wire)
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
            plain = self.known and not self.wire.raw_json and not self.wire.needs_care(line)
            if plain and is_typed(decoder, line, decimals):
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
        try:
            return self._examined(line, place, kept)
        except RecursionError:
            kept.bad.append(Bad(place, Broken(UNPARSABLE, None, TOO_DEEP)))
            return None

    def _examined(self, line: bytes, place: int, kept: _Kept) -> bytes | None:
        record = decoded(line)
        if not isinstance(record, dict) or not (record or self.known):
            kept.bad.append(Bad(place, Broken(UNPARSABLE, None, reason_of(line))))
            return None
        if (twins := twins_in(line)) is not None:
            kept.bad.append(Bad(place, Broken(UNPARSABLE, None, twins)))
            return None
        ruling = rule_on(self.table, self.contract, types_of(record, self.known, self.declared))
        for rule, found in ((UNKNOWN_COLUMN, ruling.columns), (WRONG_TYPE, ruling.types)):
            for name, mode in found.items():
                if mode is Mode.FREEZE:
                    raise self._frozen(rule, name, record[name], place)
                if mode is not Mode.DISCARD_VALUE:
                    value = "***" if name in self.sensitive else shown(record[name])
                    kept.bad.append(Bad(place, Broken(rule, name, value), mode))
                    return None
        if ruling.grow:
            raise _GrowthNeededError(ruling.grow)
        return self._refit(line, ruling, kept)

    def _refit(self, line: bytes, ruling: Ruling, kept: _Kept) -> bytes:
        values = raw_object(line)
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
                where=f"row {self.first_row + place:,}",
                found=f"{name}: {found}",
                hint="set `contract: {columns: evolve}` to take it in, or `quarantine` to set rows aside",
            )
        return ContractError(
            f"`{self.table.name}.{name}` holds a value that is no {self.known[name]}",
            where=f"row {self.first_row + place:,}",
            found=found,
            expected=str(self.known[name]),
            hint="set `contract: {data_type: quarantine}` to set such rows aside",
        )
