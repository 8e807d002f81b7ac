"""From specs to tables, dispositions and contracts."""

from __future__ import annotations

import pytest
from project_texts import load, pipelines, told
from pydantic import ValidationError

from penstock.errors import NotFoundError, ProjectError
from penstock.project.sources import FilesystemSpec, LandSpec
from penstock.project.spec import ContractSpec, PipelineSpec, TableSpec
from penstock.project.tables import (
    contract_of,
    dataset_of,
    destination_of,
    disposition_of,
    globs_of,
    pipeline_of,
    table_of,
    tables_of,
)
from penstock.schema import types as t
from penstock.schema.contract import Contract, Mode
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.table import Column, ForeignKey, Table
from penstock.schema.types import Kind, Scalar


def table_spec(**keys: object) -> TableSpec:
    """A table as a project file says it, short forms included."""
    return TableSpec.model_validate(keys)


METADATA = Table(
    "file",
    (
        Column("id", t.INT64, nullable=False, description="The id", declared=True, extra={"a": 1}),
        Column("state", t.TEXT, enum=("new", "done"), sensitive=True, declared=True),
    ),
    primary_key=("id",),
    partitions=("state",),
    description="From a file",
    extra={"location": "x"},
)


def test_metadata_alone() -> None:
    table = table_of("orders", TableSpec(), METADATA)
    assert table == Table("orders", METADATA.columns, ("id",), ("state",), "From a file")
    assert table.extra == METADATA.extra


def test_the_project_file_wins_where_it_speaks() -> None:
    spec = table_spec(
        columns={
            "id": "int32",
            "state": {"nullable": False, "enum": ["new", None]},
            "buyer": {"foreign_key": {"table": "people", "columns": "id"}},
        },
        primary_key=["id", "state"],
        description="Orders",
    )
    table = table_of("orders", spec, METADATA)
    assert table.columns == (
        Column("id", Scalar(Kind.INT32), nullable=False, description="The id", declared=True),
        Column("state", t.TEXT, nullable=False, enum=("new",), sensitive=True, declared=True),
        Column("buyer", t.NULL, foreign_key=ForeignKey("people", ("id",))),
    )
    assert table.columns[0].extra == {"a": 1}
    assert (table.primary_key, table.partitions, table.description) == (("id", "state"), ("state",), "Orders")


def test_nothing_is_promised_of_a_table_without_words() -> None:
    assert table_of("orders", TableSpec()) == Table("orders")


def test_constraints_must_fit_what_the_two_say_together() -> None:
    with pytest.raises(ProjectError) as caught:
        table_of("orders", table_spec(columns={"state": "bool"}), METADATA)
    assert "`orders.state`: `enum` does not fit the type bool" in caught.value.what
    text = pipelines("""\
  a:
    source: {type: land}
    tables:
      orders:
        columns:
          id: {type: int65}
          day:
            type: date
            minimum: yesterday
          code: {type: text, pattern: "(?=x)"}
""")
    assert [error.split(" | expected")[0] for error in told(text)] == [
        "`orders.id`: `int65` is not a type "
        "| where: penstock.yml:8 (pipelines.a.tables.orders.columns.id.type)",
        "`orders.day`: `minimum` does not fit the type date "
        "| where: penstock.yml:11 (pipelines.a.tables.orders.columns.day.minimum) | found: 'yesterday'",
        "`orders.code`: `pattern` cannot be used | where: penstock.yml:12 "
        "(pipelines.a.tables.orders.columns.code.pattern) | found: (?=x) "
        "| hint: `(?=` looks around, which not every engine can",
    ]


# ------------------------------------------------------------------ dispositions and contracts


