"""The graph of models: its order, what is above and below, and the circles that it may not have."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import NotFoundError, ProjectError
from penstock.models.graph import downstream, order, refuse_unread, unread, upstream, waves
from penstock.models.model import Model


def model(name: str, *reads: str) -> Model:
    return Model(name, f"models/{name}.sql", reads=reads)


def names(models: tuple[Model, ...]) -> str:
    return " ".join(m.name for m in models)


def test_each_model_comes_after_what_it_reads() -> None:
    models = [model("d", "B", "c"), model("c", "raw"), model("b", "a"), model("a", "raw", "A2"), model("z")]
    assert names(order(models)) == "a c z b d"
    assert [names(w) for w in waves(models)] == ["a c z", "b", "d"]


def test_up_and_down_go_as_far_as_they_are_told() -> None:
    models = [model("a", "raw"), model("b", "a"), model("C", "b", "raw"), model("d", "c")]
    assert upstream(models, ["d"]) == {"a", "b", "C"}
    assert upstream(models, ["D"], 1) == {"C"}
    assert downstream(models, ["a"]) == {"b", "C", "d"}
    assert downstream(models, ["RAW"], 1) == {"a", "C"}
    assert downstream(models, ["raw"]) == {"a", "b", "C", "d"}
    assert upstream(models, ["a", "b"]) == downstream(models, ["d"]) == frozenset()


@pytest.mark.parametrize(
    ("models", "circle", "where"),
    [
        ([model("a", "b"), model("b", "a")], "a → b → a", "models/a.sql, models/b.sql"),
        (
            [model("B", "c"), model("c", "D"), model("d", "b"), model("a", "b"), model("e")],
            "B → c → d → B",
            "",
        ),
    ],
)
def test_a_circle_is_named_whole(models: list[Model], circle: str, where: str) -> None:
    with pytest.raises(ProjectError) as caught:
        order(models)
    assert circle in caught.value.what
    assert where in (caught.value.where or "")
    assert "models/a.sql" not in (caught.value.where or "") or "a →" in circle


def test_a_model_that_reads_itself_is_told_of_cursors() -> None:
    with pytest.raises(ProjectError, match="`a` reads itself") as caught:
        order([model("a", "A")])
    assert "cursor" in str(caught.value)
    assert caught.value.where == "models/a.sql"


def test_names_that_are_one_to_the_engine_are_refused() -> None:
    twins = [Model("Orders", "models/x/Orders.sql"), Model("orders", "models/y/orders.py")]
    with pytest.raises(ProjectError, match="one name to the engine") as caught:
        order(twins)
    assert caught.value.where == "models/x/Orders.sql and models/y/orders.py"
    with pytest.raises(ProjectError, match="two models are called `a`"):
        order([model("a"), model("a")])


def test_what_nothing_makes_is_told_with_a_guess() -> None:
    models = [model("a", "Raw", "b"), model("b", "rows", "ordesr")]
    assert [(m.name, read) for m, read in unread(models, ["raw", "orders", "rows"])] == [("b", "ordesr")]
    with pytest.raises(NotFoundError) as caught:
        refuse_unread(models, ["raw", "orders", "rows"])
    assert "did you mean 'orders'?" in str(caught.value)
    assert caught.value.where == "models/b.sql"
    refuse_unread(models, ["raw", "ordesr", "rows"])


def test_a_chain_of_thousands_is_quick_and_not_too_deep() -> None:
    chain = [model(f"m{n}", f"m{n - 1}" if n else "raw") for n in range(5000)]
    began = time.process_time()
    assert [m.name for m in order(chain[::-1])] == [m.name for m in chain]
    assert len(upstream(chain, ["m4999"])) == len(downstream(chain, ["raw"])) - 1 == 4999
    assert time.process_time() - began < 2
    with pytest.raises(ProjectError, match="circle"):
        order([*chain[1:], model("m0", "m4999")])


@st.composite
def graphs(draw: st.DrawFn) -> list[Model]:
    """Models that read only earlier ones, shuffled."""
    count = draw(st.integers(1, 12))
    made = [
        model(f"m{n}", *(f"M{r}" for r in sorted(draw(st.sets(st.integers(-2, n - 1), max_size=3)))))
        for n in range(count)
    ]
    return draw(st.permutations(made))


@given(graphs())
def test_the_order_respects_reads_and_is_one(models: list[Model]) -> None:
    found = order(models)
    assert sorted(names(found).split()) == sorted(m.name for m in models)
    place = {m.name.casefold(): n for n, m in enumerate(found)}
    for m in found:
        assert all(place[r.casefold()] < place[m.name] for r in m.reads if r.casefold() in place)
    assert order(models[::-1]) == found
    wave_of = {m.name: n for n, wave in enumerate(waves(models)) for m in wave}
    for m in models:
        above = [wave_of[r.casefold()] for r in m.reads if r.casefold() in wave_of]
        assert wave_of[m.name] == max(above, default=-1) + 1  # never later than it must be


@given(graphs())
def test_up_is_down_seen_from_below(models: list[Model]) -> None:
    for a in models:
        for b in models:
            assert (a.name in upstream(models, [b.name])) == (b.name in downstream(models, [a.name]))
