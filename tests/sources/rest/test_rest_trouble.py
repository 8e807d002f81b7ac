"""APIs that are busy, slow, broken or gone, and what is said of them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from typing import Any

import httpx
import pytest
from rest_runs import QUICK, fetch, get, source

from penstock.errors import MissingPartError, OutsideError, PenstockError, RefusedError
from penstock.sources.rest.pace import asked_for
from servers.rest_api import Api, Reply, Request, paged

ONE = [{"id": 1}]


def after(api: Api, *first: Reply, then: Any = ONE) -> None:
    """Some answers, and good ones from then on."""
    number = count()
    api.answers["/t"] = lambda _: first[n] if (n := next(number)) < len(first) else then


def error_of(api: Api, **said: Any) -> PenstockError:
    got = get(api.url, **{"tables": {"t": "t"}, **said})
    assert isinstance(got.error, PenstockError)
    return got.error


# --------------------------------------------------------------------------- what is tried again


@pytest.mark.parametrize(
    "trouble",
    [
        Reply("busy", 429),
        Reply("oops", 500),
        Reply(b"<html>Bad gateway</html>", 502, {"Content-Type": "text/html"}),
        Reply(ONE, cut=4),
        Reply(ONE, cut=4, chunked=True),
        Reply(b"<html>Please sign in</html>", 200, {"Content-Type": "text/html"}),
        Reply(b"not compressed", headers={"Content-Encoding": "gzip"}),
        Reply(b""),
        Reply(b'[{"id": NaN}]'),
        Reply(ONE, delay_s=0.5),
    ],
    ids=["429", "500", "502", "cut", "cut unseen", "page", "not gzip", "empty", "nan", "slow"],
)
def test_trouble_that_passes(api: Api, trouble: Reply) -> None:
    after(api, trouble, trouble)
    assert fetch(api.url, tables={"t": "t"}, timeout_s=0.25).ids() == [1]
    assert len(api.asked) == 3


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (Reply({"why": "too fast"}, 429), "the API answered with 429, 4 times"),
        (Reply("oops", 503), "the API answered with 503, 4 times"),
        (Reply(ONE, cut=4), "the answer was cut off, 4 times"),
        (Reply(b"<html><h1>Sign in</h1>"), "the API answered with what is not JSON, 4 times"),
        (Reply(ONE, delay_s=0.3), "the API did not answer in time, 4 times"),
    ],
)
def test_trouble_that_stays(api: Api, trouble: Reply, said: str) -> None:
    after(api, *[trouble] * 4)
    error = error_of(api, timeout_s=0.1)
    assert isinstance(error, OutsideError)
    assert error.what == said
    assert error.where == f"{api.url}/t"
    assert len(api.asked) == 4


def test_nobody_there(api: Api) -> None:
    url = api.url
    api.close()
    error = get(url, tables={"t": "t"}).error
    assert isinstance(error, OutsideError)
    assert "the API cannot be reached" in str(error)
    api.__init__()  # type: ignore[misc]  # for the fixture to close


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
def test_what_will_not_get_better_is_refused_at_once(api: Api, status: int) -> None:
    after(api, Reply({"message": "no such thing"}, status))
    error = error_of(api)
    assert isinstance(error, RefusedError)
    assert f"the API answered with {status}" in str(error)
    assert '"no such thing"' in str(error)
    assert len(api.asked) == 1


def test_waits_grow_and_differ(api: Api) -> None:
    after(api, *[Reply("", 500)] * 5)
    waits: list[float] = []
    retry = {"attempts": 6, "wait_s": 1, "max_wait_s": 5}
    list(source(api.url, sleep=waits.append, tables={"t": "t"}, retry=retry).produce(None))
    for wait, most in zip(waits, [1, 2, 4, 5, 5], strict=True):
        assert most / 2 <= wait <= most
    assert len(set(waits)) == 5


# --------------------------------------------------------------------------------- as asked for


@pytest.mark.parametrize("how", ["seconds", "date"])
def test_retry_after(api: Api, how: str) -> None:
    ends: list[float] = []

    def answer(_: Request) -> Any:
        if not ends:
            ends.append(time.time() + 1)
            at = datetime.now(UTC) + timedelta(seconds=1.5)
            return Reply(
                "", 429, {"Retry-After": "1" if how == "seconds" else format_datetime(at, usegmt=True)}
            )
        return [{"id": 1, "early": time.time() < ends[0] - 0.6}]

    api.answers["/t"] = answer
    assert fetch(api.url, tables={"t": "t"}).rows() == [{"id": 1, "early": False}]
    assert len(api.asked) == 2


def test_retry_after_holds_back_all_requests(api: Api) -> None:
    began = time.monotonic()
    at: list[float] = []

    def answer(request: Request) -> Any:
        at.append(time.monotonic() - began)
        return Reply("", 429, {"Retry-After": "0.5"}) if len(at) == 1 else ONE

    api.answers["/t"] = answer
    fetch(api.url, tables={"t": {"path": "t", "repeat": 12}}, concurrency=2)
    assert len(at) == 13
    assert sum(t > 0.45 for t in at) >= 11  # all but the first, and one that was under way


def test_a_wait_that_is_too_long(api: Api) -> None:
    after(api, Reply("", 429, {"Retry-After": "7200"}))
    error = error_of(api)
    assert isinstance(error, OutsideError)
    assert "asks to wait for 7,200 s" in str(error)


def test_a_rate_limit(api: Api) -> None:
    api.answers["/t"] = lambda _: ONE
    waits: list[float] = []
    spec = {"tables": {"t": {"path": "t", "repeat": 5}}, "rate_limit": 4, "concurrency": 1}
    producing = source(api.url, sleep=waits.append, **spec)
    producing._clock = lambda: 100.0
    list(producing.produce(None))
    assert waits == [0.25, 0.5, 0.75, 1.0]


# ------------------------------------------------------------------------------ response actions


def ignoring(**rule: Any) -> dict[str, Any]:
    return {"tables": {"t": "t", "u": "u"}, "responses": [rule]}


def test_answers_to_ignore(api: Api) -> None:
    api.answers["/u"] = lambda _: ONE
    got = fetch(api.url, **ignoring(status=404, action="ignore"))
    assert got.lines == {"t": [], "u": ['{"id": 1}']}


def test_answers_to_ignore_by_their_content(api: Api) -> None:
    after(api, Reply({"message": "Repository is empty"}, 409))
    api.answers["/u"] = lambda _: ONE
    got = fetch(api.url, **ignoring(content="is empty", action="ignore"))
    assert got.lines == {"t": [], "u": ['{"id": 1}']}


def test_answers_to_fail_at(api: Api) -> None:
    after(api, Reply({"status": "error", "why": "quota"}))
    error = error_of(api, responses=[{"status": 200, "content": "quota", "action": "fail"}])
    assert isinstance(error, RefusedError)
    assert "answered with 200, which `responses` refuses" in str(error)


def test_answers_to_try_again(api: Api) -> None:
    after(api, Reply({"state": "PENDING"}, 202))
    table = {"path": "t", "responses": [{"status": [202], "action": "retry"}]}
    assert fetch(api.url, tables={"t": table}).ids() == [1]


def test_the_rules_of_a_table_come_first(api: Api) -> None:
    api.answers["/t"] = lambda _: Reply("", 404)
    table = {"path": "t", "responses": [{"status": 404, "action": "fail"}]}
    assert "refuses" in str(
        error_of(api, **{**ignoring(status=404, action="ignore"), "tables": {"t": table}})
    )


# ------------------------------------------------------------------------------- several at once


def test_several_requests_at_once_and_rows_in_order(api: Api) -> None:
    def answer(request: Request) -> Any:
        number = int(request.params["page"])
        time.sleep(0.02 * (number % 3))
        return paged(400)(request)

    api.answers["/t"] = answer
    said = {"type": "page_number", "total_path": "pages"}
    assert fetch(api.url, tables={"t": {"path": "t", "paginator": said}}, concurrency=5).ids() == [
        *range(400)
    ]
    assert 3 <= api.most_at_once <= 5
    assert len(api.asked) == 40


def test_one_request_at_once(api: Api) -> None:
    api.answers["/t"] = lambda _: Reply(ONE, delay_s=0.01)
    assert fetch(api.url, tables={"t": {"path": "t", "repeat": 6}}, concurrency=1).ids() == [1] * 6
    assert api.most_at_once == 1


def test_what_was_read_before_a_failure_is_given(api: Api) -> None:
    api.answers["/t"] = lambda r: Reply("", 500) if r.params["page"] == "4" else paged(99)(r)
    got = get(api.url, tables={"t": {"path": "t", "paginator": "page_number"}})
    assert isinstance(got.error, OutsideError)
    assert got.ids() == [*range(30)]
    api.answers["/t"] = paged(55)
    api.asked.clear()
    rest = get(api.url, got.states[-1], tables={"t": {"path": "t", "paginator": "page_number"}})
    assert rest.error is None
    assert rest.ids() == [*range(30, 55)]
    assert api.paths()[0] == "/t?page=4"


def test_a_run_that_is_left_ends_its_waits(api: Api) -> None:
    busy = Reply("", 429, {"Retry-After": "600"})
    api.answers["/t"] = lambda r: busy if r.params["page"] == "4" else paged(99)(r)
    said = {"type": "page_number", "total_path": "pages"}
    table = {"path": "t", "paginator": said}
    producing = source(api.url, tables={"t": table}, checkpoint_s=0).produce(None)
    for _ in range(4):
        next(producing)
    while not any(r.params["page"] == "4" for r in api.asked):
        time.sleep(0.01)
    began = time.monotonic()
    producing.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 5


def test_another_transport(api: Api) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=[{"id": str(request.url)}]))
    from pathlib import Path

    from penstock.ports import Block
    from penstock.project.rest import RestApiSpec
    from penstock.sources.rest import RestSource

    spec = RestApiSpec(base_url="https://api.example", tables={"t": "t"}, retry=QUICK, land_as="jsonl")
    producing = RestSource(spec, Path(), transport=transport).produce(None)
    block = next(producing)
    assert isinstance(block, Block)
    assert isinstance(block.data, Path)
    assert block.data.read_text() == '{"id":"https://api.example/t"}\n'
    list(producing)


NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "-7"}, 0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": format_datetime(datetime.fromtimestamp(NOW + 9, UTC), usegmt=True)}, 9),
        ({"retry-after": format_datetime(datetime.fromtimestamp(NOW - 9, UTC), usegmt=True)}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 60)}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"}, 60),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "60"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "never"}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_for(headers, NOW) == seconds


def test_a_quota_that_is_used_up(api: Api) -> None:
    """As GitHub has it: 403, and when the quota is renewed."""
    used_up = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 1)}
    after(api, Reply({"message": "API rate limit exceeded"}, 403, used_up))
    assert fetch(api.url, tables={"t": "t"}).ids() == [1]
    assert len(api.asked) == 2


def test_secrets_at_the_edge_of_what_is_shown(api: Api) -> None:
    secret = "s" * 40
    after(api, Reply(b"x" * 280 + secret.encode(), 400))
    error = error_of(api, auth={"type": "bearer", "token": secret})
    assert "ss" not in str(error.found)
    assert "x" * 280 in str(error.found)


def test_a_proxy(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", api.url)
    api.answers["/t"] = lambda r: [{"id": r.headers["host"]}]
    assert fetch("http://api.example", tables={"t": "t"}).ids() == ["api.example"]


@pytest.mark.parametrize(
    ("proxy", "error"), [("socks5://127.0.0.1:9", MissingPartError), ("ftp://127.0.0.1:9", OutsideError)]
)
def test_proxies_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, proxy: str, error: type[OutsideError]
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    assert type(get("http://api.example", tables={"t": "t"}).error) is error
