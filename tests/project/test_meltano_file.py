"""A meltano.yml as a project, and as a project file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from penstock.app.blocks import with_pairs
from penstock.app.files import find_project, load_project, meltano_files
from penstock.app.plugins import Plugins
from penstock.errors import NotFoundError, ProjectError
from penstock.project.adoption import adopt_meltano
from penstock.project.loaded import LoadedProject
from penstock.project.singer import SingerSpec
from penstock.project.singer_target import SingerTargetSpec
from penstock.singer.definition import PluginKind

TEXT = """\
version: 1
default_environment: dev
project_id: 1234
environments:
# nothing of its own
- name: dev
- name: prod
  config:
    plugins:
      extractors:
      - name: tap-github
        config: {start_date: '2024-01-01'}
        select: [issues.*]
  env:
    REGION: north
env:
  REGION: south
plugins:
  extractors:
  # releases of pandas
  - name: tap-github
    variant: meltanolabs
    pip_url: meltanolabs-tap-github
    config:
      repositories: [pandas-dev/pandas]  # one
      user_agent: ${AGENT}/$REGION
    select: [releases.*]
    metadata:
      releases: {replication-method: FULL_TABLE}
    wobble: 1
  - name: tap-heir
    inherit_from: tap-github
    config:
      repositories: [a/b]
  loaders:
  - name: target-postgres
    variant: meltanolabs
    pip_url: meltanolabs-target-postgres
    config:
      host: localhost
      default_target_schema: $MELTANO_EXTRACT__LOAD_SCHEMA
  orchestrators:
  - name: airflow
