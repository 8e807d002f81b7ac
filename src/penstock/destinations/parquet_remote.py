"""Parts in an object store, which DuckDB reads through pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow.fs import FileSystemHandler, PyFileSystem

from penstock.destinations.columns import PART, Layout
from penstock.destinations.convert import quote
from penstock.destinations.parquet_log import Part
from penstock.destinations.storage import stored_schema
from penstock.errors import BugError, NotFoundError
from penstock.ports import Store


class RemoteFiles:
    """Parts of a store, registered with a DuckDB connection as Arrow datasets.

    A dataset can be scanned any number of times, and only the columns and row groups that a query
    needs are fetched.
    """

    def __init__(self, store: Store, con: Any) -> None:  # Any: DuckDB's connection is untyped
        self._store = store
        self._con = con
        self._made = 0

    def relation(self, parts: Sequence[Part], layout: Layout, tagged: bool) -> str:
        """The name under which the parts are registered."""
        handler = PyFileSystem(_PartHandler(self._store, {p.key: p.staged for p in parts}))
        names = [PART, *(f"_penstock_{i}" for i in range(len(parts[0].partition)))] if tagged else []
        hive = {n for n, _ in parts[0].partition}
        schema = stored_schema(layout, hive)
        for name in names:
            schema = schema.append(pa.field(name, pa.string()))
        format_ = ds.ParquetFileFormat()
        fragments = [
            format_.make_fragment(p.key, handler, partition_expression=_tags(p, names)) for p in parts
        ]
        self._made += 1
        name = f"_penstock_parts_{self._made}"
        self._con.register(name, ds.FileSystemDataset(fragments, schema, format_, handler))
        return quote(name)


def _tags(part: Part, names: Sequence[str]) -> Any:
    values = [part.key, *(v for _, v in part.partition)]
    expression = pc.scalar(True)
    for name, value in zip(names, values, strict=False):
        field = pc.field(name)
        expression = expression & (field.is_null() if value is None else field == pc.scalar(value))
    return expression


class _PartHandler(FileSystemHandler):  # type: ignore[misc]  # pyarrow is untyped
    """The little of a file system that reading parquet needs."""

    def __init__(self, store: Store, staged: dict[str, str]) -> None:
        self._store = store
        self._staged = staged

    def open_input_file(self, path: str) -> Any:
        """A part at its final place, or where it was staged if it is not there yet."""
        for key in (path, self._staged[path]):
            try:
                return pa.PythonFile(self._store.open(key), mode="r")
            except NotFoundError:
                continue
        return pa.PythonFile(self._store.open(path), mode="r")  # it was moved between the two looks

    def open_input_stream(self, path: str) -> Any:
        """The same; parts are read from any position."""
        return self.open_input_file(path)

    def get_type_name(self) -> str:
        """A name for messages."""
        return "penstock"

    def normalize_path(self, path: str) -> str:
        """Keys are as they are."""
        return path

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def _refuse(self, *_: object) -> Any:
        raise BugError("parts are only read through this")

    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = delete_file = _refuse
    move = copy_file = open_output_stream = open_append_stream = _refuse
    get_file_info = get_file_info_selector = _refuse
