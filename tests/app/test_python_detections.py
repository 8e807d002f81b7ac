"""Conventions that a pipeline in Python looks for in the values that it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import penstock as ps


@pytest.mark.parametrize(
    "data",
    [
        [{"id": 1, "code": b"ab", "name": "YWI="}, {"id": 2, "code": None, "name": "x"}],
        pa.table({"id": [1, 2], "code": [b"ab", None], "name": ["YWI=", "x"]}),
    ],
    ids=["rows", "arrow"],
)
def test_bytes_become_hexadecimal_text(data: Any, tmp_path: Path) -> None:
    said = {"keys": {"detect": ["hexbytes_to_text"]}}
    pipeline = ps.pipeline("hex", root=tmp_path, tables=said)
    for _ in range(2):
        pipeline.run(data, table_name="keys")
    rows = pipeline.dataset()["keys"].order_by("id").fetchall()
    assert rows == [(1, "0x6162", "YWI=")] * 2 + [(2, None, "x")] * 2
