"""What lies in the quarantine of a pipeline. `run.replay` brings rows out of it again."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.errors import NotFoundError
from penstock.gate.verdict import Broken
from penstock.layers import parse_key, quarantined_file_key, quarantined_rows_key, slip_key
from penstock.ledger import Facts, Slip
from penstock.ports import Store
from penstock.report.facts import Kept, QuarantinedRow, QuarantineEntry
from penstock.run.staged import Quarantining

FILES = "_files/"
REPLAYED = "replayed"


class Keeping(Quarantining, Protocol):
    """What has rows in the quarantine: a pipeline, or the models of a project."""

    @property
    def pipeline(self) -> str:
        """What it is called."""
        ...

    def hides(self, table: str) -> bool:
        """Whether rows of a table hold what not everybody may see."""
        ...


def entries(flow: Keeping, facts: Facts) -> list[QuarantineEntry]:
    """Everything in the pipeline's quarantine, by key."""
    found = [*_row_entries(flow, facts), *_file_entries(flow)]
    return sorted(found, key=lambda e: (e.landed_at, e.key))


def _row_entries(flow: Keeping, facts: Facts) -> Iterator[QuarantineEntry]:
    replayed = {(f.key, f.sha256) for f in facts.files if f.outcome == REPLAYED}
    for stat in flow.quarantine.list(f"{flow.dataset}/"):
        key = stat.key.removesuffix(".parquet")
        parts = parse_key(key, flow.dataset)
        if parts is None:
            continue
        broken: Counter[str] = Counter()
        rows = 0
        for batch in batches_of(flow.quarantine, stat.key, ["broken"]):
            rows += batch.num_rows
            for rules in batch.column("broken").to_pylist():
                broken.update(_rule(b) for b in rules)
        done = any(k == key for k, _ in replayed) and (key, flow.quarantine.digest(stat.key)) in replayed
        yield QuarantineEntry(
            pipeline=flow.pipeline,
            table=parts.table,
            key=key,
            kept=Kept.ROWS,
            size_bytes=stat.size_bytes,
            landed_at=parts.landed_at or 0,
            rows=rows,
            broken=broken,
            replayed=done,
        )


def _file_entries(flow: Keeping) -> Iterator[QuarantineEntry]:
    for stat in flow.quarantine.list(f"{FILES}{flow.dataset}/"):
        key = stat.key.removeprefix(FILES)
        parts = parse_key(key, flow.dataset)
        if parts is None:
            continue
        yield QuarantineEntry(
            pipeline=flow.pipeline,
            table=parts.table,
            key=key,
            kept=Kept.FILE,
            size_bytes=stat.size_bytes,
            landed_at=parts.landed_at or 0,
            reason=_reason(flow, stat.key),
        )


def _reason(flow: Keeping, key: str) -> str | None:
    try:
        with flow.quarantine.open(slip_key(key)) as stream:
            return msgspec.json.decode(stream.read(), type=Slip).reason
    except NotFoundError:
        return None


def rows_of(flow: Keeping, key: str) -> Iterator[QuarantinedRow]:
    """The quarantined rows of one file, in order; values and text of sensitive columns are masked.

    Raises: NotFoundError.
    """
    parts = parse_key(key, flow.dataset)
    table = parts.table if parts else ""
    hidden = flow.hides(table)
    for batch in batches_of(flow.quarantine, quarantined_rows_key(key), ["row", "broken", "raw"]):
        for row in batch.to_pylist():
            broken = tuple(Broken(b["rule"], b["column"], b["value"]) for b in row["broken"])
            raw = "***" if hidden else row["raw"].decode("utf-8", "backslashreplace")
            yield QuarantinedRow(table, key, row["row"], broken, raw)


def export(flow: Keeping, entry: QuarantineEntry, target: Path) -> Path:
    """Write what is set aside of one file into a folder, to be mended.

    A whole file is copied byte for byte; of rows the records are written as they came, a line
    each, and those of binary formats as JSON lines. Returns: the file that was written.
    """
    name = entry.key.replace("/", "__")
    path = target / (name if entry.kept is Kept.FILE else f"{name}.rows")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        if entry.kept is Kept.FILE:
            with flow.quarantine.open(quarantined_file_key(entry.key)) as stream:
                shutil.copyfileobj(stream, out, 1 << 20)
        else:
            for batch in batches_of(flow.quarantine, quarantined_rows_key(entry.key), ["raw"]):
                out.writelines(raw + b"\n" for raw in batch.column("raw").to_pylist())
    return path


def batches_of(store: Store, key: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Some columns of a quarantine file. Raises: NotFoundError."""
    with store.open(key) as stream, tempfile.TemporaryFile() as local:
        while block := stream.read(1 << 20):
            local.write(block)
        local.seek(0)
        yield from pq.ParquetFile(local).iter_batches(columns=columns)


def _rule(broken: Mapping[str, Any]) -> str:
    return f"{broken['column']}.{broken['rule']}" if broken["column"] else str(broken["rule"])
