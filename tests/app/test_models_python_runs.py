"""Python models on real warehouses: in every form, beside SQL, and built again when they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from bed import Bed

FORMS = {
    "as_arrow": ("import pyarrow as pa", "pa.Table", "t"),
    "as_pandas": ("import pandas as pd", "pd.DataFrame", "t"),
    "as_polars": ("import polars as pl", "pl.DataFrame", "t"),
    "as_lazy": ("import polars as pl", "pl.LazyFrame", "t.filter(pl.col('v') > 0)"),
}


def write(root: Path, name: str, text: str) -> None:
    (root / "models").mkdir(exist_ok=True)
    (root / "models" / name).write_text(text)


@pytest.fixture
def shop(tmp_path: Path) -> Bed:
    """A table of two rows, and a folder of models."""
    bed = Bed(tmp_path, models="models/")
    (bed.root / "models").mkdir()
    bed.drop("a.jsonl", {"id": 1, "v": 3}, {"id": 2, "v": 5})
    return bed


def builds(bed: Bed) -> dict[str, str]:
    """Every model, and what became of it."""
    result = bed.session().run([], lambda event: None)
    assert not [m.error for m in result.models if m.error]
    return {m.model: m.status.value for m in result.models}


def test_rows_pass_through_in_every_form(shop: Bed) -> None:
    for name, (imports, form, given) in FORMS.items():
        text = f"from __future__ import annotations\nimport penstock as ps\n{imports}\n@ps.model\n"
        write(shop.root, f"{name}.py", f"{text}def f(t: {form}) -> {form}:\n    return {given}\n")
    write(shop.root, "total.sql", "SELECT sum(v) AS v FROM (FROM as_lazy UNION ALL BY NAME FROM as_pandas)")
    assert set(builds(shop).values()) == {"built"}
    for name in FORMS:
        assert shop.values("id, v", name) == [(1, 3), (2, 5)]
    assert shop.values("v", "total") == [16]


DOUBLED = """
import penstock as ps
from rates_of_bed import by

@ps.model(primary_key="id")
def f(t):
    return t.set_column(t.column_names.index("v"), "v", by(t.column("v")))
"""
RATES = "import pyarrow.compute as pc\ndef by(v):\n    return pc.multiply(v, {rate})\n"


def test_a_python_model_is_built_again_when_what_it_imports_changes(shop: Bed) -> None:
    write(shop.root, "doubled.py", DOUBLED)
    write(shop.root, "rates_of_bed.py", RATES.format(rate=2))
    assert builds(shop) == {"doubled": "built"}
    assert shop.values("v", "doubled") == [6, 10]
    assert builds(shop) == {"doubled": "unchanged"}
    write(shop.root, "rates_of_bed.py", RATES.format(rate=3))
    assert builds(shop) == {"doubled": "built"}


def test_a_folder_of_models_may_be_called_logs(shop: Bed) -> None:
    (shop.root / "models" / "logs").mkdir()
    write(shop.root, "logs/a.sql", "SELECT 1 AS v")
    assert builds(shop) == {"a": "built"}
    write(shop.root, "logs/a.sql", "SELECT 2 AS v")
    assert builds(shop) == {"a": "built"}
    assert shop.values("v", "a") == [2]
