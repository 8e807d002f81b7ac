"""What dlt says of a table, as `Hints`.

dlt's own extract computes a table schema for each item, with its hints as keys of the table and of
its columns. What is a promise there is one here: types, not-null, unique, keys, dispositions,
contracts. A `primary_key` without a merge is a remark in dlt, and stays one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from penstock.errors import RefusedError
from penstock.schema.contract import Contract, Mode
from penstock.schema.disposition import Disposition, Order, Scd2, Strategy, WriteMode
from penstock.schema.hints import Hints, hints_to_json
from penstock.schema.inside import gathered
from penstock.schema.nesting import Nesting, NestingMode
from penstock.schema.table import Column, Table
from penstock.schema.types import NULL
from penstock.sources.dlt.types import column_type

# Any throughout: table and column schemas of dlt, which are plain mappings

SKIP = "skip"
"""The write disposition of a resource whose rows go nowhere."""
_BY_DLT = ("row_key", "parent_key", "root_key", "x-valid-from", "x-valid-to", "x-row-version")
_STRATEGIES = ("delete-insert", "upsert", "insert-only", "scd2")
_CONDITIONS = ("x-merge-source-filter", "x-merge-destination-scope")


def hints_of(
    schema: Mapping[str, Any],
    contract: Any = None,
    nesting: Nesting | None = None,
    children: Mapping[str, Mapping[str, Any]] | None = None,
    row: Any = None,
) -> Hints:
    """The hints that a table schema of dlt stands for.

    `contract` and `nesting` are what the source says where the table says nothing; `children` are the
    schemas of child tables by their path (`list__inner`), `row` is one of the table's.
    Raises: RefusedError for words of dlt that have no meaning here.
    """
    columns: dict[str, Mapping[str, Any]] = dict(schema.get("columns") or {})
    name = str(schema["name"])
    disposition = _disposition(schema, columns)
    said = schema.get("schema_contract")
    modes = _contract(contract, said) if said is not None or contract is not None else None
    closed = modes is not None and modes.columns is not Mode.EVOLVE
    merged = disposition.mode is WriteMode.MERGE
    declared = [_column(name, key, column, merged) for key, column in columns.items()]
    # a contract holds from the second load on, unless the columns were declared with their types
    said_of = gathered((c for c in declared if c is not None), row)
    promised = [c for c in said_of if not (closed and c.type == NULL)]
    return Hints(
        declared=_table(name, schema, columns, promised, disposition, children or {}),
        disposition=disposition,
        contract=modes,
        nesting=_nesting(schema, nesting),
    )


def _table(
    name: str,
    schema: Mapping[str, Any],
    columns: Mapping[str, Any],
    promised: Sequence[Column],
    disposition: Disposition,
    children: Mapping[str, Mapping[str, Any]],
) -> Table:
    references = schema.get("references")
    extra: dict[str, Any] = {"references": references} if references else {}
    if children:
        extra["nested_hints"] = {path: _child(path, child) for path, child in children.items()}
    return Table(
        name,
        tuple(promised),
        primary_key=disposition.primary_key,
        partitions=_having(columns, "partition"),
        description=schema.get("description"),
        extra=extra,
    )


def _child(path: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The hints of a child table as plain values; it is written as its root is unless it says more."""
    found: dict[str, Any] = json.loads(hints_to_json(hints_of({**schema, "name": path})))
    if "write_disposition" not in schema and not found["declared"].get("primary_key"):
        found.pop("disposition", None)
    return found


def _column(table: str, name: str, said: Mapping[str, Any], merged: bool) -> Column | None:
    """A declared column; None if nothing is said of it that data could break.

    In a merged table a value may come again, with the row that takes the place of the one that has it.
    """
    if any(said.get(mark) for mark in _BY_DLT):
        return None
    kind = column_type(said, f"{table}.{name}")
    nullable = said.get("nullable") is not False
    unique, description = bool(said.get("unique")) and not merged, said.get("description")
    if kind == NULL and nullable and not unique and description is None:
        return None
    return Column(name, kind, nullable, description, unique=unique, declared=True)


def _having(columns: Mapping[str, Any], mark: str) -> tuple[str, ...]:
    return tuple(name for name, column in columns.items() if column.get(mark))


