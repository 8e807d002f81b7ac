"""Further words of dlt's that resources, sources and cursors understand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from produced import blocks, last_state, produce, tables

from penstock.cursors.incremental import Incremental, incremental
from penstock.errors import RefusedError
from penstock.ports import Checkpoint
from penstock.schema.types import INT64
from penstock.sources.python import current, mark
from penstock.sources.python.decorators import resource, source, transformer
from penstock.sources.python.group import Source
from penstock.sources.python.resource import Resource

Row = dict[str, Any]


def rows(name: str, *numbers: int, **words: Any) -> Resource:
    return resource([{"n": n} for n in numbers], name=name, **words)


# --------------------------------------------------------------------------------------- resources


def test_metrics_count_items_as_they_came_and_begin_anew() -> None:
    seen: list[Any] = []

    @resource
    def pages() -> Iterator[Any]:
        yield [{"n": 1}, {"n": 2}]
        yield mark.with_table_name({"n": 3}, "other")
        current.resource_metrics()["asked"] = True

    def count(items: Any, meta: Any, metrics: Row) -> None:
        seen.append((items, meta.table if meta is not None else None))
        metrics["items"] = metrics.get("items", 0) + 1

    counted = pages().add_metrics(count).add_filter(lambda row: row["n"] > 1)
    for _ in range(2):
        assert tables(counted) == {"pages": [{"n": 2}], "other": [{"n": 3}]}
        assert counted.custom_metrics == {"items": 2, "asked": True}
    assert seen[:2] == [([{"n": 1}, {"n": 2}], None), ({"n": 3}, "other")]


def test_what_a_resource_says_of_itself() -> None:
    @resource(columns={"n": {"data_type": "bigint"}}, primary_key="n")
    def numbers(start: int) -> Iterator[Row]:
        yield {"n": start}

    assert not numbers.args_bound
    assert numbers(3).args_bound
    assert rows("r", 1).args_bound
    table = numbers.compute_table_schema()
    assert (table.name, table.columns[0].type, table.primary_key) == ("numbers", INT64, ("n",))
    numbers.schema_contract = "freeze"
    assert numbers.schema_contract == "freeze"
    by_row = rows("r", 1, table_name=lambda row: f"t{row['n']}", primary_key=lambda row: list(row))
    assert by_row.compute_table_schema({"n": 7}).name == "t7"
    assert by_row.compute_table_schema({"n": 7}).primary_key == ("n",)


def test_a_transformer_is_fed_later_and_a_resource_gets_a_cursor_later() -> None:
    @transformer
    def doubled(row: Row) -> Iterator[Row]:
        yield {"n": 2 * row["n"]}

    doubled.pipe_data_from(rows("r", 1, 2).set_incremental({"cursor_path": "n", "initial_value": 2}))
    assert tables(doubled) == {"doubled": [{"n": 4}]}
    assert rows("a", 1).with_name("b", "section").name == "b"


def test_functions_of_a_row_may_ask_what_runs() -> None:
    def kind(row: Row) -> str:
        current.resource_state()["named"] = row["n"]
        return f"{current.resource_name()}_{row['n']}"

    def key(row: Row) -> str:
        return f"{current.source_name()}{row['n']}"

    found = blocks(rows("r", 1, 2, table_name=kind, primary_key=key))
    assert [(b.table, b.hints.declared.primary_key) for b in found if b.hints] == [
        ("r_1", ("r1",)),
        ("r_2", ("r2",)),
    ]
    assert last_state(rows("r", 5, table_name=kind)) == '{"resources": {"r": {"named": 5}}}'


# ----------------------------------------------------------------------------------------- sources


@source(schema_contract="evolve")
def shop() -> Iterator[Any]:
    yield rows("orders", 1, columns={"n": {"data_type": "bigint"}})
    lines = rows("lines", 2)
    yield lines
    yield lines | transformer(lambda row: {"n": row["n"] + 1}, name="taxes")
    yield rows("any", 3, table_name=lambda row: f"t{row['n']}")


def test_a_source_is_taken_apart_where_nothing_hangs_together() -> None:
    parts = shop().decompose("scc")
    assert [list(part.selected_resources) for part in parts] == [["orders"], ["lines", "taxes"], ["any"]]
    assert tables(parts[1]) == {"lines": [{"n": 2}], "taxes": [{"n": 3}]}
    whole = shop()
    assert whole.decompose("none") == [whole]
    with pytest.raises(RefusedError, match="no way to take a source apart"):
        whole.decompose("all")


def test_what_a_source_declares() -> None:
    found = shop().discover_schema()
    assert list(found) == ["orders", "lines", "taxes"]
    assert found["orders"].columns[0].type == INT64
    assert "t9" in shop().discover_schema({"n": 9})
    assert shop().schema_contract == "evolve"


def test_resources_are_put_into_a_source() -> None:
    made = shop()
    made.resources["orders"] = rows("others", 8)
    made.resources["more"] = rows("more", 9)
    made.schema_contract = "freeze"
    chosen = made.with_resources("orders", "more")
    assert tables(chosen) == {"orders": [{"n": 8}], "more": [{"n": 9}]}
    assert chosen.contract == "freeze"


def test_what_is_elsewhere_is_named() -> None:
    with pytest.raises(AttributeError, match=r"pipeline\(\.\.\.\)\.run\(source\)"):
        _ = shop().run


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("fifo", ["a1", "a2", "b1", "b2", "b3", "c1"]), ("round_robin", ["a1", "b1", "c1", "a2", "b2", "b3"])],
)
def test_the_order_in_which_resources_are_asked(mode: str, expected: list[str]) -> None:
    asked: list[str] = []

    def pages(name: str, count: int) -> Resource:
        def function() -> Iterator[Any]:
            for number in range(1, count + 1):
                asked.append(f"{name}{number}")
                yield [{"n": number}]

        return resource(function, name=name)

    @source(next_item_mode=mode)
    def several() -> list[Resource]:
        return [pages("a", 2), pages("b", 3), pages("c", 1)]

    found = tables(several())
    assert asked == expected
    assert {name: len(found[name]) for name in "abc"} == {"a": 2, "b": 3, "c": 1}


def test_resources_in_turn_have_no_checkpoint_in_between() -> None:
    def pages() -> Iterator[Any]:
        yield {"n": 1}
        yield mark.checkpoint()
        yield {"n": 2}
        current.state()["done"] = True

    both = Source("s", [resource(pages, name="a"), rows("b", 1)], next_item_mode="round_robin")
    assert sum(isinstance(piece, Checkpoint) for piece in produce(both)) == 1
    with pytest.raises(RefusedError, match="no order of resources"):
        Source("s", [], next_item_mode="lifo")


# ----------------------------------------------------------------------------------------- cursors


def test_a_resource_reads_the_cursor_of_another() -> None:
    found: list[Any] = []

    @resource
    def report() -> Iterator[Row]:
        kept: Incremental[int] = incremental.from_existing_state("orders", "n")
        found.append((kept.initial_value, kept.last_value))
        yield {"until": kept.last_value}

    @source
    def both() -> list[Resource]:
        return [rows("orders", 3, 5, incremental=incremental("n", initial_value=1)), report]

    state = last_state(both())
    assert found == [(1, 5)]
    assert tables(both().with_resources("orders")) == {"orders": [{"n": 3}, {"n": 5}]}
    list(produce(both().with_resources("report"), state))
    assert found == [(1, 5), (1, 5)]
    with pytest.raises(RefusedError, match="no state of a cursor `n`"):
        produce(both().with_resources("report"))
    with pytest.raises(RefusedError, match="no state of a cursor"):
        incremental.from_existing_state("orders", "n")


def test_no_function_is_max_and_a_key_is_no_function() -> None:
    assert incremental("n", last_value_func=None).last_value_func is max
    with pytest.raises(RefusedError, match="is a function"):
        incremental("n", primary_key=lambda row: "n")  # type: ignore[arg-type]
