"""Files of records that a tap wrote in place of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from penstock.errors import NotFoundError, RefusedError
from penstock.singer.messages import BatchFound

_EXTENSIONS = {
    ("jsonl", "gzip"): "jsonl.gz",
    ("jsonl", "zstd"): "jsonl.zst",
    ("jsonl", "none"): "jsonl",
    ("parquet", "gzip"): "parquet",  # the codec is inside of the file, whatever its name says
    ("parquet", "zstd"): "parquet",
    ("parquet", "snappy"): "parquet",
    ("parquet", "none"): "parquet",
}


def adopted(batch: BatchFound, path_of: Callable[[str], Path], taken: list[Path]) -> Iterator[Path]:
    """A path for each file of a batch, whose name says what the file is; `taken` gathers the files.

    Raises: RefusedError for a format that cannot be read, or files that are not on this machine;
    NotFoundError for one that is not there.
    """
    extension = _EXTENSIONS.get((batch.format, batch.compression))
    if extension is None:
        raise RefusedError(
            f"the files of the stream `{batch.stream}` are of an unknown format",
            found=f"{batch.format}, compression {batch.compression}",
            expected="jsonl or parquet",
            hint="set `batch_config: {encoding: {format: jsonl, compression: gzip}}` in the tap's config",
        )
    for uri in batch.manifest:
        file = _local(uri, batch.stream)
        link = path_of(extension)
        link.symlink_to(file)
        taken.append(file)
        yield link


def _local(uri: str, stream: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        raise RefusedError(
            f"the files of the stream `{stream}` are not on this machine",
            found=uri,
            expected="addresses that begin with `file://`",
            hint="set `batch_config: {storage: {root: file:///…}}` in the tap's config",
        )
    path = Path(unquote(parts.path) if parts.scheme else uri).absolute()
    if not path.is_file():
        raise NotFoundError(f"a file of the stream `{stream}` is not there", where=str(path))
    return path
