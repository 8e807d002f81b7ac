"""What can be said of the texts without running them: links, the tree, the floors, the words."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from page import ROOT

GENERATED = {"reference", "architecture.md"}
TEXTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(text: Path) -> None:
    for link in LINK.findall(text.read_text("utf-8")):
        target = (text.parent / link.partition("#")[0]).resolve()
        made = any(target.is_relative_to(ROOT / "docs" / name) for name in GENERATED)
        assert made or target.exists(), f"{link} leads nowhere"


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_words(text: Path) -> None:
    said = text.read_text("utf-8").lower()
    prose = re.sub(
        r"```.*?```|`[^`\n]*`", "", said, flags=re.DOTALL
    )  # options of other tools are as they are
    assert not re.search(r"\b(simply|easily|just|obviously)\b", said)
    assert not re.search(r"\b(color|behavior|catalog|favor\w*|recogniz\w*|organiz\w*|serializ\w*)\b", prose)
    assert not re.search(r"https?://(?!json-schema\.org)", said), "the documentation needs no network"


def test_the_tree_names_every_module_and_folder() -> None:
    tree = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("```text")[2].partition("```")[0]
    named = set(re.findall(r"── ([\w.]+)/?\s", tree))
    private = ("__pycache__", "__init__.py", "__main__.py", "py.typed")
    there = {path.name for path in (ROOT / "src" / "penstock").iterdir() if path.name not in private}
    assert named == there


def test_the_floors_are_those_that_are_checked() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    [contract] = config["tool"]["importlinter"]["contracts"]
    floors = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## The floors")[2]
    drawn = re.findall(r"^([a-z |]+?)  ", floors.partition("```text")[2].partition("```")[0], re.MULTILINE)
    assert drawn == contract["layers"]


def test_files_that_the_architecture_names_are_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    for path in re.findall(r"`((?:\w+/)*\w+\.py)`", text):
        assert (ROOT / "src" / "penstock" / path).is_file(), path
    for folder in re.findall(r"`(tests/\w+)`", text):
        assert (ROOT / folder).is_dir(), folder


def test_every_page_is_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = [p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")]
    assert not [page for page in pages if f" {page}\n" not in menu]
