"""A Singer target against the conformance suite: a target whose tables can be read back by the test."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote as urlquote

import pyarrow as pa
import pytest

from penstock.destinations import duckdb_ledger as ledger
from penstock.destinations.columns import field_names
from penstock.destinations.convert import ddl, quote
from penstock.destinations.engine import Limits, connect, explained, table_of
from penstock.destinations.ledger_rows import Shape
from penstock.destinations.singer_target.destination import SingerTargetDestination
from penstock.errors import RefusedError
from penstock.ledger import LOAD_ID
from penstock.project.singer_target import SingerTargetSpec
from penstock.schema import types as t
from penstock.schema.disposition import Disposition
from penstock.schema.types import BINARY, JSON, TEXT, DataType, List, Struct, is_nested
from penstock.testing.destination import APPEND, MERGE, REPLACE, DestinationSuite, Factory, Row, table

pytestmark = pytest.mark.slow
MIRROR = Path(__file__).with_name("mirror_target.py")


class Readable(SingerTargetDestination):
    """The mirror target, with what it keeps as tables of the types that the ledger says they have."""

    def query(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The answer of a query of the ledger, or of the mirror's tables."""
        try:
            return super().query(sql, parameters)
        except RefusedError as error:
            if "takes rows and gives none" not in error.what:
                raise
        with self._reading() as con:
            shapes = ledger.shapes(con)
        memory = connect(":memory:", Limits().settings() | {"python_enable_replacements": "false"})
        for name, shape in shapes.items():
            self._show(memory, name, shape)
        memory.execute("BEGIN TRANSACTION READ ONLY")
        with explained("the mirror"):
            return table_of(memory, sql, parameters)

    def _show(self, con: Any, name: str, shape: Shape) -> None:
        columns = [(s.stored_as, s.type) for s in shape.layout or ()]
        definitions = [*(f"{quote(n)} {ddl(kind)}" for n, kind in columns), f"{quote(LOAD_ID)} VARCHAR"]
        con.execute(f"CREATE TABLE {quote(name)} ({', '.join(definitions)})")
        path = self._root / "out" / f"{urlquote(name, safe='')}.json"
        kept = json.loads(path.read_text())["rows"] if path.exists() else []
        records = [r["record"] for r in kept]
        names = [*(n for n, _ in columns), LOAD_ID]
        kinds = [*(kind for _, kind in columns), TEXT]
        texts = {
            f"c{i}": pa.array([written(r.get(n), kinds[i]) for r in records], pa.string())
            for i, n in enumerate(names)
        }
        values = [read(f"c{i}", kind) for i, (_, kind) in enumerate(columns)] + [f"c{len(columns)} ->> '$'"]
        con.register("incoming", pa.table(texts))
        con.execute(f"INSERT INTO {quote(name)} SELECT {', '.join(values)} FROM incoming")
        con.unregister("incoming")


def written(value: Any, kind: DataType) -> str | None:
    """A value as JSON text, its fields called as DuckDB would call them."""
    return None if value is None else json.dumps(renamed(value, kind))


def renamed(value: Any, kind: DataType) -> Any:
    if isinstance(kind, Struct) and kind.fields and isinstance(value, dict):
        names, kinds = field_names(kind), dict(kind.fields)
        return {names[n]: renamed(value.get(n), kinds[n]) for n in names}
    if isinstance(kind, List) and isinstance(value, list):
        return [renamed(v, kind.item) for v in value]
    return value


def read(column: str, kind: DataType) -> str:
    """SQL for the value of a type behind a JSON text."""
    if is_nested(kind):
        return f"CAST(CAST({column} AS JSON) AS {ddl(kind)})"
    text = f"({column} ->> '$')"
    if kind == BINARY:
        return f"from_base64({text})"
    return f"CAST({text} AS {'JSON' if kind == JSON else ddl(kind)})"


NO_MESSAGE = "never: Singer's messages know appends, updates by key, and versions of whole tables"
NO_ANSWER = "never: a target takes rows and gives none"
NO_NUMBER = "never: JSON has no NaN and no infinity, and a target has no other way to be told"
TOLD = [n for n in DestinationSuite.NONSENSE if not (n[1].merge_key and n[0] in ("`nosuch`", "merge key"))]


