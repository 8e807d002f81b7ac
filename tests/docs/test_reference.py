"""The pages that are made from the code have everything that the code has."""

from __future__ import annotations

import re
import sys

import pytest
from page import ROOT

from penstock import errors
from penstock.destinations.ledger_rows import SCHEMAS
from penstock.destinations.model_rows import COLUMNS as MODEL_COLUMNS
from penstock.destinations.run_rows import COLUMNS
from penstock.ledger import MODELS_TABLE
from penstock.project.json_schema import json_schema
from penstock.project.tables import RULES


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """The generated pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(ROOT / "docs" / "_build"), *sys.path])
        from reference import pages

        return pages()


def _headings(text: str) -> set[str]:
    return set(re.findall(r"^#{2,3} (.+)$", text, re.MULTILINE))


def test_every_command_has_its_section(made: dict[str, str]) -> None:
    golden = ROOT / "tests" / "golden" / "cli" / "help.txt"
    listed = re.findall(r"^  (\w+)  ", golden.read_text().partition("Commands:")[2], re.MULTILINE)
    assert "run" in listed
    found = {heading.split()[1] for heading in _headings(made["reference/commands.md"])}
    assert found == set(listed)
    assert "--as-of TIME" in made["reference/commands.md"]


def test_every_key_of_the_project_file_is_there(made: dict[str, str]) -> None:
    schema = json_schema()
    definitions = {n: d for n, d in schema["$defs"].items() if not n.endswith("Overlay")}
    keys = {k for d in [schema, *definitions.values()] for k in d.get("properties", ())}
    assert "dedup_sort" in keys
    assert not {k for k in keys if f"`{k}`" not in made["reference/project.md"]}


def test_every_error_is_there(made: dict[str, str]) -> None:
    kinds = [n for n, kind in vars(errors).items() if isinstance(kind, type) and n.endswith("Error")]
    assert not {n for n in kinds if n not in made["reference/errors.md"]}
    assert all(f"| `{int(code)}` |" in made["reference/errors.md"] for code in errors.ExitCode)


def test_every_ledger_column_and_rule_is_there(made: dict[str, str]) -> None:
    assert _headings(made["reference/ledger.md"]) == {*SCHEMAS, *COLUMNS, MODELS_TABLE}
    columns = {field.name for schema in SCHEMAS.values() for field in schema}
    columns |= {name for names in (*COLUMNS.values(), MODEL_COLUMNS) for name in names}
    assert not {c for c in columns if f"`{c}`" not in made["reference/ledger.md"]}
    assert not {rule for rule in RULES if f"`{rule}`" not in made["reference/rules.md"]}


def test_ports_are_described(made: dict[str, str]) -> None:
    assert {"Store", "Source", "Destination", "Transaction"} <= _headings(made["reference/python.md"])
    assert "def adopt(self, source: Store" in made["reference/python.md"]
