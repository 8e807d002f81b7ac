"""What a commit adds to the log beside parts: definitions of tables, and no file a second time. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from penstock.destinations.columns import Layout, layout_to_json
from penstock.destinations.parquet_log import Definition, Snapshot
from penstock.errors import LockHeldError
from penstock.ledger import Commit
from penstock.schema.definition import table_to_json
from penstock.schema.table import Table


def definitions(
    commit: Commit, told: Mapping[str, Table], known: Mapping[str, Definition], layouts: Mapping[str, Layout]
) -> Iterator[Definition]:
    """The tables whose definition or layout is not the one in the log.

    `told` are the tables as the load leaves them, `layouts` how those that it shaped are stored.
    """
    load = commit.load
    for name, table in told.items():
        old, text = known.get(name), table_to_json(table)
        layout = old.layout if old is not None else None
        if name in layouts:
            layout = layout_to_json(layouts[name])
        if old is None or (old.definition, old.layout) != (text, layout):
            yield Definition(
                pipeline=load.pipeline,
                table=name,
                version=old.version + 1 if old else 1,
                definition=text,
                layout=layout,
                changes=tuple(str(c) for c in commit.changes if c.table == name),
                load_id=load.load_id,
                created_at=load.committed_at,
            )


def refuse_loaded(snapshot: Snapshot, commit: Commit, forgotten: Collection[str], where: str) -> None:
    """Refuse a load that brings a file in a second time, but for those of tables that it drops.

    Raises: LockHeldError; another run has loaded it since the facts were read.
    """
    gone, pipeline = set(forgotten), commit.load.pipeline
    loaded = {
        f.key: f.load_id
        for f in snapshot.files
        if f.pipeline == pipeline and f.outcome == "loaded" and f.table not in gone
    }
    for file in commit.files:
        if file.outcome == "loaded" and file.key in loaded:
            raise LockHeldError(
                f"`{file.key}` was loaded by another run meanwhile",
                where=where,
                found=f"load {loaded[file.key]}",
                hint="nothing of this load was kept; run again",
            )
