"""Which way of merging a write disposition asks for, and what it needs from the rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from penstock.destinations.columns import Layout, Stored, find
from penstock.destinations.convert import as_text, literal, quote
from penstock.destinations.merging.child import Child
from penstock.destinations.merging.delete_insert import DeleteInsert
from penstock.destinations.merging.insert_only import InsertOnly
from penstock.destinations.merging.sql import Sort, Staged
from penstock.destinations.merging.upsert import Graves, Upsert
from penstock.destinations.merging.versions import Versions
from penstock.errors import BugError
from penstock.schema.disposition import Disposition, Order, Scd2, Strategy, WriteMode
from penstock.schema.nesting import ROOT_ID, ROW_ID
from penstock.schema.types import BOOL, TEXT, TIMESTAMP_TZ, DataType


class Merge(Protocol):
    """How staged rows meet those of a table, as SQL that every destination on DuckDB can run.

    First `settled`, then `met` with a query for all rows that there are, each with a `tag`. Then
    either `applied` to a table, or the rows whose tags are `touched` are written anew as `kept`, and
    those that are `added` (given these rows) beside them.
    """

    @property
    def helpers(self) -> tuple[str, ...]:
        """The temporary tables that it makes."""
        ...

    def settled(self) -> Sequence[str]:
        """Statements that leave the staged rows that count. They may be run again."""
        ...

    def met(self, rows: str, tag: str) -> Sequence[str]:
        """Statements that compare the staged rows with all rows of the table."""
        ...

    def applied(self, table: str, layout: Layout, *, is_empty: bool) -> Sequence[str]:
        """Statements that bring the staged rows into a table of DuckDB."""
        ...

    def touched(self, rows: str, tag: str) -> str | None:
        """A query for the tags of the rows that change or go; None: none can."""
        ...

    def kept(self, rows: str, layout: Layout) -> str:
        """A query for what becomes of some rows."""
        ...

    def added(self, rows: str, layout: Layout) -> str:
        """A query for the rows that are new; `rows` are those that are touched."""
        ...


def is_merged(disposition: Disposition) -> bool:
    """Whether rows have to wait until they are compared with those that are there."""
    return disposition.mode is WriteMode.MERGE or bool(disposition.overwrite)


def waits(disposition: Disposition, known: Mapping[str, Disposition]) -> bool:
    """Whether rows have to wait for what is there, or for what becomes of their roots.

    `known` are the dispositions of this load's tables by name.
    """
    if disposition.root is None or disposition.mode is not WriteMode.REPLACE:
        return is_merged(disposition)
    root = known.get(disposition.root)
    return root is None or is_merged(root)


def is_whole(disposition: Disposition) -> bool:
    """Whether rows are written as wholes: what they do not have is null, and a load meets the table once.

    Otherwise columns that did not come keep their values.
    """
    return disposition.root is not None or not _is_upsert(disposition)


def is_snapshot(disposition: Disposition) -> bool:
    """Whether a load without any rows changes the table."""
    return disposition.mode is WriteMode.MERGE and disposition.counts_when_empty


def scd2_of(disposition: Disposition) -> Scd2 | None:
    """The columns of versions that a table gets; None: it has none."""
    if disposition.mode is not WriteMode.MERGE or disposition.root is not None:
        return None
    return (disposition.scd2 or Scd2()) if disposition.strategy is Strategy.SCD2 else None


def versioned(layout: Layout, disposition: Disposition) -> Layout:
    """`layout` with the columns of versions, if the disposition wants them."""
    scd2 = scd2_of(disposition)
    if scd2 is None:
        return layout
    kinds: dict[str, DataType] = {scd2.valid_from: TIMESTAMP_TZ, scd2.valid_to: TIMESTAMP_TZ}
    if scd2.row_version is None:
        kinds[scd2.version_column] = TEXT
    return (*layout, *(Stored(n, n, kind) for n, kind in kinds.items() if find(layout, n) is None))


def required(disposition: Disposition) -> dict[str, tuple[str, ...]]:
    """The columns in which every row needs a value, by what they are called together."""
    if disposition.root is not None:
        return {"the root's key": (ROOT_ID,)}
    if disposition.overwrite:
        return {}
    scd2 = scd2_of(disposition)
    found = {"merge key": disposition.merge_key}
    if scd2 is None:
        found["primary key"] = disposition.primary_key
    if scd2 is not None and scd2.row_version is not None:
        found["row version"] = (scd2.row_version,)
    return {words: columns for words, columns in found.items() if columns}


def merge_of(
    stage: str, columns: Sequence[Stored], disposition: Disposition, layout: Layout, load_id: str, roots: str
) -> Merge:
    """How the rows in the table `stage`, which has these columns, are merged into a table.

    `roots` is a query for the ids of the roots that there are, for a table that is part of another.
    """
    staged = Staged(stage, tuple(c.stored_as for c in columns), load_id, _flag(disposition, columns))
    if disposition.root is not None:
        return Child(staged, ROOT_ID, roots)
    key = _stored(layout, disposition.primary_key)
    sort = _sort(layout, disposition)
    if disposition.overwrite:
        known = [c for c in disposition.overwrite if find(layout, c) is not None]
        return DeleteInsert(staged, (), None, _stored(layout, known), overwrite=True)
    merge_key = _stored(layout, disposition.merge_key)
    if disposition.strategy is Strategy.DELETE_INSERT:
        return DeleteInsert(staged, key, sort, merge_key, scope=disposition.destination_scope)
    if disposition.strategy is Strategy.INSERT_ONLY:
        return InsertOnly(staged, key, sort)
    if disposition.strategy is Strategy.SCD2:
        return _versions(staged, disposition, layout, key, sort, merge_key)
    lasting = disposition.strategy is Strategy.CDC
    dig = sort is not None and (lasting or staged.flag is not None)
    graves = Graves(staged, key, sort, lasting) if sort and dig else None
    return Upsert(staged, key, sort, graves, _compared(staged, disposition, layout, key))


def _compared(
    staged: Staged, disposition: Disposition, layout: Layout, key: tuple[str, ...]
) -> tuple[str, ...] | None:
    """The columns that tell whether a row has changed; None: nobody asks."""
    if not disposition.skip_unchanged_rows:
        return None
    version = _stored(layout, [disposition.row_version]) if disposition.row_version else ()
    return version or tuple(c for c in staged.columns if c not in (*key, ROW_ID))


def _versions(
    staged: Staged,
    disposition: Disposition,
    layout: Layout,
    key: tuple[str, ...],
    sort: Sort | None,
    merge_key: tuple[str, ...],
) -> Versions:
    scd2 = scd2_of(disposition)
    if scd2 is None or disposition.at is None:
        raise BugError("a load of versions was not told from when on they hold")
    version = _stored(layout, [scd2.row_version or scd2.version_column])
    keys = (*(key if scd2.row_version else ()), *merge_key)
    return Versions(
        staged=staged,
        identity=tuple(dict.fromkeys((*keys, *version))),
        key=key,
        sort=sort,
        merge_key=merge_key,
        valid_from=_stored(layout, [scd2.valid_from])[0],
        valid_to=_stored(layout, [scd2.valid_to])[0],
        at=disposition.at,
        until=scd2.active_until,
        scope=disposition.destination_scope,
    )


def _is_upsert(disposition: Disposition) -> bool:
    updates = disposition.strategy in (Strategy.UPSERT, Strategy.CDC)
    return disposition.mode is WriteMode.MERGE and updates


def _stored(layout: Layout, names: Sequence[str]) -> tuple[str, ...]:
    found = [find(layout, name) for name in names]
    return tuple(s.stored_as for s in found if s is not None)


def _sort(layout: Layout, disposition: Disposition) -> Sort | None:
    stored = find(layout, disposition.dedup_sort) if disposition.dedup_sort else None
    return Sort(stored.stored_as, disposition.dedup_order is Order.ASC) if stored else None


def _flag(disposition: Disposition, columns: Sequence[Stored]) -> str | None:
    """The condition that a staged row removes the row of its key; never null."""
    stored = find(tuple(columns), disposition.hard_delete) if disposition.hard_delete else None
    if stored is None:
        return None
    value = f"s.{quote(stored.stored_as)}"
    if disposition.delete_values:
        texts = ", ".join(literal(v) for v in disposition.delete_values)
        return f"coalesce({as_text(value, stored.type)} IN ({texts}), false)"
    return f"coalesce({value}, false)" if stored.type == BOOL else f"({value} IS NOT NULL)"
