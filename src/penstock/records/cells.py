"""Texts that only a real parser can read: base64 and JSON documents.

Only columns declared as such come here, so this is off the path of ordinary data.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

# pyarrow ships no types: its values are Any in this module.
_raw = msgspec.json.Decoder(msgspec.Raw)


def bytes_of(column: Any) -> Any:
    """Base64 texts (RFC 4648, with padding) as binary, null for what is not base64."""
    return pa.array([_bytes(cell) for cell in column.to_pylist()], pa.binary())


def documents(column: Any) -> Any:
    """JSON texts as they are, null for what is not JSON."""
    cells = column.drop_null()
    if pc.any(pc.match_substring(cells, "\n")).as_py() is False and len(cells):
        lines = pc.binary_join(pa.ListArray.from_arrays([0, len(cells)], cells), "\n")[0].as_buffer()
        try:
            if len(_raw.decode_lines(lines)) == len(cells):
                return column
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # some cell is no JSON: each is tried below
    good = [cell is not None and _is_json(cell) for cell in column.to_pylist()]
    return pc.if_else(pa.array(good, pa.bool_()), column, pa.scalar(None, pa.string()))


def _bytes(cell: str | None) -> bytes | None:
    if cell is None:
        return None
    try:
        return base64.b64decode(cell, validate=True)
    except (binascii.Error, ValueError):  # not base64: reported by the caller as a bad value
        return None


def _is_json(cell: str) -> bool:
    try:
        _raw.decode(cell)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
