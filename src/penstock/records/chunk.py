"""The seam between bytes and rows: what a file format must be able to do.

A file is first cut into chunks in order (`Format.split`: cheap, one thread), then each chunk is
parsed on its own (`Format.parse`: pure, on any thread) against the table as it is known so far.
A chunk that brings a new column or a wider type answers `Growth`; the caller grows the table under
its contract and parses that one chunk again. So every row is looked at, nothing is sampled, and
the table's shape does not depend on which thread was first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from penstock.records.broken import Broken
from penstock.schema.contract import Contract, Mode
from penstock.schema.table import Table
from penstock.schema.types import DataType

if TYPE_CHECKING:
    import pyarrow as pa

UNPARSABLE = "unparsable"
WRONG_TYPE = "type"
UNKNOWN_COLUMN = "unknown_column"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of whole records. `first_row` counts from 1 in the file; `data` is the format's own.

    Units: `size_bytes` of the file that this chunk stands for, for progress; `lines` if the format
    counts them while it cuts.
    """

    first_row: int
    data: Any  # bytes of JSON lines, a table of text cells, a record batch
    size_bytes: int
    lines: int | None = None


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that cannot become a row of the table. `offset` counts from 0 in its chunk.

    `mode` says which clause of the contract refused it; None for a record that could not be read.
    """

    offset: int
    broken: Broken
    mode: Mode | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A chunk as rows.

    Shape: `batch` has the columns of `schema.arrow.arrow_schema(table)` in that order. `offsets`
    are the places in the chunk of the batch's rows, None when the batch holds every record of the
    chunk. `records` counts all records of the chunk: the batch's rows and the bad ones.
    `discarded` counts values that the contract let go, by column.
    """

    batch: pa.RecordBatch
    offsets: Sequence[int] | None
    records: int
    bad: tuple[Bad, ...] = ()
    discarded: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Growth:
    """The chunk needs a wider table first: the types that it brings, by column."""

    seen: Mapping[str, DataType]


class Format(Protocol):
    """A file format."""

    def split(self, stream: BinaryIO) -> Iterator[Chunk]:
        """Cut a stream of uncompressed bytes into chunks of a few megabytes, in order.

        Raises: RefusedError when the stream as a whole cannot be read.
        """
        ...

    def parse(self, chunk: Chunk, table: Table, contract: Contract) -> Parsed | Growth:
        """Turn a chunk into rows of `table`.

        Raises: ContractError when the chunk brings what the contract freezes.
        """
        ...

    def raw(self, chunk: Chunk, offsets: Sequence[int]) -> list[bytes]:
        """The text of some records of a chunk, as they came (or, for binary formats, as JSON)."""
        ...
