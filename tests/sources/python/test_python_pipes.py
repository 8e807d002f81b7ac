"""Transformers and pipes: who feeds whom, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from produced import tables

from penstock.errors import RefusedError
from penstock.sources.python.decorators import resource, source, transformer
from penstock.sources.python.resource import Resource

Row = dict[str, Any]


@resource
def users() -> Iterator[Row]:
    yield {"id": 1}
    yield {"id": 2}


@transformer
def details(user: Row, field: str = "name") -> Iterator[Row]:
    yield {"id": user["id"], field: f"user {user['id']}"}


@transformer
def doubled(item: Row) -> Iterator[Row]:
    yield item
    yield item


def test_a_pipe_loads_its_end_only() -> None:
    assert tables(users | details) == {"details": [{"id": 1, "name": "user 1"}, {"id": 2, "name": "user 2"}]}
    assert tables([users, users | details]).keys() == {"users", "details"}


def test_arguments_of_a_transformer_come_after_the_item() -> None:
    assert tables(users | details("label")) == {
        "details": [{"id": 1, "label": "user 1"}, {"id": 2, "label": "user 2"}]
    }
    assert tables(users | details(field="x"))["details"][0] == {"id": 1, "x": "user 1"}


def test_pipes_go_on() -> None:
    expected = [{"id": i, "name": f"user {i}"} for i in (1, 1, 2, 2)]
    assert tables(users | details | doubled) == {"doubled": expected}
    assert tables(users | (details | doubled)) == {"doubled": expected}
    assert [r["id"] for r in users | doubled | doubled.with_name("again")] == [1] * 4 + [2] * 4


def test_a_list_may_feed_a_transformer() -> None:
    assert list([{"id": 9}] | details) == [{"id": 9, "name": "user 9"}]


def test_functions_in_a_pipe_are_steps_of_a_copy() -> None:
    def twice(row: Row) -> Iterator[Row]:
        yield row
        yield row

    assert list(users | (lambda row: {"n": row["id"]})) == [{"n": 1}, {"n": 2}]
    assert list(users | twice) == [{"id": 1}, {"id": 1}, {"id": 2}, {"id": 2}]
    assert list(users) == [{"id": 1}, {"id": 2}]


def test_piping_leaves_the_transformer_free() -> None:
    one, two = users | details, [{"id": 7}] | details
    assert [r["id"] for r in one] == [1, 2]
    assert [r["id"] for r in two] == [7]
    assert details.parent is None


def test_a_resource_runs_once_however_many_it_feeds() -> None:
    runs: list[str] = []

    @resource
    def files() -> Iterator[Row]:
        runs.append("files")
        yield {"id": 1}
        yield {"id": 2}

    @source
    def readers() -> Iterator[Resource]:
        yield files | details
        yield files | doubled
        yield files | details | doubled.with_name("deep")

    assert {name: len(rows) for name, rows in tables(readers()).items()} == {
        "details": 2, "doubled": 4, "deep": 4,
    }  # fmt: skip
    assert runs == ["files"]


def test_pages_stay_pages_on_their_way_to_a_transformer() -> None:
    seen: list[Any] = []

    @resource
    def pages() -> Iterator[Any]:
        yield [{"id": 1}, {"id": 2}]
        yield {"id": 3}
        yield {"id": 4}

    @transformer
    def look(item: Any) -> None:
        seen.append(item)

    assert tables(pages | look) == {}
    assert seen == [[{"id": 1}, {"id": 2}], {"id": 3}, {"id": 4}]


def test_items_that_are_no_rows_may_feed_a_transformer() -> None:
    @transformer
    def row(number: int) -> Row:
        return {"n": number}

    assert list(resource([1, 2, 3], name="numbers") | row) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_decorated_transformer_that_names_its_feeder() -> None:
    @transformer(data_from=users, name="mails", primary_key="id")
    def mail(user: Row, domain: str) -> Row:
        return {"id": user["id"], "mail": f"{user['id']}@{domain}"}

    assert tables(mail("x.org"))["mails"][0] == {"id": 1, "mail": "1@x.org"}
    assert mail.is_transformer and not users.is_transformer


def test_a_transformer_made_by_a_call() -> None:
    def read(files: list[Row]) -> Iterator[Row]:
        for file in files:
            yield {"read": file["id"]}

    pages = resource([[{"id": 1}, {"id": 2}]], name="filesystem")
    assert tables(pages | transformer(name="lines")(read)) == {"lines": [{"read": 1}, {"read": 2}]}
    assert tables(pages | transformer(read, name="lines")) == {"lines": [{"read": 1}, {"read": 2}]}


def test_what_cannot_be_piped() -> None:
    with pytest.raises(RefusedError, match="only a transformer"):
        _ = users | users
    with pytest.raises(RefusedError, match="cannot be fed"):
        transformer(lambda item: item, data_from=lambda: None, name="t")
    with pytest.raises(RefusedError, match="cannot be fed"):
        tables(details)
    with pytest.raises(RefusedError, match="cannot be a transformer"):

        @transformer
        def nothing() -> None:
            """No parameter for the item."""
