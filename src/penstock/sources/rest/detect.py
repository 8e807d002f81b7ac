"""What an answer shows of itself: where its records are, and how to get to the next page.

Nothing is guessed where a wrong guess would lose records: then the project has to say it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from msgspec import Raw
from msgspec.json import decode

from penstock.errors import RefusedError
from penstock.project.rest_pages import (
    AutoPagesSpec,
    CursorPagesSpec,
    HeaderLinkSpec,
    JsonLinkSpec,
    PageNumberSpec,
    PagesSpec,
    SinglePageSpec,
)
from penstock.schema.jsonpath import MISSING, JsonPath, Step, parse_path
from penstock.sources.rest.answer import Answer, elements, fields, kind, walk, whole
from penstock.sources.rest.pages import links

# Any throughout: values of answers

LISTS = (
    "data", "items", "results", "result", "records", "values", "value", "entries", "rows", "content",
    "objects", "nodes", "hits", "list", "elements", "documents", "resources", "payload", "response",
)  # fmt: skip
ENVELOPE = (
    "count", "total", "total_count", "totalcount", "total_pages", "totalpages", "page", "pages", "per_page",
    "page_size", "pagesize", "limit", "offset", "skip", "next", "previous", "prev", "first", "last",
    "has_more", "hasmore", "more", "cursor", "next_cursor", "meta", "metadata", "links", "_links", "paging",
    "pagination", "info", "status", "success", "ok", "message", "error", "errors", "took", "size",
    "page_info", "next_page", "next_page_url", "prev_page_url", "current_page", "last_page",
    "nextpagetoken", "next_url", "response_metadata", "number", "version", "timestamp", "object", "type",
    "kind", "url", "code",
)  # fmt: skip
NEXT_LINKS = (
    "next", "next_url", "next_page_url", "nextLink", "['@odata.nextLink']", "['odata.nextLink']", "next_link",
    "links.next", "links.next.href", "_links.next.href", "_links.next", "paging.next", "pagination.next",
    "pagination.next_url", "meta.next", "info.next", "next_page", "nextPage", "nextPageUrl",
    "pagination.next_link", "meta.next_url", "meta.pagination.links.next", "response.next",
)  # fmt: skip
CURSORS = {
    "next_cursor": "cursor",
    "nextCursor": "cursor",
    "cursors.next": "cursor",
    "cursor.next": "cursor",
    "meta.next_cursor": "cursor",
    "pagination.next_cursor": "cursor",
    "response_metadata.next_cursor": "cursor",
    "nextPageToken": "pageToken",
    "next_page_token": "page_token",
    "paging.cursors.after": "after",
    "paging.next.after": "after",
    "next_token": "next_token",
    "nextToken": "nextToken",
    "continuation_token": "continuation_token",
}
PAGE_COUNTS = (
    "total_pages", "totalPages", "page_count", "pageCount", "last_page", "meta.total_pages", "meta.last_page",
    "pagination.total_pages", "pagination.pages", "meta.pagination.total_pages", "info.pages",
    "page.totalPages",
)  # fmt: skip
CURRENT = (
    "page", "current_page", "currentPage", "pageNumber", "meta.current_page", "meta.page", "pagination.page",
    "pagination.current_page", "meta.pagination.current_page", "page.number", "number",
)  # fmt: skip
TOTALS = (
    "total", "total_count", "totalCount", "count", "meta.total", "meta.total_count", "pagination.total",
    "meta.pagination.total", "total_results", "totalResults", "['@odata.count']",
)  # fmt: skip
MORE = ("has_more", "hasMore", "pagination.has_more", "meta.has_more", "page_info.has_next_page", "has_next")


def records_path(answer: Answer) -> str:
    """Where the records are: a list of objects, or the whole answer.

    Raises: RefusedError if several lists may be meant.
    """
    body = whole(answer.body)
    if kind(body) != ord("{"):
        return "$"
    found = _lists(fields(body), "$")
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise RefusedError(
            "it is not clear where the records of the answer are",
            found="lists at " + ", ".join(f"`{path}`" for path in found),
            hint=f"say it, as in `records: {found[0]}`",
        )
    return "$"


def _lists(object_: dict[str, Raw], place: str, depth: int = 0) -> list[str]:
    """The places of lists of records, of the outermost object that has any."""
    listed = {name: items for name, raw in object_.items() if (items := elements(raw)) is not None}
    for name in LISTS:
        if name in listed and _of_objects(listed[name]):
            return [_below(place, name)]
    others = object_.keys() - listed.keys()
    is_envelope = all(name.lower() in ENVELOPE for name in others)
    records = [name for name, items in listed.items() if items and _of_objects(items)]
    if is_envelope and records:
        return [_below(place, name) for name in records]
    if is_envelope and len(listed) == 1:
        return [_below(place, name) for name in listed]
    for name in (*LISTS, "_embedded") if depth < 2 else ():
        if name in object_ and kind(object_[name]) == ord("{"):
            inner = _lists(fields(object_[name]), _below(place, name), depth + 1)
            if name == "_embedded" and not inner:
                embedded = fields(object_[name])
                inner = [_below(_below(place, name), n) for n, raw in embedded.items() if elements(raw)]
            if inner:
                return inner
    return []


def _of_objects(items: list[Raw]) -> bool:
    return all(kind(item) == ord("{") for item in items[:3])


def _below(place: str, name: str) -> str:
    plain = name.replace("_", "").isalnum()
    return f"{place}.{name}" if plain else f"{place}['{name}']"


@dataclass(frozen=True, slots=True)
class _Level:
    """An object of an answer that may say something of pages: the answer itself, or what is around the
    records."""

    place: str
    values: dict[str, Raw]

    def first(self, text: str) -> Any:
        """The first value at a path from here, or `MISSING`."""
        steps = _steps(text)
        if steps[0] not in self.values:
            return MISSING
        return next((decode(raw) for raw in walk(self.values[str(steps[0])], steps[1:])), MISSING)

    def path(self, text: str) -> str:
        """A path from here as one from the top."""
        return f"{self.place}{'' if text.startswith('[') else '.'}{text}"

    def number(self, texts: tuple[str, ...]) -> tuple[str, int] | None:
        """The first of some paths that leads to a number, and the number."""
        for text in texts:
            value = self.first(text)
            if isinstance(value, int) and not isinstance(value, bool):
                return text, value
        return None

    @property
    def more(self) -> tuple[str, bool] | None:
        """Where it says whether there is more, and what."""
        found = ((text, self.first(text)) for text in MORE)
        return next(((text, value) for text, value in found if isinstance(value, bool)), None)


@cache
def _steps(text: str) -> tuple[Step, ...]:
    return parse_path(text).steps


def pages(spec: AutoPagesSpec, answer: Answer, rows: int, records: JsonPath) -> PagesSpec:
    """How to get to the next page. Raises: RefusedError if there is one and nothing shows the way.

    An answer that is one record as a whole says nothing of pages in its JSON.
    """
    said: dict[str, Any] = {"same_page": spec.same_page, "has_more_path": spec.has_more_path}
    if "next" in links(answer):
        return HeaderLinkSpec(type="header_link", **said)
    levels = _levels(answer, records)
    for level in levels:
        if level.more is not None and spec.has_more_path is None:
            said["has_more_path"] = level.path(level.more[0])
        found = _in_json(level, said)
        if found is not None:
            return found
    for level in levels:
        _check_whole(level, rows)
    return SinglePageSpec(type="single_page")


def _levels(answer: Answer, records: JsonPath) -> list[_Level]:
    """The answer, and the object that has the list of records in it."""
    if not records.steps:
        return []
    body = whole(answer.body)
    found = [_Level("$", fields(body))]
    around = records.steps[:-1]
    if around and all(isinstance(step, str) for step in around):
        place = "$"
        for step in around:
            place = _below(place, str(step))
        found += [_Level(place, fields(raw)) for raw in walk(body, around)]
    return found


def _in_json(level: _Level, said: dict[str, Any]) -> PagesSpec | None:
    for text in NEXT_LINKS:
        value = level.first(text)
        if isinstance(value, str) and value.startswith(("http://", "https://", "/", "?")):
            return JsonLinkSpec(type="json_link", next_url_path=level.path(text), **said)
    for text, param in CURSORS.items():
        value = level.first(text)
        if isinstance(value, str | int) and value not in ("", False, True):
            return CursorPagesSpec(type="cursor", cursor_path=level.path(text), cursor_param=param, **said)
    count, current = level.number(PAGE_COUNTS), level.number(CURRENT)
    if count is not None and count[1] > 1 and current is not None and current[1] in (0, 1):
        path = level.path(count[0])
        return PageNumberSpec(type="page_number", total_path=path, first=current[1], **said)
    return None


def _check_whole(level: _Level, rows: int) -> None:
    """Refuse a page that says that it is not all there is."""
    total, count, more = level.number(TOTALS), level.number(PAGE_COUNTS), level.more
    found = None
    if more is not None and more[1]:
        found = "it says that there is more"
    elif count is not None and count[1] > 1:
        found = f"the first of {count[1]:,} pages"
    elif total is not None and total[1] > rows > 0:
        found = f"{rows:,} records of {total[1]:,}"
    if found is not None:
        raise RefusedError(
            "there are further pages, and the answer does not show how to get there",
            found=found,
            hint="say it with `paginator`, such as `{type: page_number}` or `{type: offset, limit: 100}`; "
            "`single_page` if this page is all",
        )
