"""Projects whose data comes from Python, from the command line's point of view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock.errors import ProjectError
from penstock.ledger import Refresh
from penstock.report.facts import PipelineResult, Status

FEED = """
import penstock as ps

@ps.resource(primary_key="id", write="merge")
def releases(published_at=ps.incremental("published_at", initial_value="2024-01-01"), of="penstock"):
    yield [{"id": n, "of": of, "published_at": f"2024-0{n}-01"} for n in (1, 2, 3)]

@ps.source
def both(first=1):
    @ps.resource
    def Apples():
        yield {"n": first}

    @ps.resource
    def pears():
        yield {"n": first + 1}

    return Apples, pears
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds/__init__.py").touch()
    (tmp_path / "feeds/github.py").write_text(FEED)
    return tmp_path


def run(folder: Path, source: str, rest: str = "") -> PipelineResult:
    text = f"name: p\ndestination: duckdb:///w.duckdb\npipelines:\n  p:\n    source: {source}\n{rest}"
    (folder / "penstock.yml").write_text(text)
    return penstock.open_session(folder).run([], penstock.ignore).pipelines[0]


def sql(folder: Path, text: str) -> list[Any]:
    rows = penstock.open_session(folder).show(None, sql=text).to_pylist()
    return [next(iter(r.values())) if len(r) == 1 else tuple(r.values()) for r in rows]


@pytest.mark.parametrize("ref", ["feeds.github:releases", "feeds/github.py:releases"])
def test_a_resource_keeps_its_place(folder: Path, ref: str) -> None:
    source = f"{{type: python, ref: '{ref}', with: {{of: dlt}}}}"
    assert run(folder, source).error is None
    assert run(folder, source).status is Status.NOTHING_NEW
    assert sql(folder, 'SELECT count(*), any_value("of") FROM releases') == [(3, "dlt")]


def test_some_resources_of_a_source(folder: Path) -> None:
    result = run(folder, "{type: python, ref: 'feeds.github:both', with: {first: 5}, resources: pears}")
    assert [t.table for t in result.tables] == ["pears"]
    assert sql(folder, "SELECT n FROM pears") == [6]


def test_the_project_says_more_of_its_tables(folder: Path) -> None:
    rules = "{expectations: [{name: few, constraint: n < 1}]}"
    rest = f"    naming: snake_case\n    tables:\n      apples:\n        gate: {rules}\n"
    result = run(folder, "{type: python, ref: 'feeds.github:both'}", rest)
    assert {t.table: (t.loaded, t.quarantined) for t in result.tables} == {"apples": (0, 1), "pears": (1, 0)}


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("feeds.gitub:releases", "there is no module `feeds.gitub`"),
        ("feeds.github:release", "has no `release`"),
        ("feeds/nothing.py:x", "there is no such file"),
    ],
)
def test_what_is_not_there_is_told_with_its_line(folder: Path, ref: str, said: str) -> None:
    with pytest.raises(ProjectError) as raised:
        run(folder, f"{{type: python, ref: '{ref}'}}")
    assert said in str(raised.value)
    assert "penstock.yml:5" in str(raised.value)


def test_a_reference_that_is_none_is_refused(folder: Path) -> None:
    with pytest.raises(ProjectError, match="does not say where some Python is"):
        run(folder, "{type: python, ref: feeds.github}")


def test_what_the_code_raises_is_told_with_its_resource(folder: Path) -> None:
    (folder / "broken.py").write_text("def rows():\n    yield {'a': 1}\n    raise KeyError('gone')\n")
    result = run(folder, "{type: python, ref: 'broken:rows'}")
    assert result.status is Status.REFUSED
    assert "rows" in str(result.error)
    assert "gone" in str(result.error)


def test_a_refresh_asks_for_everything_again(folder: Path) -> None:
    source = "{type: python, ref: 'feeds.github:releases'}"
    assert run(folder, source).error is None
    session = penstock.open_session(folder)
    [result] = session.run(["p"], penstock.ignore, refresh=Refresh.DROP_DATA).pipelines
    assert (result.error, result.tables[0].loaded) == (None, 3)
    assert sql(folder, "SELECT count(*) FROM releases") == [3]


def test_files_are_not_asked_for_again(folder: Path) -> None:
    (folder / "in").mkdir()
    run(folder, "{type: filesystem, path: in, tables: {t: '*'}}")
    with pytest.raises(ProjectError, match="penstock rebuild"):
        penstock.open_session(folder).run([], penstock.ignore, refresh=Refresh.DROP_DATA)
