"""Data files of `penstock schema align`: read in batches, aligned, and written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from penstock.errors import NotFoundError, RefusedError, UsageError, suggest
from penstock.records.align import align_batches
from penstock.schema.table import Table

# pyarrow ships no types: its values are Any in this module.
_MISSING = ("refuse", "add", "leave")
_EXTRA = ("refuse", "drop", "keep")
_BATCH_ROWS = 65_536


def aligned(file: Path, table: Table, output: Path | None, missing: str, extra: str) -> int:
    """How many rows of a file fit a table; they are written to `output` if it is given.

    Raises: ContractError naming column, row and value of what does not fit; UsageError.
    """
    for word, known in ((missing, _MISSING), (extra, _EXTRA)):
        if word not in known:
            expected = ", ".join(known)
            raise UsageError(f"`{word}` is none of the choices", expected=expected, hint=suggest(word, known))
    if not file.is_file():
        raise NotFoundError("there is no such file", where=str(file))
    rows = 0
    part = output.with_name(f".{output.name}.part") if output is not None else None
    try:
        with ExitStack() as stack:
            schema, batches = _opened(file, stack)
            writer: Any = None
            policies: Any = {"missing": missing, "extra": extra}
            for batch in align_batches(batches, schema, table, **policies):
                rows += batch.num_rows
                if part is not None:
                    part.parent.mkdir(parents=True, exist_ok=True)
                    writer = writer or stack.enter_context(pa.parquet.ParquetWriter(part, batch.schema))
                    writer.write_batch(batch)
        if output is not None and part is not None and part.exists():
            part.replace(output)
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return rows


def _opened(file: Path, stack: ExitStack) -> tuple[Any, Iterator[Any]]:
    """The Arrow schema of a file, and its rows; cells of CSV are texts, empty ones null."""
    try:
        if file.suffix == ".parquet":
            reader = stack.enter_context(pa.parquet.ParquetFile(file))
            schema = reader.schema_arrow
            return schema, _or_empty(reader.iter_batches(_BATCH_ROWS), schema)
        if file.suffix == ".csv":
            with pa.csv.open_csv(file) as sniffed:
                names = sniffed.schema.names
            convert = pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            )
            found = stack.enter_context(pa.csv.open_csv(file, convert_options=convert))
            return found.schema, _or_empty(iter(found), found.schema)
    except pa.ArrowInvalid as error:
        raise RefusedError("this file cannot be read", where=str(file), found=str(error)) from error
    raise UsageError(
        "only parquet and CSV files can be aligned here",
        where=str(file),
        hint="`penstock run` reads JSON lines, and checks each row",
    )


def _or_empty(batches: Iterator[Any], schema: Any) -> Iterator[Any]:
    """The batches; one without rows if there are none, so that columns are looked at."""
    none = True
    for batch in batches:
        none = False
        yield batch
    if none:
        yield pa.RecordBatch.from_pylist([], schema=schema)
