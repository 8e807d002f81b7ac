"""SQL that a project states, as far as the engine that runs it has something against its syntax."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from penstock.errors import ProjectError, RefusedError
from penstock.project.promise import TableSpec
from penstock.project.tables import Where

_LINE = re.compile(r"^LINE (\d+): ", re.MULTILINE)


def wrong_conditions(spec: TableSpec, where: Where) -> Iterator[ProjectError]:
    """The conditions of a table or model that are not SQL."""
    for keys, what, condition in _conditions(spec):
        from penstock.gate.judge import fault_in

        if (fault := fault_in(condition)) is not None:
            yield ProjectError(f"{what} is not a SQL condition: {fault}", where=where(keys), found=condition)


def _conditions(spec: TableSpec) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """The SQL conditions that a project states of a table: where, what each is, and its text."""
    for number, expected in enumerate(spec.gate.expectations):
        keys = ("gate", "expectations", number, "constraint")
        yield keys, f"the expectation `{expected.name}`", expected.constraint
    for word in ("source_filter", "destination_scope"):
        condition = getattr(spec, word)
        if condition is not None:
            yield (word,), f"`{word}`", condition


def wrong_queries(queries: Sequence[tuple[str, str]]) -> Iterator[ProjectError]:
    """What DuckDB has against the syntax of queries, each with its file; names are not looked up."""
    if not queries:
        return
    import duckdb

    from penstock.destinations.asked import check_select

    with duckdb.connect(":memory:") as con:
        for sql, path in queries:
            try:
                check_select(con, sql, path)
            except RefusedError as error:
                line = _LINE.search(error.found or "")
                facts = {"found": error.found, "expected": error.expected, "hint": error.hint}
                yield ProjectError(error.what, where=f"{path}:{line[1]}" if line else path, **facts)
