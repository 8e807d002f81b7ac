"""Queries that people wrote: one SELECT each, and DuckDB's errors with the line they are at."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from penstock.destinations.engine import explain, rows_of
from penstock.errors import NotFoundError, OutsideError, PenstockError, RefusedError

_WRITES = re.compile(r"\b(insert|update|delete|merge|copy)\b", re.IGNORECASE)
_WRITING = re.compile(r"^(INSERT|UPDATE|DELETE|MERGE|MERGE_INTO|COPY)_QUERY_NODE$")
_AT = re.compile(r"^LINE (\d+): ", re.MULTILINE)


def check_select(con: Any, sql: str, where: str) -> None:  # con: Any: DuckDB's connection is untyped
    """Refuse what is not one query that only reads. Raises: RefusedError, with the engine's words."""
    with answered(where):
        found = con.extract_statements(sql)
    if len(found) != 1:
        raise RefusedError(
            "a model is one query",
            where=where,
            found=f"{len(found)} statements" if found else "nothing",
            expected="one SELECT",
        )
    kind = found[0].type.name
    pivots = kind == "MULTI"  # a PIVOT whose columns come from the rows
    if not (kind == "SELECT" or pivots) or (_WRITES.search(sql) and (pivots or _writes(con, sql))):
        raise RefusedError(
            "a model's query only reads",
            where=where,
            found=f"a statement of type {kind}" if kind != "SELECT" else "a part of it that writes",
            expected="one SELECT",
        )


def _writes(con: Any, sql: str) -> bool:
    """Whether a SELECT has a part that writes, told from DuckDB's own reading of it."""
    return _has_writer(json.loads(rows_of(con, "SELECT json_serialize_sql(?)", [sql])[0][0]))


def _has_writer(node: object) -> bool:
    if isinstance(node, dict):
        kind = node.get("type")
        return (isinstance(kind, str) and _WRITING.match(kind) is not None) or any(
            _has_writer(child) for child in node.values()
        )
    return isinstance(node, list) and any(_has_writer(child) for child in node)


@contextmanager
def answered(where: str, known: Callable[[], Iterable[str]] = tuple, above: int = 0) -> Iterator[None]:
    """Turn an error of DuckDB into one of ours that says at which line of a query it is.

    `known` gives names of tables to suggest from; `above` are the lines that stand above the query.
    """
    try:
        yield
    except duckdb.Error as error:
        told = explain(error, where, known() if isinstance(error, duckdb.CatalogException) else ())
        raise _positioned(told, str(error), above) from error


def _positioned(told: PenstockError, text: str, above: int) -> PenstockError:
    """The error with the line of the query in it, if DuckDB said one."""
    words, _, _ = text.partition("\n\nLINE ")
    at = _AT.search(text)
    if at is None or isinstance(told, OutsideError):
        return told
    line = max(int(at[1]) - above, 1)
    shorter = len(at[1]) - len(str(line))
    code, _, caret = text[at.end() :].partition("\n")
    pointer = caret.split("\n", 1)[0]
    if pointer.strip(" ^~"):
        pointer = ""
    found = told.found if isinstance(told, NotFoundError) else words.strip()
    told.found = f"{found}\nLINE {line}: {code}\n{pointer[shorter:]}".rstrip()
    return told
