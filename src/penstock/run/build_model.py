"""One model: its rows are made, held, judged and put in place in one commit."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from penstock.errors import OutsideError, ReconcileError, RefusedError
from penstock.gate.rules import identifier, quoted, stored_type
from penstock.ledger import LOAD_ID, Built
from penstock.models.model import Materialization
from penstock.ports import STAGED, Batches, Build
from penstock.report.facts import ModelResult, ModelStatus
from penstock.run.build_aside import keep_rejects, rejects_of, stage_rejects
from penstock.run.build_flow import BuildFlow, ModelFlow, Task
from penstock.run.build_gate import ModelGate, Tally
from penstock.run.build_shape import Target, target_of
from penstock.schema.disposition import Disposition, Strategy, WriteMode
from penstock.schema.table import Column, Table

if TYPE_CHECKING:
    pass


def begins_anew(model: ModelFlow, before: Built | None, *, there: bool, full: bool) -> bool:
    """Whether a build makes the whole table, rather than adding to what earlier builds left.

    Raises: RefusedError where rows would be lost that no query can make again.
    """
    if before is None or not there:
        return True
    was, now = Materialization(before.materialized), model.model.materialized
    if was is not now:
        if was.keeps and not full:
            raise RefusedError(
                f"`{model.name}` has rows of earlier days or versions, which would be lost",
                where=model.model.path,
                found=f"materialized: {now}, and the table was a {was}",
                expected=f"materialized: {was}",
                hint=f"`penstock build {model.name} --full` makes it anew all the same",
            )
        return True
    if now in (Materialization.TABLE, Materialization.VIEW):
        return True
    return not now.keeps and (full or before.version != model.model.version)


def build_model(flow: BuildFlow, task: Task, began: float, stopping: threading.Event) -> ModelResult:
    """Build one model, unless everything is `stopping`.

    Raises: whatever keeps it from being built; its table is then as it was.
    """
    build = flow.builder.begin(task.flow.name, task.build_id)
    rejects = rejects_of(flow, task)
    try:
        try:
            if task.flow.model.materialized is Materialization.VIEW:
                tally, kept, shape = Tally(), None, _view(flow, task, build)
            else:
                staged = _stage(flow, task, build)
                target = target_of(task.flow, staged)
                tally = ModelGate(task, target, build).judge(rejects)
                kept = build.put(target.table, _disposition(task, build), anew=task.anew)
                _reconcile(task, tally, kept)
                shape = target.table
            if stopping.is_set():
                raise OutsideError(f"`{task.flow.name}` was stopped", hint="the table is as it was before")
            stage_rejects(flow, task, rejects)
            built = _built(flow, task, tally, kept, shape)
            build.commit(built)
        except BaseException:
            build.rollback()
            raise
        keep_rejects(flow, task, rejects)
    finally:
        rejects.close()
    return _result(built, tally, flow.now() - began)


# ------------------------------------------------------------------------------------------ rows


def _stage(flow: BuildFlow, task: Task, build: Build) -> Table:
    model = task.flow
    if model.make is None:
        return build.stage(model.name, query_of(task, flow.version_of))
    made = model.make(build.query)
    constants: dict[str, object] = {}
    if model.snapshot_column:
        constants[model.snapshot_column] = task.at.astimezone(UTC).date()
    if model.version_column:
        constants[model.version_column] = flow.version_of()
    staged = build.stage_rows(model.name, _with_constants(made, constants) if constants else made)
    if (news := _news(task)) is not None:
        build.remove(f"NOT coalesce({news}, false)")
    return staged


def query_of(task: Task, version_of: Any) -> str:  # Any: a function without arguments
    """The query of one build: that of the model, only what is new of it, and the columns to add."""
    model = task.flow
    sql = model.model.sql.strip().rstrip(";").rstrip()
    if (news := _news(task)) is not None:
        sql = f"SELECT * FROM (\n{sql}\n) AS penstock_query WHERE {news}"
    added = []
    if model.snapshot_column:
        added.append(f"DATE {quoted(_day(task))} AS {identifier(model.snapshot_column)}")
    if model.version_column:
        added.append(f"CAST({quoted(version_of())} AS VARCHAR) AS {identifier(model.version_column)}")
    return f"SELECT *, {', '.join(added)} FROM (\n{sql}\n) AS penstock_rows" if added else sql


def _news(task: Task) -> str | None:
    """The condition for rows that are new since the last build; None if all of them are wanted.

    Rows without a cursor are always wanted: a merge takes them again, and everything else refuses them.
    """
    model = task.flow
    if task.anew or model.cursor is None:
        return None
    cursor = identifier(model.cursor)
    last = f"(SELECT max({cursor}) FROM {identifier(model.name)})"
    edge = f"({last} - {model.lookback})" if model.lookback else last
    beyond = ">=" if model.disposition.mode is WriteMode.MERGE else ">"
    return f"({last} IS NULL OR {cursor} IS NULL OR {cursor} {beyond} {edge})"


def _disposition(task: Task, build: Build) -> Disposition:
    """How the rows of this build meet those that are there; versions of rows hold from its beginning.

    A day without rows takes the place of what was there for that day, as every other does.
    """
    found, kind, day = task.flow.disposition, task.flow.model.materialized, task.flow.snapshot_column
    if kind is Materialization.SCD2:
        return replace(found, at=task.at)
    if kind is not Materialization.SNAPSHOT or day is None or task.anew:
        return found
    if build.query(f"SELECT count(*) AS n FROM {STAGED}").column("n")[0].as_py():
        return found
    scope = f"{identifier(day)} = DATE {quoted(_day(task))}"
    return Disposition(WriteMode.MERGE, strategy=Strategy.DELETE_INSERT, destination_scope=scope)


def _day(task: Task) -> str:
    return task.at.astimezone(UTC).date().isoformat()


def _with_constants(made: Batches, constants: dict[str, object]) -> Batches:
    import pyarrow as pa

    schema = made.schema
    kinds = {name: pa.scalar(value).type for name, value in constants.items()}
    for name, kind in kinds.items():
        schema = schema.append(pa.field(name, kind))

    def more() -> Any:
        for batch in made.batches:
            columns = list(batch.columns)
            columns += [pa.repeat(pa.scalar(v, kinds[n]), batch.num_rows) for n, v in constants.items()]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return Batches(schema, more())


# ----------------------------------------------------------------------------------------- views


def _view(flow: BuildFlow, task: Task, build: Build) -> Table:
    """Make the view, with what is declared of its columns in the declared order and types."""
    model = task.flow
    sql = query_of(task, flow.version_of)
    if not model.declared.columns:
        return build.view(model.name, sql)
    from penstock.schema.arrow import from_arrow  # brings Arrow, which few builds need

    none = build.query(f"SELECT * FROM (\n{sql}\n) AS penstock_view LIMIT 0")
    shape = tuple(Column(f.name, from_arrow(f.type)) for f in none.schema if f.name != LOAD_ID)
    target = target_of(model, Table(model.name, shape))
    build.view(model.name, f"SELECT {', '.join(_selected(target))} FROM (\n{sql}\n) AS penstock_view")
    return target.table


def _selected(target: Target) -> list[str]:
    cells = []
    for column, held in zip(target.table.columns, target.held, strict=True):
        wanted = stored_type(column.type) if column.name in target.cast else None
        value = f"CAST({identifier(held)} AS {wanted})" if wanted else identifier(held)
        cells.append(f"{value} AS {identifier(column.name)}")
    return cells


# ---------------------------------------------------------------------------------------- ending


def _reconcile(task: Task, tally: Tally, kept: int) -> None:
    if tally.rows is None:
        tally.rows = kept
    if tally.rows != kept + tally.dropped + tally.quarantined:
        raise ReconcileError(
            f"`{task.flow.name}`: the rows of its query do not add up",
            where=task.flow.model.path,
            found=f"{kept} kept + {tally.dropped} dropped + {tally.quarantined} quarantined",
            expected=f"{tally.rows} rows",
            hint="nothing was committed; please report this",
        )


def _built(flow: BuildFlow, task: Task, tally: Tally, kept: int | None, shape: Table) -> Built:
    model = task.flow.model
    return Built(
        model=model.name,
        build_id=task.build_id,
        version=model.version,
        materialized=model.materialized.value,
        tool=model.tool,
        started_at=task.at,
        built_at=max(task.at, datetime.fromtimestamp(flow.now(), UTC)),
        inputs=dict(task.inputs),
        rows=tally.rows,
        kept=kept,
        dropped=tally.dropped,
        quarantined=tally.quarantined,
        broken=dict(tally.broken),
        table=shape,
    )


def _result(built: Built, tally: Tally, seconds: float) -> ModelResult:
    return ModelResult(
        model=built.model,
        status=ModelStatus.BUILT,
        materialized=built.materialized,
        tool=built.tool,
        rows=built.rows,
        kept=built.kept,
        dropped=tally.dropped,
        quarantined=tally.quarantined,
        broken=dict(tally.broken),
        seconds=seconds,
    )
