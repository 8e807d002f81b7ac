"""How parquet files are written, as the project says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bed import Bed
from penstock.errors import ProjectError


def written(root: Path, rows: int, **said: Any) -> list[Any]:
    root.mkdir()
    bed = Bed(root, destination={"type": "parquet", "path": "w", **said})
    for part in range(2):  # each file is a batch of its own
        drop = range(part * rows // 2, (part + 1) * rows // 2)
        bed.drop(f"{part}.jsonl", *({"n": n, "text": f"{n} is {n * n}, {n * n * n}"} for n in drop))
    bed.loads()
    return [pq.ParquetFile(path) for path in sorted((root / "w").rglob("*.parquet"))]


def test_row_groups_and_files(tmp_path: Path) -> None:
    [file] = written(tmp_path / "a", 1000)
    assert file.metadata.num_row_groups == 1
    [file] = written(tmp_path / "b", 1000, row_group_rows=300)
    assert [file.metadata.row_group(n).num_rows for n in range(4)] == [300, 300, 300, 100]
    many = written(tmp_path / "c", 6000, row_group_rows=1000, file_bytes=1)
    assert len(many) == 2
    assert sum(file.metadata.num_rows for file in many) == 6000


def test_levels_of_a_codec(tmp_path: Path) -> None:
    sizes = {}
    for level in (1, 19):
        [file] = written(tmp_path / f"{level}", 20_000, compression_level=level)
        sizes[level] = sum(file.metadata.row_group(0).column(n).total_compressed_size for n in range(2))
    assert sizes[19] < sizes[1]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"compression": "snappy", "compression_level": 3}, "no level 3"),
        ({"compression_level": 23}, "1 to 22"),
        ({"row_group_rows": 0}, "row_group_rows"),
    ],
)
def test_what_no_codec_has(tmp_path: Path, said: dict[str, Any], told: str) -> None:
    with pytest.raises(ProjectError, match=told):
        Bed(tmp_path, destination={"type": "parquet", "path": "w", **said}).session()
