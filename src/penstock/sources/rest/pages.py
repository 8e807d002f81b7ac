"""From page to page: what to ask for next, as each way of paging says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol

from penstock.errors import RefusedError
from penstock.project.rest_pages import (
    CursorPagesSpec,
    HeaderCursorSpec,
    HeaderLinkSpec,
    JsonLinkSpec,
    OffsetSpec,
    PageNumberSpec,
    PagesSpec,
    SinglePageSpec,
)
from penstock.schema.jsonpath import MISSING, parse_path
from penstock.sources.rest.answer import Answer
from penstock.sources.rest.question import Question

# Any throughout: places in answers have values of any kind

_PARAM = r"\s*;\s*([\w*]+)\s*=\s*(?:\"([^\"]*)\"|([^\",;]*))"
_LINK = re.compile(rf"<([^<>]*)>((?:{_PARAM})*)")
_SAID = re.compile(_PARAM)


class Pages(Protocol):
    """The pages of one chain."""

    @property
    def ahead(self) -> bool:
        """Whether further pages can be asked for before the next one is read."""
        ...

    @property
    def done(self) -> bool:
        """Whether all pages were read."""
        ...

    def end(self) -> None:
        """Let the page that was read last be the last one."""
        ...

    def questions(self) -> Iterator[Question]:
        """What to ask for next; everything that is known by now."""
        ...

    def take(self, answer: Answer, rows: int) -> None:
        """Learn from the answer to the oldest question that was not learned from."""
        ...

    def place(self) -> Any:
        """Where it goes on, as JSON; of use while it is not `done`."""
        ...


class Single:
    """One page."""

    ahead = False

    def __init__(self, first: Question) -> None:
        self.done = False
        self._first = first

    def questions(self) -> Iterator[Question]:
        """The one question."""
        yield self._first

    def take(self, answer: Answer, rows: int) -> None:  # noqa: ARG002 - there is nothing to learn
        """That was it."""
        self.done = True

    def end(self) -> None:
        """It is the last one anyway."""
        self.done = True

    def place(self) -> Any:
        """The beginning."""
        return None


class Following:
    """Pages of which each leads to the next: by a link, or by a word to ask with."""

    ahead = False

    def __init__(self, spec: Any, first: Question, place: Any) -> None:
        self.done = False
        self._spec, self._first = spec, first
        self._place = place
        self._seen: set[str] = set()

    def questions(self) -> Iterator[Question]:
        """The next question, as long as there is one."""
        while not self.done:
            yield self._question()

    def _question(self) -> Question:
        spec, place = self._spec, self._place
        if place is None:
            return self._first
        if isinstance(spec, HeaderLinkSpec | JsonLinkSpec):
            return self._first.to(place)
        if isinstance(spec, CursorPagesSpec) and spec.cursor_body_path is not None:
            return self._first.with_body(spec.cursor_body_path, place)
        return self._first.with_param(spec.cursor_param, str(place))

    def take(self, answer: Answer, rows: int) -> None:
        """Find the way to the next page. Raises: RefusedError if it leads back."""
        asked = self._question()
        found = self._next(answer)
        empty = rows == 0 and isinstance(self._spec, CursorPagesSpec) and self._spec.stop_after_empty_page
        if found in (MISSING, None, "", False) or empty or not has_more(self._spec, answer):
            self.done = True
            return
        if isinstance(self._spec, HeaderLinkSpec | JsonLinkSpec):
            found = asked.to(str(found)).url
        self._place = found
        if getattr(self._spec, "stop_after_empty_page", False):
            return  # a word that stays the same may lead through all pages
        if str(found) in self._seen or self._question() == asked:
            raise RefusedError(
                "the pages of the API lead in a circle",
                found="a page names a page that was read before as its next one",
                hint="see `paginator`; it may look for the next page in the wrong place",
            )
        self._seen.add(str(found))

    def end(self) -> None:
        """Ask for no more."""
        self.done = True

    def _next(self, answer: Answer) -> Any:
        spec = self._spec
        if isinstance(spec, HeaderLinkSpec):
            return links(answer).get(spec.rel)
        if isinstance(spec, HeaderCursorSpec):
            return answer.headers.get(spec.cursor_key.lower())
        path = spec.next_url_path if isinstance(spec, JsonLinkSpec) else spec.cursor_path
        return answer.first(parse_path(path))

    def place(self) -> Any:
        """The link or word of the next page."""
        return self._place


class Numbered:
    """Pages that are asked for by a number: of the page, or of records to leave out."""

    def __init__(self, spec: PageNumberSpec | OffsetSpec, first: Question, place: Any) -> None:
        self._spec, self._first = spec, first
        self._offset = spec if isinstance(spec, OffsetSpec) else None
        self._step = spec.limit if isinstance(spec, OffsetSpec) else 1
        self._start = spec.offset if isinstance(spec, OffsetSpec) else spec.first
        self._taken: int = self._start if place is None else place["next"]
        self._total: int | None = None if place is None else place["total"]
        self._asked = self._taken
        self._ended = False
        _check_end(spec)

    @property
    def ahead(self) -> bool:
        """Whether the number of pages is known."""
        return self._last is not None and self._total is not None

    @property
    def done(self) -> bool:
        """Whether all pages were read."""
        return self._ended or (self._last is not None and self._taken > self._last)

    @property
    def _last(self) -> int | None:
        """The last number to ask for, if it is known."""
        spec, ends = self._spec, []
        if self._total is not None:
            ends.append(self._total - 1 if self._offset else self._start + self._total - 1)
        if isinstance(spec, OffsetSpec) and spec.maximum_offset is not None:
            ends.append(spec.maximum_offset - 1)
        if isinstance(spec, PageNumberSpec) and spec.maximum_page is not None:
            ends.append(spec.maximum_page)
        return min(ends, default=None)

    def questions(self) -> Iterator[Question]:
        """The next questions, up to the last one that is known of."""
        self._asked = self._taken
        while not self._ended and (self._last is None or self._asked <= self._last):
            number = self._asked
            self._asked += self._step
            yield self.question(number)
            if not self.ahead:
                self._asked = self._taken

    def question(self, number: int) -> Question:
        """What asks for the page of a number."""
        spec, asked = self._spec, self._first
        if isinstance(spec, PageNumberSpec):
            return _placed(asked, spec.page_param, spec.page_body_path, number)
        asked = _placed(asked, spec.limit_param, spec.limit_body_path, spec.limit)
        return _placed(asked, spec.offset_param, spec.offset_body_path, number)

    def take(self, answer: Answer, rows: int) -> None:
        """Learn how many pages there are. Raises: RefusedError for a number that is none."""
        ahead = self.ahead
        if self._spec.total_path is not None:
            self._total = _count(answer.first(parse_path(self._spec.total_path)), self._spec.total_path)
        if rows == 0 and self._spec.stop_after_empty_page:
            self._ended = True
        if not has_more(self._spec, answer):
            self._ended = True
        short = self._offset is not None and 0 < rows < self._step
        if short and ahead and self._total is not None and self._taken + rows < self._total:
            self._refuse_short(rows)
        self._taken += rows if short and not ahead else self._step

    def end(self) -> None:
        """Ask for no more."""
        self._ended = True

    def _refuse_short(self, rows: int) -> None:
        raise RefusedError(
            "the API gives fewer records than it was asked for, so some would be left out",
            found=f"{rows:,} records from offset {self._taken:,}, where {self._step:,} were asked for",
            expected=f"all of them, up to {self._total:,} in all",
            hint=f"set `limit` of the paginator to {rows}",
        )

    def place(self) -> Any:
        """The next number, and how many there are."""
        return {"next": self._taken, "total": self._total}


def pages_of(spec: PagesSpec, first: Question, place: Any) -> Pages:
    """The pages that begin with a question, or go on from a place."""
    if isinstance(spec, PageNumberSpec | OffsetSpec):
        return Numbered(spec, first, place)
    if isinstance(spec, CursorPagesSpec | HeaderLinkSpec | HeaderCursorSpec | JsonLinkSpec):
        return Following(spec, first, place)
    return Single(first)


def links(answer: Answer) -> dict[str, str]:
    """The addresses of a header `Link` by their relation."""
    found: dict[str, str] = {}
    for link in _LINK.finditer(answer.headers.get("link", "")):
        for name, quoted, bare in _SAID.findall(link[2]):
            for rel in (quoted or bare).split() if name.lower() == "rel" else ():
                found.setdefault(rel, link[1].strip())
    return found


def has_more(spec: PagesSpec, answer: Answer) -> bool:
    """Whether the answer says that there is more; true if it is not asked."""
    path = None if isinstance(spec, SinglePageSpec) else spec.has_more_path
    if path is None:
        return True
    value = answer.first(parse_path(path))
    if value is MISSING:
        raise RefusedError(
            f"the answer does not say at `{path}` whether there is more", hint="see `paginator.has_more_path`"
        )
    return value not in (None, False, 0, "", "false", "False", "0")


def _placed(asked: Question, param: str, body_path: str | None, number: int) -> Question:
    if body_path is not None:
        return asked.with_body(body_path, number)
    return asked.with_param(param, str(number))


def _count(value: Any, path: str) -> int | None:
    if value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        shown = "nothing" if value is MISSING else repr(value)
        raise RefusedError(
            "the answer does not say how many pages there are",
            found=f"{shown} at `{path}`",
            expected="a number",
            hint="see `paginator.total_path`",
        ) from error


def _check_end(spec: PageNumberSpec | OffsetSpec) -> None:
    most = spec.maximum_offset if isinstance(spec, OffsetSpec) else spec.maximum_page
    if not spec.stop_after_empty_page and not (spec.total_path or spec.has_more_path) and most is None:
        raise RefusedError(
            f"the paginator `{spec.type}` would never end",
            expected="`total_path`, `has_more_path`, a maximum, or `stop_after_empty_page: true`",
        )