include_paths: [more/*.yml]
state_backend: {uri: s3://somewhere}
"""
MORE = """\
plugins:
  loaders:
  - name: target-jsonl
    variant: andyh1203
    pip_url: target-jsonl
jobs:
- name: all
  tasks: [[tap-github target-jsonl, tap-heir target-jsonl]]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/loaders.yml").write_text(MORE)
    (tmp_path / "meltano.yml").write_text(TEXT)
    return tmp_path


def config(loaded: LoadedProject, name: str, **env: str) -> dict[str, object]:
    plugins = Plugins(loaded, env)
    return plugins.resolved(plugins.entry(name)).config()


def test_a_folder_with_a_meltano_yml_is_a_project(folder: Path) -> None:
    loaded = load_project(folder, env={})
    assert loaded.project.environment == "dev"
    assert [p.name for p in loaded.project.plugins.extractors] == ["tap-github", "tap-heir"]
    assert [p.name for p in loaded.project.plugins.loaders] == ["target-postgres", "target-jsonl"]
    assert [job.blocks() for job in loaded.project.jobs] == [
        ("tap-github", "target-jsonl", "tap-heir", "target-jsonl")
    ]
    assert loaded.notes == (
        "meltano.yml:30: `wobble` means nothing here and is left out",
        "meltano.yml:42: `orchestrators` are not run here and are left out",
    )
    assert loaded.where_of(("plugins", "loaders", 1)) == "more/loaders.yml:3 (plugins.loaders[1])"


def test_a_project_file_of_ours_comes_first(folder: Path) -> None:
    assert find_project(folder).name == "meltano.yml"
    (folder / "penstock.yml").write_text("name: ours\n")
    assert find_project(folder).name == "penstock.yml"
    with pytest.raises(NotFoundError):
        find_project(folder.parent / "elsewhere")


def test_environments_are_laid_over_plugins_by_name(folder: Path) -> None:
    prod = load_project(folder, "prod", {}).project
    assert prod.plugins.extractors[0].config["start_date"] == "2024-01-01"
    assert prod.plugins.extractors[0].config["repositories"] == ["pandas-dev/pandas"]
    assert prod.plugins.extractors[0].select == ("issues.*",)
    assert prod.env == {"REGION": "north"}
    assert load_project(folder, env={"MELTANO_ENVIRONMENT": "prod"}).project.environment == "prod"
    assert load_project(folder, "", {"MELTANO_ENVIRONMENT": "prod"}).project.environment is None
    with pytest.raises(ProjectError, match="did you mean 'prod'"):
        load_project(folder, "prd", {})


def test_variables_of_an_environment_win_over_those_of_a_plugin(tmp_path: Path) -> None:
    text = """\
environments:
- name: prod
  env: {A: environment, B: environment}
  config: {plugins: {extractors: [{name: tap-x, env: {B: plugin there}}]}}
env: {A: project, C: project}
plugins: {extractors: [{name: tap-x, env: {A: plugin, B: plugin, C: plugin}}]}
"""
    (tmp_path / "meltano.yml").write_text(text)

    def said(environment: str) -> dict[str, str]:
        plugins = Plugins(load_project(tmp_path, environment, {}), {"A": "shell"})
        return {k: v for k, v in plugins.variables(plugins.entry("tap-x")).items() if len(k) == 1}

    assert said("") == {"A": "plugin", "B": "plugin", "C": "plugin"}
    assert said("prod") == {"A": "environment", "B": "plugin there", "C": "plugin"}


def test_variables_are_filled_in_when_a_plugin_is_used(folder: Path) -> None:
    loaded = load_project(folder, env={})
    assert config(loaded, "tap-github", AGENT="me")["user_agent"] == "me/south"
    assert config(loaded, "tap-github")["user_agent"] == "/south"
    assert config(load_project(folder, "prod", {}), "tap-github", AGENT="me")["user_agent"] == "me/north"
    (folder / ".env").write_text("AGENT=file\nTAP_GITHUB_AUTH_TOKEN=abcdef\n")
    found = config(load_project(folder, env={}), "tap-github")
    assert (found["user_agent"], found["auth_token"]) == ("file/south", "abcdef")


def test_an_heir_begins_with_what_its_parent_has(folder: Path) -> None:
    loaded = load_project(folder, env={})
    found = config(loaded, "tap-heir", AGENT="me", TAP_GITHUB_START_DATE="2020-01-01")
    assert found["repositories"] == ["a/b"]
    assert (found["user_agent"], found["start_date"]) == ("me/south", "2020-01-01")
    plugins = Plugins(loaded, {})
    assert plugins.home_name(plugins.entry("tap-heir")) == "tap-github"


def test_a_circle_of_heirs_is_refused(folder: Path) -> None:
    text = TEXT.replace(
        "  - name: tap-github\n    variant", "  - name: tap-github\n    inherit_from: tap-heir\n    variant"
    )
    (folder / "meltano.yml").write_text(text)
    with pytest.raises(ProjectError, match="inherit from each other"):
        config(load_project(folder, env={}), "tap-heir")


def test_a_lock_file_of_meltano_has_the_definition(folder: Path) -> None:
    lock = {
        "name": "tap-github", "variant": "meltanolabs", "namespace": "tap_gh",
        "settings": [{"name": "searches", "kind": "array", "value": [1]}],
    }  # fmt: skip
    path = folder / "plugins/extractors/tap-github--meltanolabs.lock"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(lock))
    assert config(load_project(folder, env={}), "tap-github")["searches"] == [1]


def test_a_pair_becomes_a_pipeline(folder: Path) -> None:
    loaded, names = with_pairs(load_project(folder, env={}), ["tap-github", "target-postgres"])
    assert names == ["tap-github-to-target-postgres"]
    spec = loaded.project.pipelines[names[0]]
    assert isinstance(spec.source, SingerSpec)
    assert isinstance(spec.destination, SingerTargetSpec)
    assert spec.source.select == ("releases.*",)
    assert spec.source.metadata == {"releases": {"replication-method": "FULL_TABLE"}}
    assert spec.destination.config["default_target_schema"] == "tap_github"
    assert spec.destination.pip_url == "meltanolabs-target-postgres"


def test_pipelines_of_jobs_urls_and_environments_have_names_of_their_own(folder: Path) -> None:
    loaded = load_project(folder, env={})
    assert with_pairs(loaded, ["all"])[1] == ["tap-github-to-target-jsonl", "tap-heir-to-target-jsonl"]
    assert with_pairs(loaded, ["tap-heir", "duckdb:///x/y.duckdb"])[1] == ["tap-heir-to-duckdb-x-y-duckdb"]
    assert with_pairs(load_project(folder, "prod", {}), ["tap-heir", "duckdb"])[1] == [
        "prod.tap-heir-to-duckdb"
    ]


def test_secrets_of_a_pair_are_masked(folder: Path) -> None:
    (folder / ".env").write_text("TAP_GITHUB_AUTH_TOKEN=abcdefgh\n")
    loaded, _ = with_pairs(load_project(folder, env={}), ["tap-github", "duckdb"])
    assert loaded.redact("it was abcdefgh") == "it was ***"


def test_it_is_adopted_with_its_comments(folder: Path) -> None:
    adopted = adopt_meltano(meltano_files(folder / "meltano.yml"), "shop")
    assert adopted.variables == {"AGENT", "REGION"}
    assert [line.partition(" ")[0] for line in adopted.left] == [
        "what", "`state_backend`", "`plugins.orchestrators`", "plugins:",
    ]  # fmt: skip
    for note in ("# nothing of its own", "# releases of pandas", "# one"):
        assert note in adopted.text
    before = load_project(folder, "prod", {}).project
    (folder / "penstock.yml").write_text(adopted.text)
    after = load_project(folder, "prod", {"AGENT": "me", "REGION": "x"}).project
    assert after.name == "shop"
    assert (after.jobs, after.env, after.default_environment) == (before.jobs, before.env, "dev")
    for kind in (PluginKind.EXTRACTORS, PluginKind.LOADERS):
        assert [p.name for p in after.plugins.of(kind)] == [p.name for p in before.plugins.of(kind)]
    loaded = load_project(folder, "prod", {"AGENT": "me", "REGION": "x"})
    assert config(loaded, "tap-github")["user_agent"] == "me/x"
    pairs, [name] = with_pairs(loaded, ["tap-github", "target-postgres"])
    destination = pairs.project.pipelines[name].destination
    assert isinstance(destination, SingerTargetSpec)
    assert destination.config["default_target_schema"] == "tap_github"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plugins: {extractors: [{name: 3}]}", "name"),
        ("environments: [{config: {}}]", "an environment has no name"),
        ("- a list", "this is no project file"),
        ("plugins: {extractors: [{name: a}, {name: a}]}", "there twice"),
        ("a: [", "this is not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "meltano.yml").write_text(f"version: 1\n{text}\n" if not text.startswith("-") else text)
    with pytest.raises(ProjectError, match=said) as error:
        load_project(tmp_path, env={})
    assert "meltano.yml" in str(error.value)
