"""The assets of a project: one op for each pipeline, and one for the models.

Annotations are not postponed here, because Dagster looks at that of `context`.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    Backoff,
    Field,
    Jitter,
    PartitionsDefinition,
    RetryPolicy,
    multi_asset,
)

from penstock.catalogue import Layer, Node
from penstock.dagster.keys import identifier, tag
from penstock.dagster.reading import Reading
from penstock.dagster.recording import Made, recorded
from penstock.dagster.running import build, run
from penstock.errors import ProjectError
from penstock.project.spec import Project
from penstock.project.tables import destination_of

_FULL = {
    "full": Field(bool, default_value=False, is_required=False, description="Build what is unchanged too.")
}


def assets_of(reading: Reading) -> list[AssetsDefinition | AssetSpec]:
    """Everything that the project has: sources as they are, what pipelines and models make."""
    sources = [reading.specs[n.key] for n in reading.catalogue.of(Layer.SOURCE)]
    pipelines = [pipeline_assets(reading, name) for name in reading.pipelines if reading.pipeline(name)]
    return [*sources, *pipelines, *model_assets(reading)]


def pipeline_assets(reading: Reading, pipeline: str) -> AssetsDefinition:
    """A pipeline's tables in every layer. Whatever is selected, the whole pipeline runs."""
    nodes = reading.pipeline(pipeline)
    days = days_of(reading, nodes, f"pipeline `{pipeline}`")

    @multi_asset(
        name=f"run_{identifier(pipeline)}",
        specs=[_parted(reading.specs[n.key], days) for n in nodes],
        check_specs=reading.check_specs(nodes),
        can_subset=True,
        partitions_def=days,
        backfill_policy=BackfillPolicy.single_run() if days else None,
        retry_policy=_retry(reading, pipeline),
        pool=pool_of(reading.session.project, pipeline),
    )
    def assets(context: AssetExecutionContext) -> Made:
        made = run(reading, pipeline, context.log.info, window_of(context) if days else None)
        yield from recorded(context, made)

    return assets


def model_assets(reading: Reading) -> list[AssetsDefinition]:
    """The models: one op for all of them, in which any may be selected."""
    if not reading.models:
        return []
    for node in reading.models:
        if reading.specs[node.key].partitions_def is not None:
            raise ProjectError(
                f"the model `{node.name}` cannot be parted into days: its own cursor says what is new",
                where=node.place or node.name,
                hint="leave `meta.dagster.partitions` out, or give it to the pipeline that it reads",
            )

    @multi_asset(
        name=f"build_{reading.project}",
        specs=[reading.specs[n.key] for n in reading.models],
        check_specs=reading.check_specs(reading.models),
        can_subset=True,
        config_schema=_FULL,
        pool=pool_of(reading.session.project, None),
    )
    def models(context: AssetExecutionContext) -> Made:
        chosen = [n for n in reading.models if reading.key(n) in context.selected_asset_keys]
        full = bool(context.op_execution_context.op_config["full"])
        everything = len(chosen) == len(reading.models) or any(n.unlisted for n in chosen)
        names = [] if everything else [n.name for n in chosen]
        yield from recorded(context, build(reading, names, context.log.info, full=full))

    return [models]


def days_of(reading: Reading, nodes: Sequence[Node], what: str) -> PartitionsDefinition | None:
    """The days that all of these nodes are parted into, because one run makes them all; None for none.

    Raises: ProjectError when they do not agree.
    """
    found: dict[PartitionsDefinition, list[str]] = defaultdict(list)
    for node in nodes:
        days = reading.specs[node.key].partitions_def
        if days is not None:
            found[days].append(node.name)
    if len(found) > 1:
        raise ProjectError(
            f"the tables of the {what} are parted into days in several ways, and one run makes them all",
            found="; ".join(f"{', '.join(dict.fromkeys(names))}: {days}" for days, names in found.items()),
            hint="say `meta: {dagster: {partitions: daily, start: …}}` once, at the pipeline",
        )
    asked = {n.pipeline for n in nodes} & reading.catalogue.incomplete or any(n.partition for n in nodes)
    if found and not asked:
        raise ProjectError(
            f"the {what} cannot be parted into days, because its source cannot be asked for one",
            expected="a table with a cursor that follows a scheduler (`allow_external_schedulers`)",
        )
    return next(iter(found), None)


def _parted(spec: AssetSpec, days: PartitionsDefinition | None) -> AssetSpec:
    return spec if spec.partitions_def == days else spec.replace_attributes(partitions_def=days)


def window_of(context: AssetExecutionContext) -> tuple[datetime, datetime]:
    """The time that the partitions of this run cover."""
    window = context.partition_time_window
    return window.start, window.end


def pool_of(project: Project, pipeline: str | None) -> str:
    """The pool of what writes to one destination: of a pipeline, or (None) of the models."""
    spec = project.destination if pipeline is None else destination_of(project, pipeline)
    place = getattr(spec, "path", None)  # what is no file and no folder has none
    return "_".join(["penstock", tag(spec.type), *([identifier(str(place))] if place else [])])


def _retry(reading: Reading, pipeline: str) -> RetryPolicy | None:
    """Trying again, as the project says, after what is refused by nobody: network, quota, a lock."""
    said = reading.session.project.pipelines[pipeline].retry
    if said.attempts == 1:
        return None
    return RetryPolicy(
        said.attempts - 1, delay=said.wait_s, backoff=Backoff.EXPONENTIAL, jitter=Jitter.PLUS_MINUS
    )
