"""Columns of a chunk made rows of a table, as its contract says. Shared by CSV and parquet.

A format says of each column what of it fits the table (`Fit`); `settle` answers growth, rows, bad
records and discarded values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import ContractError
from penstock.records.broken import Broken
from penstock.records.chunk import UNKNOWN_COLUMN, WRONG_TYPE, Bad, Growth, Parsed
from penstock.records.text import to_text
from penstock.schema.arrow import arrow_schema
from penstock.schema.contract import Contract, Mode, Ruling, rule_on
from penstock.schema.table import Table
from penstock.schema.types import DataType

# pyarrow ships no types: its values are Any in this module.
SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Fit:
    """What of a column fits the table.

    `values` are of the table's type, null where they do not fit; None for a column that the table
    lacks. `misfits` are the offsets of what does not fit. `kind` is what the table's column must
    become to hold everything, None if it does. `source` has the values as they came.
    """

    source: Any
    values: Any = None
    misfits: Sequence[int] = ()
    kind: DataType | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a chunk that could be read.

    `places` are their offsets among all records of the chunk, None if every record could be read;
    `bad` are the others. `first_row` is the number of the chunk's first record in its file.
    """

    first_row: int
    count: int
    places: Sequence[int] | None = None
    bad: tuple[Bad, ...] = ()

    def place(self, row: int) -> int:
        """The offset in the chunk of a row."""
        return row if self.places is None else self.places[row]


def settle(rows: Rows, fits: Mapping[str, Fit], table: Table, contract: Contract) -> Parsed | Growth:
    """The rows of the chunk under the contract, or what the table must grow by first.

    A bad record is told by the first column, in the chunk's order, that the contract refuses.
    Raises: ContractError when the chunk brings what the contract freezes.
    """
    ruling = rule_on(table, contract, {name: f.kind for name, f in fits.items() if f.kind is not None})
    modes = {**ruling.columns, **ruling.types}
    for name, mode in modes.items():
        if mode is Mode.FREEZE and len(fits[name].misfits):
            raise _frozen(rows, table, name, fits[name])
    if ruling.grow:
        return Growth(ruling.grow)
    discarded: dict[str, int] = {}
    refused: dict[int, Bad] = {}
    for name, fit in fits.items():
        if not len(fit.misfits):
            continue
        mode = modes.get(name, Mode.QUARANTINE)
        if mode is Mode.DISCARD_VALUE:
            discarded[name] = len(fit.misfits)
        else:
            _refuse(refused, rows, table, name, fit, mode, ruling)
    return _parsed(rows, fits, table, refused, discarded)


def _refuse(
    refused: dict[int, Bad], rows: Rows, table: Table, name: str, fit: Fit, mode: Mode, ruling: Ruling
) -> None:
    rule = UNKNOWN_COLUMN if name in ruling.columns else WRONG_TYPE
    fresh = [row for row in fit.misfits if row not in refused]
    for row, value in zip(fresh, _shown(table, name, fit, fresh), strict=True):
        refused[row] = Bad(rows.place(row), Broken(rule, name, value), mode)


def _parsed(
    rows: Rows, fits: Mapping[str, Fit], table: Table, refused: dict[int, Bad], discarded: dict[str, int]
) -> Parsed:
    schema = arrow_schema(table)
    found = {name: fit.values for name, fit in fits.items() if fit.values is not None}
    columns = [found[f.name] if f.name in found else pa.nulls(rows.count, f.type) for f in schema]
    batch = pa.RecordBatch.from_arrays(columns, schema=schema)
    bad = tuple(sorted((*rows.bad, *refused.values()), key=lambda b: b.offset))
    if not refused:
        return Parsed(batch, rows.places, rows.count + len(rows.bad), bad, discarded)
    stay = [row for row in range(rows.count) if row not in refused]
    batch = batch.take(pa.array(stay, pa.int64()))
    return Parsed(batch, [rows.place(row) for row in stay], rows.count + len(rows.bad), bad, discarded)


def _shown(table: Table, name: str, fit: Fit, rows: Sequence[int]) -> list[str]:
    """The values of some rows as people see them; `***` for sensitive columns."""
    known = table.column(name)
    if known is not None and known.sensitive:
        return ["***"] * len(rows)
    texts = to_text(fit.source.take(pa.array(rows, pa.int64()))).to_pylist()
    return [text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…" for text in texts]


def _frozen(rows: Rows, table: Table, name: str, fit: Fit) -> ContractError:
    known = table.column(name)
    first = fit.misfits[0]
    (value,) = _shown(table, name, fit, [first])
    row = rows.first_row + rows.place(first)
    where = f"{len(fit.misfits):,} of {rows.count:,} rows of a chunk, first at row {row:,}"
    if known is None:
        return ContractError(
            f"`{table.name}` has no column `{name}`, and its contract takes no new ones",
            where=where,
            found=f"{name}: {value}",
            hint="set `contract: {columns: evolve}` to take it in, or `quarantine` to set rows aside",
        )
    return ContractError(
        f"`{table.name}.{name}` holds a value that is no {known.type}",
        where=where,
        found=value,
        expected=str(known.type),
        hint="set `contract: {data_type: quarantine}` to set such rows aside",
    )


def present(column: Any) -> Sequence[int]:
    """The offsets of the values of a column that are there."""
    if column.null_count == len(column):
        return ()
    offsets: list[int] = pc.indices_nonzero(column.is_valid()).to_pylist()
    return offsets
