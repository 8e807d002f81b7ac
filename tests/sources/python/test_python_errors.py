"""What users' code raises: named after the resource, and refused or outside as fits."""

from __future__ import annotations

import errno
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from typing import Any

import pytest
from produced import tables

from penstock.errors import ContractError, OutsideError, PenstockError, RefusedError
from penstock.sources.python.decorators import resource, transformer

Row = dict[str, Any]


def raising(error: BaseException) -> Callable[[], Iterator[Row]]:
    def items() -> Iterator[Row]:
        yield {"a": 1}
        raise error

    return items


def http(status: int) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("http://x", status, "told", Message(), None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("x"), RefusedError),
        (KeyError("x"), RefusedError),
        (FileNotFoundError("x"), RefusedError),
        (PermissionError("x"), RefusedError),
        (ConnectionResetError("x"), OutsideError),
        (TimeoutError("x"), OutsideError),
        (socket.gaierror(-2, "x"), OutsideError),
        (OSError(errno.ENOSPC, "x"), OutsideError),
        (OSError(errno.ENETUNREACH, "x"), OutsideError),
        (urllib.error.URLError("x"), OutsideError),
        (http(404), RefusedError),
        (http(429), OutsideError),
        (http(503), OutsideError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else repr(value),
)
def test_families(error: Exception, kind: type[PenstockError]) -> None:
    with pytest.raises(kind, match="the resource `items` failed") as caught:
        tables(raising(error))
    assert caught.value.__cause__ is error and type(caught.value) is kind
    assert caught.value.found is not None and caught.value.found.startswith(type(error).__name__)


def test_a_real_refused_connection_is_outside() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    @resource
    def pages() -> Iterator[Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
            yield page

    with pytest.raises(OutsideError, match="`pages` failed"):
        tables(pages)


def test_errors_of_ours_stay_as_they_are() -> None:
    error = ContractError("the shape changed")
    with pytest.raises(ContractError) as caught:
        tables(raising(error))
    assert caught.value is error


def test_interrupts_are_not_wrapped() -> None:
    with pytest.raises(KeyboardInterrupt):
        tables(raising(KeyboardInterrupt()))


@pytest.mark.parametrize(
    "place", ["map", "filter", "yield_map", "transformer", "table_name", "primary_key", "call"]
)
def test_every_place_names_the_resource(place: str) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("here")

    rows = resource(lambda: iter([{"a": 1}]), name="rows")
    made: Any = {
        "map": lambda: rows.add_map(broken),
        "filter": lambda: rows.add_filter(broken),
        "yield_map": lambda: rows.add_yield_map(broken),
        "transformer": lambda: rows | transformer(broken, name="rows"),
        "table_name": lambda: rows.apply_hints(table_name=broken),
        "primary_key": lambda: rows.apply_hints(table_name=lambda row: "t", primary_key=broken),
        "call": lambda: resource(broken, name="rows"),
    }[place]()
    with pytest.raises(RefusedError, match="the resource `rows` failed") as caught:
        tables(made)
    assert caught.value.where is not None and caught.value.where.endswith("in broken")
    assert __file__ in caught.value.where


def test_a_function_that_gives_a_resource_is_told() -> None:
    @resource
    def wrong() -> Any:
        return resource([{"a": 1}], name="inner")

    with pytest.raises(RefusedError, match="gave a resource instead of rows"):
        tables(wrong)
