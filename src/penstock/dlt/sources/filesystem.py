"""dlt's source of files, for folders that Penstock and several kinds of readers share.

Each reader leaves out files whose extension says that another one reads them. Parquet files of
Penstock's own are given with their load id under dlt's name for it, `_dlt_load_id`, which a cursor can
follow. Listed files have their `modification_date` also as `modified_date`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import penstock.sources.dlt.quiet  # noqa: F401  # isort: skip - before anything of dlt

import dlt
from dlt.common.configuration.specs import BaseConfiguration
from dlt.sources import filesystem as files
from dlt.sources.config import configspec
from dlt.sources.filesystem.readers import ReadersSource
from dlt.sources.filesystem.readers import _read_csv as _csv
from dlt.sources.filesystem.readers import _read_csv_duckdb as _csv_duckdb
from dlt.sources.filesystem.readers import _read_jsonl as _jsonl
from dlt.sources.filesystem.readers import _read_parquet as _parquet

# Any throughout: items and options of dlt's readers

__all__ = [
    "FilesystemConfigurationResource",
    "ReadersSource",
    "filesystem",
    "read_csv",
    "read_csv_duckdb",
    "read_jsonl",
    "read_parquet",
]
LOAD_ID, DLT_LOAD_ID = "_penstock_load_id", "_dlt_load_id"
_KINDS = ("csv", "jsonl", "parquet")
_PACKED = (".gz", ".zst", ".bz2")


@configspec
class FilesystemConfigurationResource(BaseConfiguration):  # type: ignore[misc]  # dlt's
    """What a source of files may find in its configuration; `filesystem` asks for what it needs itself."""

    bucket_url: str | None = None
    file_glob: str | None = "*"
    files_per_page: int = 100
    extract_content: bool = False


def filesystem(*args: Any, **options: Any) -> Any:
    """The files of a folder or bucket, as items. Options: those of `dlt.sources.filesystem.filesystem`."""
    return files.filesystem(*args, **options).add_map(_named)


def _named(item: Any) -> Any:
    item["modified_date"] = item["modification_date"]
    return item


def _of_kind(items: Iterable[Any], kind: str) -> Iterator[Any]:
    for item in items:
        name = item["file_name"].lower()
        for ending in _PACKED:
            name = name.removesuffix(ending)
        extension = name.rpartition(".")[2]
        if extension == kind or extension not in _KINDS:
            yield item


def _read_csv(items: Iterable[Any], chunksize: int = 10_000, **options: Any) -> Iterator[Any]:
    """Rows of CSV files, through pandas."""
    yield from _csv(_of_kind(items, "csv"), chunksize=chunksize, **options)


def _read_csv_duckdb(
    items: Iterable[Any], chunk_size: int = 5000, use_pyarrow: bool = True, **options: Any
) -> Iterator[Any]:
    """Rows of CSV files, through DuckDB, as Arrow data; as dicts they cannot be had of DuckDB 2."""
    yield from _csv_duckdb(_of_kind(items, "csv"), chunk_size, use_pyarrow=use_pyarrow, **options)


def _read_jsonl(items: Iterable[Any], chunksize: int = 1000) -> Iterator[Any]:
    """Rows of files of JSON lines."""
    yield from _jsonl(_of_kind(items, "jsonl"), chunksize=chunksize)


def _read_parquet(items: Iterable[Any], chunksize: int = 1000, use_pyarrow: bool = False) -> Iterator[Any]:
    """Rows of parquet files."""
    for page in _parquet(_of_kind(items, "parquet"), chunksize=chunksize, use_pyarrow=use_pyarrow):
        yield _loaded(page)


def _loaded(page: Any) -> Any:
    """A page with Penstock's load id under dlt's name."""
    if isinstance(page, list):
        return [{DLT_LOAD_ID if k == LOAD_ID else k: v for k, v in row.items()} for row in page]
    return page.rename_columns([DLT_LOAD_ID if name == LOAD_ID else name for name in page.schema.names])


read_csv = dlt.transformer(name="read_csv")(_read_csv)
read_csv_duckdb = dlt.transformer(name="read_csv_duckdb")(_read_csv_duckdb)
read_jsonl = dlt.transformer(name="read_jsonl")(_read_jsonl)
read_parquet = dlt.transformer(name="read_parquet")(_read_parquet)
