"""Where the records are, and that their bytes arrive as they were sent."""

from __future__ import annotations

from typing import Any

import pytest
from rest_runs import fetch, get

from penstock.errors import RefusedError
from servers.rest_api import Api, Reply


def lines(api: Api, body: Any, **table: Any) -> list[str]:
    api.answers["/t"] = lambda _: body if isinstance(body, Reply) else Reply(body)
    return fetch(api.url, tables={"t": {"path": "t", "paginator": "single_page", **table}}).lines.get("t", [])


@pytest.mark.parametrize("extension", ["jsonl", "jsonl.gz"])
def test_numbers_keep_their_text(api: Api, extension: str) -> None:
    rows = ['{"a":1.10,"b":12345678901234567890}', '{"a":1e400,"b":-0.0}', '{"a":0.1000000000000000055511}']
    body = b'{"data": [' + ",".join(rows).encode() + b"]}"
    api.answers["/t"] = lambda _: Reply(body)
    assert fetch(api.url, tables={"t": "t"}, land_as=extension).lines["t"] == rows


def test_pretty_json_becomes_one_line_a_record(api: Api) -> None:
    body = b'\xef\xbb\xbf{\r\n  "data" : [\n    {\n "a" : 1.10,\n "b": "x\\ny" },\n {} ]\n}\n'
    assert lines(api, body) == ['{"a":1.10,"b":"x\\ny"}', "{}"]


def test_other_encodings(api: Api) -> None:
    body = '[{"a": "žluť"}]'.encode("cp1250")
    answer = Reply(body, headers={"Content-Type": "application/json; charset=cp1250"})
    assert lines(api, answer) == ['{"a": "žluť"}']


def test_compressed_answers(api: Api) -> None:
    import gzip

    body = gzip.compress(b'[{"a": 1}]')
    assert lines(api, Reply(body, headers={"Content-Encoding": "gzip"})) == ['{"a": 1}']


@pytest.mark.parametrize(
    ("body", "path", "found"),
    [
        (b'{"result":{"a":1}}', "result", ['{"a":1}']),
        (b'{"x":{"y":[{"a":1},{"a":2}]}}', "x.y", ['{"a":1}', '{"a":2}']),
        (b'{"x":{"y":[{"a":1},{"a":2}]}}', "$.x.y[1]", ['{"a":2}']),
        (b'{"x":[{"y":[{"a":1}]},{"y":[{"a":2},{"a":3}]}]}', "x[*].y", ['{"a":1}', '{"a":2}', '{"a":3}']),
        (b'{"x":{"k":{"a":1},"l":{"a":2}}}', "x[*]", ['{"a":1}', '{"a":2}']),
        (b'{"data":[{"a":1}]}', "$", ['{"data":[{"a":1}]}']),
        (b'{"data":null}', "data", []),
        (b'{"data":[1,"x",{"a":1}]}', "data", ['{"value":1}', '{"value":"x"}', '{"a":1}']),
        (b'{ "d" : { "e.f" : [ {"a": 1} ] } }', "d['e.f']", ['{"a": 1}']),
    ],
)
def test_records_are_where_it_is_said(api: Api, body: bytes, path: str, found: list[str]) -> None:
    assert lines(api, body, records=path) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'[{"a":1},{"a":2}]', ['{"a":1}', '{"a":2}']),
        (b"[]", []),
        (b'{"items":[{"a":1}],"tags":["x"],"owner":{"a":2}}', ['{"a":1}']),
        (b'{"count":1,"releases":[{"a":1}],"next":null}', ['{"a":1}']),
        (b'{"count":0,"releases":[]}', []),
        (b'{"data":{"items":[{"a":1}],"total":1}}', ['{"a":1}']),
        (b'{"_embedded":{"orders":[{"a":1}]},"page":{}}', ['{"a":1}']),
        (b'{"a":1,"assets":[{"b":1}],"owner":{}}', ['{"a":1,"assets":[{"b":1}],"owner":{}}']),
    ],
)
def test_records_are_found(api: Api, body: bytes, found: list[str]) -> None:
    assert lines(api, body) == found


def test_two_lists_that_may_be_meant(api: Api) -> None:
    with pytest.raises(RefusedError, match=r"lists at `\$\.cats`, `\$\.dogs`"):
        lines(api, b'{"cats":[{"a":1}],"dogs":[{"a":2}],"total":2}')


def test_nothing_at_the_path(api: Api) -> None:
    with pytest.raises(RefusedError) as caught:
        lines(api, b'{"error":"maintenance"}', records="data.items")
    assert "there is nothing at `data.items` in the answer" in str(caught.value)
    assert f"{api.url}/t" in str(caught.value)
    assert 'found: {"error":"maintenance"}' in str(caught.value)
    assert lines(api, b'{"total":0}', records="data.items", missing_records="ignore") == []


def test_no_content(api: Api) -> None:
    assert lines(api, Reply(b"", status=204)) == []


def test_what_was_found_out_is_told(api: Api) -> None:
    api.answers["/t"] = lambda _: {"data": {"rows": [{"a": 1}]}}
    assert fetch(api.url, tables={"t": "t"}).told == [
        "t: records are at `$.data.rows`, by the first answer",
        "t: the paginator is `single_page`, by the first answer",
    ]


