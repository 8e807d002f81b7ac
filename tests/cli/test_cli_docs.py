"""`penstock docs`: the site of a real project, on disk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted import Outcome

from bed import Bed

# Any: JSON
Penstock = Callable[..., Outcome]


def told(path: Path) -> dict[str, Any]:
    """What the page of a site is told."""
    found = re.findall(r'id="data">(.*?)</script>', path.read_text("utf-8"))
    document: dict[str, Any] = json.loads(found[0])
    return document


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    bed = Bed(tmp_path)
    bed.drop("a.jsonl", {"v": 1, "w": "x"}, {"v": 2, "w": "y"})
    bed.loads()
    return bed


def test_it_says_where_the_site_is(bed: Bed, penstock: Penstock) -> None:
    outcome = penstock("docs")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(r"site/index\.html \(\d+\.\d kB\)\n", outcome.out)
    [table] = told(bed.root / "site/index.html")["tables"]
    assert (table["id"], table["rows"], table["columns"][0]["profile"]["high"]) == ("p.t", 2, "2")


def test_the_same_again_is_the_same_file(bed: Bed, penstock: Penstock) -> None:
    assert penstock("docs", "--output", "a/b").code == 0
    assert penstock("docs", "-o", "c").code == 0
    first = (bed.root / "a/b/index.html").read_bytes()
    assert first == (bed.root / "c/index.html").read_bytes()
    assert [p.name for p in (bed.root / "c").iterdir()] == ["index.html"]


def test_counts_only(bed: Bed, penstock: Penstock) -> None:
    outcome = penstock("docs", "--no-profile", "--json")
    assert outcome.code == 0
    [file] = json.loads(outcome.out)["files"]
    path = bed.root / file["path"]
    assert path.stat().st_size == file["size_bytes"]
    [table] = told(path)["tables"]
    assert table["rows"] == 2
    assert "profile" not in table["columns"][0]


def test_a_project_that_never_ran(tmp_path: Path, penstock: Penstock) -> None:
    Bed(tmp_path).session()
    assert penstock("docs").code == 0
    assert [t["id"] for t in told(tmp_path / "site/index.html")["tables"]] == ["p.t"]


def test_a_site_that_cannot_be_made_leaves_the_old_one(bed: Bed, penstock: Penstock) -> None:
    site = bed.root / "site/index.html"
    assert penstock("docs").code == 0
    before = site.read_bytes()
    (bed.root / "w.duckdb").write_bytes(b"no database")
    outcome = penstock("docs")
    assert outcome.code != 0
    assert outcome.err.startswith("error: ")
    assert site.read_bytes() == before


def test_a_folder_that_cannot_be_written(bed: Bed, penstock: Penstock) -> None:
    (bed.root / "site").write_text("a file")
    outcome = penstock("docs")
    assert outcome.code == 3
    assert "site" in outcome.err


def test_a_browser_is_asked_to_show_it(bed: Bed, penstock: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("typer.launch", asked.append)
    assert penstock("docs", "--open").code == 0
    assert asked == [(bed.root / "site/index.html").as_uri()]
