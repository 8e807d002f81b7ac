"""Parquet as rows: whole columns as they are, converted only where the table's type is another.

The footer is at the end, so a stream that cannot be sought (a compressed one, say) is first copied
to a temporary file. Row groups are read one at a time, a batch at a time, with buffered reads, so
memory does not grow with the file.

The file's own types are taken at their word: text in an integer column is not parsed but bad, or
makes the column text, as the contract says. A number or instant of another width is taken if it is
exactly the same value. Types without a name of their own here become the nearest: maps lists of key
and value, decimals of more than 38 digits text; durations and the like are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from penstock.errors import RefusedError
from penstock.records.cast import cast_text, widen
from penstock.records.chunk import Chunk, Growth, Parsed
from penstock.records.observe import LEVELS
from penstock.records.settle import Fit, Rows, present, settle
from penstock.records.text import json_rows
from penstock.schema import types as t
from penstock.schema.arrow import from_arrow, to_arrow
from penstock.schema.contract import Contract, Mode, mode_for_type
from penstock.schema.table import Column, Table
from penstock.schema.types import DataType, List, Struct, merge

# pyarrow ships no types: its values are Any in this module.
BATCH_ROWS = 64 << 10
BATCH_BYTES = 8 << 20
READ_BYTES = 1 << 20
COPY_BYTES = 1 << 20
_EXTENSIONS = {"arrow.uuid": t.UUID, "arrow.json": t.JSON}


class ParquetFormat:
    """Apache Parquet. Units: a batch has up to `batch_rows` rows, fewer if they are long."""

    def __init__(self, batch_rows: int = BATCH_ROWS) -> None:
        self.batch_rows = batch_rows

    def split(self, stream: BinaryIO) -> Iterator[Chunk]:
        """Cut a file into record batches; none spans two row groups.

        Raises: RefusedError when the file is damaged or holds what cannot be carried.
        """
        row = 1
        with _opened(stream) as file:
            _check(file.schema_arrow)
            for group in range(file.metadata.num_row_groups):
                size = _Size(file.metadata.row_group(group))
                batches = file.iter_batches(size.batch_rows(self.batch_rows), [group], use_threads=False)
                for batch in _sound(batches, row):
                    yield Chunk(row, batch, size.of(batch.num_rows))
                    row += batch.num_rows

    def parse(self, chunk: Chunk, table: Table, contract: Contract) -> Parsed | Growth:
        """The chunk's rows as rows of `table`, or what the table must grow by first.

        Raises: ContractError when the chunk brings what the contract freezes.
        """
        batch = chunk.data
        fits = {
            name: _fit(column, table.column(name), table, contract)
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        }
        return settle(Rows(chunk.first_row, batch.num_rows), fits, table, contract)

    def raw(self, chunk: Chunk, offsets: Sequence[int]) -> list[bytes]:
        """Some rows, each as one JSON object."""
        rows = chunk.data.take(pa.array(offsets, pa.int64()))
        return json_rows(rows.columns, rows.schema.names)


def count_rows(stream: BinaryIO) -> int:
    """How many rows a file has, told by its footer alone. Raises: RefusedError."""
    with _opened(stream) as file:
        return int(file.metadata.num_rows)


def kind_of(arrow: Any, level: int = 0) -> DataType:
    """The column type of an Arrow type, UUID and JSON extensions told apart at any depth.

    `level` is how many lists and objects the values lie in; those too deep become JSON.
    Raises: TypeError for a type that is not carried.
    """
    if isinstance(arrow, pa.BaseExtensionType):
        return _EXTENSIONS.get(arrow.extension_name) or kind_of(arrow.storage_type, level)
    if pa.types.is_dictionary(arrow):
        return kind_of(arrow.value_type, level)
    if not pa.types.is_nested(arrow):
        return from_arrow(arrow)
    if level >= LEVELS:
        from_arrow(arrow)  # raises for what cannot be carried
        return t.JSON
    if pa.types.is_struct(arrow):
        return Struct(tuple((f.name, kind_of(f.type, level + 1)) for f in arrow))
    if pa.types.is_map(arrow):
        entry = (("key", kind_of(arrow.key_type, level + 2)), ("value", kind_of(arrow.item_type, level + 2)))
        return List(Struct(entry))
    return List(kind_of(arrow.value_type, level + 1))


def _fit(column: Any, known: Column | None, table: Table, contract: Contract) -> Fit:
    kind = kind_of(column.type)
    if known is None or known.type == t.NULL:
        return Fit(column, None, present(column), kind)
    if known.type in (t.UUID, t.JSON) and kind == t.TEXT and (known.declared or known.type == t.UUID):
        values, misfits = cast_text(widen(column, t.TEXT)[0], known.type)
        return Fit(column, values, misfits, merge(known.type, t.TEXT) if misfits else None)
    arrow = to_arrow(known.type)
    if column.type == arrow and kind == known.type:  # strings may be text or JSON
        return Fit(column, column)
    if column.null_count == len(column):
        return Fit(column, pa.nulls(len(column), arrow))
    wider = merge(known.type, kind)
    if wider != known.type and mode_for_type(table, contract, known.name) is Mode.EVOLVE:
        return Fit(column, None, (), wider)
    values, misfits = widen(column, known.type)
    if not misfits:
        return Fit(column, values)
    return Fit(column, values, misfits, wider if wider != known.type else merge(known.type, t.TEXT))


# ----------------------------------------------------------------------------------------- reading


class _Size:
    """How large the rows of a row group are, in the file and in memory."""

    def __init__(self, group: Any) -> None:
        self.rows = max(group.num_rows, 1)
        self.packed_bytes = sum(group.column(i).total_compressed_size for i in range(group.num_columns))
        self.row_bytes = max(group.total_byte_size / self.rows, 1)

    def batch_rows(self, most: int) -> int:
        return max(1, min(most, int(BATCH_BYTES / self.row_bytes)))

    def of(self, rows: int) -> int:
        return int(self.packed_bytes * rows // self.rows)


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[Any]:
    source = stream if stream.seekable() else _spooled(stream)
    try:
        with _refusing("cannot be opened"):
            file = pq.ParquetFile(source, pre_buffer=False, buffer_size=READ_BYTES)
        yield file
    finally:
        if source is not stream:
            source.close()


def _spooled(stream: BinaryIO) -> BinaryIO:
    import tempfile

    spool = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the caller
    while block := stream.read(COPY_BYTES):
        spool.write(block)
    spool.seek(0)
    return spool


def _sound(batches: Iterator[Any], row: int) -> Iterator[Any]:
    """The batches of a row group; damage inside of them is told by row."""
    while True:
        with _refusing(f"is damaged after row {row - 1:,}"):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch
        row += batch.num_rows


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        if getattr(error, "errno", None) is not None:  # the disk's or network's trouble, not the file's
            raise
        raise RefusedError(
            f"the parquet file {what}", found=str(error).partition("\n")[0], hint="send the file again, whole"
        ) from error


def _check(schema: Any) -> None:
    twins = [name for name, count in Counter(schema.names).items() if count > 1]
    if twins:
        raise RefusedError(
            "a column name comes twice in the parquet file",
            found=", ".join(f"`{name}`" for name in twins),
            hint="rename one of them where the file is written",
        )
    for field in schema:
        try:
            kind_of(field.type)
        except TypeError as error:
            raise RefusedError(
                f"column `{field.name}` of the parquet file has a type that cannot be carried",
                found=str(field.type),
                hint="write it as text, a number or a timestamp",
            ) from error