def _condition(schema: Mapping[str, Any], key: str) -> str | None:
    """A condition in SQL as a merge has it. Raises: RefusedError for one that names a table of dlt's."""
    text = schema.get(key)
    try:
        return text.format() if text else None
    except (KeyError, IndexError, ValueError) as error:
        raise RefusedError(
            f"`{schema['name']}` is merged under a condition that names dlt's tables",
            where=f"`{key.removeprefix('x-merge-').replace('-', '_')}` in its write disposition",
            found=str(text),
            expected="a condition on the columns of a row alone",
        ) from error


def _disposition(schema: Mapping[str, Any], columns: Mapping[str, Any]) -> Disposition:
    """How the rows meet those that are there; a merge without any key appends, as in dlt."""
    name = str(schema["name"])
    mode = schema.get("write_disposition") or "append"
    if mode == "replace":
        return Disposition(WriteMode.REPLACE)
    if mode != "merge":
        return Disposition()
    wanted, scope = (_condition(schema, key) for key in _CONDITIONS)
    strategy = schema.get("x-merge-strategy") or "delete-insert"
    primary, merge = _having(columns, "primary_key"), _having(columns, "merge_key")
    if strategy == "cdc" and not _having(columns, "hard_delete") and not scope:
        if not merge:  # a whole snapshot: what it does not have is deleted
            return Disposition(WriteMode.REPLACE, source_filter=wanted)
        strategy = "delete-insert"  # a snapshot of the groups that occur in it
    if strategy not in _STRATEGIES:
        raise RefusedError(f"`{name}` is merged by `{strategy}`, which is not supported", hint="use `upsert`")
    if strategy == "delete-insert" and not (primary or merge or scope):
        return Disposition()
    skips = bool(schema.get("x-merge-skip-unchanged-rows")) and strategy == "upsert"
    version = next(iter(_having(columns, "x-row-version")), None)
    sort = next(iter(_having(columns, "dedup_sort")), None)
    return Disposition(
        WriteMode.MERGE,
        primary_key=primary,
        dedup_sort=sort,
        dedup_order=Order(columns[sort]["dedup_sort"]) if sort else Order.DESC,
        strategy=Strategy(strategy),
        merge_key=() if scope else merge,  # as in dlt, the scope stands for the key
        source_filter=wanted,
        destination_scope=scope,
        skip_unchanged_rows=skips,
        row_version=version if skips else None,
        hard_delete=next(iter(_having(columns, "hard_delete")), None),
        scd2=_scd2(columns) if strategy == "scd2" else None,
        at=_instant(schema.get("x-boundary-timestamp")),
    )


def _scd2(columns: Mapping[str, Any]) -> Scd2:
    [valid_from], [valid_to] = _having(columns, "x-valid-from"), _having(columns, "x-valid-to")
    [version] = _having(columns, "x-row-version")
    return Scd2(
        valid_from=valid_from,
        valid_to=valid_to,
        active_until=_instant(columns[valid_to].get("x-active-record-timestamp")),
        row_version=version if version != "_dlt_id" else None,
    )


def _instant(said: Any) -> datetime | None:
    """An instant as dlt takes it: an instant, a date, or either as text. Without a zone it is UTC."""
    if said is None:
        return None
    found = said if isinstance(said, datetime) else datetime.fromisoformat(str(said))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _contract(source: Any, table: Any) -> Contract:
    """The modes that a source and a table say, the table's first; what neither says may evolve."""
    modes = {"tables": "evolve", "columns": "evolve", "data_type": "evolve"}
    for said in (source, table):
        if said is not None:
            modes.update(dict.fromkeys(modes, said) if isinstance(said, str) else said)
    kind = Mode(modes["data_type"])
    return Contract(Mode(modes["tables"]), Mode(modes["columns"]), kind, kind)


def _nesting(schema: Mapping[str, Any], base: Nesting | None) -> Nesting | None:
    """A depth alone flattens, as in dlt; without one nested data stays as it is."""
    said = (schema.get("x-normalizer") or {}).get("max_nesting")
    return Nesting(NestingMode.FLATTEN, said) if said is not None else base
