"""Types by convention, and columns for values of another type: as a table's options say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.ports import Block
from run.makers import Mill


def mill(folder: Path, **options: Any) -> Mill:
    return Mill(folder, f"    tables: {{t: {json.dumps(options)}}}\n")


def types(found: Mill) -> dict[str, str]:
    rows = found.sql("SELECT column_name, column_type FROM (DESCRIBE t)")
    return {name: kind for name, kind in rows if not name.startswith("_penstock")}


TIMES = [{"seen": 1_700_000_000, "n": 7, "day": "2024-01-02"}, {"seen": None, "n": 8, "day": "2024-02-29"}]


def test_numbers_stay_numbers_unless_asked(tmp_path: Path) -> None:
    found = mill(tmp_path)
    assert found.run(Block("t", TIMES)).error is None
    assert types(found) == {"seen": "BIGINT", "n": "BIGINT", "day": "DATE"}


def test_numbers_that_are_all_instants_get_their_type(tmp_path: Path) -> None:
    """In the load that finds it out and in those after it."""
    found = mill(tmp_path, detect="timestamp")
    for more in (0, 60):
        rows = [{**row, "seen": row["seen"] and row["seen"] + more} for row in TIMES]  # type: ignore[operator]
        assert found.run(Block("t", rows)).error is None
    assert types(found) == {"seen": "TIMESTAMP WITH TIME ZONE", "n": "BIGINT", "day": "DATE"}
    assert found.sql("SELECT epoch(seen)::BIGINT FROM t WHERE seen IS NOT NULL ORDER BY 1") == [
        1_700_000_000, 1_700_000_060,
    ]  # fmt: skip


def test_a_convention_that_breaks_later_makes_a_text(tmp_path: Path) -> None:
    found = mill(tmp_path, detect="timestamp")
    assert found.run(Block("t", TIMES)).error is None
    assert found.run(Block("t", [{"seen": "soon"}])).error is None
    assert types(found)["seen"] == "VARCHAR"
    assert "soon" in found.sql("SELECT seen FROM t")


@pytest.mark.parametrize("apart", [False, True])
def test_values_of_another_type_get_a_column_of_their_own(tmp_path: Path, apart: bool) -> None:
    """Whether they come in the same file or in a later one."""
    found = mill(tmp_path, variants=True)
    first, second = [{"v": 1, "w": 5}], [{"v": "x", "w": 6}, {"v": 2, "w": 7.5}, {"v": None, "w": None}]
    if apart:
        assert found.run(Block("t", first)).error is None
        assert found.run(Block("t", second)).error is None
    else:
        assert found.run(Block("t", [*first, {"v": 9, "w": 9}])).error is None
        assert found.run(Block("t", second), Block("t", [{"v": "y", "w": 8}])).error is None
    told = types(found)
    assert (told["v"], told["w"]) == ("BIGINT", "BIGINT")
    assert (told["v__v_text"], told["w__v_double"]) == ("VARCHAR", "DOUBLE")
    rows = found.sql(
        "SELECT v, v__v_text, w, w__v_double FROM t WHERE v__v_text = 'x' OR w__v_double > 0 ORDER BY 1"
    )
    assert rows == [(2, None, None, 7.5), (None, "x", 6, None)]


def test_declared_columns_are_left_to_their_contract(tmp_path: Path) -> None:
    found = mill(tmp_path, variants=True, columns={"v": "int64"})
    result = found.run(Block("t", [{"v": 1}, {"v": "x"}]))
    assert result.error is None
    assert result.tables[0].quarantined == 1
    assert types(found) == {"v": "BIGINT"}
