"""Resources and sources as users write them: decorated, called, bound, chosen from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from produced import blocks, tables

from penstock.errors import NotFoundError, RefusedError
from penstock.sources.python.decorators import resource, source, transformer
from penstock.sources.python.resource import Resource
from penstock.sources.python.source import PythonSource


def test_a_decorator_without_arguments() -> None:
    @resource
    def users() -> Iterator[dict[str, int]]:
        """The users."""
        yield {"id": 1}
        yield {"id": 2}

    assert isinstance(users, Resource) and users.name == "users" and users.__doc__ == "The users."
    assert tables(users) == {"users": [{"id": 1}, {"id": 2}]}
    assert tables(users) == {"users": [{"id": 1}, {"id": 2}]}, "it can run again"


def test_a_decorator_with_arguments_and_a_call() -> None:
    @resource(name="people", primary_key="id", write_disposition="merge")
    def users(first: int, count: int = 2) -> Iterator[dict[str, int]]:
        for i in range(first, first + count):
            yield {"id": i}

    assert users.requires_args and not users(1).requires_args
    assert tables(users(5)) == {"people": [{"id": 5}, {"id": 6}]}
    assert tables(users(first=7, count=1)) == {"people": [{"id": 7}]}
    with pytest.raises(RefusedError, match="must be called before"):
        tables(users)
    with pytest.raises(RefusedError, match="cannot be called so"):
        users(1, 2, 3)
    with pytest.raises(RefusedError, match="has its arguments"):
        users(1)(2)


def test_a_resource_made_by_a_call_of_a_factory_that_makes_generators() -> None:
    def get_api_generator(endpoint: str) -> Callable[[], Iterator[Any]]:
        def api_generator() -> Iterator[Any]:
            yield {"id": 1, "from": endpoint}
            yield [{"id": 2, "from": endpoint}]

        return api_generator

    one, two = (
        resource(
            get_api_generator(f"endpoint_{n}"),
            name=f"schema.table_{n}",
            table_name=f"table_{n}",
            primary_key="id",
            write_disposition="merge",
        )
        for n in ("one", "two")
    )
    assert (one.name, one.table_name) == ("schema.table_one", "table_one")
    found = tables([one, two])
    assert list(found) == ["table_one", "table_two"]
    assert found["table_two"] == [{"id": 1, "from": "endpoint_two"}, {"id": 2, "from": "endpoint_two"}]
    hints = blocks(one)[0].hints
    assert hints is not None and hints.declared.primary_key == ("id",)


def test_a_name_that_depends_on_the_arguments() -> None:
    @resource(name=lambda arguments: f"repo_{arguments['repo']}")
    def repository(repo: str = "x") -> Iterator[dict[str, str]]:
        yield {"repo": repo}

    assert tables(repository("a")) == {"repo_a": [{"repo": "a"}]}
    assert tables([repository("a"), repository("b")]).keys() == {"repo_a", "repo_b"}


def test_iterating_gives_rows() -> None:
    @resource
    def pages() -> Iterator[list[dict[str, int]]]:
        yield [{"id": 1}, {"id": 2}]
        yield [{"id": 3}]

    assert list(pages) == [{"id": 1}, {"id": 2}, {"id": 3}]


@pytest.mark.parametrize(
    "data", [lambda: [{"a": 1}, {"a": 2}], lambda: iter([{"a": 1}, {"a": 2}]), lambda: ({"a": 1}, {"a": 2})]
)
def test_functions_that_return_instead_of_yielding(data: Callable[[], Any]) -> None:
    assert tables(resource(data, name="t")) == {"t": [{"a": 1}, {"a": 2}]}


def test_a_function_that_returns_a_row_or_nothing() -> None:
    assert tables(resource(lambda: {"a": 1}, name="t")) == {"t": [{"a": 1}]}
    assert tables(resource(lambda: None, name="t")) == {}


@pytest.mark.parametrize(
    ("data", "told"),
    [("text", "str"), (7, "int"), ({"a": 1}, "put a single row into a list")],
)
def test_data_that_can_be_no_resource(data: Any, told: str) -> None:
    with pytest.raises(RefusedError, match="cannot be made of this") as caught:
        resource(data, name="t")
    assert told in str(caught.value)


def test_a_resource_needs_a_name() -> None:
    with pytest.raises(RefusedError, match="has no name"):
        resource([{"a": 1}])
    with pytest.raises(RefusedError, match="has no name"):
        resource(lambda: [{"a": 1}])
    with pytest.raises(RefusedError, match="has no name"):
        PythonSource([{"a": 1}])


@source
def shop(prefix: str = "") -> Iterator[Resource]:
    @resource(primary_key="id")
    def customers() -> Iterator[dict[str, str]]:
        yield {"id": f"{prefix}c1"}
        yield {"id": f"{prefix}c2"}

    @transformer(data_from=customers)
    def orders(customer: dict[str, str]) -> Iterator[dict[str, str]]:
        yield {"customer": customer["id"]}

    yield customers
    yield orders


def test_a_source_gives_its_resources_by_name() -> None:
    made = shop("x")
    assert made.name == "shop" and list(made.resources) == ["customers", "orders"]
    assert made.resources["orders"] is made.orders is made.resources.orders
    assert "orders" in made.resources and made.resources.get("order") is None
    assert tables(made) == {
        "customers": [{"id": "xc1"}, {"id": "xc2"}],
        "orders": [{"customer": "xc1"}, {"customer": "xc2"}],
    }
    with pytest.raises(KeyError, match="did you mean 'orders'"):
        made.resources["order"]
    with pytest.raises(AttributeError):
        _ = made.order


def test_resources_are_chosen_without_touching_the_source() -> None:
    made = shop()
    assert list(made.with_resources("orders").selected_resources) == ["orders"]
    assert tables(made.with_resources("orders")).keys() == {"orders"}
    assert tables(made).keys() == {"customers", "orders"}
    made.customers.selected = False
    assert tables(made).keys() == {"orders"}
    with pytest.raises(NotFoundError, match="did you mean 'orders'"):
        made.with_resources("order")


def test_a_source_may_be_run_uncalled_and_renamed() -> None:
    assert tables(shop).keys() == {"customers", "orders"}
    assert shop().clone("other").name == shop().with_name("other").name == "other"
    assert shop.clone(name="again")().name == "again"


def test_sources_do_not_share_what_was_said_of_their_resources() -> None:
    @resource
    def shared() -> Iterator[dict[str, int]]:
        yield {"id": 1}

    @source
    def one() -> Resource:
        return shared

    one().shared.apply_hints(table_name="elsewhere").add_map(lambda row: {"id": 2})
    assert tables(one()) == {"shared": [{"id": 1}]}


def test_the_defaults_of_a_source_yield_to_its_resources() -> None:
    @source(max_table_nesting=2, schema_contract="freeze")
    def nested() -> Iterator[Resource]:
        yield resource([{"a": 1}], name="one")
        yield resource([{"a": 1}], name="two", max_table_nesting=0, schema_contract={"columns": "evolve"})

    one, two = (b.hints for b in blocks(nested))
    assert one is not None and two is not None
    assert one.nesting is not None and one.nesting.depth == 2
    assert two.nesting is not None and two.nesting.depth == 0
    assert one.contract is not None and one.contract.columns == "freeze"
    assert two.contract is not None and two.contract.columns == "evolve"


def test_a_source_of_rows_and_one_of_nothing() -> None:
    @source
    def rows() -> list[dict[str, int]]:
        return [{"a": 1}]

    @source
    def nothing() -> list[Resource]:
        return []

    assert tables(rows) == {"rows": [{"a": 1}]}
    with pytest.raises(RefusedError, match="has no resources"):
        nothing()
    with pytest.raises(RefusedError, match="`nme` is no option"):
        source(nme="x")


def test_two_resources_of_one_name_load_to_one_table() -> None:
    @transformer
    def half(item: dict[str, int]) -> dict[str, int]:
        return item

    def read(number: int) -> Resource:
        return resource([{"id": number}], name="files") | half.with_name("synthetic_data")

    @source(_impl_cls=object, spec=object)
    def files() -> Iterator[tuple[Resource, ...]]:
        yield read(1), read(2)

    made = files()
    assert list(made.resources) == ["synthetic_data", "synthetic_data_2"]
    assert tables(made) == {"synthetic_data": [{"id": 1}, {"id": 2}]}


def test_many_kinds_of_things_in_one_run() -> None:
    @resource
    def users() -> Iterator[dict[str, int]]:
        yield {"id": 1}

    def plain() -> Iterator[dict[str, int]]:
        yield {"id": 2}

    found = tables([users, plain, shop])
    assert list(found) == ["users", "plain", "customers", "orders"]
    assert tables([{"a": 1}, {"a": 2}], table_name="t") == {"t": [{"a": 1}, {"a": 2}]}
    assert tables(iter([{"a": 1}]), name="t") == {"t": [{"a": 1}]}
    assert tables({"a": 1}, name="t") == {"t": [{"a": 1}]}
    assert tables(plain(), table_name="t") == {"t": [{"id": 2}]}


def test_words_of_dlt_that_configure_nothing_here_are_taken() -> None:
    @resource(primary_key="file_url", spec=object, section="s", standalone=True)
    def filesystem(bucket_url: str) -> Iterator[dict[str, str]]:
        yield {"file_url": bucket_url}

    assert tables(filesystem("x")) == {"filesystem": [{"file_url": "x"}]}


def test_a_resource_of_a_resource_says_more_of_it() -> None:
    first = resource(lambda: iter([{"id": 1}]), name="first", primary_key="id")
    second = resource(first, name="second", write_disposition="merge", parallelized=True)
    assert first.name == "first" and first.write_disposition == "append" and not first.parallelized
    (block,) = blocks(second)
    assert block.table == "second" and block.hints is not None and block.hints.disposition is not None
    assert block.hints.disposition.mode == "merge" and block.hints.declared.primary_key == ("id",)
    assert tables(resource(second, selected=False)) == {}
