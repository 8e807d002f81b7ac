"""What a Python file says of its model is read without running it."""

from __future__ import annotations

import pytest

from penstock.errors import ProjectError
from penstock.project.positions import Positions
from penstock.project.python_model import PythonModel, python_model

HEAD = "import penstock as ps\nraise RuntimeError('this must not run')\n"


def read(body: str, head: str = HEAD) -> PythonModel:
    found = python_model(head + body, "m.py")
    assert found is not None
    return found


def test_words_reads_and_lines() -> None:
    found = read(
        '@ps.model(\n    materialized="incremental",\n    primary_key=["id"],\n    columns={"id": "int64"},\n'
        '    gate={"min_rows": 1, "expectations": [{"name": "a", "constraint": "id > -1"}]},\n)\n'
        "def m(orders, people, *, prices, rate=2):\n    return orders\n"
    )
    assert found.words.plain() == {
        "materialized": "incremental",
        "primary_key": ["id"],
        "columns": {"id": "int64"},
        "gate": {"min_rows": 1, "expectations": [{"name": "a", "constraint": "id > -1"}]},
    }
    assert (found.reads, found.line, found.dynamic) == (("orders", "people", "prices"), 9, False)
    where = Positions(found.words).where
    assert where(("primary_key",)) == "m.py:5 (primary_key)"
    assert where(("gate", "expectations", 0, "name")) == "m.py:7 (gate.expectations[0].name)"


def test_the_docstring_describes_the_model_unless_a_word_does() -> None:
    body = 'def m(a):\n    """What it\n    holds.\n\n    And more."""\n'
    assert read(f"@ps.model\n{body}").words.plain() == {"description": "What it holds."}
    assert read(f"@ps.model(description='x')\n{body}").words.plain() == {"description": "x"}


@pytest.mark.parametrize(
    "head",
    [
        "import penstock\nfrom penstock import model\nps = penstock\n@model\n",
        "from penstock import model as table\n@table()\n",
        "import penstock\n@penstock.model(tags=['a'])\n",
        "from penstock.models.function import model\n@model\n",
    ],
)
def test_the_decorator_under_other_names(head: str) -> None:
    assert read("def m(a): ...\n", head).reads == ("a",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1",
        "import penstock as ps\n@ps.resource\ndef model(): ...",
        "from sklearn import model\n@model\ndef m(): ...",
    ],
)
def test_files_without_a_model(text: str) -> None:
    assert python_model(text, "m.py") is None


def test_a_parameter_may_mean_another_relation() -> None:
    found = read('@ps.model(reads={"a": "sales.orders", "b": "sales.orders"})\ndef m(a, b, c): ...\n')
    assert found.reads == ("sales.orders", "c")


@pytest.mark.parametrize("words", ["tags=TAGS", "**COMMON", "lookback=1 << 3", "cursor=f'{x}'", "tags={'a'}"])
def test_computed_words_are_told_by_the_run_alone(words: str) -> None:
    assert read(f"@ps.model({words})\ndef m(a): ...\n").dynamic


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "@ps.model\ndef a(): ...\n@ps.model\ndef b(): ...\n",
            "a file holds one model, which is called as the file",
        ),
        ("@ps.model\nasync def a(): ...\n", "a model is a plain function\n  where: m.py:4"),
        ("@ps.model\ndef a(*tables): ...\n", "no relation can be given for `tables`\n  where: m.py:4"),
        ("@ps.model\ndef a(b, /): ...\n", "no relation can be given for `b`"),
        ("@ps.model('table')\ndef a(): ...\n", "the words of a model are given by name"),
        ("@ps.model(reads={'ordrs': 'x'})\ndef a(orders): ...\n", "did you mean 'orders'?"),
        ("@ps.model(reads=['x'])\ndef a(x): ...\n", "`reads` is no mapping"),
        ("@ps.model\ndef a(:\n", "this is not Python"),
    ],
)
def test_what_cannot_be_a_model(body: str, message: str) -> None:
    with pytest.raises(ProjectError) as caught:
        python_model(HEAD + body, "m.py")
    assert message in str(caught.value)
