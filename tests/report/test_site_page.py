"""The page as a file: well-formed, safe whatever the data says, the same every time, and small."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import site_bed
from penstock.catalogue import Catalogue
from penstock.report.site.document import document
from penstock.report.site.facts import SiteFacts
from penstock.report.site.page import SCRIPTS, Dress, dress, embedded, page, site
from penstock.schema.table import Table

EMPTY = {"meta", "input", "br", "link", "img", "hr"}
GOLDEN = Path(__file__).parent.parent / "golden" / "report" / "site.html"


class Read(HTMLParser):
    """Reads a page strictly: every element that is opened is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]


def hostile() -> SiteFacts:
    """Facts in which everything that has a name or a text is called after an attack."""
    bad = site_bed.HOSTILE
    columns = tuple(replace(c, name=bad + c.name, description=bad) for c in site_bed.ORDERS.columns)
    table = replace(site_bed.ORDERS, name=bad, description=bad, columns=columns)
    nodes = (*site_bed.way(table, bad, owners=(bad,)), replace(site_bed.model(table), sql=bad))
    return replace(
        site_bed.facts(),
        catalogue=Catalogue(bad, nodes),
        tables={},
        lineage={},
        notes=(bad,),
        environment=bad,
        version=bad,
        runs=(site_bed.run(1, error=bad),),
    )


@pytest.mark.parametrize("facts", [site_bed.facts(), hostile(), SiteFacts(Catalogue("none", ()))])
def test_the_page_is_well_formed(facts: SiteFacts) -> None:
    found = Read(site_bed.html(facts))
    assert found.open == []
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert {"header", "nav", "main", "footer", "noscript"} <= set(found.tags)
    assert found.tags["script"] == 2
    assert found.tags["img"] == 0


def test_the_data_come_through_unharmed() -> None:
    facts = hostile()
    found = Read(site_bed.html(facts))
    data = re.findall(r'<script type="application/json" id="data">(.*?)</script>', site_bed.html(facts))[0]
    assert json.loads(data) == document(facts)
    assert found.texts["title"] == f"{site_bed.HOSTILE} · Penstock"


@pytest.mark.parametrize(
    "text", ["</script>", "<!--", "]]>", "&lt;", "\u2028\u2029", "\0", '"', "\\u003c", "é😀"]
)
def test_texts_are_escaped_and_stay_the_same(text: str) -> None:
    made = embedded({text: [text]})
    assert not set("<>&\u2028\u2029") & set(made)
    assert json.loads(made) == {text: [text]}


def test_half_a_character_is_no_end() -> None:
    catalogue = Catalogue("\udc80", tuple(site_bed.way(Table("t\udc80"), "p")))
    site_bed.html(SiteFacts(catalogue)).encode("utf-8")


def test_nothing_is_asked_of_a_network() -> None:
    text = site_bed.html(site_bed.facts())
    found = Read(text)
    assert found.values("src") == []
    assert [href for href in found.values("href") if not href.startswith("#")] == []
    assert "url(" not in found.texts["style"]
    assert "@import" not in found.texts["style"]
    policy = next(v for v in found.values("content") if "default-src" in v)
    assert policy.startswith("default-src 'none';")


def test_the_policy_names_what_is_in_the_page() -> None:
    text = site_bed.html(site_bed.facts())
    policy = next(v for v in Read(text).values("content") if "default-src" in v)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    for kind, block in (("style-src", style), ("script-src", script)):
        assert block is not None
        digest = b64encode(hashlib.sha256(block[1].encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy


def test_the_script_makes_elements_of_texts_alone() -> None:
    face = site_bed.FACE
    assert {p.stem for p in face.glob("*.js")} == set(SCRIPTS)
    for path in face.glob("*.js"):
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|fetch\(|XMLHttp",
            path.read_text("utf-8"),
        )
        assert found == [], path.name


def test_equal_facts_make_equal_pages() -> None:
    assert site_bed.html(site_bed.facts()) == site_bed.html(site_bed.facts())
    assert "2026-01-13" in site_bed.html(site_bed.facts())


def test_it_is_one_file() -> None:
    assert list(site(document(site_bed.facts()), Dress("", ""))) == ["index.html"]


def test_the_pieces_of_the_script_are_put_together_in_order() -> None:
    made = dress(lambda name: f"/* {name} */")
    assert made.style == "/* style.css */"
    assert re.findall(r"/\* (\w+)\.js \*/", made.script) == list(SCRIPTS)


def test_the_skeleton(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = replace(site_bed.facts(), catalogue=replace(site_bed.catalogue(), project="a & b"))
    told = page({**document(facts), "runs": [], "tables": document(facts)["tables"][:1]}, Dress("", ""))
    text = re.sub(r'(id="data">).*?(</script>)', r"\1...\2", told)
    if os.environ.get("PENSTOCK_GOLDEN") == "write":
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")


def test_five_hundred_tables_fit_and_are_drawn_soon() -> None:
    facts = site_bed.many(500)
    began = time.process_time()
    text = site_bed.html(facts)
    assert time.process_time() - began < 3
    assert len(text.encode()) < 5_000_000
