"""The rows that builds of models set aside, in the project's quarantine.

A model made anew makes its rejects anew too, so those of its last build take the place of all before;
where rows of earlier builds stay, so do their rejects.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from penstock.layers import land_key, parse_key, quarantined_rows_key, quote
from penstock.ledger import Built
from penstock.models.model import Materialization
from penstock.run.build_flow import MODELS, BuildFlow, Task
from penstock.run.rejects import RejectFile
from penstock.run.staged import STAGED, finish, put_in_place, stage

EXTENSION = "jsonl"


def rejects_of(flow: BuildFlow, task: Task) -> RejectFile:
    """An empty file for the rows that a build sets aside, under a key that none has."""
    landed_at = int(task.at.timestamp())
    while True:
        key = land_key(MODELS, task.flow.name, landed_at, EXTENSION)
        if flow.quarantine.stat(quarantined_rows_key(key)) is None:
            return RejectFile(key, task.build_id)
        landed_at += 1


def stage_rejects(flow: BuildFlow, task: Task, rejects: RejectFile) -> None:
    """Write the rows to the quarantine, where they do not count before the build is committed."""
    stage(flow, task.build_id, rejects.key, rejects, replaces=False)


def keep_rejects(flow: BuildFlow, task: Task, rejects: RejectFile) -> None:
    """Make the rows of a committed build count."""
    if rejects.rows:
        put_in_place(flow, task.build_id, rejects.key)
    if task.anew:
        _forget(flow, task.flow.name, but=rejects.key)


def is_unfinished(flow: BuildFlow) -> bool:
    """Whether a killed build left something to finish."""
    return any(True for _ in flow.quarantine.list(f"{STAGED}{flow.dataset}/"))


def recover_rejects(flow: BuildFlow, last: Mapping[str, Built]) -> None:
    """Finish what a killed build had staged; `last` are the last builds of all models.

    Called with the destination's lock held.
    """
    for built in last.values():
        if built.materialized == Materialization.TABLE:
            _forget(flow, built.model, before=int(built.started_at.timestamp()))
    staged = [stat.key for stat in flow.quarantine.list(f"{STAGED}{flow.dataset}/")]
    if not staged:
        return
    ids = {built.build_id for built in last.values()}
    keys = [key.removeprefix(STAGED).rpartition("/") for key in staged]
    suffix = quarantined_rows_key("")
    finish(flow, {(build_id, name.removesuffix(suffix)) for name, _, build_id in keys if build_id in ids})


def _forget(flow: BuildFlow, model: str, *, but: str = "", before: float = inf) -> None:
    """Remove what was set aside of a model, `but` under one key, by builds that began `before` an instant.

    Units: Unix seconds.
    """
    for stat in list(flow.quarantine.list(f"{MODELS}/{quote(model)}/")):
        key = stat.key.removesuffix(quarantined_rows_key(""))
        parts = parse_key(key, MODELS)
        if parts is not None and key != but and (parts.landed_at or 0) < before:
            flow.quarantine.delete(stat.key)
