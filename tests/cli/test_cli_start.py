"""`penstock init`: every prompt is a flag, and prompts only meet people."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted import Outcome

from penstock.cli.init import templates

Penstock = Callable[..., Outcome]


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Someone at a terminal, who types the given text."""

    def types(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        monkeypatch.setattr("penstock.cli.terminal.Terminal.interactive", True)

    return types


def test_nobody_to_ask(penstock: Penstock, tmp_path: Path, same: Callable[[str, str], None]) -> None:
    told = penstock("init", "files", "shop")
    assert (told.code, told.err) == (0, "")
    same("init", told.out)
    assert "shop" in (tmp_path / "shop/penstock.yml").read_text().splitlines()[0]


def test_here_and_by_default(penstock: Penstock, tmp_path: Path) -> None:
    document = json.loads(penstock("init", "--name", "mine", "--json").out)
    assert document["template"] == next(iter(templates()))
    assert document["name"] == "mine"
    assert document["folder"] == str(tmp_path)
    assert all((tmp_path / name).is_file() for name in document["files"])
    assert "penstock.yml" in document["files"]


def test_the_template_as_an_option(penstock: Penstock, tmp_path: Path) -> None:
    assert penstock("init", "--template", "land", "shop", "--no-input").code == 0
    assert (tmp_path / "shop/penstock.yml").is_file()
    told = penstock("init", "--template", "land", "files", "shop")
    assert told.code == 2
    assert "given twice" in told.err


def test_asking(penstock: Penstock, person: Callable[[str], None], tmp_path: Path) -> None:
    person("land\nmine\n")
    told = penstock("init")
    assert told.code == 0
    assert all(f"  {name} " in told.err for name in templates())
    assert "Template [files]: " in told.err
    assert told.out.startswith("  README.md\n")
    assert "mine" in (tmp_path / "penstock.yml").read_text()


def test_a_person_who_gives_all_is_not_asked(penstock: Penstock, person: Callable[[str], None]) -> None:
    person("")
    assert penstock("init", "land", "shop", "--name", "shop").err == ""
    assert penstock("init", "--no-input").err == ""


def test_a_person_who_leaves(penstock: Penstock, person: Callable[[str], None], tmp_path: Path) -> None:
    person("")
    told = penstock("init")
    assert told.code == 1
    assert "nothing was done" in told.err
    assert list(tmp_path.iterdir()) == []


def test_files_in_the_way(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "penstock.yml").write_text("mine")
    told = penstock("init", "files")
    assert told.code == 1
    assert "--force" in told.err
    assert (tmp_path / "penstock.yml").read_text() == "mine"
    assert penstock("init", "files", "--force").code == 0


def test_help_names_every_template(penstock: Penstock) -> None:
    assert all(name in penstock("init", "--help").out for name in templates())
    told = penstock("init", "fils")
    assert told.code == 2
    assert "did you mean 'files'?" in told.err
