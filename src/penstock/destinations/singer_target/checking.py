"""What rows must be like to be sent, looked at while they are still on their way in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.destinations.columns import Layout, find
from penstock.destinations.convert import TOO_LARGE
from penstock.errors import BugError, ContractError, RefusedError
from penstock.ports import Batches
from penstock.schema.types import DataType, is_float, is_integer

# Any throughout: pyarrow is untyped


def checked_batches(
    data: Batches, kinds: Mapping[str, DataType], layout: Layout, table: str, keys: Sequence[str]
) -> Iterator[Any]:
    """The batches of `data`, each looked at before it goes on.

    Raises: BugError for a batch of another schema; RefusedError for a row without a key; ContractError for
    an integer that its column, which has floats, cannot hold.
    """
    rounded = [n for n, k in kinds.items() if is_integer(k) and (s := find(layout, n)) and is_float(s.type)]
    for batch in data.batches:
        if not batch.schema.equals(data.schema):
            found, expected = str(batch.schema), str(data.schema)
            raise BugError("a batch has another schema than its stream", found=found, expected=expected)
        if batch.num_rows:
            for name in keys:
                _refuse_null(batch, name, table)
            for name in rounded:
                _refuse_rounding(batch.column(name), name, table)
        yield batch


def _refuse_null(batch: Any, name: str, table: str) -> None:
    if name not in batch.schema.names or batch.column(name).null_count:
        raise RefusedError(
            f"`{table}` has a row without a value in its primary key",
            found=f"no `{name}`",
            hint="declare the column as not nullable, and such rows are set aside",
        )


def _refuse_rounding(column: Any, name: str, table: str) -> None:
    try:
        column.cast(pa.float64())
    except pa.ArrowInvalid as error:
        largest = pc.max_element_wise(pc.max(pc.abs(column)), 0).as_py()
        raise ContractError(
            f"`{table}.{name}`: {TOO_LARGE}{largest}",
            hint="declare the column as text or as a decimal with enough digits",
        ) from error