def test_dispositions() -> None:
    keyed, plain = Table("t", primary_key=("id",)), Table("t")
    assert disposition_of(TableSpec(), plain) == Disposition()
    assert disposition_of(table_spec(write="replace"), keyed) == Disposition(WriteMode.REPLACE, ("id",))
    merged = table_spec(write="merge", dedup_sort="at")
    assert disposition_of(merged, keyed) == Disposition(WriteMode.MERGE, ("id",), "at")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "{write: merge}",
            "`t` is merged, but nothing tells one row from another "
            "| where: penstock.yml:3 (pipelines.a.tables.t.write)",
        ),
        ("{dedup_sort: at}", "`t` has a `dedup_sort`, which only a merge uses"),
        (
            "{contract: freeze, columns: {id: int64}, primary_key: idd}",
            "`idd` of `primary_key` is not a column of `t`, and its contract takes no new ones "
            "| where: penstock.yml:3 (pipelines.a.tables.t.primary_key) "
            "| expected: id | hint: did you mean 'id'?",
        ),
        ("{gate: {actions: {enums: drop}}}", "`enums` is not a rule of `t`"),
        ("{columns: {id: int64}, gate: {actions: {idd.enum: drop}}}", "did you mean 'id.enum'?"),
    ],
)
def test_tables_that_cannot_work(table: str, message: str) -> None:
    [error] = told(pipelines(f"  a: {{source: {{type: land}}, tables: {{t: {table}}}}}"))
    assert message in error


def test_actions_for_rules_that_there_are() -> None:
    table = (
        "{columns: {id: int64}, gate: {actions: {enum: drop, id.nullable: fail, mine: allow}, "
        "expectations: [{name: mine, constraint: id > 0}]}}"
    )
    loaded = load(pipelines(f"  a: {{source: {{type: land}}, tables: {{t: {table}}}}}"))
    assert list(loaded.spec("a", "t").gate.actions) == ["enum", "id.nullable", "mine"]


def test_keys_may_come_later_where_the_contract_lets_them() -> None:
    table = "{columns: {id: int64}, primary_key: other}"
    loaded = load(pipelines(f"  a: {{source: {{type: land}}, tables: {{t: {table}}}}}"))
    assert loaded.table("a", "t").primary_key == ("other",)


def test_contracts() -> None:
    assert contract_of(TableSpec()) == Contract()
    assert contract_of(table_spec(contract="freeze")) == Contract(
        columns=Mode.FREEZE, data_type=Mode.FREEZE, data_type_seen=Mode.FREEZE
    )
    assert contract_of(ContractSpec(columns=Mode.DISCARD_ROW, tables=Mode.FREEZE)) == Contract(
        tables=Mode.FREEZE, columns=Mode.DISCARD_ROW
    )


# ---------------------------------------------------------------------------------- by name


def test_names() -> None:
    project = load(
        pipelines("  orders: {source: {type: land}, dataset: shop/orders}\n  people: {source: {type: land}}")
    )
    orders = pipeline_of(project.project, "orders")
    assert dataset_of("orders", orders) == "shop/orders"
    assert dataset_of("people", pipeline_of(project.project, "people")) == "people"
    assert destination_of(project.project, "orders") == project.project.destination
    with pytest.raises(NotFoundError) as caught:
        pipeline_of(project.project, "order")
    assert (caught.value.expected, caught.value.hint) == ("orders or people", "did you mean 'orders'?")


def test_tables_of_a_filesystem_source() -> None:
    source = FilesystemSpec(url="x", tables={"b": "*.csv", "a": "*.jsonl"})
    pipeline = PipelineSpec(source=source, tables={"a": table_spec(primary_key="id")})
    assert {name: spec.primary_key for name, spec in tables_of(pipeline).items()} == {"b": (), "a": ("id",)}
    assert globs_of(pipeline) == {"b": "*.csv", "a": "*.jsonl"}
    single = FilesystemSpec(url="x", glob="*.csv")
    assert globs_of(PipelineSpec(source=single, tables={"t": TableSpec()})) == {"t": "*.csv"}
    assert globs_of(PipelineSpec(source=FilesystemSpec(url="x"), tables={"t": TableSpec()})) == {"t": "*"}
    assert globs_of(PipelineSpec(source=LandSpec())) == {}


def test_specs_are_frozen_and_hide_what_they_were_given() -> None:
    spec = TableSpec()
    with pytest.raises(ValidationError):
        spec.write = WriteMode.MERGE
    with pytest.raises(ValidationError) as caught:
        TableSpec.model_validate({"hunter2": "hunter3", "write": "hunter4"})
    assert "hunter3" not in str(caught.value)
    assert "hunter4" not in str(caught.value)
