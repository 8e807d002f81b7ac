"""What the project file says of models, and what it says of pipelines and tables for people and programs."""

from __future__ import annotations

import pytest
from project_texts import load, pipelines, told

from penstock.models.model import Materialization
from penstock.project import words
from penstock.project.labels import FreshnessSpec
from penstock.project.models import DbtSpec, ModelsSpec


def models_of(text: str, environment: str | None = None, **env: str) -> ModelsSpec | None:
    return load(f"name: shop\n{text}", environment, env).project.models


def test_a_project_without_the_word_has_no_models() -> None:
    assert models_of("") is None
    assert models_of("models:") is None


@pytest.mark.parametrize(
    ("text", "folder", "dbt"),
    [
        ("models: sql/", "sql/", None),
        ("models: {path: sql}", "sql", None),
        ("models: {materialized: view}", "models", None),
        ("models: {dbt: warehouse}", None, DbtSpec(path="warehouse")),
        ("models: {path: sql, dbt: {path: w, target: dev, vars: {day: 1}}}", "sql",
         DbtSpec(path="w", target="dev", vars={"day": 1})),
    ],
)  # fmt: skip
def test_where_models_are(text: str, folder: str | None, dbt: DbtSpec | None) -> None:
    models = models_of(text)
    assert models is not None
    assert (models.folder, models.dbt) == (folder, dbt)


def test_words_beside_the_path_are_defaults_of_all_models() -> None:
    models = models_of(
        "models: {path: m, materialized: incremental, unique_key: id, tags: daily, meta: {x: 1}}"
    )
    assert models is not None
    assert (models.materialized, models.primary_key) == (Materialization.INCREMENTAL, ("id",))
    assert (models.tags, models.meta) == (("daily",), {"x": 1})


def test_an_environment_lays_its_words_over_those_of_the_project() -> None:
    text = "models: {path: m, dbt: w, tags: '${TAG}'}\n"
    text += "environments:\n  prod: {models: {dbt: {target: prod, path: w}}}\n"
    models = models_of(text, "prod", TAG="nightly")
    assert models is not None and models.dbt is not None
    assert (models.path, models.dbt.target, models.tags) == ("m", "prod", ("nightly",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "models: {materialised: view}",
            "unknown key `materialised` | where: penstock.yml:2 (models.materialised)",
        ),
        ("models: {materialized: vew}", "`materialized` has an unknown value"),
        ("models: s3://bucket/models", "code cannot be read at 's3://'"),
        ("models: {path: ''}", "an empty path leads nowhere"),
        (
            "models: {write: merge}",
            "`write` means nothing for a model | where: penstock.yml:2 (models.write)",
        ),
        ("models: {alias: x}", "`alias` is a word of dbt's"),
        ("models: {dbt: {path: w, taget: x}}", "did you mean 'target'?"),
        ("models: [a, b]", "`models` has a wrong kind of value"),
    ],
)
def test_wrong_words(text: str, message: str) -> None:
    [error] = told(f"name: shop\n{text}\n")
    assert message in error


# ------------------------------------------------------------- labels of pipelines and tables

LABELLED = """\
  a:
    source: {type: land}
    group: sales
    owners: [a@b.c, team:data]
    tags: daily
    freshness: 30h
    meta: {dagster: {kinds: [api]}}
    tables:
      t:
        group: money
        freshness: {fail_after: 2d, warn_after: 90m}
"""


def test_labels_of_a_pipeline_and_a_table() -> None:
    pipeline = load(pipelines(LABELLED)).project.pipelines["a"]
    assert (pipeline.group, pipeline.owners, pipeline.tags) == ("sales", ("a@b.c", "team:data"), ("daily",))
    assert pipeline.freshness == FreshnessSpec(fail_after="30h")
    assert pipeline.meta == {"dagster": {"kinds": ["api"]}}
    table = pipeline.tables["t"]
    assert (table.group, table.owners) == ("money", ())
    assert table.freshness == FreshnessSpec(fail_after="2d", warn_after="90m")


def test_lengths_of_time_in_seconds() -> None:
    assert [words.seconds(t) for t in ("90s", "5m", "30h", "2d", "1w")] == [
        90,
        300,
        108_000,
        172_800,
        604_800,
    ]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("30", "'30' is not a length of time | where: penstock.yml:5 (pipelines.a.freshness) | found: '30' "
               "| expected: a whole number and `s`, `m`, `h`, `d` or `w`, such as `30h` "
               "| hint: write `30s` for seconds"),
        ("1.5h", "'1.5h' is not a length of time"),
        ("0h", "'0h' is not a length of time"),
        ("{warn_after: 1h}", "`fail_after` is missing"),
        ("{fail_after: 1h, warn_after: 60m}", "`warn_after` is not before `fail_after`"),
        ("{fail_aftr: 1h}", "did you mean 'fail_after'?"),
    ],
)  # fmt: skip
def test_freshness_that_means_nothing(said: str, message: str) -> None:
    errors = told(pipelines(f"  a:\n    source: {{type: land}}\n    freshness: {said}\n"))
    assert any(message in error for error in errors), errors
