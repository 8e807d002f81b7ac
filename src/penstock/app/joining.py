"""Two relations side by side, of one dataset or of two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.errors import RefusedError, suggest
from penstock.schema.nesting import part_of
from penstock.schema.table import Column, Table

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.app.dataset import Dataset
    from penstock.app.relation import Relation

KINDS = ("inner", "left", "right", "full")
_ROW, _ROOT = "_penstock_id", "_penstock_root_id"


def joined(
    left: Relation, right: Relation, on: str | Sequence[str] | None, kind: str, alias: str
) -> Relation:
    """Rows of both for which `on` holds; the columns of the right one are called `<alias>__<column>`.

    `on` is an SQL condition that names the tables, or the columns that both have. Without it rows of a
    table meet those of its child table, or the other way round.
    Raises: RefusedError.
    """
    if kind not in KINDS:
        raise RefusedError(
            f"{kind!r} is no kind of join", expected=", ".join(KINDS), hint=suggest(kind, KINDS)
        )
    if left.name == right.name:
        raise RefusedError(
            f"both sides of the join are called `{left.name}`", hint="name one of them: `named`"
        )
    condition = _condition(left, right, on)
    foreign = left.home is not right.home and left.home.place != right.home.place
    if foreign:
        left, right = _at_home(left, "penstock_left"), _at_home(right, "penstock_right")
    whole = [_whole(side) for side in (left, right)]
    named = [f"({side.sql()}\n) AS {_quoted(side.name)}" for side in whole]
    own = [(f"{_quoted(left.name)}.{_quoted(c)}", c) for c in whole[0].chosen]
    own += [(f"{_quoted(right.name)}.{_quoted(c)}", f"{alias}__{c}") for c in whole[1].chosen]
    values = ", ".join(f"{value} AS {_quoted(name)}" for value, name in own)
    given = [*left.chosen, *(f"{alias}__{c}" for c in right.chosen)]
    made = replace(
        left,
        source=f"(SELECT {values} FROM {named[0]} {kind.upper()} JOIN {named[1]} ON {condition}\n)",
        known=tuple(name for _, name in own),
        chosen=tuple(given),
        schema_of=lambda: _schema(left, right, alias),
        source_parameters=(*whole[0].parameters, *whole[1].parameters),
        conditions=(),
        condition_parameters=(),
        order=(),
        most=None,
        value=None,
        plain=False,
    )
    if not foreign:
        return made
    both = _Both(left.home, right.home)
    return replace(made, ask=both.ask, stream=both.stream)


class _Both:
    """Two datasets, each as views in a schema of a DuckDB in memory."""

    def __init__(self, left: Dataset, right: Dataset) -> None:
        self.left = left
        self.right = right

    def ask(self, sql: str, parameters: Sequence[object]) -> pa.Table:
        """The answer of a query."""
        import pyarrow as pa

        batches = list(self.stream(sql, parameters, 1 << 17))
        return pa.Table.from_batches(batches) if batches else self._nothing(sql, parameters)

    def stream(self, sql: str, parameters: Sequence[object], rows: int) -> Iterator[pa.RecordBatch]:
        """The answer of a query, batch by batch."""
        from penstock.destinations.engine import Limits, batches_of, connect

        con = connect(":memory:", Limits().settings())
        try:
            self.left.views(con, "penstock_left")
            self.right.views(con, "penstock_right")
            yield from batches_of(con, sql, parameters, rows, "a join of two datasets")
        finally:
            con.close()

    def _nothing(self, sql: str, parameters: Sequence[object]) -> Any:  # Any: pyarrow is untyped
        """An answer without rows, with its columns."""
        from penstock.destinations.engine import Limits, connect, table_of

        con = connect(":memory:", Limits().settings())
        try:
            self.left.views(con, "penstock_left")
            self.right.views(con, "penstock_right")
            return table_of(con, sql, parameters)
        finally:
            con.close()


def _condition(left: Relation, right: Relation, on: str | Sequence[str] | None) -> str:
    names = (_quoted(left.name), _quoted(right.name))
    if on is None:
        pair = _reference(left, right)
        return f"{names[0]}.{_quoted(pair[0])} = {names[1]}.{_quoted(pair[1])}"
    shared = [on] if isinstance(on, str) else list(on)
    if all(c in left.known and c in right.known for c in shared):
        return " AND ".join(f"{names[0]}.{_quoted(c)} = {names[1]}.{_quoted(c)}" for c in shared)
    if isinstance(on, str) and on.strip():
        return f"({on}\n)"
    raise RefusedError(
        "the tables cannot be joined by this",
        found=repr(on),
        expected=f"columns that both have, or SQL such as `{left.name}.id = {right.name}.id`",
    )


def _reference(left: Relation, right: Relation) -> tuple[str, str]:
    for parent, child, turned in ((left, right, False), (right, left, True)):
        if part_of(child.schema_of()) == parent.table and _ROW in parent.known and _ROOT in child.known:
            return (_ROOT, _ROW) if turned else (_ROW, _ROOT)
    raise RefusedError(
        f"`{left.name}` and `{right.name}` are no parent and child",
        expected=f"`on`: columns that both have, or SQL such as `{left.name}.id = {right.name}.id`",
    )


def _whole(side: Relation) -> Relation:
    """A side with all columns that a condition may name, if it is not one of its first rows only."""
    free = side.value is None and side.most is None
    return replace(side, chosen=tuple(dict.fromkeys((*side.chosen, *side.known)))) if free else side


def _at_home(side: Relation, schema: str) -> Relation:
    """A side as it is called where both datasets are shown."""
    if not side.plain:
        raise RefusedError(
            f"`{side.name}` is a query, and queries of two datasets cannot be joined",
            hint="join tables; or show both in a DuckDB of your own: `dataset.views(connection, schema)`",
        )
    return replace(side, source=f"{_quoted(schema)}.{side.source}")


def _schema(left: Relation, right: Relation, alias: str) -> Table:
    columns = [c for c in left.schema_of().columns if c.name in left.chosen]
    columns += [
        Column(f"{alias}__{c.name}", c.type) for c in right.schema_of().columns if c.name in right.chosen
    ]
    return Table(left.name, tuple(columns))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
