"""How rows are written, as users say it: a word, or a mapping as in dlt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from penstock.errors import RefusedError, suggest
from penstock.schema.contract import Contract, Mode
from penstock.schema.disposition import Disposition, Order, Scd2, Strategy, WriteMode
from penstock.schema.nesting import Nesting, NestingMode

# Any throughout: hints hold values of every type

SKIP = "skip"
_WORDS = (*WriteMode, SKIP)
_SAFE_REPLACES = ("truncate-and-insert", "insert-from-staging", "staging-optimized")
_SCD2 = ("validity_column_names", "active_record_timestamp", "boundary_timestamp", "row_version_column_name")
_MERGE = ("source_filter", "destination_scope", "skip_unchanged_rows")
_OWN = ("hard_delete", "delete_values", "dedup_sort", "dedup_order", "overwrite", *_MERGE)
_KEYS = ("disposition", "strategy", "deduplicated", *_SCD2, *_OWN)


def disposition(said: Any, marks: Mapping[str, Any], where: str) -> Disposition | None:
    """The write disposition that `said` (a word, a mapping or one of ours) means; None for `skip`.

    `marks` are what the table's keys and columns say: `primary_key`, `merge_key`, `hard_delete`,
    `dedup_sort` and `dedup_order`.
    Raises: RefusedError for a word that has no meaning here.
    """
    if isinstance(said, Disposition):
        return said
    options = dict(said) if isinstance(said, Mapping) else {"disposition": said or "append"}
    mode = options.pop("disposition", "append")
    if mode not in _WORDS:
        raise RefusedError(
            f"`{mode}` is no write disposition",
            where=where,
            expected=", ".join(_WORDS),
            hint=suggest(str(mode), _WORDS),
        )
    _check(options, where)
    if mode == SKIP:
        return None
    values = {**{k: v for k, v in marks.items() if v}, **{k: options[k] for k in _OWN if k in options}}
    values["dedup_order"] = Order(values.get("dedup_order", Order.DESC))
    for name in ("delete_values", "overwrite"):
        values[name] = names(values.get(name), name, where)
    if mode != WriteMode.MERGE:
        _check_plain(mode, options, where)
        kept = {"primary_key", "overwrite"} if mode == WriteMode.REPLACE else {"primary_key"}
        return Disposition(WriteMode(mode), **{k: v for k, v in values.items() if k in kept})
    strategy = _strategy(options, values, where)
    if strategy is Strategy.SCD2:
        values |= _scd2(options, where)
    elif values.get("skip_unchanged_rows") and "row_version_column_name" in options:
        values["row_version"] = options["row_version_column_name"]
    elif present := [k for k in _SCD2 if k in options]:
        raise RefusedError(
            f"`{present[0]}` has no meaning for the strategy `{strategy}`",
            where=where,
            hint='say "strategy": "scd2", or leave it out',
        )
    return Disposition(WriteMode.MERGE, strategy=strategy, **values)


def _check(options: Mapping[str, Any], where: str) -> None:
    for key in options:
        if key not in _KEYS:
            raise RefusedError(
                f"`{key}` is no key of a write disposition",
                where=where,
                expected=", ".join(_KEYS),
                hint=suggest(key, _KEYS),
            )


def _check_plain(mode: str, options: Mapping[str, Any], where: str) -> None:
    strategy = options.get("strategy")
    if strategy is not None and not (mode == WriteMode.REPLACE and strategy in _SAFE_REPLACES):
        raise RefusedError(
            f"`{mode}` has no strategy `{strategy}`",
            where=where,
            hint='strategies belong to "disposition": "merge"; a replace is always one transaction',
        )


def _strategy(options: Mapping[str, Any], values: Mapping[str, Any], where: str) -> Strategy:
    """The strategy that was named; otherwise the one that the keys imply."""
    said = options.get("strategy")
    if said is None:
        groups = values.get("merge_key") or values.get("destination_scope")
        return Strategy.DELETE_INSERT if groups else Strategy.UPSERT
    if said not in list(Strategy):
        raise RefusedError(
            f"`{said}` is no merge strategy",
            where=where,
            expected=", ".join(Strategy),
            hint=suggest(str(said), Strategy),
        )
    return Strategy(said)


def _scd2(options: Mapping[str, Any], where: str) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    validity = options.get("validity_column_names")
    if validity is not None:
        if isinstance(validity, str) or len(validity) != 2:
            raise RefusedError(
                "`validity_column_names` are not two names",
                where=where,
                found=repr(validity),
                expected='such as ["valid_from", "valid_to"]',
            )
        columns["valid_from"], columns["valid_to"] = validity
    until = _instant(options.get("active_record_timestamp"), "active_record_timestamp", where)
    scd2 = Scd2(**columns, active_until=until, row_version=options.get("row_version_column_name"))
    return {"scd2": scd2, "at": _instant(options.get("boundary_timestamp"), "boundary_timestamp", where)}


def _instant(value: Any, key: str, where: str) -> datetime | None:
    """An instant; without a zone it is in UTC."""
    if value is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise RefusedError(
            f"`{key}` is no instant", where=where, found=repr(value), expected="such as 2024-01-01T00:00:00Z"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def contract(said: Any, where: str) -> Contract | None:
    """The schema contract that a mode, a mapping of `tables`, `columns`, `data_type`, or ours means."""
    if said is None or isinstance(said, Contract):
        return said
    options = (
        dict(said) if isinstance(said, Mapping) else dict.fromkeys(("tables", "columns", "data_type"), said)
    )
    known = ("tables", "columns", "data_type", "data_type_seen")
    for key, mode in options.items():
        if key not in known or mode not in list(Mode):
            wrong, allowed = (key, known) if key not in known else (mode, tuple(Mode))
            raise RefusedError(
                f"`{wrong}` is not part of a schema contract",
                where=where,
                expected=", ".join(allowed),
                hint=suggest(str(wrong), allowed),
            )
    if "data_type" in options:
        options.setdefault("data_type_seen", options["data_type"])
    return Contract(**{key: Mode(mode) for key, mode in options.items()})


def nesting(said: Any, depth: int | None, where: str) -> Nesting | None:
    """What becomes of nested values: `native`, `flatten` or one of ours; a depth alone flattens."""
    if isinstance(said, Nesting):
        return said
    if said is None:
        return None if depth is None else Nesting(NestingMode.FLATTEN, depth)
    if said not in list(NestingMode):
        raise RefusedError(
            f"`{said}` is no nesting",
            where=where,
            expected=", ".join(NestingMode),
            hint=suggest(said, NestingMode),
        )
    return Nesting(NestingMode(said), depth)


def names(said: Any, key: str = "names", where: str | None = None) -> tuple[str, ...]:
    """Column names given as one or as several. Raises: RefusedError for what are no names."""
    if not said:
        return ()
    found = (said,) if isinstance(said, str) else tuple(said) if isinstance(said, Iterable) else (said,)
    if not all(isinstance(name, str) and name for name in found):
        raise RefusedError(
            f"`{key}` is not made of column names",
            where=where,
            found=repr(said),
            expected="a name, or a list of them",
        )
    return found
