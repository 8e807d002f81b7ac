"""The pure floors: keys, what is waiting, the steps that follow, the counts that must agree."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ConflictError, ExitCode, PenstockError, ReconcileError, suggest
from penstock.gate.verdict import Action, Finding, Verdict
from penstock.layers import land_key, parse_key, quote, slip_key, unquote
from penstock.ledger import Facts, LedgerFile, Waiting, reconcile, waiting
from penstock.plan import Clear, Judge, Keep, Land, Load, Offer, plan_after, plan_drain, plan_extract

ROW = LedgerFile("p", "t", "d/t/a", "00", 1, 5, "l", "loaded", 3, 1, 1, 1)


def wait(key: str, at: int = 1, *, land: bool = True, raw: bool = False) -> Waiting:
    return Waiting(key, "t", at, 10, land, raw, 0.0)


# ------------------------------------------------------------------------------------------ layers


def test_keys_have_the_agreed_form() -> None:
    key = land_key("open_data", "postcodes", 1534978800, "jsonl.gz", 2)
    assert key == "open_data/postcodes/file_land_timestamp=1534978800/postcodes_1534978800_2.jsonl.gz"
    parts = parse_key(key, "open_data")
    assert parts is not None
    assert (parts.table, parts.landed_at, parts.name) == ("postcodes", 1534978800, key.rpartition("/")[2])
    assert slip_key(key) == f"_penstock/{key}.json"


@pytest.mark.parametrize("key", ["d/t", "d/_x/a", "d/t/_hidden", "d/t/.hidden", "e/t/a", "d//a"])
def test_what_is_no_tables_file(key: str) -> None:
    assert parse_key(key, "d") is None


@given(st.text(min_size=1, max_size=12))
def test_any_table_name_is_one_path_segment_and_comes_back(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    segment = quote(name)
    assert "/" not in segment
    assert segment not in (".", "..")
    assert not segment.startswith(("_", "."))
    assert unquote(segment) == name


# ------------------------------------------------------------------------------------------ ledger


def test_waiting_is_what_the_ledger_does_not_know_in_landing_order() -> None:
    facts = Facts(files=(ROW,))
    found = [wait("d/t/c", 2), wait("d/t/b", 1), wait("d/t/a", 0, land=False, raw=True)]
    assert [w.key for w in waiting(facts, found)] == ["d/t/b", "d/t/c"]


def test_replayed_rows_do_not_make_a_file_done() -> None:
    facts = Facts(files=(replace(ROW, outcome="replayed"),))
    assert facts.done == frozenset()


def test_counts_must_agree() -> None:
    reconcile([ROW], {"t": 1})
    with pytest.raises(ReconcileError, match="do not add up"):
        reconcile([replace(ROW, loaded=2)], {"t": 2})
    with pytest.raises(ReconcileError, match="another number"):
        reconcile([ROW], {"t": 2})
    with pytest.raises(ReconcileError):
        reconcile([ROW], {})
    with pytest.raises(ReconcileError):
        reconcile([], {"t": 1})


# -------------------------------------------------------------------------------------------- plan


def test_every_file_is_judged_before_one_is_kept_and_kept_before_the_load() -> None:
    found = [wait("d/t/b", 2), wait("d/t/c", 1, land=False, raw=True), wait("d/t/a", 0)]
    plan = plan_drain("p", Facts(files=(ROW,)), found)
    assert plan.steps == (
        Clear("p", "t", "d/t/a"),
        Judge("p", "t", "d/t/c", 10),
        Judge("p", "t", "d/t/b", 10),
        Keep("p", "t", "d/t/b"),
        Load("p", ("t",), ("d/t/c", "d/t/b")),
    )


def test_nothing_to_do_is_no_steps() -> None:
    assert plan_drain("p", Facts(), []).steps == ()
    assert plan_extract("p", "d", [], 7, frozenset()).steps == ()


def offer(origin: str, table: str = "t") -> Offer:
    return Offer(table, origin, origin, "csv", 10, 0.0)


def test_new_files_get_keys_that_nothing_has() -> None:
    one = plan_extract("p", "d", [offer("x")], 7, frozenset())
    assert [s.key for s in one.steps if isinstance(s, Land)] == ["d/t/file_land_timestamp=7/t_7.csv"]
    taken = frozenset({"d/t/file_land_timestamp=7/t_7_1.csv"})
    two = plan_extract("p", "d", [offer("x"), offer("y"), offer("z", "u")], 7, taken)
    assert [s.key for s in two.steps if isinstance(s, Land)] == [
        "d/t/file_land_timestamp=7/t_7_0.csv",
        "d/t/file_land_timestamp=7/t_7_2.csv",
        "d/u/file_land_timestamp=7/u_7.csv",
    ]


@given(st.lists(st.sampled_from("tuv"), max_size=8), st.sets(st.integers(0, 9)))
def test_keys_never_collide(tables: list[str], taken: set[int]) -> None:
    used = frozenset(f"d/t/file_land_timestamp=7/t_7_{n}.csv" for n in taken)
    plan = plan_extract("p", "d", [offer(str(n), t) for n, t in enumerate(tables)], 7, used)
    keys = [s.key for s in plan.steps if isinstance(s, Land)]
    assert len(keys) == len(set(keys)) == len(tables)
    assert not used & set(keys)


def test_what_is_extracted_is_drained() -> None:
    extract = plan_extract("p", "d", [offer("x")], 7, frozenset())
    kinds = [type(step).__name__ for step in plan_after("p", extract).steps]
    assert kinds == ["Judge", "Keep", "Load"]


# ----------------------------------------------------------------------------------------- verdict


def test_the_strongest_finding_decides() -> None:
    verdict = Verdict("k", "t", 1, 1, 0, 0)
    assert verdict.passed
    noted = replace(verdict, findings=(Finding("a", Action.ALLOW, ""),))
    assert noted.passed
    worse = replace(verdict, findings=(Finding("a", Action.QUARANTINE, ""), Finding("b", Action.DROP, "")))
    assert (worse.action, worse.passed) == (Action.QUARANTINE, False)


# ------------------------------------------------------------------------------------------ errors


def test_an_error_renders_its_facts_and_survives_pickling() -> None:
    import pickle

    error = ConflictError("what", where="here", found="this", expected="that", hint="mend it")
    assert str(error) == "what\n  where: here\n  found: this\n  expected: that\n  hint: mend it"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.exit_code) == (ConflictError, str(error), ExitCode.REFUSED)
    assert str(PenstockError("only what")) == "only what"


def test_suggestions_are_near_or_none() -> None:
    assert suggest("pipelins", ["pipelines", "layers"]) == "did you mean 'pipelines'?"
    assert suggest("zzz", ["pipelines"]) is None
