"""A project on a disk: where it is found and what of it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.app.files import find_project, load_project, read_project
from penstock.errors import NotFoundError, ProjectError

PROJECT = """\
name: shop
pipelines:
  a:
    source: {type: land}
    tables:
      orders: {metadata: metadata/orders.yml}
      people: {metadata: metadata/people.json}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with a file of every kind."""
    root = tmp_path / "shop"
    for name, text in {
        "penstock.yml": PROJECT,
        "pipelines/b.yml": "source: {type: land}\ndataset: ${DATASET}\n",
        "pipelines/c.yaml": "c: {source: {type: land}}\n",
        "pipelines/notes.md": "- not a pipeline\n",
        "metadata/orders.yml": "columns: {id: int64}\n",
        "metadata/people.json": '{"columns": [{"name": "id", "type": "string"}]}',
        ".env": "DATASET=of_file\n",
        "deep/below/here.txt": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_everything_is_read(shop: Path) -> None:
    loaded = load_project(shop, env={})
    assert list(loaded.project.pipelines) == ["a", "b", "c"]
    assert loaded.project.root == shop
    assert loaded.project.pipelines["b"].dataset == "of_file"
    assert loaded.table("a", "orders").names == ("id",)
    assert str(loaded.table("a", "people").columns[0].type) == "text"
    assert load_project(shop, env={"DATASET": "of_process"}).project.pipelines["b"].dataset == "of_process"


def test_it_is_found_from_below_and_by_name(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_project(shop / "deep" / "below") == shop / "penstock.yml"
    assert find_project(shop / "penstock.yml") == shop / "penstock.yml"
    monkeypatch.chdir(shop / "deep")
    monkeypatch.setenv("DATASET", "x")
    assert find_project() == shop / "penstock.yml"
    assert read_project().name == "shop"


def test_the_other_ending_will_do(shop: Path) -> None:
    (shop / "penstock.yml").rename(shop / "penstock.yaml")
    assert load_project(shop, env={}).where_of(("name",)) == "penstock.yaml:1 (name)"
    (shop / "penstock.yml").write_text(PROJECT)
    with pytest.raises(ProjectError, match="a folder can hold one project"):
        load_project(shop, env={})


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no project here") as caught:
        load_project(tmp_path)
    assert caught.value.hint == "`penstock init` makes one"


def test_files_that_cannot_be_read(shop: Path) -> None:
    (shop / "metadata/orders.yml").write_bytes(b"columns:\n  id: \xff\n")
    with pytest.raises(ProjectError, match="this is not UTF-8 text") as caught:
        load_project(shop, env={})
    assert caught.value.where == "metadata/orders.yml:2"
    (shop / "metadata/orders.yml").unlink()
    with pytest.raises(ProjectError, match="the metadata file of `orders` is not there") as caught:
        load_project(shop, env={})
    assert caught.value.where == "penstock.yml:6 (pipelines.a.tables.orders.metadata)"
    (shop / ".env").unlink()
    (shop / ".env").mkdir()
    with pytest.raises(ProjectError, match="`DATASET` is not set"):
        load_project(shop, env={})
