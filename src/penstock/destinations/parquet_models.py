"""The ledger of models in a commit log: what was built, and which version every table has. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from penstock.destinations.columns import PRIVATE, layout_from_json, root_of
from penstock.destinations.parquet_log import BUILDS, ModelBuild, Snapshot
from penstock.ledger import RETIRED, Built
from penstock.schema.definition import table_from_json, table_to_json


def builds_of(snapshot: Snapshot) -> list[Built]:
    """The builds of models that are remembered, oldest first."""
    return [
        Built(
            **{f.name: getattr(b, f.name) for f in fields(b) if f.name != "definition"},
            table=table_from_json(b.definition) if b.definition is not None else None,
        )
        for b in snapshot.builds
    ]


def model_build(built: Built) -> ModelBuild:
    """A build as the log keeps it."""
    plain = {f.name: getattr(built, f.name) for f in fields(ModelBuild) if f.name != "definition"}
    plain |= {"inputs": dict(built.inputs), "broken": dict(built.broken)}
    definition = table_to_json(built.table) if built.table is not None else None
    return ModelBuild(**plain, definition=definition)


def versions_of(snapshot: Snapshot) -> Mapping[str, str]:
    """The load or build that wrote each table last; tables that are part of others follow their roots.

    Rows that were retired are told by their number, because taking them away is no load of a file.
    """
    found = _loads(snapshot) | {b.model: b.build_id for b in snapshot.builds}
    known = {}
    for name, definition in snapshot.newest().items():
        if definition.layout is None or name.startswith(PRIVATE):
            continue
        root = None
        if definition.pipeline != BUILDS and '"root": ' in definition.layout:
            root = root_of(layout_from_json(definition.layout))
        known[name] = found.get(root or name) or found.get(name) or definition.load_id
    return known


def _loads(snapshot: Snapshot) -> dict[str, str]:
    order = {load.load_id: position for position, load in enumerate(snapshot.loads)}
    newest: dict[str, str] = {}
    retired: dict[str, int] = {}
    for file in snapshot.files:
        if order.get(file.load_id, -1) >= order.get(newest.get(file.table, ""), -1):
            newest[file.table] = file.load_id
        if file.outcome == RETIRED:
            retired[file.table] = retired.get(file.table, 0) + 1
    return {t: f"{load}-{retired[t]}" if t in retired else load for t, load in newest.items()}
