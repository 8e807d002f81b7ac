"""Every way to end: what is said, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from scripted import SECRET, Outcome, ScriptedSession

from penstock import errors
from penstock.schema.faults import combine

FAMILIES = [
    (errors.ProjectError, 1),
    (errors.GateError, 1),
    (errors.NotFoundError, 1),
    (errors.UsageError, 2),
    (errors.StoreError, 3),
    (errors.LockHeldError, 3),
    (errors.UncertainError, 4),
]


@pytest.mark.parametrize(("kind", "code"), FAMILIES)
def test_errors_have_their_words_and_codes(
    kind: type[errors.PenstockError], code: int, penstock: Callable[..., Outcome], session: ScriptedSession
) -> None:
    session.answers["status"] = kind("it is so", where="here", found="this", expected="that", hint="do it")
    told = penstock("status")
    assert told.code == code
    assert told.out == ""
    assert told.err == "error: it is so\n  where: here\n  found: this\n  expected: that\n  hint: do it\n"
    assert session.closed


def test_an_error_before_the_project_is_open(
    penstock: Callable[..., Outcome], session: ScriptedSession
) -> None:
    session.answers["open"] = errors.ProjectError("no project", hint="penstock init makes one")
    assert penstock("run") == Outcome(1, "", "error: no project\n  hint: penstock init makes one\n")


def test_secrets_are_taken_out(penstock: Callable[..., Outcome], session: ScriptedSession) -> None:
    session.answers["status"] = errors.StoreError("no access", where=f"s3://key:{SECRET}@bucket")
    told = penstock("status", "--json")
    assert "s3://key:***@bucket" in told.err
    assert json.loads(told.out)["error"]["where"] == "s3://key:***@bucket"
    assert SECRET not in told.out + told.err


def test_errors_as_json(penstock: Callable[..., Outcome], session: ScriptedSession) -> None:
    session.answers["status"] = errors.NotFoundError("no pipeline `a`", hint="did you mean 'b'?")
    told = penstock("status", "a", "--json")
    assert json.loads(told.out) == {
        "error": {
            "kind": "NotFoundError",
            "what": "no pipeline `a`",
            "where": None,
            "found": None,
            "expected": None,
            "hint": "did you mean 'b'?",
            "exit_code": 1,
            "faults": [],
        }
    }
    assert told.err.startswith("error: no pipeline `a`")


def test_many_errors_at_once(penstock: Callable[..., Outcome], session: ScriptedSession) -> None:
    faults = [errors.ProjectError(what, where=f"penstock.yml:{line}") for line, what in enumerate("ab", 1)]
    session.answers["open"] = combine(faults, "`penstock.yml`")
    told = penstock("check")
    assert told.err == (
        "error: `penstock.yml` has 2 errors\n"
        " 1 a\n     where: penstock.yml:1\n 2 b\n     where: penstock.yml:2\n"
    )
    # an error before the project is open is told as JSON, too
    document = json.loads(penstock("check", "--json").out)
    assert [(fault["what"], fault["where"]) for fault in document["error"]["faults"]] == [
        ("a", "penstock.yml:1"),
        ("b", "penstock.yml:2"),
    ]


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), errors.BugError("a broken promise")])
def test_our_own_bugs(error: Exception, penstock: Callable[..., Outcome], session: ScriptedSession) -> None:
    session.answers["status"] = error
    told = penstock("status")
    assert (told.code, told.out) == (70, "")
    assert str(error) in told.err
    assert "this is a bug in Penstock" in told.err
    assert "Traceback" not in told.err


def test_where_a_bug_is(
    penstock: Callable[..., Outcome], session: ScriptedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.answers["status"] = ZeroDivisionError(f"by {SECRET}")
    after = penstock("status", "--debug")
    before = penstock("--debug", "status")
    monkeypatch.setenv("PENSTOCK_DEBUG", "1")
    for told in (after, before, penstock("status")):
        assert told.code == 70
        assert "Traceback (most recent call last)" in told.err
        assert "ZeroDivisionError: by ***" in told.err
        assert SECRET not in told.err


def test_a_socket_that_breaks_is_no_reader_that_left(
    penstock: Callable[..., Outcome], session: ScriptedSession
) -> None:
    session.answers["run"] = BrokenPipeError(32, "Broken pipe")
    assert penstock("run").code == 70


def test_stopped_by_hand(penstock: Callable[..., Outcome], session: ScriptedSession) -> None:
    session.answers["run"] = KeyboardInterrupt()
    assert penstock("run") == Outcome(130, "", "stopped; nothing is lost: run again\n")
    assert session.closed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rum",), "'run'"),
        (("run", "--jsn"), "--json"),
        (("run", "--wait", "soon"), "--wait"),
        (("run", "--wait", "-1"), "--wait"),
        (("quarantine", "show"), "WHAT"),
        (("generate", "--format", "xml"), "jsonl.gz"),
        (("generate", "--rows", "0"), "--rows"),
        (("show", "orders", "--sql", "select 1"), "cannot both"),
        (("rebuild", "--as-of", "yesterday"), "--as-of yesterday"),
    ],
)
def test_wrong_usage(
    arguments: tuple[str, ...], said: str, penstock: Callable[..., Outcome], session: ScriptedSession
) -> None:
    told = penstock(*arguments)
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("error: ")
    assert said in told.err
    assert session.asked == []


def test_usage_says_where_help_is(penstock: Callable[..., Outcome]) -> None:
    assert penstock("quarantine", "show").err.splitlines()[-1] == (
        "  hint: penstock quarantine show --help shows what it takes"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["generate", "--json"]])
def test_a_reader_that_left_is_no_error(arguments: list[str]) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "penstock", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    run.stdout.close()
    assert run.stderr is not None
    assert run.stderr.read() == ""
    run.stderr.close()
    assert run.wait(timeout=60) == 0
