"""The flat tables of a plan joined back to nested rows. Vectorised, pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import RefusedError
from penstock.records.cast import conform
from penstock.records.flatten_names import EMPTY
from penstock.records.flatten_plan import Branch, FlatPlan, FlatTable, Leaf, Many, Node
from penstock.schema.arrow import arrow_schema, to_arrow
from penstock.schema.nesting import LIST_INDEX, PARENT_ID, ROW_ID

# pyarrow ships no types: its values are Any in this module.


@dataclass(frozen=True, slots=True)
class _Stored:
    """Rows of one stored table, in the order in which they are wanted, and all other tables."""

    flat: FlatTable
    batch: Any
    tables: Mapping[str, Any]


def unflatten(tables: Mapping[str, Any], plan: FlatPlan) -> Any:
    """The nested rows that `flatten` made `tables` of, as one record batch, in the order of the root's rows.

    Shape: Arrow tables or batches by name, the rows of children in any order; a table or a column
    that is missing counts as empty. What lies below the plan's depth stays JSON. Without the column
    of notes (`exact` off) an empty list comes back as null, and so does an object of nulls.
    Raises: RefusedError when a child's row has no parent among the rows above it.
    """
    root = _Stored(plan.root, _whole(tables.get(plan.root.table.name), plan.root), tables)
    assert isinstance(plan.root.row, Branch)
    columns = {name: _values(node, root) for name, node in plan.root.row.fields}
    schema = arrow_schema(plan.rows)
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _whole(rows: Any, flat: FlatTable) -> Any:
    """Rows as one batch in the types of the plan."""
    if rows is None:
        return _none(arrow_schema(flat.table))
    if isinstance(rows, pa.Table):
        batches = rows.combine_chunks().to_batches()
        rows = batches[0] if batches else _none(rows.schema)
    fitted, bad = conform(rows, flat.table)
    if bad:
        raise RefusedError(f"`{flat.table.name}` has values of other types in {', '.join(bad)}")
    return fitted


def _none(schema: Any) -> Any:
    return pa.RecordBatch.from_arrays([pa.array([], kind) for kind in schema.types], schema=schema)


def _values(node: Node, stored: _Stored) -> Any:
    if isinstance(node, Leaf):
        if node.name in stored.batch.schema.names:
            return stored.batch.column(node.name)
        return pa.nulls(stored.batch.num_rows, to_arrow(node.after))
    return _object(node, stored) if isinstance(node, Branch) else _list(node, stored)


def _object(node: Branch, stored: _Stored) -> Any:
    there = _noted(node.place, stored)
    fields = {}
    for name, below in node.fields:
        fields[name] = _values(below, stored)
        there = pc.or_(there, fields[name].is_valid())
    if not fields:
        return pc.if_else(there, "{}", pa.nulls(len(there), pa.string()))
    return pa.StructArray.from_arrays(list(fields.values()), names=list(fields), mask=pc.invert(there))


def _list(node: Many, stored: _Stored) -> Any:
    rows = _whole(stored.tables.get(node.child.table.name), node.child)
    owners = pc.index_in(rows.column(PARENT_ID), value_set=stored.batch.column(ROW_ID))
    if owners.null_count:
        orphan = rows.column(ROW_ID).filter(owners.is_null())[0]
        raise RefusedError(
            f"rows of `{node.child.table.name}` have no parent in `{stored.flat.table.name}`",
            found=f"{owners.null_count} of {rows.num_rows} rows, one of them {orphan}",
            expected="every parent id among the ids of the table above",
        )
    order = pc.sort_indices(
        pa.table({"owner": owners, "place": rows.column(LIST_INDEX)}),
        sort_keys=[("owner", "ascending"), ("place", "ascending")],
    )
    items = _values(node.child.row, _Stored(node.child, rows.take(order), stored.tables))
    lengths = _counted(owners, stored.batch.num_rows)
    ends = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
    missing = pc.and_(pc.equal(lengths, 0), pc.invert(_noted(node.place, stored)))
    return pa.ListArray.from_arrays(ends, items, mask=missing)


def _counted(owners: Any, count: int) -> Any:
    """How often each of the numbers below `count` comes."""
    found = pc.value_counts(owners)
    places = pc.index_in(pa.arange(0, count).cast(pa.int32()), value_set=found.field("values"))
    return pc.fill_null(found.field("counts").take(places), 0).cast(pa.int32())


def _noted(place: str, stored: _Stored) -> Any:
    """Whether the row says that it has something empty at `place`."""
    if not stored.flat.notes:
        return pa.repeat(pa.scalar(False), stored.batch.num_rows)
    notes = stored.batch.column(EMPTY)
    word = json.dumps(place, ensure_ascii=False)
    return pc.fill_null(
        pc.or_(pc.match_substring(notes, f"[{word}"), pc.match_substring(notes, f" {word}")), False
    )
