"""From the words of a model to how its rows are kept, what is wrong with that, and its version."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import ProjectError
from penstock.project.building import check_model, idle_words, kept_as, kept_table, version_of
from penstock.project.models import ModelSpec
from penstock.project.tables import table_of
from penstock.schema.disposition import Disposition, Scd2, Strategy, WriteMode
from penstock.schema.table import Table


def spec_of(**said: Any) -> ModelSpec:  # Any: words as a file holds them
    return ModelSpec.model_validate(said)


def kept(**said: Any) -> Disposition:
    spec = spec_of(**said)
    return kept_as(spec, kept_table(spec, table_of("m", spec)))


def faults(**said: Any) -> list[str]:
    spec = spec_of(**said)
    return [str(fault) for fault in check_model(spec, table_of("m", spec))]


def version(text: str = "q", **said: Any) -> str:
    spec = spec_of(**said)
    return version_of(spec, kept_table(spec, table_of("m", spec)), text)


@pytest.mark.parametrize(
    ("said", "disposition"),
    [
        ({}, Disposition(WriteMode.REPLACE)),
        ({"materialized": "view"}, Disposition(WriteMode.REPLACE)),
        ({"primary_key": "id"}, Disposition(WriteMode.REPLACE, ("id",))),
        ({"materialized": "incremental", "cursor": "at"}, Disposition()),
        ({"materialized": "incremental", "unique_key": "id"}, Disposition(WriteMode.MERGE, ("id",))),
        (
            {"materialized": "incremental", "primary_key": "id", "incremental_strategy": "delete+insert"},
            Disposition(WriteMode.MERGE, ("id",), strategy=Strategy.DELETE_INSERT),
        ),
        (
            {"materialized": "partition", "partitions": ["day"]},
            Disposition(WriteMode.REPLACE, overwrite=("day",)),
        ),
        ({"materialized": "snapshot"}, Disposition(WriteMode.REPLACE, overwrite=("snapshot_date",))),
        (
            {"materialized": "snapshot", "snapshot_column": "dea_snapshot_date"},
            Disposition(WriteMode.REPLACE, overwrite=("dea_snapshot_date",)),
        ),
        (
            {"materialized": "scd2", "primary_key": "id", "scd2": {"valid_from": "since"}},
            Disposition(WriteMode.MERGE, ("id",), strategy=Strategy.SCD2, scd2=Scd2(valid_from="since")),
        ),
    ],
)  # fmt: skip
def test_how_rows_are_kept(said: dict[str, Any], disposition: Disposition) -> None:
    assert kept(**said) == disposition
    assert faults(**said) == []


def test_a_snapshot_is_laid_out_by_its_day() -> None:
    spec = spec_of(materialized="snapshot", partitions=["country"])
    assert kept_table(spec, table_of("m", spec)).partitions == ("snapshot_date", "country")
    known = Table("m", partitions=("snapshot_date",))
    assert kept_table(spec, known) == known


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"materialized": "incremental"}, "`m` is incremental, but nothing tells which rows are new"),
        ({"cursor": "at"}, "`m` has a `cursor`, which means nothing for a table\n  where: cursor"),
        ({"materialized": "incremental", "primary_key": "a", "lookback": 3}, "`m` looks back from no cursor"),
        (
            {"materialized": "incremental", "cursor": "at", "lookback": "3d"},
            "`m` takes rows once more that nothing tells from those that are there",
        ),
        ({"strategy": "insert-only"}, "`m` has a `strategy`, which means nothing for a table"),
        (
            {"materialized": "incremental", "primary_key": "a", "strategy": "scd2"},
            "expected: `materialized: scd2`",
        ),
        (
            {"materialized": "incremental", "cursor": "at", "dedup_sort": "at"},
            "nothing tells one row from another",
        ),
        (
            {"materialized": "incremental", "merge_key": "day"},
            "`m` is merged by upsert, but nothing tells one row from another\n  where: materialized\n"
            "  expected: `primary_key: id` or `strategy: delete-insert`",
        ),
        ({"materialized": "partition"}, "`m` replaces partitions, but nothing says by which columns"),
        ({"materialized": "table", "snapshot_column": "x"}, "means nothing for a table"),
        ({"materialized": "table", "scd2": {}}, "`m` has a `scd2`"),
        (
            {"materialized": "view", "gate": {"min_rows": 1}},
            "`m` is a view, which holds no rows that `min_rows`",
        ),
        (
            {"materialized": "view", "columns": {"a": {"type": "text", "enum": ["x"]}}},
            "`a.enum` could be asked of",
        ),
        ({"materialized": "view", "partitions": "day"}, "`m` has `partitions`, but a view holds no rows"),
        (
            {"materialized": "view", "version_column": "v"},
            "`m` has `version_column`, but a view holds no rows",
        ),
        ({"primary_key": "idd", "columns": {"id": "int64"}, "contract": "freeze"}, "did you mean 'id'?"),
        ({"gate": {"actions": {"nulable": "drop"}}}, "`nulable` is not a rule of `m`"),
        (
            {"materialized": "incremental", "cursor": "att", "columns": {"at": "date"}, "contract": "freeze"},
            "`m` has no column `att`",
        ),
    ],
)  # fmt: skip
def test_words_that_mean_nothing_together(said: dict[str, Any], message: str) -> None:
    [fault] = faults(**said)
    assert message in fault


def test_a_view_may_describe_its_columns() -> None:
    assert faults(materialized="view", columns={"a": {"type": "text", "description": "x"}}) == []


def test_everything_that_is_wrong_is_told_at_once() -> None:
    spec = spec_of(materialized="partition", cursor="at", merge_key="x")
    with pytest.raises(ProjectError, match="the model `m` has 3 errors"):
        kept_as(spec, Table("m"))


# --------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"materialized": "ephemeral"}, "`ephemeral` is no materialization of Penstock's"),
        ({"primary_key": "a", "unique_key": "b"}, "two names for one thing"),
        ({"nesting": "flatten"}, "`nesting` means nothing for a model"),
        ({"overwrite": "day"}, "`overwrite` means nothing for a model"),
        ({"gate": {"min_bytes": 1}}, "`min_bytes` is about files, and a model has none"),
        ({"lookback": -1}, "`lookback` is below nothing"),
        ({"lookback": "3 days"}, "'3 days' is not a length of time"),
        ({"partition_by": "day"}, "`partition_by` is a word of dbt's"),
    ],
)
def test_words_that_no_model_has(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spec_of(**said)


# ------------------------------------------------------------------------------------- versions


def test_a_version_changes_with_what_decides_the_rows() -> None:
    ways: list[dict[str, Any]] = [
        {},
        {"text": "other"},
        {"materialized": "view"},
        {"primary_key": "id"},
        {"partitions": "day"},
        {"columns": {"a": "text"}},
        {"columns": {"a": "int64"}},
        {"columns": {"a": {"type": "text", "enum": ["x"]}}},
        {"columns": {"a": {"type": "text", "enum": ["y"]}}},
        {"gate": {"expectations": [{"name": "a", "constraint": "b"}]}},
        {"gate": {"expectations": [{"name": "a", "constraint": "b", "action": "drop"}]}},
        {"contract": "freeze"},
        {"version_column": "v"},
        {"materialized": "incremental", "cursor": "at"},
        {"materialized": "incremental", "cursor": "at", "primary_key": "id"},
        {"materialized": "incremental", "cursor": "at", "primary_key": "id", "lookback": "3d"},
        {"materialized": "incremental", "cursor": "at", "primary_key": "id", "strategy": "insert-only"},
        {"materialized": "snapshot"},
        {"materialized": "snapshot", "snapshot_column": "d"},
    ]
    versions = [version(**way) for way in ways]
    assert len(set(versions)) == len(ways)
    assert versions == [version(**way) for way in ways]


def test_a_version_does_not_change_with_what_is_only_said() -> None:
    said: dict[str, Any] = {"description": "x", "tags": ["a"], "owners": "me", "meta": {"a": 1}}
    assert version(**said, group="g", freshness="1h") == version()
    described: dict[str, Any] = {"columns": {"a": {"type": "text", "description": "x"}}}
    assert version(**described) == version(columns={"a": "text"})
    assert version(materialized="table", gate={"on_broken": "quarantine"}) == version()


def test_words_that_are_passed_over_as_defaults() -> None:
    assert "cursor" in idle_words("table") and "cursor" not in idle_words("incremental")
    assert {"gate", "partitions", "version_column"} <= idle_words("view")
    assert not {"gate", "partitions", "primary_key"} & idle_words("table")
    assert "merge_key" not in idle_words("scd2") and "skip_unchanged_rows" in idle_words("scd2")
