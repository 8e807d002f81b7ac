"""State that code inside of resources keeps, cursors, and checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from produced import blocks, last_state, produce, tables

from penstock.cursors.incremental import Incremental, incremental
from penstock.errors import RefusedError
from penstock.ports import Block, Checkpoint
from penstock.sources.python import current, mark
from penstock.sources.python.decorators import defer, resource, source, transformer
from penstock.sources.python.memory import dump, load
from penstock.sources.python.resource import Resource
from penstock.sources.python.source import PythonSource

Row = dict[str, Any]


def test_state_is_kept_from_run_to_run() -> None:
    @resource
    def games() -> Iterator[Row]:
        checked = current.resource_state().setdefault("checked", [])
        for n in range(3):
            if n not in checked:
                checked.append(n)
                yield {"n": n}
                return

    state = None
    for run in range(3):
        *found, checkpoint = produce(games, state)
        assert [b.data for b in found if isinstance(b, Block)] == [[{"n": run}]]
        assert isinstance(checkpoint, Checkpoint) and checkpoint.state is not None
        state = checkpoint.state
    assert json.loads(state) == {"resources": {"games": {"checked": [0, 1, 2]}}}


def test_a_source_shares_state_and_resources_have_their_own() -> None:
    @source
    def shop() -> Iterator[Resource]:
        @resource
        def one() -> Iterator[Row]:
            current.source_state()["runs"] = current.state().get("runs", 0) + 1
            current.resource_state()["mine"] = current.resource_name()
            yield {"source": current.source_name()}

        @transformer(data_from=one)
        def two(item: Row) -> Row:
            current.resource_state()["mine"] = current.resource_name()
            current.resource_state("other")["seen"] = True
            return {"runs": current.state()["runs"], **item}

        yield one
        yield two

    assert tables(shop)["two"] == [{"runs": 1, "source": "shop"}]
    assert json.loads(last_state(shop, last_state(shop)) or "") == {
        "source": {"runs": 2},
        "resources": {"one": {"mine": "one"}, "two": {"mine": "two"}, "other": {"seen": True}},
    }


def test_steps_and_deferred_functions_know_who_runs() -> None:
    @defer
    def later() -> Row:
        return {"by": current.resource_name()}

    @resource(parallelized=True)
    def who() -> Iterator[Any]:
        yield later()
        yield {"by": current.resource_name()}

    made = who.add_map(lambda row: {**row, "step": current.resource_name()})
    assert tables(made) == {"who": [{"by": "who", "step": "who"}] * 2}


def test_there_is_no_state_outside_of_a_run() -> None:
    with pytest.raises(RefusedError, match="no resource runs now"):
        current.state()
    blocks([{"a": 1}], name="t")
    with pytest.raises(RefusedError, match="no resource runs now"):
        current.resource_name()


def test_two_runs_at_once_do_not_meet() -> None:
    @resource
    def names() -> Iterator[Row]:
        yield {"n": 1}
        yield mark.checkpoint()
        yield {"name": current.source_name()}

    one, two = PythonSource(names, name="one").produce(None), PythonSource(names, name="two").produce(None)
    found = [(next(one), next(two)) for _ in range(3)]
    assert [b.data for b in found[2] if isinstance(b, Block)] == [[{"name": "one"}], [{"name": "two"}]]


def test_without_state_there_is_no_checkpoint() -> None:
    assert [type(b) for b in produce([{"a": 1}], name="t")] == [Block]
    assert produce([], '{"source": {"kept": 1}}', name="t") == [Checkpoint('{"source": {"kept": 1}}')]


def test_state_that_was_cleared_is_told() -> None:
    @resource
    def clears() -> Iterator[Row]:
        current.state().clear()
        yield {"a": 1}

    assert produce(clears, '{"source": {"kept": 1}}')[-1] == Checkpoint(None)


def test_state_of_a_resource_that_does_not_run_stays() -> None:
    state = '{"resources": {"gone": {"a": 1}}}'
    assert last_state(resource([{"a": 1}], name="t"), state) == state


_ATOMS = (
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False)
    | st.datetimes() | st.datetimes(timezones=st.just(UTC)) | st.dates() | st.times() | st.timedeltas()
    | st.decimals(allow_nan=False) | st.uuids()
)  # fmt: skip
_STATE = st.recursive(
    _ATOMS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.just("$date"), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1), _STATE, min_size=1))
def test_state_comes_back_as_it_was(source_state: Row) -> None:
    text = dump({"source": source_state, "resources": {}})
    assert load(text) == {"source": source_state, "resources": {}}
    again = load(text)["source"]
    assert [type(v) for v in again.values()] == [type(source_state[k]) for k in again]


def test_state_in_every_type() -> None:
    kept = {
        "at": datetime(2024, 1, 2, 3, tzinfo=UTC), "on": date(2024, 1, 2), "time": time(1, 2),
        "d": Decimal("1.10"),
        "b": b"\x00", "u": UUID(int=1), "t": (1, (2,)), "s": {1, 2}, "inf": float("inf"), "td": timedelta(1),
    }  # fmt: skip
    text = dump({"source": {}, "resources": {"r": kept, "empty": {}}})
    assert load(text)["resources"] == {"r": kept}
    with pytest.raises(RefusedError, match="cannot be kept") as caught:
        dump({"source": {"a": {"b": [object()]}}, "resources": {}})
    assert caught.value.where == "source.a.b.0"


# ------------------------------------------------------------------------------------------ cursors


@resource(primary_key="id")
def releases(at: Any = incremental("at", initial_value=2)) -> Iterator[Row]:  # noqa: B008  # how users write it
    yield {"id": 0, "at": 0, "since": at.last_value}
    yield from ({"id": i, "at": i, "since": at.start_value} for i in range(2, 5))


def test_a_cursor_filters_and_remembers() -> None:
    state = last_state(releases)
    assert [r["id"] for r in tables(releases)["releases"]] == [2, 3, 4]
    assert [type(b) for b in produce(releases, state)] == [Checkpoint], "everything has been seen"
    (block, _) = produce(
        releases(at=Incremental(row_order="asc")).add_map(lambda r: {**r, "id": r["id"] + 9}), state
    )
    assert isinstance(block, Block) and block.data == [{"id": 13, "at": 4, "since": 4}]


def test_the_cursor_of_an_argument() -> None:
    def first(made: Any) -> Any:
        return tables(made)["releases"][0]["since"]

    assert first(releases(at=3)) == 3
    assert first(releases(Incremental(initial_value=4))) == 4, "merged with the default"
    assert [
        r["id"] for r in releases.clone().apply_hints(incremental=incremental("id", initial_value=4))
    ] == [4]

    @resource
    def optional(at: Any = None) -> Iterator[Row]:
        yield {"cursor": at}

    assert list(optional) == [{"cursor": None}]


def test_a_cursor_by_annotation_needs_a_hint() -> None:
    @resource
    def events(at: Incremental[int]) -> Iterator[Row]:
        yield {"at": 5, "since": at.last_value}

    with pytest.raises(RefusedError, match="must be called before"):
        list(events)
    made = events.clone().apply_hints(incremental={"cursor_path": "at", "initial_value": 1})
    assert list(made) == [{"at": 5, "since": 1}]


def test_no_cursor_where_none_is_passed() -> None:
    @resource
    def events(at: Incremental[int] | None = incremental("at", initial_value=3)) -> Iterator[Row]:  # noqa: B008
        yield {"at": 1, "cursor": at is not None}

    assert list(events(None)) == [{"at": 1, "cursor": False}]
    assert list(events) == []


def test_a_resource_that_only_feeds_keeps_its_cursor() -> None:
    @resource
    def filesystem() -> Iterator[list[Row]]:
        yield [{"file_url": f"f{i}", "modified_date": i} for i in range(3)]

    @transformer
    def read(files: list[Row]) -> Iterator[Row]:
        yield from ({"read": f["file_url"]} for f in files)

    @source
    def readers(cursor: str) -> Iterator[Resource]:
        fs = filesystem()
        fs.apply_hints(incremental=incremental(cursor))
        yield fs | read
        yield fs | read.with_name("again")

    made = readers("modified_date")
    assert {k: len(v) for k, v in tables(made).items()} == {"read": 3, "again": 3}
    state = last_state(made)
    assert json.loads(state or "")["resources"].keys() == {"filesystem"}
    assert [type(b) for b in produce(made, state)] == [Checkpoint]


def test_feeders_of_one_name_keep_state_apart() -> None:
    def files(n: int) -> Resource:
        made: Resource = resource([{"n": n}], name="filesystem", incremental=incremental("n"))
        return made

    one, two = transformer(lambda item: item, name="one"), transformer(lambda item: item, name="two")
    pair = [files(9) | one, files(1) | two]
    assert tables(pair) == {"one": [{"n": 9}], "two": [{"n": 1}]}
    assert json.loads(last_state(pair) or "")["resources"].keys() == {"filesystem", "filesystem_2"}


def test_a_renamed_pipe_has_state_of_its_own() -> None:
    made = resource([{"n": 1}], name="files", incremental=incremental("n")) | transformer(
        lambda item: item, name="read"
    )
    assert json.loads(last_state(made.with_name("csv")) or "")["resources"].keys() == {"files_csv"}


def test_nothing_is_kept_of_a_run_that_fails() -> None:
    @resource
    def fails(at: Any = incremental("at", initial_value=0)) -> Iterator[Row]:  # noqa: B008
        yield {"at": 1}
        raise ValueError("half way")

    found: list[Any] = []
    with pytest.raises(RefusedError, match="`fails` failed"):
        found.extend(PythonSource(fails).produce(None))
    assert not any(isinstance(b, Checkpoint) for b in found)


# -------------------------------------------------------------------------------------- checkpoints


def test_a_checkpoint_gives_what_there_is_with_its_state() -> None:
    @resource
    def pages() -> Iterator[Any]:
        for n in range(2):
            yield {"n": n}
            current.state()["page"] = n
            yield mark.checkpoint()

    one, first, two, second, last = produce(pages)
    assert isinstance(one, Block) and one.data == [{"n": 0}] and isinstance(two, Block)
    assert [c.state for c in (first, second, last) if isinstance(c, Checkpoint)] == [
        '{"source": {"page": 0}}', '{"source": {"page": 1}}', '{"source": {"page": 1}}',
    ]  # fmt: skip


def test_a_checkpoint_waits_for_what_is_fed() -> None:
    @resource
    def pages() -> Iterator[Any]:
        yield {"n": 1}
        yield mark.checkpoint()

    @transformer(parallelized=True)
    def slow(item: Row) -> Row:
        return {"slow": item["n"]}

    block, checkpoint = produce(pages | slow)
    assert isinstance(block, Block) and block.data == [{"slow": 1}] and checkpoint == Checkpoint(None)


@pytest.mark.parametrize(("order", "checkpoints"), [("asc", 2), (None, 1)])
def test_a_cursor_must_have_an_order_to_begin_in_the_middle(order: Any, checkpoints: int) -> None:
    @resource(incremental=incremental("n", row_order=order))
    def events() -> Iterator[Any]:
        yield {"n": 1}
        yield mark.checkpoint()
        yield {"n": 2}

    found = produce(events)
    assert len([c for c in found if isinstance(c, Checkpoint)]) == checkpoints
    if order:
        middle = next(c for c in found if isinstance(c, Checkpoint))
        assert [b.data for b in produce(events, middle.state) if isinstance(b, Block)] == [[{"n": 2}]]


def test_the_state_of_a_feeder_does_not_depend_on_what_is_selected() -> None:
    def files(name: str, n: int) -> Resource:
        feed = resource([{"n": n}], name="filesystem", incremental=incremental("n"))
        return feed | transformer(lambda item: item, name=name)  # type: ignore[no-any-return]  # a resource

    @source
    def readers() -> Iterator[Resource]:
        yield files("one", 9)
        yield files("two", 1)

    made = readers()
    state = last_state(made.with_resources("one"))
    found = produce(made.with_resources("two"), state)
    assert [b.data for b in found if isinstance(b, Block)] == [[{"n": 1}]]


def test_to_restart_is_to_forget_the_feeders_too() -> None:
    feed = resource([{"n": 1}], name="files", incremental=incremental("n"))
    other = resource([{"n": 1}], name="other", incremental=incremental("n"))
    read = feed | transformer(lambda item: item, name="read")
    state = last_state([read, other])
    run = PythonSource([read, other], resources=["read"])
    assert json.loads(run.restart(state) or "")["resources"].keys() == {"other"}
    assert [b.data for b in run.produce(run.restart(state)) if isinstance(b, Block)] == [[{"n": 1}]]


def test_a_generator_that_is_ended_early_still_knows_who_runs() -> None:
    @resource
    def endless() -> Iterator[Row]:
        try:
            while True:
                yield {"n": 1}
        finally:
            current.resource_state()["closed"] = current.resource_name()

    assert json.loads(last_state(endless.add_limit(1)) or "") == {
        "resources": {"endless": {"closed": "endless"}}
    }
