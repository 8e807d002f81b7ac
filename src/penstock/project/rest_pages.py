"""The ways in which an HTTP API gives its answers in pages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from penstock.errors import RefusedError, suggest
from penstock.project import words
from penstock.project.base import Count, Spec
from penstock.schema.jsonpath import parse_path

PAGINATORS = (
    "auto", "single_page", "page_number", "offset", "cursor", "header_link", "header_cursor", "json_link",
)  # fmt: skip


def a_path(value: str | None) -> str | None:
    """A path into JSON that can be read."""
    if value is not None:
        try:
            parse_path(value)
        except RefusedError as error:
            raise words.refuse(error.what, expected=error.expected, hint=error.hint) from error
    return value


def paginator(value: Any) -> Any:  # Any: a value as a project file holds it
    """The name of a paginator alone."""
    if not isinstance(value, str):
        return value
    if value not in PAGINATORS:
        raise words.refuse(
            f"{value!r} is not a paginator",
            expected=", ".join(PAGINATORS),
            hint=suggest(value, PAGINATORS),
        )
    return {"type": value}


JsonPlace = Annotated[str, AfterValidator(a_path)]
SamePage = Literal["fail", "stop", "keep"]


class AutoPagesSpec(Spec):
    """Find out from the first answer."""

    type: Literal["auto"] = "auto"
    has_more_path: JsonPlace | None = None
    """A value of the answer that is false on the last page."""
    same_page: SamePage = "fail"
    """What it means if a page has the very records of the page before: an error, the end, or nothing."""


class SinglePageSpec(Spec):
    """There is one page."""

    type: Literal["single_page"]


class PageNumberSpec(Spec):
    """Pages with numbers."""

    type: Literal["page_number"]
    page_param: str = "page"
    """The parameter that has the number."""
    page_body_path: JsonPlace | None = None
    """The place in the JSON body that has the number, in place of a parameter."""
    first: Count = 1
    """The number of the first page."""
    total_path: JsonPlace | None = None
    """Where the answer says how many pages there are."""
    maximum_page: Count | None = None
    """The last number to ask for."""
    stop_after_empty_page: bool = True
    """Whether a page without records is the last one."""
    has_more_path: JsonPlace | None = None
    """A value of the answer that is false on the last page."""
    same_page: SamePage = "fail"
    """What it means if a page has the very records of the page before: an error, the end, or nothing."""


class OffsetSpec(Spec):
    """Pages that begin after so many records."""

    type: Literal["offset"]
    limit: Annotated[int, Field(ge=1)]
    """How many records a page has."""
    offset: Count = 0
    """How many records to leave out at first."""
    offset_param: str = "offset"
    """The parameter that has the offset."""
    limit_param: str = "limit"
    """The parameter that has the limit."""
    offset_body_path: JsonPlace | None = None
    """The place in the JSON body that has the offset, in place of a parameter."""
    limit_body_path: JsonPlace | None = None
    """The place in the JSON body that has the limit, in place of a parameter."""
    total_path: JsonPlace | None = None
    """Where the answer says how many records there are."""
    maximum_offset: Count | None = None
    """The offset from which on nothing is asked for."""
    stop_after_empty_page: bool = True
    """Whether a page without records is the last one."""
    has_more_path: JsonPlace | None = None
    """A value of the answer that is false on the last page."""
    same_page: SamePage = "fail"
    """What it means if a page has the very records of the page before: an error, the end, or nothing."""


class CursorPagesSpec(Spec):
    """Each answer has a word to ask for the next page by."""

    type: Literal["cursor"]
    cursor_path: JsonPlace = "cursors.next"
    """Where the answer has it."""
    cursor_param: str = "cursor"
    """The parameter that it goes to."""
    cursor_body_path: JsonPlace | None = None
    """The place in the JSON body that it goes to, in place of a parameter."""
    stop_after_empty_page: bool = False
    """Whether a page without records is the last one; then the word may stay the same from page to page."""
    has_more_path: JsonPlace | None = None
    """A value of the answer that is false on the last page."""
    same_page: SamePage = "fail"
    """What it means if a page has the very records of the page before: an error, the end, or nothing."""


class HeaderLinkSpec(Spec):
    """Each answer has the address of the next page in its header `Link`."""

    type: Literal["header_link"]
    rel: str = "next"
    """The relation that the link has."""
    has_more_path: JsonPlace | None = None
    """A value of the answer that is false on the last page."""
    same_page: SamePage = "fail"
    """What it means if a page has the very records of the page before: an error, the end, or nothing."""


class HeaderCursorSpec(Spec):
    """Each answer has a word to ask for the next page by in a header."""

    type: Literal["header_cursor"]
    cursor_key: str = "next"
    """The header that has it."""
    cursor_param: str = "cursor"
    """The parameter that it goes to."""
    has_more_path: JsonPlace | None = None
    """A value of the answer that is false on the last page."""
    same_page: SamePage = "fail"
    """What it means if a page has the very records of the page before: an error, the end, or nothing."""


class JsonLinkSpec(Spec):
    """Each answer has the address of the next page in its JSON."""

    type: Literal["json_link"]
    next_url_path: JsonPlace = "next"
    """Where the answer has it."""
    has_more_path: JsonPlace | None = None
    """A value of the answer that is false on the last page."""
    same_page: SamePage = "fail"
    """What it means if a page has the very records of the page before: an error, the end, or nothing."""


PagesSpec = (
    AutoPagesSpec
    | SinglePageSpec
    | PageNumberSpec
    | OffsetSpec
    | CursorPagesSpec
    | HeaderLinkSpec
    | HeaderCursorSpec
    | JsonLinkSpec
)
