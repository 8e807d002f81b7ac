"""Nested rows as the flat tables of a plan. Vectorised, pure.

What is there but empty (a list without items, an object whose fields are all null) would be the
same as what is missing. A row that has such places names them in `_penstock_empty`, a JSON list of
pointers (`["/tags"]`, and `""` for the item itself); it is null in all other rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import BugError, RefusedError
from penstock.records.convert import convert
from penstock.records.flatten_plan import Branch, FlatPlan, FlatTable, Leaf, Many, Node
from penstock.records.text import map_entries, relisted
from penstock.schema.arrow import arrow_schema, to_arrow
from penstock.schema.nesting import LIST_INDEX, PARENT_ID, ROOT_ID, ROW_ID

# pyarrow ships no types: its values are Any in this module.


@dataclass(slots=True)
class _Rows:
    """The rows of one stored table while they are taken apart."""

    flat: FlatTable
    count: int
    ids: Any
    roots: Any
    columns: dict[str, Any] = field(default_factory=dict)
    empty: list[tuple[str, Any]] = field(default_factory=list)


def flatten(batch: Any, plan: FlatPlan, row_ids: Any) -> dict[str, Any]:
    """A record batch of nested rows as one batch for each table of the plan, by name.

    Shape: `row_ids` are unique texts, one a row. A child's id is its parent's, a point and its
    place in the list, so the same rows always get the same ids. Columns that the batch lacks are
    null; it has no others than the plan's.
    Raises: RefusedError for a value that the plan's type cannot hold; evolve the table first.
    """
    if len(row_ids) != batch.num_rows or row_ids.null_count:
        raise BugError(f"{batch.num_rows} rows came with {len(row_ids)} ids, {row_ids.null_count} null")
    ids = row_ids.cast(pa.string())
    rows = _Rows(plan.root, batch.num_rows, ids, ids)
    rows.columns[ROW_ID] = ids
    done: dict[str, Any] = {}
    assert isinstance(plan.root.row, Branch)
    columns = _known(plan.root.table.name, plan.root.row, batch.schema.names, batch.columns)
    for name, node in plan.root.row.fields:
        _take(node, columns.get(name, pa.nulls(batch.num_rows)), rows, done)
    done[plan.root.table.name] = _batch(rows)
    return {flat.table.name: done[flat.table.name] for flat in plan.stored}


def _take(node: Node, values: Any, rows: _Rows, done: dict[str, Any]) -> None:
    if isinstance(node, Leaf):
        rows.columns[node.name] = _column(node, values)
        return
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if isinstance(node, Branch):
        _take_object(node, values, rows, done)
    else:
        _take_list(node, values, rows, done)


def _known(where: str, node: Branch, names: Iterable[str], columns: Iterable[Any]) -> dict[str, Any]:
    """Columns or fields by name. Raises: RefusedError for values that the plan has no place for."""
    found: dict[str, Any] = {}
    expected = {name for name, _ in node.fields}
    for name, values in zip(names, columns, strict=True):
        if name in found:
            raise RefusedError(
                f"`{name}` comes twice in `{where}`", expected="a name of its own for each field"
            )
        if name not in expected and values.null_count < len(values):
            raise RefusedError(
                f"`{where}` has no `{name}`",
                found=f"values of type {values.type}",
                expected=", ".join(sorted(expected)),
                hint="let the table grow by what the rows hold before they are flattened",
            )
        found[name] = values
    return found


def _column(node: Leaf, values: Any) -> Any:
    if node.before == node.after and values.type == to_arrow(node.after):
        return values
    found = convert(values, node.after, node.before)
    if found.null_count != values.null_count:
        missed = pc.and_(values.is_valid(), found.is_null())
        raise RefusedError(
            f"`{node.name}` has values that {node.after} cannot hold",
            found=str(values.filter(missed)[0].as_py()),
            expected=str(node.after),
        )
    return found


def _take_object(node: Branch, values: Any, rows: _Rows, done: dict[str, Any]) -> None:
    fields = _fields(node, values, rows.flat.table.name + node.place)
    bare = values.is_valid() if rows.flat.notes else None
    for name, below in node.fields:
        inside = fields.get(name)
        if inside is None:
            inside = pa.nulls(len(values))
        _take(below, inside, rows, done)
        if bare is not None:
            bare = pc.and_(bare, inside.is_null()) if inside.null_count else None
    if bare is not None:
        rows.empty.append((node.place, bare))


def _fields(node: Branch, values: Any, where: str) -> dict[str, Any]:
    """The fields of an object array, null wherever the object is; objects without keys are text."""
    kind = values.type
    if pa.types.is_struct(kind):
        return _known(where, node, (f.name for f in kind), values.flatten())
    if not pa.types.is_null(kind) and not (
        pa.types.is_string(kind) and pc.all(pc.equal(values, "{}"), min_count=0).as_py()
    ):
        raise _other_kind(where, kind, "an object")
    return {}


def _other_kind(where: str, kind: Any, expected: str) -> RefusedError:
    return RefusedError(
        f"`{where}` is {expected} in the table and something else in the rows",
        found=str(kind),
        expected=expected,
        hint="let the table grow by what the rows hold before they are flattened",
    )


def _take_list(node: Many, values: Any, rows: _Rows, done: dict[str, Any]) -> None:
    lists = _lists(values, rows.flat.table.name + node.place)
    lengths = pc.list_value_length(lists)
    if rows.flat.notes:
        known = pc.fill_null(pc.equal(lengths, 0), False)
        rows.empty.append((node.place, pc.and_(known, values.is_valid()) if values.null_count else known))
    items, parents = lists.flatten(), pc.list_parent_indices(lists)
    starts = pc.subtract(pc.cumulative_sum(lengths), lengths)
    places = pc.subtract(pa.arange(0, len(items)), starts.take(parents).cast(pa.int64()))
    parent_ids = rows.ids.take(parents)
    ids = pc.binary_join_element_wise(parent_ids, places.cast(pa.string()), ".")
    roots = parent_ids if rows.flat.parent is None else rows.roots.take(parents)
    below = _Rows(node.child, len(items), ids, roots)
    below.columns |= {ROW_ID: ids, PARENT_ID: parent_ids, ROOT_ID: roots, LIST_INDEX: places}
    _take(node.child.row, items, below, done)
    done[node.child.table.name] = _batch(below)


def _lists(values: Any, where: str) -> Any:
    """Any kind of list, or a map, as a list array in which null lists are empty and hide nothing."""
    kind = values.type
    if pa.types.is_null(kind):
        ends = pa.repeat(pa.scalar(0, pa.int32()), len(values) + 1)
        return pa.ListArray.from_arrays(ends, pa.nulls(0))
    if pa.types.is_map(kind):
        values = map_entries(values)
    elif pa.types.is_struct(kind) or not pa.types.is_nested(kind):
        raise _other_kind(where, kind, "a list")
    if pa.types.is_list(values.type) and not values.null_count:
        return values
    return relisted(values, values.flatten())


def _batch(rows: _Rows) -> Any:
    table = rows.flat.table
    if rows.flat.notes:
        rows.columns[table.columns[-1].name] = _notes(rows)
    schema = arrow_schema(table)
    return pa.RecordBatch.from_arrays([rows.columns[name] for name in schema.names], schema=schema)


def _notes(rows: _Rows) -> Any:
    blank = pa.nulls(rows.count, pa.string())
    found = [(place, mask) for place, mask in sorted(rows.empty, key=_by_place) if pc.any(mask).as_py()]
    if not found:
        return blank
    if len(found) == 1:
        place, mask = found[0]
        return pc.if_else(mask, json.dumps([place], ensure_ascii=False), blank)
    words = [pc.if_else(mask, f"{json.dumps(place, ensure_ascii=False)}, ", "") for place, mask in found]
    texts = pc.utf8_rtrim(pc.binary_join_element_wise(*words, ""), ", ")
    noted = pc.binary_join_element_wise("[", texts, "]", "")
    return pc.if_else(pc.not_equal(texts, ""), noted, blank)


def _by_place(note: tuple[str, Any]) -> str:
    return note[0]
