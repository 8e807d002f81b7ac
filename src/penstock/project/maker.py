"""What sources that make records share in the project file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from penstock.project.base import Spec


class MakerSpec(Spec):
    """What sources that make records have in common.

    Units: `file_bytes` of uncompressed records, after which a further file is begun.
    """

    land_as: Literal["jsonl.gz", "jsonl.zst", "jsonl"] = "jsonl.gz"
    """How records are written to the landing area; Arrow data lands as parquet."""
    file_bytes: Annotated[int, Field(ge=1 << 16)] = 1 << 28
    """The size from which on a landed file is closed and another begun."""
