"""Jobs and schedules: one job for each pipeline, one for the models, and one for everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from dagster import (
    AssetSelection,
    AutomationConditionSensorDefinition,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    PartitionsDefinition,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    define_asset_job,
    in_process_executor,
)

from penstock.catalogue import Node
from penstock.dagster.assets import days_of
from penstock.dagster.keys import identifier
from penstock.dagster.reading import Reading

Job: TypeAlias = Any  # Any: the class of asset jobs that have yet to find their assets is Dagster's own
MODELS, EVERYTHING = "models", "all"
_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def jobs_of(reading: Reading) -> dict[str, Job]:
    """The jobs: by pipeline, and under `models` and `all` behind the project's name.

    They run in one process, because a step of its own would take longer to start than most take to run.
    """
    jobs = {name: _pipeline_job(reading, name) for name in reading.pipelines if reading.pipeline(name)}
    plain = [n for p in jobs if _days(reading, p) is None for n in reading.pipeline(p)]
    if reading.models:
        name = f"{reading.project}_{MODELS}"
        jobs[name] = _job(reading, name, reading.models, "All models.")
    if plain or reading.models:
        name = f"{reading.project}_{EVERYTHING}"
        said = "All pipelines, then all models. Pipelines that are parted into days have jobs of their own."
        jobs[name] = _job(reading, name, [*plain, *reading.models], said)
    return jobs


def _pipeline_job(reading: Reading, pipeline: str) -> Job:
    own = reading.pipeline(pipeline)
    models = list(_downstream(reading, own))
    said = f"The pipeline `{pipeline}`" + (", then the models that are made from it." if models else ".")
    return _job(reading, identifier(pipeline), [*own, *models], said)


def _downstream(reading: Reading, nodes: tuple[Node, ...]) -> Iterator[Node]:
    """The models that read these nodes, and those that read them; not those that are made by themselves."""
    above = {n.key for n in nodes}
    for model in reading.models:
        if above & set(model.reads):
            above.add(model.key)
            if reading.specs[model.key].automation_condition is None:
                yield model


def _job(reading: Reading, name: str, nodes: Sequence[Node], description: str) -> Job:
    return define_asset_job(
        name,
        selection=AssetSelection.assets(*(reading.key(n) for n in nodes)),
        description=description,
        executor_def=in_process_executor,
    )


def schedules_of(reading: Reading, jobs: Mapping[str, Job]) -> list[ScheduleDefinition]:
    """A schedule for each pipeline that has one, running from the start unless the options say no."""
    return [
        _schedule(reading, name, jobs[name], five_fields(cron))
        for name, cron in reading.catalogue.schedules.items()
        if name in jobs
    ]


def _schedule(reading: Reading, pipeline: str, job: Job, cron: str) -> ScheduleDefinition:
    name = f"{identifier(pipeline)}_schedule"
    on = DefaultScheduleStatus.RUNNING if reading.options.schedules else DefaultScheduleStatus.STOPPED
    days = _days(reading, pipeline)
    if days is None:
        return ScheduleDefinition(name=name, job=job, cron_schedule=cron, default_status=on)

    def newest(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
        """The last whole day."""
        whole = days.get_partition_keys(context.scheduled_execution_time)
        return RunRequest(partition_key=whole[-1]) if whole else SkipReason("the first day is not over")

    return ScheduleDefinition(name=name, job=job, cron_schedule=cron, default_status=on, execution_fn=newest)


def automation_of(reading: Reading) -> list[AutomationConditionSensorDefinition]:
    """What looks after assets with a condition, running from the start; nothing if none has one."""
    keys = [spec.key for spec in reading.specs.values() if spec.automation_condition is not None]
    if not keys:
        return []
    sensor = AutomationConditionSensorDefinition(
        f"{reading.project}_automation",
        target=AssetSelection.assets(*keys),
        default_status=DefaultSensorStatus.RUNNING,
    )
    return [sensor]


def five_fields(cron: str) -> str:
    """A schedule as five fields; words such as `@daily` are what they stand for."""
    return _WORDS.get(cron.lower(), cron)


def _days(reading: Reading, pipeline: str) -> PartitionsDefinition | None:
    return days_of(reading, reading.pipeline(pipeline), f"pipeline `{pipeline}`")
