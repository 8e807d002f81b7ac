"""The one HTML file: a skeleton that says what is in it, the data, and the script that draws it."""

from __future__ import annotations

import hashlib
import html
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Any: JSON


@dataclass(frozen=True, slots=True)
class Dress:
    """The style sheet and the script of the page, as text. They are ours, and know nothing of the data."""

    style: str
    script: str


SCRIPTS = (
    "element", "data", "charts", "parts", "overview", "catalogue", "table", "runs", "lineage", "search",
    "start",
)  # fmt: skip
"""The pieces of the script, in the order in which they need each other."""


def dress(read: Callable[[str], str]) -> Dress:
    """The style and the script out of their files in the folder `face`, which `read` gives by name."""
    script = "\n".join(read(f"{name}.js") for name in SCRIPTS)
    return Dress(read("style.css"), f'(() => {{\n"use strict";\n{script}\n}})();')


_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def embedded(value: Any) -> str:
    """JSON that is the same value inside a script element, whatever its texts say."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character, escape in _ESCAPED.items():
        text = text.replace(character, escape)
    return text.encode("utf-8", "backslashreplace").decode()


def page(document: Mapping[str, Any], dress: Dress) -> str:
    """The page. It loads nothing, and its policy lets it run its own script and style alone."""
    title = html.escape(f"{document['project']} · Penstock")
    policy = (
        f"default-src 'none'; style-src '{_digest(dress.style)}'; script-src '{_digest(dress.script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="Penstock {html.escape(str(document.get("version", "")))}">
<title>{title}</title>
<style>{dress.style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="#/">{html.escape(document["project"])}</a>
<form id="search-form" role="search" aria-label="Tables and columns">
<label class="unseen" for="search">Search tables and columns</label>
<input id="search" type="search" placeholder="Search tables and columns" autocomplete="off" \
spellcheck="false" role="combobox" aria-expanded="false" aria-controls="found" aria-autocomplete="list">
<kbd aria-hidden="true">/</kbd>
<ul id="found" role="listbox" aria-label="Found" hidden></ul>
</form>
<button id="theme" type="button" aria-label="Light or dark">◐</button>
</header>
<nav id="nav" aria-label="Pages">
{_links()}
</nav>
<main id="main" tabindex="-1">
<noscript>
{_plainly(document)}
</noscript>
</main>
<footer class="foot"><p>Made by Penstock {html.escape(str(document.get("version", "")))}\
<span id="as-of"></span>. Nothing on this page was loaded from a network.</p></footer>
<p id="said" class="unseen" role="status" aria-live="polite"></p>
<script type="application/json" id="data">{embedded(document)}</script>
<script>{dress.script}</script>
</body>
</html>
"""
    return text.encode("utf-8", "replace").decode()


_PAGES = {
    "": "Overview",
    "tables": "Tables",
    "models": "Models",
    "lineage": "Lineage",
    "runs": "Runs",
    "quality": "Quality",
}


def _links() -> str:
    return "\n".join(f'<a href="#/{place}" data-page="{place}">{name}</a>' for place, name in _PAGES.items())


def _digest(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _plainly(document: Mapping[str, Any]) -> str:
    """The catalogue without a script: every table with its columns."""
    lines = ["<h1>Catalogue</h1>", "<p>Charts, lineage, runs and search need JavaScript.</p>"]
    for number, table in enumerate(document.get("tables", ())):
        columns = ", ".join(
            f"{html.escape(c['name'])} <code>{html.escape(c.get('type', ''))}</code>"
            for c in table.get("columns", ())
        )
        lines.append(f'<h2 id="plain-{number}">{html.escape(table["id"])}</h2>')
        if "description" in table:
            lines.append(f"<p>{html.escape(table['description'])}</p>")
        lines.append(f"<p>{columns}</p>")
    return "\n".join(lines)


def site(document: Mapping[str, Any], dress: Dress) -> Mapping[str, str]:
    """The files of the site, by name: one, because a page that is one file can be sent and kept as one."""
    return {"index.html": page(document, dress)}
