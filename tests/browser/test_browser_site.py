"""The static site in a real browser: from a disk, without a network, with a keyboard, on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import site_bed

# Any: pages of playwright
PAGES = (
    "#/", "#/tables", "#/models", "#/lineage", "#/runs", "#/quality", "#/table/shop.orders",
    "#/table/shop.customers", "#/table/orders_by_country", "#/table/rates", "#/lineage/shop.orders",
    "#/run/run-8", "#/lineage/orders_by_country/amount", "#/pipeline/shop", "#/nothing/of/that/name",
    "#/table/%E0%A4%A",
)  # fmt: skip
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the shop, on disk."""
    path = tmp_path_factory.mktemp("site") / "index.html"
    path.write_text(site_bed.html(site_bed.facts()), "utf-8")
    return path


@pytest.fixture
def opened(page: Any, shop: Path) -> Open:
    """Opens a page of the site; whatever it asks of a network is an error."""
    asked: list[str] = []

    def refuse(route: Any) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route(lambda url: not url.startswith("file:"), refuse)
    page.context.set_offline(True)

    def open_(place: str = "#/", file: Path = shop) -> Any:
        page.goto(file.as_uri() + place)
        page.wait_for_selector("main h1")
        assert asked == []
        assert page.said == []
        return page

    return open_


def title(page: Any) -> str:
    return str(page.text_content("main h1")).strip()


def test_every_page_opens_without_a_network_or_a_complaint(opened: Open) -> None:
    titles = [title(opened(place)) for place in PAGES]
    assert titles[:6] == ["shop", "Tables", "Models", "Lineage", "Runs", "Quality"]
    assert titles[-2:] == ["Nothing is here"] * 2
    assert titles[6].startswith("orders")


