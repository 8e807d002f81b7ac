"""Write dispositions that make no sense, refused before a row is written. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.destinations.merging.choice import is_merged, scd2_of
from penstock.errors import RefusedError
from penstock.schema.disposition import Disposition, Strategy, WriteMode
from penstock.schema.table import Table

_BY_KEY = (Strategy.UPSERT, Strategy.INSERT_ONLY, Strategy.CDC)


def refuse_nonsense(table: Table, disposition: Disposition) -> None:
    """Refuse a disposition that asks for what it has no column for, or for two things at once.

    Raises: RefusedError; mend the table's `write` in the project file.
    """
    for what, hint in _complaints(disposition):
        raise RefusedError(f"`{table.name}` {what}", hint=hint)
    scd2 = scd2_of(disposition)
    if scd2 is None:
        return
    own = [scd2.valid_from, scd2.valid_to, *([] if scd2.row_version else [scd2.version_column])]
    if len({name.lower() for name in own}) < len(own):
        raise RefusedError(
            f"`{table.name}` keeps versions in columns that have one name",
            found=", ".join(f"`{name}`" for name in own),
            hint="give each column of `scd2` a name of its own",
        )
    taken = {name.lower() for name in own} & {name.lower() for name in table.names}
    if taken:
        raise RefusedError(
            f"`{table.name}` has a column `{min(taken)}`, which is where its versions are kept",
            hint="rename it, or keep versions elsewhere: `scd2: {valid_from: ..., valid_to: ...}`",
        )


def refuse_unknown(table: Table, disposition: Disposition) -> None:
    """Refuse a disposition by columns that neither the table nor any row has. Raises: RefusedError."""
    scd2 = scd2_of(disposition)
    told = {
        "deletes by": (disposition.hard_delete,),
        "is merged by the newest": (disposition.dedup_sort,),
        "is overwritten by": disposition.overwrite,
        "is versioned by": (scd2.row_version if scd2 else disposition.row_version,),
    }
    if disposition.root is not None or not is_merged(disposition):
        return
    for words, names in told.items():
        for name in names:
            if name is not None and table.column(name) is None:
                raise RefusedError(
                    f"`{table.name}` {words} `{name}`, which it does not have",
                    found="columns " + ", ".join(f"`{n}`" for n in table.names),
                    hint="declare the column, or name another one in the table's `write`",
                )


def _complaints(disposition: Disposition) -> Iterator[tuple[str, str]]:
    """What is wrong with it, and what to do about that."""
    d = disposition
    merged = d.mode is WriteMode.MERGE
    if d.root is not None:
        return
    if merged and d.strategy in _BY_KEY and not d.primary_key:
        yield (
            "is merged, so it needs a primary key",
            "name its `primary_key` in the project file, or write it with `append`",
        )
    if (
        merged
        and d.strategy is Strategy.DELETE_INSERT
        and not (d.primary_key or d.merge_key or d.destination_scope)
    ):
        yield (
            "is merged by delete-insert, so it needs a primary key or a merge key",
            "name its `primary_key` or its `merge_key` in the project file",
        )
    if merged and d.merge_key and d.strategy in _BY_KEY:
        yield (
            f"has a merge key, which an {d.strategy} does not go by" if d.strategy is not Strategy.CDC
            else "has a merge key, which a stream of changes does not go by",
            "use the strategy `delete-insert` or `scd2`, or leave the merge key out",
        )  # fmt: skip
    if merged and d.dedup_sort and not d.primary_key:
        yield (
            "has a `dedup_sort`, but no primary key whose rows it could order",
            "name its `primary_key` in the project file, or leave `dedup_sort` out",
        )
    if d.hard_delete and not merged:
        yield (
            "deletes rows by a column, but it is not merged",
            "write it with `merge`, or leave `hard_delete` out",
        )
    if d.hard_delete and d.strategy is Strategy.INSERT_ONLY:
        yield (
            "deletes rows by a column, but its strategy only inserts",
            "use the strategy `upsert`, or leave `hard_delete` out",
        )
    if d.delete_values and not d.hard_delete:
        yield (
            "has values that mean a row is deleted, but no column to find them in",
            "name that column as `hard_delete`",
        )
    if d.destination_scope and not (merged and d.strategy in (Strategy.DELETE_INSERT, Strategy.SCD2)):
        yield (
            "has a `destination_scope`, but no rows that this could keep from going",
            "use the strategy `delete-insert` or `scd2`, or leave it out",
        )
    if d.destination_scope and d.merge_key:
        yield (
            "has a merge key and a `destination_scope`, which both say what may go",
            "leave one of them out",
        )
    if d.skip_unchanged_rows and not (merged and d.strategy in (Strategy.UPSERT, Strategy.CDC)):
        yield (
            "skips rows that have not changed, but it updates none",
            "use the strategy `upsert` or `cdc`, or leave `skip_unchanged_rows` out",
        )
    if d.row_version and not d.skip_unchanged_rows:
        yield (
            "has a `row_version`, which nothing goes by",
            "say `skip_unchanged_rows: true`, or leave `row_version` out",
        )
    if d.overwrite and d.mode is not WriteMode.REPLACE:
        yield (
            "overwrites by some columns, but it is not replaced",
            "write it with `replace`, or leave `overwrite` out",
        )
