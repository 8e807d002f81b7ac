"""Which models are built, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ProjectError, RefusedError
from penstock.ledger import Built
from penstock.models.graph import downstream, order
from penstock.models.model import Materialization, Model
from penstock.plan import Build, BuildPlan, Cause, Leave, built_from, inputs_of, plan_build, views_of

VIEW, SNAPSHOT = Materialization.VIEW, Materialization.SNAPSHOT
BUILT_AT = datetime(2026, 11, 20, 23, 50, tzinfo=UTC)


def model(name: str, *reads: str, kind: Materialization = Materialization.TABLE, **facts: object) -> Model:
    made = Model(name, f"models/{name}.sql", reads=reads, materialized=kind, version="v1")
    return replace(made, **facts)  # type: ignore[arg-type]


@dataclass
class Warehouse:
    """A destination on paper: it remembers what was built of what."""

    versions: dict[str, str | None]
    built: dict[str, Built] = field(default_factory=dict)
    ids: count[int] = field(default_factory=count)

    def plan(self, models: list[Model], chosen: frozenset[str] | None = None, **facts: object) -> BuildPlan:
        full = bool(facts.pop("full", False))
        return plan_build(models, self.built, self.versions, chosen, full=full, **facts)  # type: ignore[arg-type]

    def walk(self, models: list[Model], plan: BuildPlan) -> None:
        """Do what a plan says, each model with the inputs that are there when it is its turn."""
        views, named = views_of(models), {m.name: m for m in models}
        for step in plan.builds:
            made = named[step.model]
            build = f"build-{next(self.ids)}"
            inputs = built_from(made, views, self.versions)
            self.built[step.model] = Built(
                step.model, build, made.version, made.materialized, made.tool, BUILT_AT, BUILT_AT, inputs
            )
            self.versions[step.model] = build

    def build(self, models: list[Model], **facts: object) -> None:
        self.walk(models, self.plan(models, **facts))

    def load(self, table: str) -> None:
        self.versions[table] = f"load-{next(self.ids)}"


def whys(plan: BuildPlan) -> dict[str, str]:
    return {step.model: step.why for step in plan.builds}


def built(plan: BuildPlan) -> list[str]:
    return [step.model for step in plan.builds]


CHAIN = [model("c", "b"), model("b", "A", "crm"), model("a", "raw"), model("x", "crm")]


@pytest.fixture
def warehouse() -> Warehouse:
    made = Warehouse({"raw": "load-0", "crm": "load-0"})
    made.build(CHAIN)
    return made


def test_a_new_project_is_built_whole_and_in_order() -> None:
    plan = Warehouse({"raw": "1", "crm": "1"}).plan(CHAIN)
    assert plan.steps == tuple(
        Build(name, Materialization.TABLE, "it was never built", Cause.NEW) for name in ("a", "x", "b", "c")
    )


def test_what_was_built_is_left_alone(warehouse: Warehouse) -> None:
    assert warehouse.plan(CHAIN).steps == tuple(
        Leave(name, "nothing that it is made of changed") for name in ("a", "x", "b", "c")
    )
    assert warehouse.built["b"].inputs == {"A": "build-0", "crm": "load-0"}


def test_a_change_of_sql_goes_down_and_nowhere_else(warehouse: Warehouse) -> None:
    models = [replace(m, version="v2") if m.name == "b" else m for m in CHAIN]
    plan = warehouse.plan(models)
    assert whys(plan) == {"b": "its SQL changed", "c": "it is downstream of `b`, which is built"}
    assert [s.cause for s in plan.builds] == [Cause.CHANGED, Cause.UPSTREAM]


@pytest.mark.parametrize(
    ("tool", "why"), [("python", "its function changed"), ("dbt", "dbt project changed")]
)
def test_the_words_are_those_of_the_tool(warehouse: Warehouse, tool: str, why: str) -> None:
    assert why in whys(warehouse.plan([model("x", "crm", tool=tool, version="v2")]))["x"]


def test_a_load_reaches_what_reads_it(warehouse: Warehouse) -> None:
    warehouse.load("crm")
    assert whys(warehouse.plan(CHAIN)) == {
        "x": "`crm` was loaded since",
        "b": "`crm` was loaded since",
        "c": "it is downstream of `b`, which is built",
    }


def test_a_load_that_is_to_come_counts_already(warehouse: Warehouse) -> None:
    plan = warehouse.plan(CHAIN, loading=["RAW"])
    assert whys(plan)["a"] == "`raw` is about to be loaded"
    assert built(plan) == ["a", "b", "c"]


def test_a_model_that_was_built_alone_reaches_others_later(warehouse: Warehouse) -> None:
    warehouse.load("raw")
    plan = warehouse.plan(CHAIN, frozenset({"a"}))
    assert built(plan) == ["a"]
    warehouse.walk(CHAIN, plan)
    assert whys(warehouse.plan(CHAIN)) == {
        "b": "`a` was built since",
        "c": "it is downstream of `b`, which is built",
    }


def test_a_table_that_is_gone_is_built_again(warehouse: Warehouse) -> None:
    del warehouse.versions["b"]
    assert whys(warehouse.plan(CHAIN)) == {
        "b": "its table is gone",
        "c": "it is downstream of `b`, which is built",
    }


def test_names_are_those_of_the_engine(warehouse: Warehouse) -> None:
    warehouse.versions["X"] = warehouse.versions.pop("x")
    warehouse.versions["CRM"] = warehouse.versions.pop("crm")
    assert built(warehouse.plan(CHAIN)) == []


def test_full_builds_all_the_same(warehouse: Warehouse) -> None:
    plan = warehouse.plan(CHAIN, full=True)
    assert set(whys(plan).values()) == {"it was asked for with --full"}
    assert built(plan) == ["a", "x", "b", "c"]
    assert built(warehouse.plan(CHAIN, frozenset({"b"}), full=True)) == ["b"]


def test_what_is_not_penstocks_may_have_changed(warehouse: Warehouse) -> None:
    models = [*CHAIN, model("y", "ext"), model("z", "y")]
    warehouse.versions["ext"] = None
    warehouse.build(models)
    for _ in range(2):
        assert whys(warehouse.plan(models)) == {
            "y": "`ext` is not Penstock's, so nobody knows whether it changed",
            "z": "it is downstream of `y`, which is built",
        }
        warehouse.build(models)
    warehouse.load("ext")  # a pipeline has it now
    warehouse.build(models)
    assert built(warehouse.plan(models)) == []


def test_what_is_not_told_of_may_have_changed(warehouse: Warehouse) -> None:
    models = [*CHAIN, model("y", "other.t", "crm"), model("v", "db.t", kind=VIEW), model("z", "v")]
    warehouse.build(models)
    assert whys(warehouse.plan(models)) == {
        "y": "`other.t` is not among the tables here, so nobody knows whether it changed",
        "z": "`db.t` is not among the tables here, so nobody knows whether it changed",
    }


def test_files_and_clocks_may_have_changed(warehouse: Warehouse) -> None:
    models = [model("now", outside=("read_csv", "now")), model("behind", "v"), model("v", kind=VIEW)]
    models[2] = replace(models[2], outside=("today",))
    warehouse.build(models)
    assert whys(warehouse.plan(models)) == {
        "now": "`read_csv` may give something else each time",
        "behind": "`today` in the view `v` may give something else each time",
    }


def test_an_input_that_is_gone_is_told(warehouse: Warehouse) -> None:
    del warehouse.versions["crm"]
    assert whys(warehouse.plan(CHAIN))["x"] == "`crm`, which it read, is gone"


def test_another_way_of_keeping_rows_is_a_change(warehouse: Warehouse) -> None:
    models = [replace(m, materialized=VIEW) if m.name == "a" else m for m in CHAIN]
    assert whys(warehouse.plan(models))["a"] == "it was a table, and is to be a view"
    models = [replace(m, materialized=Materialization.INCREMENTAL) if m.name == "a" else m for m in CHAIN]
    assert whys(warehouse.plan(models))["a"] == "it was a table, and is to be an incremental table"


def test_snapshots_are_taken_each_day(warehouse: Warehouse) -> None:
    models = [model("s", "raw", kind=SNAPSHOT), model("t", "raw")]
    warehouse.build(models)
    assert built(warehouse.plan(models, today=date(2026, 11, 20))) == []
    plan = warehouse.plan(models, today=date(2026, 11, 21))
    assert plan.builds == (Build("s", SNAPSHOT, "its last snapshot is of 2026-11-20", Cause.DAY),)


def test_models_that_were_are_told_of(warehouse: Warehouse) -> None:
    assert warehouse.plan(CHAIN[1:]).forgotten == ("c",)
    assert warehouse.plan(CHAIN).forgotten == ()


# ------------------------------------------------------------------------------------- views

VIEWS = [
    model("t", "raw"),
    model("v", "T", "crm", kind=VIEW),
    model("w", "v", kind=VIEW),
    model("out", "w"),
    model("other", "crm"),
]


@pytest.fixture
def viewed() -> Warehouse:
    made = Warehouse({"raw": "load-0", "crm": "load-0"})
    made.build(VIEWS)
    return made


def test_a_view_stays_when_its_rows_change(viewed: Warehouse) -> None:
    viewed.load("crm")
    plan = viewed.plan(VIEWS)
    assert whys(plan) == {
        "other": "`crm` was loaded since",
        "out": "`crm` was loaded since, which it reads through the view `w`",
    }


def test_what_is_built_behind_a_view_reaches_through_it(viewed: Warehouse) -> None:
    viewed.load("raw")
    assert whys(viewed.plan(VIEWS)) == {
        "t": "`raw` was loaded since",
        "out": "it is downstream of `t`, which is built and read through the view `w`",
    }
    viewed.walk(VIEWS, viewed.plan(VIEWS, frozenset({"t"})))
    assert whys(viewed.plan(VIEWS)) == {"out": "`t` was built since, which it reads through the view `w`"}


def test_a_view_whose_text_changes_is_built_with_what_reads_it(viewed: Warehouse) -> None:
    models = [replace(m, version="v2") if m.name == "v" else m for m in VIEWS]
    assert whys(viewed.plan(models)) == {
        "v": "its SQL changed",
        "out": "it is downstream of `v`, which is built and read through the view `w`",
    }
    viewed.walk(models, viewed.plan(models, frozenset({"v"})))
    assert whys(viewed.plan(models)) == {"out": "`v` was built since, which it reads through the view `w`"}


def test_a_view_that_is_gone_is_made_again(viewed: Warehouse) -> None:
    del viewed.versions["v"]
    assert whys(viewed.plan(VIEWS))["v"] == "its view is gone"


def test_the_inputs_of_a_model_are_told_with_their_views(viewed: Warehouse) -> None:
    views = views_of(VIEWS)
    assert [tuple(i) for i in inputs_of(VIEWS[3], views, {"W": "1", "v": "2", "crm": None})] == [
        ("w", "1", None),
        ("v", "2", "w"),
        ("crm", None, "w"),
    ]
    assert built_from(VIEWS[3], views, {"w": "1", "v": "2", "crm": None}) == {"w": "1", "v": "2"}


# --------------------------------------------------------------------------------- selections


def test_what_is_not_chosen_is_left_with_what_would_have_been(warehouse: Warehouse) -> None:
    warehouse.load("crm")
    plan = warehouse.plan(CHAIN, frozenset({"x"}))
    assert [(s.model, s.why) for s in plan.steps if isinstance(s, Leave)] == [
        ("a", "not chosen"),
        ("b", "not chosen, though `crm` was loaded since"),
        ("c", "not chosen"),
    ]
    assert built(plan) == ["x"]


def test_a_model_needs_what_it_reads() -> None:
    warehouse = Warehouse({"raw": "1", "crm": "1"})
    with pytest.raises(RefusedError, match="model `c` reads `b`, which was never built") as caught:
        warehouse.plan(CHAIN, frozenset({"c", "a"}))
    assert "+c" in (caught.value.hint or "")
    assert caught.value.where == "models/c.sql"
    assert built(warehouse.plan(CHAIN, frozenset({"a", "b"}))) == ["a", "b"]


def test_a_model_needs_what_is_behind_a_view(viewed: Warehouse) -> None:
    del viewed.versions["t"]
    with pytest.raises(RefusedError, match="model `out` reads `t`, which is gone"):
        viewed.plan(VIEWS, frozenset({"out"}), full=True)
    assert built(viewed.plan(VIEWS, frozenset({"out", "t"}))) == ["t", "out"]


def test_a_circle_has_no_plan() -> None:
    with pytest.raises(ProjectError, match="circle"):
        Warehouse({}).plan([model("a", "b"), model("b", "a")])


# --------------------------------------------------------------------------------- properties


@st.composite
def projects(draw: st.DrawFn) -> list[Model]:
    """Models and views over two tables, in any order."""
    made: list[Model] = []
    for n in range(draw(st.integers(1, 9))):
        known = ["raw", "CRM", *(m.name.upper() for m in made)]
        reads = draw(st.lists(st.sampled_from(known), max_size=3, unique=True))
        made.append(model(f"m{n}", *reads, kind=draw(st.sampled_from(list(Materialization)))))
    return draw(st.permutations(made))


def fresh(models: list[Model]) -> Warehouse:
    made = Warehouse({"raw": "load-0", "crm": "load-0"})
    made.build(models)
    return made


def rows_depend(models: list[Model], names: set[str]) -> set[str]:
    """The models below some relations, but for views, whose rows are nobody's."""
    views = {m.name for m in models if m.materialized is VIEW}
    return set(downstream(models, names)) - views


