"""What was read of models is kept between starts; a shortcut that is never believed against the files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from penstock.app.files import load_project
from penstock.app.models import LoadedModel, load_models

QUERY = "/*---\ntags: {tag}\n---*/\nSELECT * FROM t{tag}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with two models."""
    (tmp_path / "penstock.yml").write_text("name: shop\nmodels: models\n")
    (tmp_path / "models").mkdir()
    for tag in "ab":
        (tmp_path / "models" / f"{tag}.sql").write_text(QUERY.format(tag=tag))
    return tmp_path


def load(root: Path) -> list[LoadedModel]:
    return [*load_models(load_project(root, env={}), "duckdb")]


def kept(root: Path) -> Any:  # Any: JSON
    return json.loads((root / ".penstock" / "models.json").read_text())


def broken(*_: object, **__: object) -> None:
    raise AssertionError("a file was taken apart again")


def test_a_second_start_takes_no_file_apart(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(root)
    monkeypatch.setattr("penstock.models.sql.analyse", broken)
    monkeypatch.setattr("penstock.app.models.front_matter", broken)
    assert load(root) == first


def test_a_file_that_changes_is_read_anew_and_the_old_one_is_forgotten(root: Path) -> None:
    load(root)
    before = set(kept(root)["models"])
    (root / "models" / "a.sql").write_text(QUERY.format(tag="c"))
    assert [m.model.reads for m in load(root)] == [("tc",), ("tb",)]
    after = set(kept(root)["models"])
    assert len(after) == 2 and len(before & after) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"version": ', '"version": 0, "x": '),
        lambda text: text.replace('"reads"', '"raeds"'),
        lambda text: text.replace('"tool": "sql"', '"tool": null'),
        lambda text: json.dumps({**json.loads(text), "models": []}),
        lambda text: json.dumps({**json.loads(text), "models": dict.fromkeys(json.loads(text)["models"], 3)}),
    ],
)
def test_what_does_not_look_right_is_found_out_anew(root: Path, spoil: Any) -> None:
    first, text = load(root), (root / ".penstock" / "models.json").read_text()
    (root / ".penstock" / "models.json").write_text(spoil(text))
    assert load(root) == first
    assert kept(root) == json.loads(text)


def test_a_project_that_cannot_be_written_to_has_no_shortcut(root: Path) -> None:
    (root / ".penstock").write_text("in the way")
    assert [m.model.name for m in load(root)] == ["a", "b"]


def test_what_is_wrong_is_told_again_with_its_line(root: Path) -> None:
    (root / "models" / "a.sql").write_text("/*---\n\nmaterialized: partition\n---*/\nSELECT 1")
    for _ in range(2):
        with pytest.raises(Exception, match=r"models/a.sql:3 \(materialized\)"):
            load(root)


def test_500_models_are_read_in_a_moment(root: Path) -> None:
    words = "materialized: table\nprimary_key: id\ncolumns: {{id: int64, a: text}}"
    text = f"/*---\n{words}\n---*/\nSELECT * FROM t{{n}}\n"
    for n in range(500):
        (root / "models" / f"m{n}.sql").write_text(text.format(n=n))
    loaded = load_project(root, env={})
    load_models(loaded, "duckdb")
    times = []
    for _ in range(3):
        began = time.process_time()
        assert len(load_models(loaded, "duckdb")) == 502
        times.append(time.process_time() - began)
    assert min(times) < 0.3
