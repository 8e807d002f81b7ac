"""The Arrow types by which parquet files store a table."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pyarrow as pa

from penstock.destinations.columns import Layout, field_names
from penstock.ledger import LOAD_ID
from penstock.schema.arrow import to_arrow
from penstock.schema.types import NULL, DataType, List, Struct

# Any throughout: pyarrow is untyped


def stored_schema(layout: Layout, hive: Collection[str] = ()) -> Any:
    """The schema of a part: columns by their stored names, those in `hive` left out, and the load id."""
    fields = [pa.field(s.stored_as, stored_type(s.type)) for s in layout if s.stored_as not in hive]
    return pa.schema([*fields, pa.field(LOAD_ID, pa.string())])


def stored_type(kind: DataType) -> Any:
    """The Arrow type of a column in a file; what is only known to be null becomes int32."""
    if kind == NULL:
        return pa.int32()
    if isinstance(kind, List):
        return pa.list_(stored_type(kind.item))
    if isinstance(kind, Struct) and kind.fields:
        names = field_names(kind)
        return pa.struct([pa.field(names[n], stored_type(t)) for n, t in kind.fields])
    return to_arrow(kind)
