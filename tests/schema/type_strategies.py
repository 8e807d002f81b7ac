"""Hypothesis strategies for column types and tables."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from penstock.schema.table import Column, Table
from penstock.schema.types import DataType, Decimal, Kind, List, Scalar, Struct, Timestamp

STEADY = settings(derandomize=True, deadline=None, max_examples=50, database=None)
"""The same examples in every run."""

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
DECIMALS = st.integers(1, 38).flatmap(lambda p: st.builds(Decimal, st.just(p), st.integers(0, p)))
SCALARS = st.sampled_from(Kind).map(Scalar)
TIMESTAMPS = st.builds(Timestamp, st.booleans(), st.sampled_from(["us", "ns"]))
FLAT: st.SearchStrategy[DataType] = st.one_of(SCALARS, DECIMALS, TIMESTAMPS)


def _nested(inner: st.SearchStrategy[DataType]) -> st.SearchStrategy[DataType]:
    fields = st.lists(st.tuples(NAMES, inner), max_size=3, unique_by=lambda field: field[0])
    return st.one_of(inner.map(List), fields.map(lambda found: Struct(tuple(found))))


TYPES = st.recursive(FLAT, _nested, max_leaves=6)
SEEN = st.dictionaries(NAMES, TYPES, max_size=5)
COLUMNS = st.builds(Column, NAMES, TYPES, declared=st.booleans(), nullable=st.booleans())
TABLES = st.lists(COLUMNS, max_size=5, unique_by=lambda column: column.name).map(
    lambda columns: Table("t", tuple(columns))
)


def unordered(kind: DataType) -> object:
    """A type without the order of its fields, which no value depends on."""
    if isinstance(kind, List):
        return ("list", unordered(kind.item))
    if isinstance(kind, Struct):
        return ("struct", frozenset((name, unordered(field)) for name, field in kind.fields))
    return kind