def test_nothing_is_wider_than_a_phone(opened: Open, page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    wide = {}
    for place in PAGES:
        opened(place)
        if (width := page.evaluate("document.documentElement.scrollWidth")) > 360:
            wide[place] = width
    assert not wide


def test_what_is_hostile_stays_text(opened: Open, page: Any, tmp_path: Path) -> None:
    table = replace(site_bed.ORDERS, name=site_bed.HOSTILE, description=site_bed.HOSTILE)
    catalogue = replace(
        site_bed.catalogue(), project=site_bed.HOSTILE, nodes=tuple(site_bed.way(table, "shop"))
    )
    file = tmp_path / "hostile.html"
    facts = replace(site_bed.facts(), catalogue=catalogue, tables={}, lineage={})
    file.write_text(site_bed.html(facts), "utf-8")
    opened("#/tables", file)
    assert page.locator("img").count() == 0
    assert "taken" not in page.title().replace(site_bed.HOSTILE, "")
    page.locator("main table a").first.click()
    page.wait_for_function("document.title.includes('</script>')")
    assert title(page) == site_bed.HOSTILE
    assert page.locator("img").count() == 0
    assert page.said == []


def test_search_finds_tables_and_columns(opened: Open, page: Any) -> None:
    opened()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("amou")
    assert page.locator("#found li").first.text_content().startswith("amount")
    page.keyboard.press("ArrowDown")
    chosen = page.locator('#found li[aria-selected="true"]')
    assert chosen.count() == 1
    assert page.get_attribute("#search", "aria-activedescendant") == chosen.get_attribute("id")
    page.keyboard.press("Enter")
    page.wait_for_selector("tr.lit")
    assert page.get_attribute("tr.lit", "data-column") == "amount"
    page.keyboard.press("/")
    page.keyboard.type("no such thing")
    assert page.locator("#found").text_content() == "nothing is called so"
    page.keyboard.press("Escape")
    assert page.locator("#found").is_hidden()


def test_a_keyboard_is_enough(opened: Open, page: Any) -> None:
    opened("#/lineage")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert title(page) == "Lineage"
    focused = "document.activeElement.closest('.box')?.dataset.id"
    page.focus('.box[data-id="source shop"] a')
    went = []
    for key in ("ArrowRight", "ArrowDown", "ArrowRight", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
        went.append(page.evaluate(focused))
    assert went[:2] == ["shop.customers", "shop.orders"]
    assert went[2] in ("orders_by_country", "receipts")
    assert went[3:] == ["shop.orders", "source shop"]
    assert page.locator(".graph path.lit").count() == 2
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_function("location.hash.startsWith('#/lineage/shop.')")


def test_a_column_shows_its_path(opened: Open, page: Any) -> None:
    opened("#/lineage/shop.orders")
    page.click('.box[data-id="shop.orders"] button[data-column="amount"]')
    page.wait_for_selector(".graph.chosen")
    lit = page.eval_on_selector_all(
        ".box button.lit", "all => all.map(b => b.closest('.box').dataset.id + '.' + b.dataset.column)"
    )
    assert sorted(lit) == ["orders_by_country.amount", "shop.orders.amount"]
    assert page.locator(".graph path.lit").count() == 1
    assert "orders_by_country.amount" in page.text_content("main")
    assert "orders_by_country.amount" in page.text_content("#said")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.closest('.box').dataset.id") == "orders_by_country"
    assert page.evaluate("document.activeElement.dataset.column") == "amount"


def test_sensitive_values_are_nowhere(opened: Open, page: Any) -> None:
    opened("#/table/shop.customers")
    assert "*** (sensitive)" in page.text_content("main")
    assert "ada" not in page.content()


def test_light_and_dark(opened: Open, page: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    opened()
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) != light
    page.click("#theme")
    assert page.evaluate(ground) == light


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read(opened: Open, page: Any, scheme: str) -> None:
    """Every text has the contrast of AA against what lies behind it."""
    page.emulate_media(color_scheme=scheme)
    faint: list[str] = []
    for place in ("#/", "#/table/shop.orders", "#/lineage/orders_by_country", "#/quality", "#/run/run-8"):
        faint += opened(place).evaluate(CONTRAST)
    assert not faint


CONTRAST = """() => {
  const paint = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map((c) => c / 255).map(
    (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z; };
  const behind = (node) => { for (; node; node = node.parentElement) {
    const found = rgba(getComputedStyle(node).backgroundColor); if (found[3] > 250) return found; }
    return [255, 255, 255, 255]; };
  const found = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim());
    if (!own || !node.checkVisibility() || ['SCRIPT', 'STYLE'].includes(node.tagName)) continue;
    const style = getComputedStyle(node);
    const front = light(rgba(node.namespaceURI.endsWith('svg') ? style.fill : style.color));
    const back = light(behind(node));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${node.tagName} ${node.textContent.slice(0, 30)}`);
  }
  return found;
}"""


def test_pages_have_landmarks_headings_and_names(opened: Open, page: Any) -> None:
    for place in PAGES:
        opened(place)
        assert page.locator("h1").count() == 1
        odd = r"undefined|NaN|\[object|[a-z]\.\d+$|^false$"
        assert not re.search(odd, page.inner_text("main"), re.MULTILINE), place
        assert page.locator("header, nav, main, footer").count() == 4
        twice = page.evaluate(
            "() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id);"
            " return ids.filter((id, i) => ids.indexOf(id) !== i); }"
        )
        assert twice == []
        nameless = page.evaluate(
            "() => [...document.querySelectorAll('a, button')].filter("
            "e => !(e.textContent.trim() || e.getAttribute('aria-label'))).map(e => e.outerHTML)"
        )
        assert nameless == []


def test_every_link_leads_somewhere(opened: Open, page: Any) -> None:
    seen: set[str] = set()
    left = ["#/"]
    while left:
        place = left.pop()
        seen.add(place)
        opened(place)
        assert title(page) != "Nothing is here", place
        links = page.eval_on_selector_all("main a", "all => all.map(a => a.getAttribute('href'))")
        left += sorted({link for link in links if link not in seen and link not in left})
    assert len(seen) > 20


def test_five_hundred_tables_are_quick(opened: Open, page: Any, tmp_path: Path) -> None:
    file = tmp_path / "many.html"
    file.write_text(site_bed.html(site_bed.many(500)), "utf-8")
    opened("#/", file)
    took = {}
    for place in ("#/tables", "#/lineage", "#/table/pipeline_3.table_070", "#/runs"):
        took[place] = page.evaluate(
            "async (place) => { const began = performance.now(); location.hash = place;"
            " await new Promise((done) => addEventListener('hashchange', done, { once: true }));"
            " document.body.getBoundingClientRect(); return performance.now() - began; }",
            place,
        )
    assert all(ms < 3000 for ms in took.values()), took
