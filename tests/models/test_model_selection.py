"""Which models a selection means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import NotFoundError, UsageError
from penstock.models.graph import downstream, upstream
from penstock.models.model import Model
from penstock.models.select import select


def model(path: str, *reads: str, tags: tuple[str, ...] = ()) -> Model:
    folder, _, file = path.rpartition("/")
    return Model(file, f"models/{path}.sql", reads=reads, tags=tags, folder=folder)


#  raw ─ stg_orders ─┐                      ┌─ report
#  crm ─ stg_people ─┴─ orders ─ by_day ────┴─ board        alone
MODELS = [
    model("staging/stg_orders", "raw", tags=("daily",)),
    model("staging/stg_people", "crm", tags=("weekly",)),
    model("marts/eu/orders", "STG_ORDERS", "stg_people", tags=("daily", "Core")),
    model("marts/eu/by_day", "orders"),
    model("marts/report", "by_day", tags=("weekly",)),
    model("marts/board", "by_day", "crm"),
    model("alone"),
]
ALL = {m.name for m in MODELS}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", " ".join(sorted(ALL))),
        ("orders", "orders"),
        ("ORDERS", "orders"),
        ("name:orders", "orders"),
        ("stg_*", "stg_orders stg_people"),
        ("stg_[op]*s", "stg_orders"),
        ("*", " ".join(sorted(ALL))),
        ("+orders", "orders stg_orders stg_people"),
        ("orders+", "orders by_day report board"),
        ("+orders+", "orders stg_orders stg_people by_day report board"),
        ("1+by_day", "by_day orders"),
        ("2+by_day", "by_day orders stg_orders stg_people"),
        ("orders+1", "orders by_day"),
        ("1+orders+1", "stg_orders stg_people orders by_day"),
        ("0+orders", "orders"),
        ("@stg_orders", "stg_orders stg_people orders by_day report board"),
        ("tag:daily", "stg_orders orders"),
        ("tag:core", "orders"),
        ("tag:d*", "stg_orders orders"),
        ("+tag:weekly", "stg_people report by_day orders stg_orders"),
        ("path:marts", "orders by_day report board"),
        ("path:marts/eu", "orders by_day"),
        ("path:marts/eu/", "orders by_day"),
        ("path:./models/marts/eu", "orders by_day"),
        ("path:models/alone.sql", "alone"),
        ("path:models", " ".join(sorted(ALL))),
        ("path:m*/e*", "orders by_day"),
        ("marts", "orders by_day report board"),
        ("marts/eu", "orders by_day"),
        ("models/marts/report.sql", "report"),
        ("marts/eu+1", "orders by_day report board"),
        ("file:report.sql", "report"),
        ("source:crm", "stg_people board"),
        ("source:crm+", "stg_people board orders by_day report"),
        ("source:crm+1", "stg_people board"),
        ("source:shop.raw", "stg_orders"),
        ("raw+", "stg_orders orders by_day report board"),
        ("raw", "stg_orders"),
        ("@raw", "stg_orders stg_people orders by_day report board"),
        ("orders alone", "orders alone"),
        ("tag:daily,path:marts", "orders"),
        ("tag:daily, path:marts", "orders"),
        ("stg_orders+,+report", "stg_orders orders by_day report"),
        ("orders,alone", ""),
        ("alone tag:weekly,path:staging", "alone stg_people"),
    ],
)
def test_a_selection_means_these_models(text: str, meant: str) -> None:
    assert select(MODELS, [text]) == set(meant.split())


def test_several_selections_are_one() -> None:
    assert select(MODELS, ["orders", "alone"]) == select(MODELS, ["orders alone"]) == {"orders", "alone"}


def test_what_is_excluded_goes() -> None:
    assert select(MODELS, [], ["+orders", "tag:weekly"]) == {"by_day", "board", "alone"}
    assert select(MODELS, ["orders+"], ["report"]) == {"orders", "by_day", "board"}
    assert select(MODELS, ["orders"], ["orders+"]) == frozenset()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("+oders", ("no model is called `oders`", "did you mean 'orders'?")),
        ("by_dya+1", ("`by_dya`", "did you mean 'by_day'?")),
        ("tag:dayly", ("no model has the tag `dayly`", "'daily'")),
        ("path:mart", ("no model is in `mart`", "'marts'")),
        ("source:cmr+", ("no model reads the table `cmr`", "'crm'")),
        ("zzz*", ("no model is called `zzz*`", "there are")),
    ],
)
def test_what_names_nothing_is_told_with_a_guess(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(NotFoundError) as caught:
        select(MODELS, ["orders", text])
    assert all(word in str(caught.value) for word in words), caught.value
    with pytest.raises(NotFoundError):
        select(MODELS, [], [text])


@pytest.mark.parametrize("text", ["a++", "++a", "@a+", "+", "a+b", "tga:x", "a@", "owner:me"])
def test_what_cannot_be_read_is_the_command_lines_fault(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        select(MODELS, [text])


def test_a_method_that_is_misspelt_is_guessed() -> None:
    with pytest.raises(UsageError) as caught:
        select(MODELS, ["tagg:x"])
    assert "did you mean 'tag'?" in str(caught.value)


def test_a_project_without_models_has_nothing_to_name() -> None:
    assert select([], []) == frozenset()
    with pytest.raises(NotFoundError):
        select([], ["a"])


terms = st.sampled_from([*ALL, "tag:daily", "marts", "source:crm", "+orders", "by_day+", "@alone"])


@given(st.lists(terms, min_size=1, max_size=4), st.lists(terms, max_size=2))
def test_spaces_unite_commas_meet_and_exclusions_take_away(words: list[str], out: list[str]) -> None:
    each = [select(MODELS, [w]) for w in words]
    without = frozenset[str]().union(*(select(MODELS, [w]) for w in out))
    assert select(MODELS, [" ".join(words)], out) == frozenset.union(*each) - without
    assert select(MODELS, [",".join(words)], out) == frozenset.intersection(*each) - without


@given(st.sampled_from(sorted(ALL)), st.integers(0, 4), st.integers(0, 4))
def test_steps_are_those_of_the_graph(name: str, up: int, down: int) -> None:
    expected = {name} | upstream(MODELS, [name], up) | downstream(MODELS, [name], down)
    assert select(MODELS, [f"{up}+{name}+{down}"]) == expected
