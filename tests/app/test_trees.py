"""What the YAML of a project says is kept between starts, and is the same as when it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.app import trees
from penstock.app.files import load_project
from penstock.app.trees import Trees
from penstock.errors import ProjectError
from penstock.project.nodes import frozen, read_yaml, thawed

TEXT = """
a: {b: [1, 2.5, .nan, null, true, "x", 2024-01-01], c: &c {d: e}}
f: *c
"": |
  ${HOME}
  more
"""


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "WORTH_BYTES", 0)


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError("a text was read again")

    monkeypatch.setattr(trees, "read_yaml", read)


def test_a_tree_comes_back_as_it_was() -> None:
    tree, faults = read_yaml(TEXT, "a.yml")
    assert not faults
    again = thawed(frozen(tree), "a.yml")
    assert repr([*again.scalars()]) == repr([*tree.scalars()])
    assert [(p, n.at.line) for p, n in again.scalars()] == [(p, n.at.line) for p, n in tree.scalars()]
    assert next(again.scalars())[1].at.file == "a.yml"


@pytest.mark.usefixtures("eager")
def test_a_text_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept"
    first = Trees(path)
    tree, _ = first.read(TEXT, "a.yml")
    first.keep()
    assert path.stat().st_mode & 0o777 == 0o600
    forbid(monkeypatch)
    found, faults = Trees(path).read(TEXT, "b.yml")
    assert not faults
    assert repr([n.value for _, n in found.scalars()]) == repr([n.value for _, n in tree.scalars()])
    assert {n.at.file for _, n in found.scalars()} == {"b.yml"}
    with pytest.raises(AssertionError, match="again"):
        Trees(path).read(TEXT + "g: 1\n", "a.yml")


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("bad", [b"", b"\xc1", b"\x81\xa4head\x01", b"\x90"])
def test_what_is_no_tree_is_read_anew(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "kept"
    path.write_bytes(bad)
    reading = Trees(path)
    assert reading.read("a: 1\n", "a.yml")[0].plain() == {"a": 1}
    reading.keep()
    spoilt = path.read_bytes().replace(b"\x01\x93", b"\x01\x91")
    path.write_bytes(spoilt)
    assert Trees(path).read("a: 1\n", "a.yml")[0].plain() == {"a": 1}


@pytest.mark.usefixtures("eager")
def test_faults_are_told_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        reading = Trees(tmp_path / "kept")
        _, [fault] = reading.read("a: 1\na: 2\n", "a.yml")
        assert "twice" in fault.what
        reading.keep()


@pytest.mark.usefixtures("eager")
def test_a_project_is_the_same_from_its_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "name: x\npipelines:\n  p:\n    source: {type: land}\n    tables: {t: {metadata: t.yml}}\n"
    (tmp_path / "penstock.yml").write_text(text)
    (tmp_path / "t.yml").write_text("name: t\ncolumns: [{name: a, type: int64}]\n")
    before = load_project(tmp_path)
    forbid(monkeypatch)
    after = load_project(tmp_path)
    assert (after.project, after.digest, after.metadata) == (before.project, before.digest, before.metadata)
    assert after.where_of(("pipelines", "p", "tables", "t")) == "penstock.yml:5 (pipelines.p.tables.t)"
    (tmp_path / "penstock.yml").write_text(text + "nme: y\n")
    monkeypatch.undo()
    with pytest.raises(ProjectError, match="nme"):
        load_project(tmp_path)


def test_a_small_project_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "penstock.yml").write_text("name: x\n")
    load_project(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["penstock.yml"]


@pytest.mark.usefixtures("eager")
def test_a_folder_that_cannot_be_written_to_has_no_shortcut(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    reading = Trees(tmp_path / "kept" / "trees")
    reading.read("a: 1\n", "a.yml")
    reading.keep()
    assert (tmp_path / "kept").read_text() == "a file"
