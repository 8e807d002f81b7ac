"""From what is said of a model to how its rows are kept, what is wrong with that, and its version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from penstock.errors import ProjectError, suggest
from penstock.models.model import Materialization
from penstock.project.models import ModelSpec
from penstock.project.nodes import Path, dotted
from penstock.project.promise import Scd2Spec
from penstock.project.tables import Where, check_actions, check_keys, disposition_of
from penstock.schema.disposition import Disposition, Strategy, WriteMode
from penstock.schema.faults import combine, either
from penstock.schema.table import Column, Table

_MERGE = (
    "strategy", "merge_key", "dedup_sort", "dedup_order", "hard_delete", "delete_values", "source_filter",
    "destination_scope", "skip_unchanged_rows", "row_version",
)  # fmt: skip
_MERGED: Mapping[str, tuple[str, ...]] = {
    Materialization.INCREMENTAL: (*_MERGE, "incremental_strategy"),
    Materialization.SCD2: ("merge_key", "source_filter", "destination_scope", "dedup_sort", "dedup_order"),
}
_OF_ROWS = ("gate", "partitions", "version_column")
_ALONE = {
    "cursor": Materialization.INCREMENTAL,
    "lookback": Materialization.INCREMENTAL,
    "snapshot_column": Materialization.SNAPSHOT,
    "scd2": Materialization.SCD2,
}
_DECIDING = {
    "materialized", "cursor", "lookback", "snapshot_column", "version_column", "scd2", "gate", "contract",
    *_MERGE,
}  # fmt: skip
_RULES = ("enum", "pattern", "minimum", "maximum", "min_length", "max_length", "foreign_key")


def idle_words(materialized: str) -> frozenset[str]:
    """The words that mean nothing for a materialization; as a default of all models they are passed over."""
    alone = {word for word, kind in _ALONE.items() if kind != materialized}
    merged = _MERGED.get(materialized, ())
    alone |= {word for word in (*_MERGE, "incremental_strategy") if word not in merged}
    return frozenset(alone | (set(_OF_ROWS) if materialized == Materialization.VIEW else set()))


def kept_table(spec: ModelSpec, table: Table) -> Table:
    """The table of a model as it is kept: that of a snapshot is laid out by its day."""
    if spec.materialized is Materialization.SNAPSHOT and spec.snapshot_column not in table.partitions:
        return replace(table, partitions=(spec.snapshot_column, *table.partitions))
    return table


def kept_as(spec: ModelSpec, table: Table, *, where: Where = dotted) -> Disposition:
    """How the rows of a build meet those of earlier ones; for a view, as if it were a table.

    Raises: ProjectError telling every word that means nothing with the others.
    """
    faults = [*_nonsense(spec, table, where)]
    if faults:
        raise combine(faults, f"the model `{table.name}`")
    said: dict[str, object] = {"write": WriteMode.REPLACE}
    if spec.materialized is Materialization.INCREMENTAL:
        merged = bool(table.primary_key or spec.merge_key or spec.destination_scope)
        said = {"write": WriteMode.MERGE if merged else WriteMode.APPEND}
    elif spec.materialized is Materialization.SCD2:
        said = {"write": WriteMode.MERGE, "strategy": Strategy.SCD2, "scd2": spec.scd2 or Scd2Spec()}
    elif spec.materialized is Materialization.PARTITION:
        said["overwrite"] = table.partitions
    elif spec.materialized is Materialization.SNAPSHOT:
        said["overwrite"] = (spec.snapshot_column,)
    return disposition_of(spec.model_copy(update=said), table, where=where)


def _nonsense(spec: ModelSpec, table: Table, where: Where) -> Iterator[ProjectError]:
    """Words that are right by themselves and mean nothing together."""
    kind, said = spec.materialized, spec.model_fields_set
    for key, wanted in _ALONE.items():
        if key in said and getattr(spec, key) is not None and kind is not wanted:
            yield _fault(
                table,
                f"has a `{key}`, which means nothing for a {kind}",
                where,
                key,
                f"materialized: {wanted}",
            )
    for key in _MERGE:
        if key in said and getattr(spec, key) and key not in _MERGED.get(kind, ()):
            yield _fault(
                table,
                f"has a `{key}`, which means nothing for a {kind}",
                where,
                key,
                "materialized: incremental",
            )
    if kind is Materialization.INCREMENTAL:
        yield from _incremental(spec, table, where)
    if kind is Materialization.PARTITION and not table.partitions:
        what = "replaces partitions, but nothing says by which columns"
        yield _fault(table, what, where, "materialized", "partitions: day")
    if kind is Materialization.VIEW:
        yield from _view(spec, table, where)


def _incremental(spec: ModelSpec, table: Table, where: Where) -> Iterator[ProjectError]:
    keyed = bool(table.primary_key or spec.merge_key or spec.destination_scope)
    if not keyed and spec.cursor is None:
        what = "is incremental, but nothing tells which rows are new"
        yield _fault(table, what, where, "materialized", "cursor: updated_at", "primary_key: id")
    if spec.cursor is None and spec.lookback is not None:
        yield _fault(table, "looks back from no cursor", where, "lookback", "cursor: updated_at")
    if spec.lookback is not None and not keyed:
        what = "takes rows once more that nothing tells from those that are there"
        yield _fault(table, what, where, "lookback", "primary_key: id")
    if keyed and not table.primary_key and spec.strategy not in (Strategy.DELETE_INSERT, Strategy.SCD2):
        what = f"is merged by {spec.strategy}, but nothing tells one row from another"
        yield _fault(table, what, where, "materialized", "primary_key: id", "strategy: delete-insert")
    if spec.strategy is Strategy.SCD2:
        what = "keeps every version of a row"
        yield _fault(table, what, where, "strategy", "materialized: scd2")
    elif not keyed:
        for key in _MERGE:
            if key in spec.model_fields_set and getattr(spec, key) and key != "merge_key":
                what = f"has a `{key}`, but nothing tells one row from another"
                yield _fault(table, what, where, key, "primary_key: id")


def _view(spec: ModelSpec, table: Table, where: Where) -> Iterator[ProjectError]:
    """A view holds no rows, so nothing can be judged, added or laid out."""
    asked: list[tuple[Path, str]] = [
        (("gate", key), f"`{key}`") for key in sorted(spec.gate.model_fields_set)
    ]
    for column in table.columns:
        asked += [(("columns",), f"`{column.name}.{rule}`") for rule in _asked_of(column)]
    for path, rule in asked[:1]:
        yield ProjectError(
            f"`{table.name}` is a view, which holds no rows that {rule} could be asked of",
            where=where(path),
            expected="`materialized: table`, or no rules",
        )
    for key in ("partitions", "version_column"):
        if key in spec.model_fields_set and getattr(spec, key):
            yield _fault(table, f"has `{key}`, but a view holds no rows", where, key, "materialized: table")


def _asked_of(column: Column) -> list[str]:
    """The rules of a column."""
    found = [rule for rule in _RULES if getattr(column, rule) is not None]
    found += ["nullable"] * (not column.nullable) + ["unique"] * column.unique
    return found


def _fault(table: Table, what: str, where: Where, key: str, *wanted: str) -> ProjectError:
    return ProjectError(
        f"`{table.name}` {what}", where=where((key,)), expected=either(f"`{word}`" for word in wanted)
    )


def check_model(spec: ModelSpec, table: Table, *, where: Where = dotted) -> list[ProjectError]:
    """Everything that is wrong with a model whose metadata is known, but for its query."""
    try:
        kept_as(spec, kept_table(spec, table), where=where)
    except ProjectError as wrong:
        return [wrong]
    faults = [*check_keys(spec, table, where=where), *check_actions(spec, table, where=where)]
    if (
        spec.cursor is not None
        and table.columns
        and spec.contract.columns != "evolve"
        and table.column(spec.cursor) is None
    ):
        faults.append(
            ProjectError(
                f"`{table.name}` has no column `{spec.cursor}`, and its contract takes no new ones",
                where=where(("cursor",)),
                expected=either(table.names),
                hint=suggest(spec.cursor, table.names),
            )
        )
    return faults


def version_of(spec: ModelSpec, table: Table, text: str) -> str:
    """A digest of everything that decides which rows a model has; `text` is that of its query or code."""
    said = spec.model_dump(mode="json", include=_DECIDING, exclude_defaults=True)
    columns = [
        (c.name, str(c.type), c.nullable, c.unique, *(repr(getattr(c, rule)) for rule in _RULES))
        for c in table.columns
    ]
    whole = json.dumps(
        [text, said, columns, table.primary_key, table.partitions], sort_keys=True, default=str
    )
    return hashlib.sha256(whole.encode()).hexdigest()[:20]