# ------------------------------------------------------------------ pages that were found out


def found(api: Api) -> str:
    got = fetch(api.url, tables={"t": "t"})
    assert got.ids() == [1, 2, 3]
    return got.told[-1].partition("`")[2].partition("`")[0]


@pytest.mark.parametrize(
    ("shape", "paginator"),
    [
        (lambda n, u: {"next": f"{u}/t?n={n}"}, "json_link"),
        (lambda n, u: {"links": {"next": {"href": f"/t?n={n}"}}}, "json_link"),
        (lambda n, u: {"@odata.nextLink": f"{u}/t?n={n}"}, "json_link"),
        (lambda n, u: {"next_cursor": str(n)}, "cursor"),
        (lambda n, u: {"paging": {"cursors": {"after": str(n)}}}, "cursor"),
        (lambda n, u: {"nextPageToken": str(n)}, "cursor"),
    ],
)
def test_pages_that_lead_on_are_found(api: Api, shape: Any, paginator: str) -> None:
    def answer(request: Any) -> Any:
        number = int(next(iter(request.params.values()), 1))
        shown = shape(number + 1, api.url) if number < 3 else {}
        return {"data": [{"id": number}], **shown}

    api.answers["/t"] = answer
    assert found(api) == paginator


def test_links_in_headers_are_found(api: Api) -> None:
    def answer(request: Any) -> Any:
        number = int(request.params.get("n", 1))
        return Reply(
            [{"id": number}], headers={"Link": f"</t?n={number + 1}>; rel=next"} if number < 3 else {}
        )

    api.answers["/t"] = answer
    assert found(api) == "header_link"


@pytest.mark.parametrize("first", [0, 1])
def test_page_numbers_are_found(api: Api, first: int) -> None:
    def answer(request: Any) -> Any:
        number = int(request.params.get("page", first))
        return {"data": [{"id": number + 1 - first}], "meta": {"current_page": number, "total_pages": 3}}

    api.answers["/t"] = answer
    assert found(api) == "page_number"


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"a": 1}], "total": 7},
        {"data": [{"a": 1}], "has_more": True},
        {"data": [{"a": 1}], "total_pages": 2},
    ],
)
def test_further_pages_without_a_way_are_refused(api: Api, body: Any) -> None:
    api.answers["/t"] = lambda _: body
    got = get(api.url, tables={"t": "t"})
    assert isinstance(got.error, RefusedError)
    assert "there are further pages" in str(got.error)
    assert fetch(api.url, tables={"t": "t"}, paginator="single_page").rows() == [{"a": 1}]


def test_a_record_by_itself_says_nothing_of_pages(api: Api) -> None:
    api.answers["/t"] = lambda _: {"id": 1, "total": 99, "pages": 3, "next": "https://example.org/2"}
    assert fetch(api.url, tables={"t": "t"}).ids() == [1]


def test_what_is_ignored_at_first_is_found_out_later(api: Api) -> None:
    api.answers["/p"] = lambda _: [{"id": 1}, {"id": 2}]
    api.answers["/c/2"] = lambda _: {"items": [{"id": 3}]}
    said = {
        "tables": {"p": "p", "c": "c/{resources.p.id}"},
        "responses": [{"status": 404, "action": "ignore"}],
    }
    assert fetch(api.url, **said).ids("c") == [3]


def test_an_answer_of_another_shape_is_no_record(api: Api) -> None:
    """Where the records are is the same for all requests of a table."""
    api.answers["/p"] = lambda _: [{"id": 1}, {"id": 2}]
    api.answers["/c/1"] = lambda _: {"items": [{"id": 3}]}
    api.answers["/c/2"] = lambda _: {"message": "please wait"}
    tables = {"p": "p", "c": "c/{resources.p.id}"}
    got = get(api.url, tables=tables)
    assert "there is nothing at `$.items` in the answer" in str(got.error)
    assert got.ids("c") == [3]


@pytest.mark.parametrize(("row", "line"), [(b"{ }", '{"_p_id":1}'), (b'{ "a":1}', '{"_p_id":1, "a":1}')])
def test_fields_of_the_parent_come_first(api: Api, row: bytes, line: str) -> None:
    api.answers["/p"] = lambda _: [{"id": 1}]
    api.answers["/c/1"] = lambda _: Reply(b"[" + row + b"]")
    tables = {"p": "p", "c": {"path": "c/{resources.p.id}", "include_from_parent": "id"}}
    assert fetch(api.url, tables=tables).lines["c"] == [line]


def test_what_is_around_the_records_may_lead_on(api: Api) -> None:
    def answer(request: Any) -> Any:
        number = int(request.params.get("cursor", 1))
        return {
            "ok": True,
            "data": {"items": [{"id": number}], "next_cursor": number + 1, "has_more": number < 3},
        }

    api.answers["/t"] = answer
    assert found(api) == "cursor"


def test_what_is_around_the_records_may_say_that_there_is_more(api: Api) -> None:
    api.answers["/t"] = lambda _: {"data": {"items": [{"id": 1}], "total": 2}}
    assert "1 records of 2" in str(get(api.url, tables={"t": "t"}).error)
