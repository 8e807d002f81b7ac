"""`penstock drop` on a real project."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted import Outcome

Penstock = Callable[..., Outcome]
SOURCE = "{type: filesystem, path: in, min_age_s: 0, tables: {t: t*, u: u*}}"
PROJECT = f"name: x\npipelines: {{p: {{source: {SOURCE}}}}}\n"


@pytest.fixture
def project(penstock: Penstock, tmp_path: Path) -> Path:
    """Two tables, loaded."""
    (tmp_path / "in").mkdir()
    (tmp_path / "penstock.yml").write_text(PROJECT)
    (tmp_path / "in" / "t1.jsonl").write_text('{"n": 1}\n{"n": 2}\n')
    (tmp_path / "in" / "u1.jsonl").write_text('{"n": 1}\n')
    assert penstock("run", "-q") == Outcome(0, "", "")
    return tmp_path


def shown(penstock: Penstock) -> dict[str, int]:
    rows = json.loads(penstock("show", "--json").out)["rows"]
    return {row["table"]: row["rows"] for row in rows}


def test_a_dry_run_says_what_a_drop_does(penstock: Penstock, project: Path) -> None:
    told = penstock("drop", "p", "t", "--dry-run")
    assert told.code == 0
    assert told.out.splitlines()[0] == "would be dropped from p"
    assert "t         2      1" in told.out
    assert shown(penstock) == {"t": 2, "u": 1}
    done = penstock("drop", "p", "t", "--yes", "--json")
    document = json.loads(done.out)
    assert (done.code, document["done"]) == (0, True)
    assert document["tables"] == [{"table": "t", "parts": [], "files": 1, "rows": 2}]
    assert shown(penstock) == {"u": 1}
    assert penstock("run", "-q").code == 0
    assert shown(penstock) == {"u": 1}
    assert penstock("status").out.endswith("all is loaded\n")
    assert "drop" in penstock("status", "--last", "--runs", "3").out
    assert penstock("rebuild", "-t", "t", "--dropped", "-q").code == 0
    assert shown(penstock) == {"t": 2, "u": 1}
    assert list((project / "data" / "raw_hist" / "p" / "t").rglob("*.jsonl"))


def test_everything_goes(penstock: Penstock, project: Path) -> None:
    del project
    assert penstock("drop", "p", "--drop-all", "-y").code == 0
    assert shown(penstock) == {}
    assert penstock("drop", "p", "--drop-all", "-y").out == "`p` has nothing to drop\n"


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 1), ("\n", 1, 2)])
def test_a_person_is_asked(
    penstock: Penstock,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    left: int,
) -> None:
    del project
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    monkeypatch.setattr("penstock.cli.terminal.Terminal.interactive", True)
    told = penstock("drop", "p", "u*")
    assert (told.code, "Drop this?" in told.err) == (code, True)
    assert len(shown(penstock)) == left


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("p",), 2, "nothing is named"),
        (("q", "t"), 1, "there is no pipeline `q`"),
        (("p", "tt"), 1, "no table and no resource is called `tt`"),
        (("p", "--state-paths", "$.x"), 1, "has nothing at `$.x`"),
    ],
)
def test_what_cannot_be_dropped(
    penstock: Penstock, project: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    del project
    told = penstock("drop", *arguments)
    assert (told.code, said in told.err) == (code, True), told.err