class TestSingerTarget(DestinationSuite):
    gaps: ClassVar[Mapping[str, str]] = {
        "test_scd2_keeps_every_version": NO_MESSAGE,
        "test_scd2_of_one_key_leaves_the_others": NO_MESSAGE,
        "test_scd2_takes_an_empty_load_for_an_empty_table": NO_MESSAGE,
        "test_scd2_sees_one_snapshot_in_all_writes_of_a_load": NO_MESSAGE,
        "test_scd2_with_names_and_an_end_of_ones_own": NO_MESSAGE,
        "test_scd2_by_a_version_of_ones_own": NO_MESSAGE,
        "test_scd2_growth_makes_no_versions": NO_MESSAGE,
        "test_scd2_tells_rows_apart_that_look_alike": NO_MESSAGE,
        "test_scd2_of_a_table_that_had_no_versions": NO_MESSAGE,
        "cdc": NO_MESSAGE,
        "overwrite": NO_MESSAGE,
        "child tables": NO_MESSAGE,
        "test_merge_newest_row_wins": NO_MESSAGE,
        "test_merge_rows_without_the_sort_column_are_oldest": NO_MESSAGE,
        "test_hostile_column_names": NO_MESSAGE,
        "test_rows_that_did_not_change_stay_those_of_their_load": NO_MESSAGE,
        "test_a_version_tells_what_did_not_change": NO_MESSAGE,
        "test_one_of_several_rows_of_a_key_that_changed_is_enough": NO_MESSAGE,
        "test_a_scope_is_emptied_by_nothing": NO_MESSAGE,
        "test_a_scope_that_is_no_condition_is_refused": NO_MESSAGE,
        "test_deletes_remove_the_row_of_their_key": NO_MESSAGE,
        "test_deletes_that_are_older_do_nothing": NO_MESSAGE,
        "test_what_means_deleted": NO_MESSAGE,
        "test_batches_without_the_delete_column_delete_nothing": NO_MESSAGE,
        "test_delete_insert_replaces_all_rows_of_a_merge_key": NO_MESSAGE,
        "test_delete_insert_keeps_nothing_of_the_old_row": NO_MESSAGE,
        "test_delete_insert_by_a_group_that_lost_its_only_row_to_a_newer_one": NO_MESSAGE,
        "test_insert_only_changes_nothing_that_is_there": NO_MESSAGE,
        "test_random_loads_equal_the_oracle": NO_ANSWER,
        "test_keys_see_what_waits": NO_ANSWER,
        "test_keys_as_the_load_sees_them": NO_ANSWER,
        "test_hostile_table_names": NO_ANSWER,
        "test_clashes_are_keys_of_earlier_loads": NO_ANSWER,
        "test_integers_that_no_float_holds_are_not_rounded": NO_ANSWER,
        "test_widening_of_stored_values": "never: a target does as it likes with the rows that it has",
        "test_narrower_values_fit_a_wider_column": "notyet: the same values, but texts end in zeros",
        "test_floats_that_are_not_numbers_survive_widening": NO_NUMBER,
        "test_every_type_round_trips": NO_NUMBER,
        "test_not_a_number_round_trips": NO_NUMBER,
        "test_rows_that_do_not_fit_leave_nothing": "notyet: the target judges texts of UUIDs and JSON",
    }

    @pytest.mark.parametrize(("words", "disposition"), TOLD)
    def test_nonsense_is_refused(self, fresh: Factory, words: str, disposition: Disposition) -> None:
        """As everywhere, but for strategies that are refused before their columns are looked at."""
        super().test_nonsense_is_refused(fresh, words, disposition)

    @pytest.mark.parametrize("words", ["append", "replace", "upsert"])
    def test_random_loads(self, fresh: Factory, words: str) -> None:
        """Loads of random rows leave what a dictionary says they must."""
        of, rng = table("t", id=t.INT64, n=t.INT64), random.Random(words)
        disposition = {"append": APPEND, "replace": REPLACE, "upsert": MERGE}[words]
        expected: list[Row] = []
        for number in range(6):
            rows = [{"id": rng.randrange(20), "n": rng.randrange(1000)} for _ in range(rng.randrange(30))]
            self.load(fresh, f"L{number}", (of, disposition, rows))
            expected = rows if words == "replace" else expected + rows
            if words == "upsert":
                expected = list({row["id"]: row for row in expected}.values())
            time.sleep(0.002)  # versions are milliseconds
        order = "id, n"
        found = self.rows(fresh, "t", order)
        assert found == sorted(expected, key=lambda row: (row["id"], row["n"]))

    @pytest.fixture
    def destination_factory(self, tmp_path: Path) -> Factory:
        spec = SingerTargetSpec(
            target="mirror",
            executable=f"{sys.executable} {MIRROR}",
            writes=("append", "merge", "replace"),
            config={"folder": str(tmp_path / "out")},
        )
        return lambda: Readable(spec, tmp_path)
