"""A pass that ended in the middle goes on from there: no page is asked for again, no row is missing."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from rest_runs import Got, fetch, get

from penstock.errors import StoreError
from penstock.sources.rest import files
from servers.rest_api import Api, Reply, Request, paged

ALWAYS = {"checkpoint_s": 0}

SHAPES: dict[str, Any] = {
    "page_number": {"type": "page_number"},
    "total": {"type": "page_number", "total_path": "pages"},
    "offset": {"type": "offset", "limit": 10},
    "offset_total": {"type": "offset", "limit": 10, "total_path": "total"},
    "json_link": {"type": "json_link", "next_url_path": "next"},
    "cursor": {"type": "cursor", "cursor_path": "cursor"},
    "header_link": "header_link",
    "auto": "auto",
}


def answers(request: Request) -> Any:
    """57 rows, in whichever way somebody asks for them."""
    if "offset" in request.params or "page" in request.params:
        return paged(57)(request)
    at = int(request.params.get("cursor", 0))
    following = at + 10 if at < 50 else None
    link = f"/t?cursor={following}" if following else None
    body = {"items": [{"id": n} for n in range(at, min(at + 10, 57))], "next": link, "cursor": following}
    return Reply(body, headers={"Link": f"<{link}>; rel=next"} if link else {})


def in_parts(api: Api, stops: list[int], **said: Any) -> list[Got]:
    """Runs that are left after so many checkpoints each, and a last one that ends."""
    state, parts = None, []
    for stop in stops:
        parts.append(get(api.url, state, stop_after=stop, **said, **ALWAYS))
        assert parts[-1].error is None
        state = parts[-1].states[-1]
    parts.append(get(api.url, state, **said, **ALWAYS))
    assert parts[-1].error is None
    return parts


def joined(parts: list[Got], table: str = "t") -> list[str]:
    return [line for part in parts for line in part.lines.get(table, [])]


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_paginator(api: Api, shape: str, concurrency: int) -> None:
    api.answers["/t"] = answers
    said = {"tables": {"t": {"path": "t", "paginator": SHAPES[shape]}}, "concurrency": concurrency}
    whole = fetch(api.url, **said).lines["t"]
    assert len(whole) == 57
    api.asked.clear()
    parts = in_parts(api, [2, 1, 2], **said)
    assert joined(parts) == whole
    if concurrency == 1:
        assert max(Counter(api.paths()).values()) == 1
    assert parts[-1].state == {"rest_api": 1, "cursors": {}}


def town(request: Request) -> Any:
    """Streets 1 to 6 in pages of two, houses in pages of one, each street having as many as its number
    has left when divided by three; two people for each house."""
    page = int(request.params.get("page", 1))
    if request.path == "/streets":
        return [{"id": n} for n in (2 * page - 1, 2 * page) if n <= 6]
    if request.path == "/houses":
        street = int(request.params["street"])
        return [{"id": f"{street}-{page}"}] if page <= street % 3 else []
    return [{"id": f"{request.params['house']}-{n}"} for n in (1, 2)] if page == 1 else []


TOWN: dict[str, Any] = {
    "paginator": "page_number",
    "tables": {
        "streets": "streets",
        "houses": {"path": "houses", "params": {"street": "{resources.streets.id}"}},
        "people": {"path": "people", "params": {"house": "{resources.houses.id}"}, "repeat": 2},
        "lamps": {"path": "streets", "repeat": 2},
    },
}


@pytest.mark.parametrize("seed", range(12))
def test_families_and_repeats(api: Api, seed: int) -> None:
    for path in ("/streets", "/houses", "/people"):
        api.answers[path] = town
    rng = random.Random(seed)
    said = {**TOWN, "concurrency": rng.choice([1, 3])}
    whole = fetch(api.url, **said)
    asked = Counter(api.paths())
    api.asked.clear()
    stops = [rng.randrange(1, 6) for _ in range(rng.randrange(1, 6))]
    parts = in_parts(api, stops, **said)
    for table in TOWN["tables"]:
        assert joined(parts, table) == whole.lines[table], table
    if said["concurrency"] == 1:
        assert Counter(api.paths()) == asked
    assert "pass" not in parts[-1].state


@pytest.mark.parametrize("order", ["asc", "desc", "mixed"])
@pytest.mark.parametrize("promised", [False, True])
def test_cursors_survive(api: Api, order: str, promised: bool) -> None:
    """What the first part saw counts as much as what the last part saw."""
    rows = [{"id": n, "at": n // 3} for n in range(40)]
    if order != "asc":
        rows.reverse()
    if order == "mixed":
        random.Random(1).shuffle(rows)
    if promised and order == "mixed":
        return

    def answer(request: Request) -> Any:
        page = int(request.params["page"])
        since = int(request.params.get("since", 0))
        return [r for r in rows if r["at"] >= since][10 * page - 10 : 10 * page]

    api.answers["/t"] = answer
    incremental: dict[str, Any] = {"cursor_path": "at", "initial_value": 1}
    if promised:
        incremental["row_order"] = order
    table = {
        "path": "t",
        "paginator": "page_number",
        "primary_key": "id",
        "params": {"since": "{incremental.start_value}"},
        "incremental": incremental,
    }
    parts = in_parts(api, [2, 1], tables={"t": table})
    ids = sorted(n for part in parts for n in part.ids())
    assert ids == [*range(3, 40)]
    assert parts[-1].state["cursors"]["t"]["last_value"] == 13
    assert all(r.params["since"] == "1" for r in api.asked)
    rows.insert(0, {"id": 99, "at": 13})
    again = get(api.url, parts[-1].states[-1], tables={"t": table})
    assert again.ids() == [99]


def test_a_table_that_is_asked_for_in_another_way_begins_anew(api: Api) -> None:
    api.answers["/t"], api.answers["/u"] = paged(57), paged(25)
    tables: dict[str, Any] = {"u": "u", "t": "t"}
    said: dict[str, Any] = {"paginator": "page_number", **ALWAYS}
    begun = get(api.url, None, stop_after=6, tables=tables, **said)
    assert (len(begun.ids("u")), len(begun.ids("t"))) == (25, 20)
    changed = {**tables, "t": {"path": "t", "params": {"x": 1}}}
    rest = get(api.url, begun.states[-1], tables=changed, **said)
    assert (rest.ids("u"), rest.ids()) == ([], [*range(57)])


def test_another_token_is_no_other_way(api: Api) -> None:
    api.answers["/t"] = paged(57)
    said: dict[str, Any] = {
        "paginator": "page_number",
        "tables": {"t": {"path": "t", "params": {"token": "a"}}},
    }
    begun = get(api.url, None, stop_after=2, **said, **ALWAYS)
    said["tables"]["t"]["params"]["token"] = "b"
    rest = get(api.url, begun.states[-1], **said, **ALWAYS)
    assert begun.ids() + rest.ids() == [*range(57)]


def test_checkpoints_come_by_bytes(api: Api) -> None:
    api.answers["/t"] = paged(100)
    said = {"paginator": "page_number", "tables": {"t": "t"}}
    assert len(fetch(api.url, **said).states) == 1
    assert 3 <= len(fetch(api.url, **said, checkpoint_bytes=300).states) <= 6


def test_files_are_cut(api: Api) -> None:
    api.answers["/t"] = lambda _: [{"id": n, "text": "x" * 1000} for n in range(20)]
    said = {"tables": {"t": {"path": "t", "repeat": 40, "paginator": "single_page"}}, "file_bytes": 1 << 16}
    assert fetch(api.url, **said).ids() == [*range(20)] * 40


def test_another_place_of_the_records_is_looked_at(api: Api) -> None:
    api.answers["/t"] = lambda r: {
        "a": [{"id": int(r.params["page"])}],
        "b": [{"id": -int(r.params["page"])}],
    }
    table = {"path": "t", "records": "a", "paginator": {"type": "page_number", "maximum_page": 4}}
    begun = get(api.url, None, stop_after=2, tables={"t": table}, **ALWAYS)
    rest = get(api.url, begun.states[-1], tables={"t": {**table, "records": "b"}}, **ALWAYS)
    assert (begun.ids(), rest.ids()) == ([1, 2], [-3, -4])


def test_another_api_is_read_from_its_beginning(api: Api) -> None:
    api.answers["/t"] = api.answers["/v2/t"] = paged(57)
    said: dict[str, Any] = {"paginator": "page_number", "tables": {"t": "t"}, **ALWAYS}
    begun = get(api.url, None, stop_after=2, **said)
    assert get(api.url + "/v2", begun.states[-1], **said).ids() == [*range(57)]


def test_a_full_disk_loses_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that could not be written are asked for again."""
    api.answers["/t"] = paged(57)
    said: dict[str, Any] = {"paginator": "page_number", "tables": {"t": "t"}, "land_as": "jsonl", **ALWAYS}
    write, left = files._Lines.write, [3]

    def full(self: files._Lines, lines: bytes) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        write(self, lines)

    monkeypatch.setattr(files._Lines, "write", full)
    begun = get(api.url, None, **said)
    assert isinstance(begun.error, StoreError)
    assert begun.ids() == [*range(20)]
    assert get(api.url, begun.states[-1], **said).ids() == [*range(20, 57)]
