"""Several tables: parents and children, repeats, cursors, and what is said of each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_runs import fetch, get, source

from penstock.errors import ProjectError, RefusedError
from penstock.schema.disposition import Disposition, WriteMode
from servers.rest_api import Api, Reply, Request

# ------------------------------------------------------------------------------------- what is sent


def test_parameters_headers_and_bodies(api: Api) -> None:
    api.answers["/v1/t"] = lambda r: [{"id": 1}]
    fetch(
        api.url + "/v1/",
        headers={"X-A": "1", "X-B": "1"},
        params={"a": 1, "b": 1, "c": 1},
        tables={
            "t": {
                "path": "/t",
                "method": "PUT",
                "headers": {"X-B": "2"},
                "params": {"b": [1, True, "x y"], "c": None},
                "json": {"deep": [{"a": None, "b": 1.5}]},
                "paginator": "single_page",
            }
        },
    )
    [asked] = api.asked
    assert asked.method == "PUT"
    assert asked.params == {"a": "1", "b": "x y"}
    assert (asked.headers["x-a"], asked.headers["x-b"]) == ("1", "2")
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["user-agent"].startswith("penstock/")
    assert asked.json == {"deep": [{"a": None, "b": 1.5}]}


def test_repeats(api: Api) -> None:
    api.answers["/random/t"] = lambda _: {"status": 200, "result": {"id": len(api.asked)}}
    table = {"path": "random/t", "records": "result", "repeat": 50}
    assert sorted(fetch(api.url, tables={"t": table}).ids()) == [*range(1, 51)]


# ------------------------------------------------------------------------------------------ children


def town(api: Api) -> None:
    """Streets with houses with people; street 2 has no house, street 3 two pages of them."""
    api.answers["/streets"] = lambda r: [{"id": n, "name": f"s/{n}"} for n in (1, 2, 3)]

    def houses(request: Request) -> Any:
        street, page = int(request.path.split("/")[2]), int(request.params.get("page", 1))
        count = {1: 1, 2: 0, 3: 2}[street]
        return [{"id": street * 10 + page}] if page <= count else []

    for n in (1, 2, 3):
        api.answers[f"/streets/{n}/houses"] = houses
    api.answers["/people"] = lambda r: [{"id": f"{r.params['of']}.{n}", "v": 1.10} for n in (1, 2)]


TOWN: dict[str, Any] = {
    "tables": {
        "people": {"path": "people", "params": {"of": "{resources.houses.id}"}},
        "streets": "streets",
        "houses": {
            "path": "streets/{resources.streets.id}/houses",
            "paginator": "page_number",
            "include_from_parent": ["id", "name"],
        },
    }
}


@pytest.mark.parametrize("concurrency", [1, 4])
def test_children_and_their_children(api: Api, concurrency: int) -> None:
    town(api)
    got = fetch(api.url, **TOWN, concurrency=concurrency)
    assert got.ids("streets") == [1, 2, 3]
    assert got.ids("houses") == [11, 31, 32]
    assert got.ids("people") == ["11.1", "11.2", "31.1", "31.2", "32.1", "32.2"]
    assert got.rows("houses")[0] == {"_streets_id": 1, "_streets_name": "s/1", "id": 11}


def test_values_of_the_parent_go_anywhere(api: Api) -> None:
    rows = [{"id": 12345678901234567890, "at": {"full": "a b/c?d"}, "on": True}]
    api.answers["/p"] = lambda _: rows
    api.answers["/c/a b/c?d/x"] = api.answers["/c/a%20b/c%3Fd/x"] = lambda _: [{}]
    child = {
        "path": "c/{resources.p.at.full}/x",
        "method": "POST",
        "params": {"q": "{resources.p.at.full}"},
        "headers": {"X-Id": "n{resources.p.id}"},
        "json": {"id": "{resources.p.id}", "text": "is {resources.p.id}", "on": ["{resources.p.on}"]},
        "include_from_parent": {"parent": "id"},
    }
    got = fetch(api.url, tables={"p": "p", "c": child})
    asked = api.asked[1]
    assert asked.params == {"q": "a b/c?d"}
    assert asked.headers["x-id"] == "n12345678901234567890"
    assert asked.body == b'{"id":12345678901234567890,"text":"is 12345678901234567890","on":[true]}'
    assert got.lines["c"] == ['{"parent":12345678901234567890}']


@pytest.mark.parametrize("row", [{}, {"id": None}, {"id": [1]}])
def test_a_row_without_the_value(api: Api, row: Any) -> None:
    api.answers["/p"] = lambda _: [row]
    got = get(api.url, tables={"p": "p", "c": "c/{resources.p.id}"})
    assert isinstance(got.error, RefusedError)
    assert "its `id` is no value" in str(got.error)
    assert not got.lines.get("p")


def test_children_are_asked_for_new_rows_only(api: Api) -> None:
    api.answers["/p"] = lambda _: [{"id": n, "at": n} for n in (1, 2, 3)]
    api.answers["/c"] = lambda r: [{"id": int(r.params["p"])}]
    tables = {
        "p": {"path": "p", "incremental": {"cursor_path": "at", "initial_value": 2}, "primary_key": "id"},
        "c": {"path": "c", "params": {"p": "{resources.p.id}"}},
    }
    got = fetch(api.url, tables=tables)
    assert (got.ids("p"), got.ids("c")) == ([2, 3], [2, 3])
    again = get(api.url, got.states[-1], tables=tables)
    assert (again.ids("p"), again.ids("c")) == ([], [])


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"c": "c/{resources.pp.id}", "p": "p"}, "there is no table `pp`"),
        ({"c": "c/{resources.p}", "p": "p"}, "names no field"),
        ({"c": "c/{resource.p.id}", "p": "p"}, "did you mean 'resources'?"),
        ({"c": "c/{resources.p.id}/{resources.q.id}", "p": "p", "q": "q"}, "a table can have one parent"),
        ({"c": "{resources.p.id}", "p": "{resources.c.id}"}, "in a circle"),
        ({"c": {"path": "c", "include_from_parent": ["id"]}}, "there is no parent"),
        ({"c": "c?since={incremental.start_value}"}, "needs a cursor"),
        (
            {"c": {"path": "c/{incremental.first}", "incremental": {"cursor_path": "at"}}},
            "a cursor has no `first`",
        ),
        ({"c": {"path": "c", "write": "merge"}}, "is merged by nothing"),
    ],
)
def test_tables_that_make_no_sense(tables: Any, said: str) -> None:
    with pytest.raises(ProjectError, match="(?s)" + said.replace("?", r"\?")):
        source("http://127.0.0.1:9", tables=tables)


# ------------------------------------------------------------------------------------------- cursors


def events(api: Api, *at: int) -> None:
    """Events at some instants, all on one page of `/t`, those before `since` left out."""
    api.answers["/t"] = lambda r: [
        {"id": n, "at": t, "v": "1.10"} for n, t in enumerate(at) if t >= int(r.params.get("since", 0))
    ]


def cursor(**said: Any) -> dict[str, Any]:
    table = {
        "path": "t",
        "params": {"since": "{incremental.start_value}"},
        "primary_key": "id",
        "incremental": {"cursor_path": "at", **said},
    }
    return {"tables": {"t": table}}


def test_a_cursor_goes_on_where_it_was(api: Api) -> None:
    events(api, 1, 5, 5)
    got = fetch(api.url, **cursor(initial_value=2))
    assert got.ids() == [1, 2]
    events(api, 1, 5, 5, 5, 7)
    again = get(api.url, got.states[-1], **cursor(initial_value=2))
    assert again.ids() == [3, 4]
    assert [r.params["since"] for r in api.asked] == ["2", "5"]
    assert again.state["cursors"]["t"]["last_value"] == 7
    third = get(api.url, again.states[-1], **cursor(initial_value=2))
    assert third.ids() == []
    assert third.states == again.states


def test_a_cursor_without_a_beginning_is_left_out_at_first(api: Api) -> None:
    events(api, 1, 5)
    assert fetch(api.url, **cursor()).ids() == [0, 1]
    assert api.asked[0].params == {}


def test_a_cursor_without_a_beginning_in_the_middle_of_a_text(api: Api) -> None:
    table = {"path": "t/{incremental.start_value}", "incremental": {"cursor_path": "at"}}
    assert "give `incremental` an `initial_value`" in str(get(api.url, tables={"t": table}).error)


def test_a_cursor_with_a_lag_and_an_end(api: Api) -> None:
    events(api, 1, 5, 9)
    first = fetch(api.url, **cursor(initial_value=0))
    lagging = get(api.url, first.states[-1], **cursor(initial_value=0, lag=4))
    assert lagging.ids() == [1, 2]
    assert api.asked[-1].params == {"since": "5"}
    ended = get(api.url, None, **cursor(initial_value=1, end_value=9))
    assert ended.ids() == [0, 1]
    assert ended.state["cursors"] == {}


def test_a_cursor_deep_in_the_record_and_without_a_key(api: Api) -> None:
    api.answers["/t"] = lambda _: [{"id": 1, "m": {"at": "2026-01-02"}}, {"id": 2, "m": {"at": "2026-01-01"}}]
    table = {"path": "t", "incremental": {"cursor_path": "m.at", "initial_value": "2026-01-02"}}
    got = fetch(api.url, tables={"t": table})
    assert got.ids() == [1]
    assert get(api.url, got.states[-1], tables={"t": table}).ids() == []


def test_records_behind_a_cursor_keep_their_bytes(api: Api) -> None:
    api.answers["/t"] = lambda _: Reply(b'[{"at":1,"v":1.10},{"at":3,"v":12345678901234567890123}]')
    table = {"path": "t", "incremental": {"cursor_path": "at", "initial_value": 2}}
    assert fetch(api.url, tables={"t": table}).lines["t"] == ['{"at":3,"v":12345678901234567890123}']


def test_a_record_without_a_cursor(api: Api) -> None:
    api.answers["/t"] = lambda _: [{"at": 1}, {"id": 2}]
    table = {"path": "t", "incremental": {"cursor_path": "at"}}
    assert isinstance(get(api.url, tables={"t": table}).error, RefusedError)
    table["incremental"]["on_cursor_value_missing"] = "exclude"  # type: ignore[index]
    assert fetch(api.url, tables={"t": table}).rows() == [{"at": 1}]


def test_pages_in_descending_order_end_where_they_are_old(api: Api) -> None:
    def answer(request: Request) -> Any:
        page = int(request.params["page"])
        return [{"id": n, "at": n} for n in range(100 - page * 10, 90 - page * 10, -1)]

    api.answers["/t"] = answer
    incremental = {"cursor_path": "at", "initial_value": 75, "row_order": "desc"}
    table = {"path": "t", "paginator": "page_number", "incremental": incremental, "primary_key": "id"}
    assert fetch(api.url, tables={"t": table}).ids() == [*range(90, 74, -1)]
    assert len(api.asked) == 2


# --------------------------------------------------------------------------------------------- hints


def test_hints(api: Api) -> None:
    api.answers["/t"] = lambda _: [{"id": 1, "price": "1.10"}]
    table = {
        "path": "t",
        "write_disposition": "merge",
        "primary_key": ["id"],
        "columns": {"price": "decimal(12,2)"},
    }
    hints = fetch(api.url, tables={"t": table}).hints["t"]
    assert hints is not None
    assert hints.disposition == Disposition(WriteMode.MERGE, primary_key=("id",))
    assert hints.declared.primary_key == ("id",)
    assert str(hints.declared.columns[0].type) == "decimal(12,2)"


def test_a_table_without_rows_is_told_of(api: Api) -> None:
    api.answers["/t"] = lambda _: []
    got = fetch(api.url, tables={"t": {"path": "t", "write": "replace"}})
    assert got.lines == {"t": []}
    assert got.hints["t"] is not None
    assert got.hints["t"].disposition == Disposition(WriteMode.REPLACE)


def test_the_state_of_another_kind_of_source_is_not_ours(api: Api) -> None:
    api.answers["/t"] = lambda _: [{"id": 1}]
    assert get(api.url, json.dumps({"resources": {}}), tables={"t": "t"}).ids() == [1]


@pytest.mark.parametrize(
    ("base", "path", "asked"),
    [
        ("", "items:search", "/items:search"),
        ("/v1", "", "/v1"),
        ("/v1/", "t/", "/v1/t/"),
        ("/v1", "t?x=1", "/v1/t?x=1&y=2"),
    ],
)
def test_addresses(api: Api, base: str, path: str, asked: str) -> None:
    api.answers[asked.partition("?")[0]] = lambda _: [{"id": 1}]
    params = {"y": 2} if "?" in path else {}
    assert fetch(api.url + base, tables={"t": {"path": path, "params": params}}).ids() == [1]
    assert api.paths() == [asked]


def test_a_path_may_be_an_address_of_the_same_host(api: Api) -> None:
    api.answers["/u"] = lambda _: [{"id": 1}]
    assert fetch(api.url + "/v1", tables={"t": f"{api.url}/u"}).ids() == [1]
    got = get(api.url, tables={"t": "https://api.example/u"})
    assert "leads to another host" in str(got.error)


def test_pages_in_a_body_with_values_of_the_parent(api: Api) -> None:
    api.answers["/p"] = lambda _: [{"id": 12345678901234567890}]
    api.answers["/c"] = lambda r: [{"id": r.json["page"]}] if r.json["page"] < 3 else []
    child = {
        "path": "c",
        "method": "POST",
        "json": {"p": "{resources.p.id}"},
        "paginator": {"type": "page_number", "page_body_path": "page"},
    }
    assert fetch(api.url, tables={"p": "p", "c": child}).ids("c") == [1, 2]
    assert api.asked[-1].body == b'{"p":12345678901234567890,"page":3}'


def test_a_cursor_in_path_body_and_headers(api: Api) -> None:
    api.answers["/since/5"] = lambda _: [{"at": 7}]
    table = {
        "path": "since/{incremental.last_value}",
        "method": "POST",
        "headers": {"X-Since": "from {incremental.start_value}"},
        "json": {"range": ["{incremental.start_value}", "{incremental.end_value}"]},
        "incremental": {"cursor_path": "at", "initial_value": 5, "end_value": 9},
    }
    assert fetch(api.url, tables={"t": table}).rows() == [{"at": 7}]
    assert api.asked[0].headers["x-since"] == "from 5"
    assert api.asked[0].json == {"range": [5, 9]}
