"""From what a project says of its pipelines and tables to what the rest of Penstock works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, TypeAlias

from penstock.errors import NotFoundError, ProjectError, suggest
from penstock.project.nodes import Path, dotted
from penstock.project.sources import FilesystemSpec
from penstock.project.spec import (
    ColumnSpec,
    ContractSpec,
    DestinationSpec,
    PipelineSpec,
    Project,
    TableSpec,
)
from penstock.schema.constraint import Fault, check_column
from penstock.schema.contract import Contract, Mode
from penstock.schema.disposition import Disposition, Scd2, Strategy, WriteMode
from penstock.schema.faults import combine, either
from penstock.schema.metadata import bad_type
from penstock.schema.nesting import Nesting
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import NULL, parse_type

Where: TypeAlias = Callable[[Path], str]
"""The place of a path of keys below a table, such as `penstock.yml:31 (...)`."""

ALL_FILES = "*"
RULES = (
    "nullable", "enum", "pattern", "minimum", "maximum", "min_length", "max_length", "foreign_key", "unique",
)  # fmt: skip
"""The names of the rules that a column's metadata makes; `<column>.<rule>` is the rule of one column."""
_MERGE_FIELDS = (
    "strategy", "merge_key", "dedup_sort", "dedup_order", "hard_delete", "delete_values",
    "source_filter", "destination_scope", "skip_unchanged_rows", "row_version",
)  # fmt: skip
_WRITE_FIELDS = ("write", *_MERGE_FIELDS, "overwrite", "scd2")
_KEYS = {name: f.alias or name for name, f in ColumnSpec.model_fields.items()}


# -------------------------------------------------------------------------------------- by name


def pipeline_of(project: Project, name: str) -> PipelineSpec:
    """The pipeline of that name. Raises: NotFoundError with the names that there are."""
    if name in project.pipelines:
        return project.pipelines[name]
    raise NotFoundError(
        f"there is no pipeline `{name}`",
        where=f"project `{project.name}`",
        expected=either(project.pipelines) or "a pipeline, but the project has none",
        hint=suggest(name, project.pipelines) or _missing_plugin(name),
    )


def _missing_plugin(name: str) -> str | None:
    """How to bring a Singer plugin in that somebody asks for."""
    return f"`penstock add {name}` adds a tap or target" if name.startswith(("tap-", "target-")) else None


def dataset_of(name: str, pipeline: PipelineSpec) -> str:
    """The folder of a pipeline in every layer."""
    return pipeline.dataset or name


def destination_of(project: Project, name: str) -> DestinationSpec:
    """Where a pipeline's rows go: its own destination or the project's."""
    return pipeline_of(project, name).destination or project.destination


def tables_of(pipeline: PipelineSpec) -> dict[str, TableSpec]:
    """Every table that the project names for a pipeline; those of its source alone take the defaults."""
    filled = pipeline.source.tables if isinstance(pipeline.source, FilesystemSpec) else {}
    return {name: _silent() for name in filled} | pipeline.tables


@cache
def _silent() -> TableSpec:
    """What a project says of a table of which it says nothing."""
    return TableSpec()


def globs_of(pipeline: PipelineSpec) -> dict[str, str]:
    """The files of each table of a filesystem source, as globs relative to its `path`."""
    source = pipeline.source
    if not isinstance(source, FilesystemSpec):
        return {}
    return dict(source.tables) or dict.fromkeys(pipeline.tables, source.glob or ALL_FILES)


# ------------------------------------------------------------------------------- what is promised


def table_of(name: str, spec: TableSpec, metadata: Table | None = None, *, where: Where = dotted) -> Table:
    """The table that its metadata file and the project file describe together; the project file wins.

    Only what the project file says of a column replaces what the metadata says.
    Raises: ProjectError for types and constraints that make no sense.
    """
    columns = {c.name: c for c in metadata.columns} if metadata else {}
    faults: list[ProjectError] = []
    for index, declared in enumerate(spec.columns):
        column, wrong = _column(declared, columns.get(declared.name))
        columns[declared.name] = column
        for f in wrong:
            place = where(("columns", index, f.key))
            what = f"`{name}.{declared.name}`: {f.what}"
            faults.append(ProjectError(what, where=place, found=f.found, expected=f.expected, hint=f.hint))
    if faults:
        raise combine(faults, f"the table `{name}`")
    base = metadata or Table(name)
    return Table(
        name,
        tuple(columns.values()),
        primary_key=spec.primary_key or base.primary_key,
        partitions=spec.partitions or base.partitions,
        description=spec.description or base.description,
        extra=base.extra,
    )


def _column(spec: ColumnSpec, base: Column | None) -> tuple[Column, list[Fault]]:
    """A column of the project file laid over that of the metadata, and what is wrong with it."""
    before: dict[str, Any] = {}  # Any: fields of a column
    if base:
        before = {f: getattr(base, f) for f in Column.__dataclass_fields__}
    said = {f: getattr(spec, f) for f in spec.model_fields_set if f != "name"}
    text = said.pop("type", None)
    kind = base.type if base else NULL
    if text is not None:
        try:
            kind = parse_type(text)
        except ValueError as error:
            return Column(spec.name, NULL), [Fault("type", **bad_type(text, error))]
    if said.get("enum") is not None:
        said["enum"] = tuple(v for v in said["enum"] if v is not None)
    if said.get("foreign_key") is not None:
        said["foreign_key"] = ForeignKey(said["foreign_key"].table, said["foreign_key"].columns)
    column = Column(**{**before, **said, "name": spec.name, "type": kind, "declared": kind != NULL})
    return column, check_column(column)


