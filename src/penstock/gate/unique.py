"""Which rows of a load repeat a key that may not repeat, in the load or in the table.

Keys are gathered while rows stream by and looked at once at the end. The first row of a key stays,
by file order and row number; every later one breaks the rule.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from penstock.gate.rules import identifier, quoted

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Repeat:
    """A row whose key was there before: its file's number, its row, its key's columns and text."""

    file: int
    row: int
    columns: tuple[str, ...]
    value: str


class KeyBook:
    """The keys of one table's rows in one load. Spills to a temporary folder beyond its memory.

    Rows of one `owner` (the primary key of a merged table) are versions of one row, and may share
    a key.
    """

    def __init__(self, keys: Sequence[tuple[str, ...]], owner: tuple[str, ...] = ()) -> None:
        self.keys = tuple(keys)
        self.owner = owner
        self._made: set[int] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="penstock-keys-") if keys else None
        self._book: Any = None  # Any: opened with the first rows

    def add(self, batch: pa.RecordBatch, file: int, rows: Sequence[int]) -> None:
        """Take the keys of good rows in; a column that the batch lacks is null, and nulls never repeat."""
        if not self.keys or not batch.num_rows:
            return
        book = self._open()
        places = [pa.array([file] * batch.num_rows, pa.int32()), pa.array(rows, pa.int64())]
        for i, columns in enumerate(self.keys):
            if not set(columns) <= set(batch.schema.names):
                continue
            owners = [c if c in batch.schema.names else None for c in self.owner]
            missing = pa.nulls(batch.num_rows, pa.string())
            texts = [batch.column(c) for c in columns]
            texts += [missing if c is None else batch.column(c) for c in owners]
            names = [*(f"k{n}" for n in range(len(columns))), *(f"o{n}" for n in range(len(owners)))]
            book.register("batch", pa.Table.from_arrays([*places, *texts], names=["file", "row", *names]))
            cells = ", ".join(f"CAST({n} AS VARCHAR) AS {n}" for n in names)
            select = f"SELECT file, row, {cells} FROM batch"
            verb = f"INSERT INTO keys{i}" if i in self._made else f"CREATE TABLE keys{i} AS"
            book.execute(f"{verb} {select}")
            self._made.add(i)

    def repeats(self) -> list[Repeat]:
        """Every row that repeats an earlier row's key, in file and row order."""
        found = [repeat for i in sorted(self._made) for repeat in self._repeats_of(i)]
        return sorted(found, key=lambda r: (r.file, r.row))

    def distinct(self, number: int, *, owned: bool = False) -> Any:  # Any: pyarrow is untyped
        """The distinct keys of column set `number` as a stream of text columns; None if there are none.

        With `owned` the columns of the owner follow.
        """
        if number not in self._made:
            return None
        columns = self.keys[number]
        named = [(f"k{n}", c) for n, c in enumerate(columns)]
        named += [(f"o{n}", c) for n, c in enumerate(self.owner)] if owned else []
        cells = ", ".join(f"{cell} AS {identifier(c)}" for cell, c in named)
        whole = " AND ".join(f"k{n} IS NOT NULL" for n in range(len(columns)))
        sql = f"SELECT DISTINCT {cells} FROM keys{number} WHERE {whole}"
        return self._book.cursor().sql(sql).to_arrow_reader(65_536)

    def rows_with(self, number: int, keys: Any, owned: Any = None) -> list[Repeat]:  # Any: pyarrow is untyped
        """The rows that have one of some keys of column set `number`, and are not among the `owned`.

        Shape: `owned` has the columns of the key and of the owner.
        """
        if not keys.num_rows:
            return []
        columns = self.keys[number]
        names = [f"k{n}" for n in range(len(columns))]
        cells = ", ".join(names)
        self._book.register("found", keys.rename_columns(names))
        sql = f"SELECT * FROM keys{number} SEMI JOIN found USING ({cells})"
        if owned is not None and owned.num_rows:
            pair = [*names, *(f"o{n}" for n in range(len(self.owner)))]
            self._book.register("owned", owned.rename_columns(pair))
            sql = f"SELECT * FROM ({sql}) ANTI JOIN owned USING ({', '.join(pair)})"
        rows = self._book.execute(f"SELECT file, row, {cells} FROM ({sql}) ORDER BY file, row").fetchall()
        self._book.unregister("found")
        return [Repeat(f, r, columns, ", ".join(values)[:_SHOWN]) for f, r, *values in rows]

    def close(self) -> None:
        """Forget the keys."""
        if self._book is not None:
            self._book.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _repeats_of(self, i: int) -> list[Repeat]:
        columns = self.keys[i]
        cells = ", ".join(identifier(f"k{n}") for n in range(len(columns)))
        whole = " AND ".join(f"k{n} IS NOT NULL" for n in range(len(columns)))
        distinct = f"SELECT count(*) FROM (SELECT DISTINCT {cells} FROM keys{i} WHERE {whole})"
        if self._one(distinct) == self._one(f"SELECT count(*) FROM keys{i} WHERE {whole}"):
            return []
        within = f"OVER (PARTITION BY {cells} ORDER BY file, row)"
        ranked, repeated = [f"row_number() {within} AS nth"], "nth > 1"
        if self.owner:
            owners = [f"o{n}" for n in range(len(self.owner))]
            ranked += [f"first_value({o}) {within} AS first_{o}" for o in owners]
            others = " OR ".join(f"{o} IS DISTINCT FROM first_{o}" for o in owners)
            repeated = f"nth > 1 AND ({others})"
        ranking = f"SELECT *, {', '.join(ranked)} FROM keys{i} WHERE {whole}"
        sql = f"SELECT file, row, {cells} FROM ({ranking}) WHERE {repeated}"
        rows = self._book.execute(sql).fetchall()
        return [Repeat(f, r, columns, ", ".join(values)[:_SHOWN]) for f, r, *values in rows]

    def _one(self, sql: str) -> Any:  # Any: a database value
        return self._book.execute(sql).fetchall()[0][0]

    def _open(self) -> Any:  # Any: a database connection
        if self._book is None:
            assert self._folder is not None
            self._book = duckdb.connect(":memory:", config={"threads": 1})
            self._book.execute(f"SET temp_directory = {quoted(self._folder.name)}")
            self._book.execute("SET memory_limit = '96MB'")
            self._book.execute("SET TimeZone = 'UTC'")
            self._book.execute("SET enable_progress_bar = false")
        return self._book
