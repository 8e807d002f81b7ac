"""Scaffolds: every template is a project that is right as it stands, written whole or not at all."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from penstock.app.files import load_project
from penstock.cli.init import scaffold, templates
from penstock.errors import RefusedError, StoreError, UsageError
from penstock.project.json_schema import json_schema
from penstock.project.nodes import read_yaml
from penstock.project.order import order_pipelines

BUCKETS = {"BUCKET": "my-bucket", "LAND_BUCKET": "my-land", "RAW_HIST_BUCKET": "my-raw-hist"}


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_template_is_offered() -> None:
    assert next(iter(templates())) == "files"
    assert set(templates()) == {p.name for p in (files("penstock") / "templates").iterdir() if p.is_dir()}


@pytest.mark.parametrize("template", templates())
def test_a_scaffold_is_a_right_project(template: str, tmp_path: Path) -> None:
    written = scaffold(template, tmp_path / "shop", {})
    assert sorted(written) == sorted(p for p in (tmp_path / "shop").rglob("*") if p.is_file())
    loaded = load_project(tmp_path / "shop", env={})
    assert loaded.project.name == "shop"
    assert load_project(tmp_path / "shop", "prod", BUCKETS).project.layers.land.startswith("s3://my-")
    tree, _ = read_yaml((tmp_path / "shop/penstock.yml").read_text(), "penstock.yml")
    assert list(Draft202012Validator(json_schema()).iter_errors(tree.plain())) == []
    text = "".join(contents(tmp_path / "shop").values())
    assert "{{" not in text
    for name in (".gitignore", ".env.example", "README.md", "penstock.yml"):
        assert (tmp_path / "shop" / name).is_file()
    assert (tmp_path / "shop/.gitignore").read_text().splitlines()[-1] == ".env"
    for link in re.findall(r"\]\(([^)]+)\)", (tmp_path / "shop/README.md").read_text()):
        assert (tmp_path / "shop" / link).is_file()


def test_the_default_template(tmp_path: Path) -> None:
    scaffold("files", tmp_path / "shop", {"name": "My shop: 1"[:7]})
    loaded = load_project(tmp_path / "shop", env={})
    assert loaded.project.name == "My shop"
    table = loaded.table("synthetic", "synthetic_data")
    assert table.primary_key == ("id",)
    assert table.names == (
        "id", "uuid", "name", "email", "created_at", "updated_at", "amount", "quantity", "is_active",
        "country", "address", "tags",
    )  # fmt: skip
    assert all(column.declared for column in table.columns)
    rules = sum(
        (not c.nullable) + sum(v is not None for v in (c.enum, c.pattern, c.minimum, c.maximum, c.min_length))
        for c in table.columns
    )
    assert rules >= 10
    assert len(loaded.spec("synthetic", "synthetic_data").gate.expectations) == 1


def test_the_second_pipeline_waits_for_the_first(tmp_path: Path) -> None:
    scaffold("parquet", tmp_path / "shop", {})
    for environment in (None, "prod"):
        project = load_project(tmp_path / "shop", environment, BUCKETS).project
        assert order_pipelines(project) == ["to_parquet", "to_duckdb"]


def test_the_sample_of_the_landing_area_has_the_columns_of_its_metadata(tmp_path: Path) -> None:
    scaffold("land", tmp_path / "shop", {})
    script = tmp_path / "shop/drop_sample.py"
    subprocess.run([sys.executable, str(script), "100"], check=True, capture_output=True)
    [file] = (tmp_path / "shop/data/land/open_data/random_postcodes").rglob("*.jsonl.gz")
    assert re.fullmatch(r"file_land_timestamp=\d+/random_postcodes_\d+\.jsonl\.gz", "/".join(file.parts[-2:]))
    rows = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    table = load_project(tmp_path / "shop", env={}).table("open_data", "random_postcodes")
    assert len(rows) == 100
    assert all(set(row) == set(table.names) for row in rows)
    patterns = {c.name: c.pattern for c in table.columns if c.pattern}
    assert set(patterns) == {"postcode", "incode", "outcode"}
    assert all(re.fullmatch(pattern, row[name]) for name, pattern in patterns.items() for row in rows)
    assert sum(row["country"] == "Scotland" for row in rows) == 2


# ---------------------------------------------------------------------------- refusals


def test_files_in_the_way_are_listed_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "metadata/synthetic_data.yml").write_text("mine too")
    before = contents(tmp_path)
    with pytest.raises(RefusedError) as caught:
        scaffold("files", tmp_path, {"name": "shop"})
    assert caught.value.found == "README.md, metadata/synthetic_data.yml"
    assert "--force" in str(caught.value.hint)
    assert contents(tmp_path) == before
    scaffold("files", tmp_path, {"name": "shop"}, force=True)
    assert (tmp_path / "README.md").read_text().startswith("# shop\n")


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_in_the_way_of_a_file(tmp_path: Path, force: bool) -> None:
    (tmp_path / "penstock.yml").mkdir()
    (tmp_path / "raw_data").write_text("a file where a folder should be")
    with pytest.raises(RefusedError) as caught:
        scaffold("files", tmp_path, {"name": "shop"}, force=force)
    assert caught.value.found == "penstock.yml, raw_data"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["penstock.yml", "raw_data"]


def test_a_file_where_the_project_should_be(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("")
    with pytest.raises(RefusedError, match="needs a folder"):
        scaffold("files", tmp_path / "shop", {})


def test_a_disk_that_refuses_half_way_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "README.md").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    move = Path.replace

    def full(self: Path, target: Path) -> Path:
        if self.name == "penstock.yml":
            raise OSError(28, "No space left on device")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StoreError, match="cannot be written") as caught:
        scaffold("files", tmp_path, {"name": "shop"}, force=True)
    assert caught.value.found == "No space left on device"
    with pytest.raises(StoreError):
        scaffold("files", tmp_path / "deep" / "shop", {})
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "README.md").read_text() == "mine"


def test_unknown_templates_and_names(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        scaffold("file", tmp_path, {})
    assert caught.value.hint == "did you mean 'files'?"
    with pytest.raises(UsageError, match="cannot name a project"):
        scaffold("files", tmp_path / "_shop", {})
    assert not list(tmp_path.iterdir())


def test_a_name_that_yaml_would_take_for_something_else(tmp_path: Path) -> None:
    for name in ("2024", "true", "a b"):
        scaffold("files", tmp_path / name, {})
        assert load_project(tmp_path / name, env={}).project.name == name
