"""The short forms of a project file, each turned into the long form that the models read.

A value that is no short form is returned as it is, so that the model can say what is wrong with it.
"""

from __future__ import annotations

from typing import Any

from penstock.errors import suggest
from penstock.project.words import refuse
from penstock.registry import DESTINATIONS

# Any throughout: values as a project file holds them, before they are checked.


def same(value: Any) -> Any:
    """The value itself; the field has a longer form that its table reads."""
    return value


def nothing(value: Any) -> Any:
    """No value, for a mapping of defaults."""
    return {} if value is None else value


def names(value: Any) -> Any:
    """`id` as a list of one."""
    return (value,) if isinstance(value, str) else value


def freshness(value: Any) -> Any:
    """An age alone, from which on the data is too old."""
    alone = isinstance(value, str | int) and not isinstance(value, bool)
    return {"fail_after": str(value)} if alone else value


def path(value: Any) -> Any:
    """A path alone."""
    return {"path": value} if isinstance(value, str) else value


def delimiter(value: Any) -> Any:
    """A tab that was written as backslash and t, or by name."""
    return "\t" if value in ("\\t", "tab") else value


def contract(value: Any) -> Any:
    """One word for columns and types alike."""
    return {"columns": value, "data_type": value} if isinstance(value, str) else value


def columns(value: Any) -> Any:
    """A mapping of name to type, or of name to attributes, as a list."""
    if not isinstance(value, dict):
        return value
    return [
        {"name": name, **spec} if isinstance(spec, dict) else {"name": name, "type": spec}
        for name, spec in value.items()
    ]


def foreign_key(value: Any) -> Any:
    """`table.column`, or a list of one."""
    if isinstance(value, str) and "." in value:
        table, _, column = value.rpartition(".")
        return {"table": table, "columns": (column,)}
    if isinstance(value, list | tuple) and len(value) == 1:
        return value[0]
    return value


def nesting(value: Any) -> Any:
    """A mode alone, or a number of levels."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return {"depth": value}
    return {"mode": value} if isinstance(value, str) else value


_BESIDE_WRITE = (
    "primary_key", "strategy", "merge_key", "dedup_sort", "dedup_order", "hard_delete", "delete_values",
    "overwrite", "scd2", "source_filter", "destination_scope", "skip_unchanged_rows", "row_version",
)  # fmt: skip


def write(table: Any) -> Any:
    """A table whose `write` is a mapping, with the mapping's keys beside it.

    Keys that mean nothing there become `write.<key>`, which no model knows.
    """
    if not isinstance(table, dict):
        return table
    given = [k for k in ("write", "write_disposition") if k in table]
    if len(given) == 2:
        raise refuse(
            "`write` and `write_disposition` are two names for one thing",
            expected="one of them",
            at=("write_disposition",),
        )
    if not given or not isinstance(table[given[0]], dict):
        return table
    spread = {k: v for k, v in table.items() if k != given[0]}
    for key, value in table[given[0]].items():
        if key in _BESIDE_WRITE:
            if key in table:
                raise refuse(f"`{key}` is said twice", expected="it once", at=(given[0], key))
            spread[key] = value
        else:
            spread["write" if key == "mode" else f"write.{key}"] = value
    return spread


def destination(value: Any) -> Any:
    """A URL such as `duckdb:///warehouse.duckdb`, or a mapping of one type to its path.

    As in SQLAlchemy, `///` begins a relative path and `////` an absolute one; `parquet://` may be
    followed by the URL of an object store.
    """
    if isinstance(value, dict) and len(value) == 1 and "type" not in value:
        [(kind, path)] = value.items()
        return _of_kind(kind, path) if kind in DESTINATIONS and isinstance(path, str) else value
    if not isinstance(value, str):
        return value
    kind, colon, rest = value.partition(":")
    if not colon or kind not in DESTINATIONS:
        raise refuse(
            "this is not a destination",
            expected="a URL that begins with " + " or ".join(f"`{d}://`" for d in DESTINATIONS),
            hint=suggest(kind, DESTINATIONS) or _guess(value),
        )
    path = rest.removeprefix("//")
    if path.startswith("/"):
        path = path[1:]
    return _of_kind(kind, path)


def _of_kind(kind: str, path: str) -> dict[str, str]:
    return {"type": kind, "target" if kind == "singer_target" else "path": path}


def _guess(value: str) -> str | None:
    if value.endswith((".duckdb", ".db")):
        return f"write `duckdb:///{value}`"
    return f"write `parquet://{value}`" if "/" in value else None
