"""Jobs of a project run in this process, and what Dagster recorded of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg

from bed import Bed
from penstock.dagster import definitions


class Recorded:
    """What one run came to: values of metadata by asset, and checks as (passed, severity, metadata)."""

    def __init__(self, result: dg.ExecuteInProcessResult) -> None:
        self.success = result.success
        self.made: dict[str, dict[str, Any]] = {}
        self.checks: dict[str, tuple[bool, str, dict[str, Any]]] = {}
        self.errors: list[str] = []
        self.log: list[str] = []
        for event in result.all_events:
            data = event.event_specific_data
            if event.event_type_value == "ASSET_MATERIALIZATION":
                made = data.materialization
                self.made[made.asset_key.to_user_string()] = values(made.metadata)
            elif event.event_type_value == "ASSET_CHECK_EVALUATION":
                key = f"{data.asset_key.to_user_string()}:{data.check_name}"
                self.checks[key] = (data.passed, data.severity.value, values(data.metadata))
            elif event.event_type_value == "STEP_FAILURE":
                self.errors.append(
                    data.user_failure_data.description if data.user_failure_data else str(data.error)
                )


def values(metadata: Any) -> dict[str, Any]:
    """Metadata as plain values."""
    return {name: getattr(value, "value", value) for name, value in metadata.items()}


def run(
    defs: dg.Definitions, job: str, instance: dg.DagsterInstance | None = None, **options: Any
) -> Recorded:
    """Run a job in this process, in an instance of its own if none is given."""
    if instance is not None:
        return Recorded(
            defs.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, **options)
        )
    with dg.DagsterInstance.ephemeral() as own:
        return run(defs, job, own, **options)


def defs_of(bed: Bed, **options: Any) -> dg.Definitions:
    """The definitions of a bed's project, all of which Dagster could load."""
    defs = definitions(bed.session(), **options)
    dg.Definitions.validate_loadable(defs)
    return defs


def models(root: Path, **files: str) -> None:
    """Write models of SQL."""
    (root / "models").mkdir(exist_ok=True)
    for name, text in files.items():
        (root / "models" / f"{name}.sql").write_text(text)