@given(projects(), st.data())
def test_plans_are_ordered_and_second_plans_are_empty(models: list[Model], data: st.DataObject) -> None:
    warehouse = Warehouse({"raw": "load-0", "crm": "load-0"})
    plan = warehouse.plan(models)
    assert [s.model for s in plan.steps] == [m.name for m in order(models)] == built(plan)
    done: set[str] = set()
    reads: Mapping[str, tuple[str, ...]] = {m.name: m.reads for m in models}
    for step in plan.builds:
        assert {r.casefold() for r in reads[step.model]} - {"raw", "crm"} <= done
        done.add(step.model)
    warehouse.walk(models, plan)
    assert built(warehouse.plan(models)) == []


@given(projects(), st.data())
def test_one_change_builds_exactly_what_depends_on_it(models: list[Model], data: st.DataObject) -> None:
    warehouse = fresh(models)
    changed = data.draw(st.sampled_from(models))
    after = [replace(m, version="v2") if m is changed else m for m in models]
    plan = warehouse.plan(after)
    assert set(built(plan)) == {changed.name} | rows_depend(models, {changed.name})
    warehouse.walk(after, plan)
    assert built(warehouse.plan(after)) == []


@given(projects(), st.sampled_from(["raw", "crm"]))
def test_one_load_builds_exactly_what_depends_on_it(models: list[Model], table: str) -> None:
    warehouse = fresh(models)
    told = warehouse.plan(models, loading=[table])
    warehouse.load(table)
    plan = warehouse.plan(models)
    assert set(built(plan)) == set(built(told)) == rows_depend(models, {table})
    warehouse.walk(models, plan)
    assert built(warehouse.plan(models)) == []


@given(projects(), st.data())
def test_building_piece_by_piece_ends_as_building_at_once(models: list[Model], data: st.DataObject) -> None:
    warehouse = fresh(models)
    warehouse.load("raw")
    steps = 0
    for name in data.draw(st.permutations([m.name for m in models])):
        plan = warehouse.plan(models, frozenset({name}))
        assert set(built(plan)) <= {name}
        warehouse.walk(models, plan)
    while built(warehouse.plan(models)):
        warehouse.build(models)
        steps += 1
    assert steps <= 1


def test_thousands_of_models_are_planned_at_once() -> None:
    models = [model(f"m{n:04}", f"m{n - 1:04}" if n else "raw") for n in range(3000)]
    warehouse = fresh(models)
    warehouse.load("raw")
    assert len(built(warehouse.plan(models))) == 3000
