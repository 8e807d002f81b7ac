"""From page to page: every paginator, its stop rules, and what keeps it from going in circles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_runs import fetch, get

from penstock.errors import RefusedError
from servers.rest_api import Api, Reply, Request, paged


def of(api: Api, answer: Callable[[Request], Any], paginator: Any, **more: Any) -> dict[str, Any]:
    """A source of one table `t` at `/t`."""
    api.answers["/t"] = answer
    return {"tables": {"t": {"path": "t", "paginator": paginator, **more}}}


def ask(api: Api, answer: Callable[[Request], Any], paginator: Any, **more: Any) -> list[int]:
    return fetch(api.url, **of(api, answer, paginator, **more)).ids()


def refusal(api: Api, answer: Callable[[Request], Any], paginator: Any, **more: Any) -> str:
    got = get(api.url, **of(api, answer, paginator, **more))
    assert isinstance(got.error, RefusedError)
    return str(got.error)


def test_a_path_alone(api: Api) -> None:
    api.answers["/deep/t"] = lambda _: [{"id": 1}, {"id": 2}]
    assert fetch(api.url, tables={"t": "deep/t"}).ids() == [1, 2]


def test_single_page(api: Api) -> None:
    assert ask(api, paged(25), "single_page") == [*range(10)]
    assert len(api.asked) == 1


# --------------------------------------------------------------------------------- page numbers


def test_page_numbers_until_a_page_is_empty(api: Api) -> None:
    assert ask(api, paged(25), "page_number") == [*range(25)]
    assert [r.params["page"] for r in api.asked] == ["1", "2", "3", "4"]


def test_page_numbers_up_to_the_total(api: Api) -> None:
    assert ask(api, paged(25), {"type": "page_number", "total_path": "pages"}) == [*range(25)]
    assert len(api.asked) == 3


def test_page_numbers_up_to_a_maximum(api: Api) -> None:
    assert ask(api, paged(99), {"type": "page_number", "maximum_page": 2}) == [*range(20)]
    assert len(api.asked) == 2


def test_page_numbers_while_there_is_more(api: Api) -> None:
    def answer(request: Request) -> Any:
        number = int(request.params["p"])
        return {"items": [{"id": number}], "more": {"there": number < 7}}

    said = {"type": "page_number", "page_param": "p", "first": 5, "has_more_path": "more.there"}
    assert ask(api, answer, said) == [5, 6, 7]


def test_a_total_that_grows_while_pages_are_read(api: Api) -> None:
    def answer(request: Request) -> Any:
        number = int(request.params["page"])
        return {"items": [{"id": number}], "pages": 3 if number < 3 else 6}

    assert ask(api, answer, {"type": "page_number", "total_path": "pages"}) == [1, 2, 3, 4, 5, 6]


def test_a_total_that_shrinks_while_pages_are_read(api: Api) -> None:
    def answer(request: Request) -> Any:
        number = int(request.params["page"])
        return {"items": [{"id": number}] if number < 4 else [], "pages": 9 if number < 3 else 3}

    assert ask(api, answer, {"type": "page_number", "total_path": "pages"}) == [1, 2, 3]


def test_page_numbers_in_the_body(api: Api) -> None:
    def answer(request: Request) -> Any:
        return [{"id": request.json["at"]["page"]}] if request.json["at"]["page"] < 3 else []

    said = {"type": "page_number", "page_body_path": "at.page"}
    assert ask(api, answer, said, method="POST", json={"at": {"size": 1}, "q": "x"}) == [1, 2]
    assert api.asked[0].json == {"at": {"size": 1, "page": 1}, "q": "x"}


def test_a_total_that_is_no_number(api: Api) -> None:
    text = refusal(api, paged(25, pages="many"), {"type": "page_number", "total_path": "page_count"})
    assert "found: nothing at `page_count`" in text


def test_pages_that_would_never_end(api: Api) -> None:
    said = {"type": "page_number", "stop_after_empty_page": False}
    assert "would never end" in refusal(api, paged(25), said)
    assert not api.asked


# -------------------------------------------------------------------------------------- offsets


def test_offsets_up_to_the_total(api: Api) -> None:
    said = {"type": "offset", "limit": 10, "total_path": "total"}
    assert ask(api, paged(25), said) == [*range(25)]
    assert api.paths()[0] == "/t?limit=10&offset=0"
    assert len(api.asked) == 3


def test_offsets_until_a_page_is_empty(api: Api) -> None:
    assert ask(api, paged(25), {"type": "offset", "limit": 10, "offset": 5}) == [*range(5, 25)]
    assert len(api.asked) == 3


def test_offsets_below_a_maximum(api: Api) -> None:
    assert ask(api, paged(99), {"type": "offset", "limit": 10, "maximum_offset": 20}) == [*range(20)]


def capped(request: Request) -> Any:
    """Ten records at most, whatever the limit is."""
    first = int(request.params["offset"])
    return {"items": [{"id": n} for n in range(first, min(first + 10, 45))], "total": 45}


def test_a_server_that_gives_less_than_the_limit_loses_nothing(api: Api) -> None:
    assert ask(api, capped, {"type": "offset", "limit": 20}) == [*range(45)]


def test_a_server_that_gives_less_than_the_limit_is_refused_where_pages_are_asked_ahead(api: Api) -> None:
    text = refusal(api, capped, {"type": "offset", "limit": 20, "total_path": "total"})
    assert "gives fewer records than it was asked for" in text
    assert "set `limit` of the paginator to 10" in text


# ---------------------------------------------------------------------------- links and cursors


def test_links_in_the_header(api: Api) -> None:
    def answer(request: Request) -> Any:
        number = int(request.params.get("n", 1))
        links = [f'<{api.url}/t?n=1>; rel="first"']
        links += [f'</t?n={number + 1}&x=a%20b>; title="a, b"; rel="last next"'] if number < 3 else []
        return Reply([{"id": number}], headers={"Link": ", ".join(links)})

    assert ask(api, answer, "header_link", params={"q": "x"}) == [1, 2, 3]
    assert api.asked[1].params == {"n": "2", "x": "a b"}


def test_links_in_the_answer(api: Api) -> None:
    def answer(request: Request) -> Any:
        number = int(request.params.get("n", 1))
        return {"rows": [{"id": number}], "go": {"on": f"?n={number + 1}" if number < 3 else None}}

    assert ask(api, answer, {"type": "json_link", "next_url_path": "go.on"}) == [1, 2, 3]


def test_cursors(api: Api) -> None:
    def answer(request: Request) -> Any:
        number = int(request.params.get("after", 1))
        return {"data": [{"id": number}], "next": number + 1 if number < 3 else ""}

    said = {"type": "cursor", "cursor_path": "next", "cursor_param": "after"}
    assert ask(api, answer, said, params={"q": "x"}) == [1, 2, 3]
    assert api.paths() == ["/t?q=x", "/t?q=x&after=2", "/t?q=x&after=3"]


def test_cursors_in_the_body(api: Api) -> None:
    def answer(request: Request) -> Any:
        number = request.json.get("page", {}).get("after", 1)
        return {"data": [{"id": number}], "next": number + 1 if number < 3 else None}

    said = {"type": "cursor", "cursor_path": "next", "cursor_body_path": "page.after"}
    assert ask(api, answer, said, method="POST", json={}) == [1, 2, 3]


def test_cursors_in_a_header(api: Api) -> None:
    def answer(request: Request) -> Any:
        number = int(request.params.get("c", 1))
        return Reply([{"id": number}], headers={"X-Next": str(number + 1)} if number < 3 else {})

    assert ask(api, answer, {"type": "header_cursor", "cursor_key": "x-next", "cursor_param": "c"}) == [
        1,
        2,
        3,
    ]


def test_a_cursor_may_lead_through_empty_pages(api: Api) -> None:
    def answer(request: Request) -> Any:
        number = int(request.params.get("cursor", 1))
        return {"data": [{"id": number}] if number != 2 else [], "next": number + 1 if number < 4 else None}

    said = {"type": "cursor", "cursor_path": "next"}
    assert ask(api, answer, said, records="data") == [1, 3, 4]
    assert ask(api, answer, {**said, "stop_after_empty_page": True}, records="data") == [1]


# -------------------------------------------------------------------------------------- circles


@pytest.mark.parametrize("way", [["a", "a"], ["a", "b", "a"]])
def test_links_that_lead_in_a_circle(api: Api, way: list[str]) -> None:
    steps = iter([*way, "end"])

    def answer(request: Request) -> Any:
        return {"data": [{"id": len(api.asked)}], "next": f"/t?at={next(steps)}"}

    assert "lead in a circle" in refusal(api, answer, "json_link", records="data")


def test_a_server_that_does_not_know_the_parameter(api: Api) -> None:
    text = refusal(api, lambda _: [{"id": 1}, {"id": 2}], "page_number")
    assert "gave the same page twice" in text
    assert len(api.asked) == 2


def doubled(request: Request) -> Any:
    """Page 2 is there twice."""
    number = int(request.params["page"])
    return [{"id": 2 if number == 3 else number}] if number < 5 else []


def test_a_page_that_comes_twice(api: Api) -> None:
    assert "the same page twice" in refusal(api, doubled, "page_number")
    assert ask(api, doubled, {"type": "page_number", "same_page": "keep"}) == [1, 2, 2, 4]
    assert ask(api, doubled, {"type": "page_number", "same_page": "stop"}) == [1, 2]


# ---------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize("paginator", ["page_number", {"type": "page_number", "total_path": "pages"}])
def test_a_limit_of_pages(api: Api, paginator: Any) -> None:
    assert ask(api, paged(99), paginator, max_pages=3) == [*range(30)]
    assert len(api.asked) == 3


# ------------------------------------------------------------------------------- as APIs have it


def test_a_cursor_that_stays_the_same(api: Api) -> None:
    """As the scrolls of search engines do; the end is an empty page."""

    def answer(request: Request) -> Any:
        page = len(api.asked)
        hits = [{"id": page}] if page < 4 else []
        return {"_scroll_id": "same", "hits": {"hits": hits}}

    said = {"type": "cursor", "cursor_path": "_scroll_id", "cursor_body_path": "scroll_id"}
    more = {"method": "POST", "json": {"scroll": "1m"}, "records": "hits.hits"}
    assert ask(api, answer, {**said, "stop_after_empty_page": True}, **more) == [1, 2, 3]
    assert api.asked[1].json == {"scroll": "1m", "scroll_id": "same"}
    api.asked.clear()
    assert "lead in a circle" in refusal(api, answer, said, **more)


QUERY = "query($after: String) { repo { issues(after: $after) { nodes { id } pageInfo { hasNextPage } } } }"


def test_graphql(api: Api) -> None:
    def answer(request: Request) -> Any:
        number = int(request.json["variables"].get("after") or 0)
        page = {"hasNextPage": number < 2, "endCursor": str(number + 1)}
        return {"data": {"repo": {"issues": {"nodes": [{"id": number}], "pageInfo": page}}}}

    said = {
        "type": "cursor",
        "cursor_path": "data.repo.issues.pageInfo.endCursor",
        "cursor_body_path": "variables.after",
        "has_more_path": "data.repo.issues.pageInfo.hasNextPage",
    }
    body = {"query": QUERY, "variables": {"after": None}}
    more = {"method": "POST", "json": body, "records": "data.repo.issues.nodes"}
    assert ask(api, answer, said, **more) == [0, 1, 2]
    assert all(r.json["query"] == QUERY for r in api.asked)


@pytest.mark.parametrize("link", ["http://[bad", "http://127.0.0.1:port/", "mailto:x@example.org", "//"])
def test_links_that_are_no_addresses(api: Api, link: str) -> None:
    got = get(api.url, **of(api, lambda _: {"data": [{"id": 1}], "next": link}, "json_link"))
    assert isinstance(got.error, RefusedError)