def disposition_of(
    spec: TableSpec, table: Table, hinted: Disposition | None = None, *, where: Where = dotted
) -> Disposition:
    """How rows of `table` meet those that are there; what the project says wins over what is `hinted`.

    Raises: ProjectError for a merge without a key, and for words that mean nothing together.
    """
    said = {f: getattr(spec, f) for f in _WRITE_FIELDS if f in spec.model_fields_set}
    if (mode := said.pop("write", None)) is not None:
        said["mode"] = mode
    if (scd2 := said.get("scd2")) is not None:
        said["scd2"] = Scd2(**scd2.model_dump())
    base = hinted if hinted is not None and said.get("mode", hinted.mode) is hinted.mode else Disposition()
    found = replace(base, **said, primary_key=table.primary_key or base.primary_key)
    fault = _nonsense(found, spec)
    if fault is not None:
        key, what, expected = fault
        raise ProjectError(
            f"`{table.name}` {what}",
            where=where((key,)),
            found=None
            if key == "write"
            else f"write: {found.mode}"
            + (f", strategy: {found.strategy}" if found.mode is WriteMode.MERGE else ""),
            expected=expected,
            hint="such as `primary_key: id`" if key == "write" else None,
        )
    return found


def _nonsense(found: Disposition, spec: TableSpec) -> tuple[str, str, str] | None:
    """The key that is wrong, what is wrong with it, and what is expected instead."""
    merged = found.mode is WriteMode.MERGE
    if merged and found.strategy is not Strategy.SCD2 and not found.primary_key:
        if found.strategy is not Strategy.DELETE_INSERT:
            key = "`primary_key` beside `write`, or in the metadata file"
            return "write", "is merged, but nothing tells one row from another", key
        if not (found.merge_key or found.destination_scope):
            key = "`primary_key`, `merge_key` or `destination_scope` beside `write`"
            return "write", "is merged, but nothing tells which rows belong together", key
    for key in _MERGE_FIELDS:
        if not merged and key in spec.model_fields_set and getattr(spec, key):
            return key, f"has a `{key}`, which only a merge uses", f"`write: merge`, or no `{key}`"
    if found.overwrite and found.mode is not WriteMode.REPLACE:
        return (
            "overwrite",
            "has an `overwrite`, which only a replace uses",
            "`write: replace`, or no `overwrite`",
        )
    if found.destination_scope and found.strategy not in (Strategy.DELETE_INSERT, Strategy.SCD2):
        what = "has a `destination_scope`, but its strategy takes no rows away by themselves"
        return "destination_scope", what, "`strategy: delete-insert` or `scd2`, or no `destination_scope`"
    if found.destination_scope and found.merge_key:
        what = "has a `merge_key` and a `destination_scope`, which both say what may go"
        return "destination_scope", what, "one of them"
    if found.skip_unchanged_rows and found.strategy not in (Strategy.UPSERT, Strategy.CDC):
        what = "skips rows that have not changed, but its strategy updates none"
        return "skip_unchanged_rows", what, "`strategy: upsert` or `cdc`, or no `skip_unchanged_rows`"
    if found.row_version and not found.skip_unchanged_rows:
        return (
            "row_version",
            "has a `row_version`, which nothing goes by",
            "`skip_unchanged_rows: true` beside",
        )
    if found.scd2 is not None and not (merged and found.strategy is Strategy.SCD2):
        return "scd2", "names columns of scd2, which it does not use", "`strategy: scd2`, or no `scd2`"
    if found.delete_values and not found.hard_delete:
        return "delete_values", "has `delete_values` of no column", "`hard_delete`, the column that has them"
    return None


def contract_of(spec: ContractSpec | TableSpec) -> Contract:
    """The schema contract of a table.

    A `data_type` that the project file states holds for every column. If it states none, values
    that do not fit a declared type are quarantined, and types that were only seen in data widen.
    """
    contract = spec.contract if isinstance(spec, TableSpec) else spec
    if contract.data_type is None:
        return Contract(contract.tables, contract.columns)
    return Contract(contract.tables, contract.columns, contract.data_type, contract.data_type)


def nesting_of(spec: TableSpec) -> Nesting:
    """What becomes of a table's objects and lists."""
    return Nesting(spec.nesting.mode, spec.nesting.depth)


def check_keys(spec: TableSpec, table: Table, *, where: Where = dotted) -> list[ProjectError]:
    """Key columns that can never come, because no other column than the declared ones may."""
    if not table.columns or spec.contract.columns is Mode.EVOLVE:
        return []
    used = {
        "primary_key": spec.primary_key,
        "partitions": spec.partitions,
        "merge_key": spec.merge_key,
        "dedup_sort": (spec.dedup_sort,) if spec.dedup_sort else (),
        "hard_delete": (spec.hard_delete,) if spec.hard_delete else (),
        "row_version": (spec.row_version,) if spec.row_version else (),
        "overwrite": spec.overwrite,
    }
    return [
        ProjectError(
            f"`{name}` of `{key}` is not a column of `{table.name}`, and its contract takes no new ones",
            where=where((key,)),
            expected=either(table.names),
            hint=suggest(name, table.names),
        )
        for key, names in used.items()
        for name in names
        if table.column(name) is None
    ]


def check_actions(spec: TableSpec, table: Table, *, where: Where = dotted) -> list[ProjectError]:
    """Actions for rules that no column and no expectation makes."""
    expectations = [e.name for e in spec.gate.expectations]
    known = [*RULES, *expectations, *(f"{name}.{rule}" for name in table.names for rule in RULES)]
    return [
        ProjectError(
            f"`{name}` is not a rule of `{table.name}`",
            where=where(("gate", "actions", name)),
            expected=f"{either([*RULES, *expectations])}, or one of these for one column: `country.enum`",
            hint=suggest(name, known),
        )
        for name in spec.gate.actions
        if name not in known
    ]
