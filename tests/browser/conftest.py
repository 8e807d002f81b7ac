"""A browser that tests drive: Debian's chromium, without a network beyond this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
MISSING = (
    "no browser was driven: it takes the package `playwright`, and chromium (`apt-get install chromium`)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:  # Any: playwright is not there where nothing else of the project needs it
    """One headless browser for a module; tests that need it are skipped where there is none.

    No longer than that, because while it runs nothing else in this thread can run an event loop.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason=MISSING)
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(MISSING)
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """An empty page in a window of its own; `page.said` has what it complained of."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    opened = context.new_page()
    opened.said = []
    opened.on("console", lambda m: opened.said.append(m.text) if m.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    yield opened
    context.close()
