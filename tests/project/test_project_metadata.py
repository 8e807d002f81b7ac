"""What may stand behind `metadata:` of a table: files of every format, parts of them, and models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from penstock.app.files import load_project
from penstock.errors import ProjectError
from penstock.project.loaded import LoadedProject

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: shop
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true}
  - name: people
    properties:
      - {name: email, logicalType: string, classification: restricted}
"""
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"at": {"type": "string", "format": "date-time"}},
    "required": ["at"],
}
MODEL = """\
from pydantic import BaseModel


class Visit(BaseModel):
    page: str
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name, text in {
        "shop.odcs.yaml": CONTRACT,
        "events.json": json.dumps(SCHEMA),
        "shapes_of_a_shop.py": MODEL,
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def load(root: Path, **tables: str) -> LoadedProject:
    lines = "".join(f"      {name}: {{metadata: '{where}'}}\n" for name, where in tables.items())
    text = f"name: shop\npipelines:\n  a:\n    source: {{type: land}}\n    tables:\n{lines}"
    (root / "penstock.yml").write_text(text)
    return load_project(root, env={})


def test_every_kind_of_metadata(shop: Path) -> None:
    loaded = load(
        shop,
        sales="shop.odcs.yaml#orders",
        people="shop.odcs.yaml#people",
        events="events.json",
        visits="shapes_of_a_shop.py:Visit",
    )
    assert loaded.table("a", "sales").primary_key == ("id",)
    assert loaded.table("a", "sales").name == "sales"
    assert loaded.table("a", "people").columns[0].sensitive
    assert str(loaded.table("a", "events").columns[0].type) == "timestamp_tz"
    assert loaded.table("a", "visits").names == ("page",)


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("shop.odcs.yaml", "describes 2 tables"),
        ("shop.odcs.yaml#order", "did you mean 'orders'?"),
        ("shapes_of_a_shop.py:BaseModle", "did you mean 'BaseModel'?"),
        ("gone.yml#a", "is not there"),
    ],
)
def test_what_is_not_there_is_told(shop: Path, where: str, told: str) -> None:
    with pytest.raises(ProjectError) as caught:
        load(shop, orders=where)
    assert told in str(caught.value)


def test_a_wrong_contract_is_told_with_its_line(shop: Path) -> None:
    (shop / "shop.odcs.yaml").write_text(CONTRACT.replace("integer", "integr"))
    with pytest.raises(ProjectError) as caught:
        load(shop, orders="shop.odcs.yaml#orders")
    assert caught.value.where == "shop.odcs.yaml:9 (orders.id.logicalType)"
    assert caught.value.hint == "did you mean 'integer'?"
