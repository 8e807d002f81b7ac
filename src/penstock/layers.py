"""The keys of each layer, and how one key becomes the next.

A landed file's key is the same in `land`, `raw_hist`, `raw` and `processed`:

    <dataset>/<table>/file_land_timestamp=<unix>/<table>_<unix>[_<part>].<ext>

Next to each layer's files lives one small JSON a file, its slip, under `_penstock/<key>.json`:
where the file came from, its size and SHA-256. The underscore keeps query engines from reading it.
Quarantined rows are parquet at the key of their file plus `.parquet`; quarantined files keep key
and bytes below `_files/`.

Source: the data engineering guidance that the layer names come from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

TIMESTAMP_PARTITION = "file_land_timestamp"
PRIVATE = "_penstock/"
_OPEN = "_open"  # no table is called so: a table's folder never begins with an underscore


class Layer(StrEnum):
    """The places that a row passes."""

    LAND = "land"
    RAW_HIST = "raw_hist"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class LandKey:
    """The parts of a landed file's key; `landed_at` in Unix seconds, None if the key has none."""

    dataset: str
    table: str
    landed_at: int | None
    name: str


_SAFE = re.compile(r"[^A-Za-z0-9._=\- ]")
_STAMP = re.compile(rf"(?:^|/){TIMESTAMP_PARTITION}=(\d+)(?:/|$)")


def land_key(dataset: str, table: str, landed_at: int, extension: str, part: int | None = None) -> str:
    """The key under which a new file lands; `extension` without its first dot, `part` from 0."""
    suffix = "" if part is None else f"_{part}"
    folder = f"{dataset}/{quote(table)}/{TIMESTAMP_PARTITION}={landed_at}"
    return f"{folder}/{quote(table)}_{landed_at}{suffix}.{extension}"


def parse_key(key: str, dataset: str) -> LandKey | None:
    """The parts of a key of `dataset`, or None for a key that is not a table's file.

    Files that others dropped may have any name, and may lack the timestamp folder.
    """
    prefix = dataset.rstrip("/") + "/"
    if not key.startswith(prefix):
        return None
    table, _, rest = key.removeprefix(prefix).partition("/")
    name = rest.rpartition("/")[2]
    if not table or not name or table.startswith(("_", ".")) or name.startswith(("_", ".")):
        return None
    stamp = _STAMP.search(rest)
    return LandKey(dataset, unquote(table), int(stamp[1]) if stamp else None, name)


def slip_key(key: str) -> str:
    """The key of the slip that travels with a file."""
    return f"{PRIVATE}{key}.json"


def open_key(dataset: str, landed_at: int) -> str:
    """The mark of a landing that is being made: until it is gone, the landing's files do not count."""
    return f"{PRIVATE}{dataset}/{_OPEN}/{landed_at}.json"


def open_landing(key: str, dataset: str) -> int | None:
    """The landing time that a mark names, in Unix seconds; None for a key that is no mark."""
    found = re.fullmatch(rf"{re.escape(f'{PRIVATE}{dataset}/{_OPEN}/')}(\d+)\.json", key)
    return int(found[1]) if found else None


def quarantined_rows_key(key: str) -> str:
    """Where the quarantined rows of a file are kept."""
    return f"{key}.parquet"


def quarantined_file_key(key: str) -> str:
    """Where a file that was refused whole is kept."""
    return f"_files/{key}"


def quote(name: str) -> str:
    """A table's name as one path segment: what a path cannot hold becomes `%XX` of its UTF-8."""
    if name in (".", ".."):
        return name.replace(".", "%2E")
    coded = _SAFE.sub(lambda m: "".join(f"%{b:02X}" for b in m[0].encode()), name)
    return (
        "%5F" + coded[1:] if coded.startswith("_") else "%2E" + coded[1:] if coded.startswith(".") else coded
    )


def unquote(segment: str) -> str:
    """The name that `quote` turned into `segment`."""
    raw = segment.encode()
    return re.sub(rb"%([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), raw).decode("utf-8", "replace")
