"""Reading what was loaded, from Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from bed import Bed
from penstock.app.dataset import Dataset
from penstock.app.parts import open_destination
from penstock.errors import LockHeldError, MissingPartError, NotFoundError, RefusedError
from penstock.ledger import LOAD_ID
from penstock.ports import Batches
from penstock.schema import types as t
from penstock.schema.arrow import arrow_schema
from penstock.schema.disposition import Disposition

EVIL = "'; DROP TABLE t; --"


def ids(relation: Any) -> list[int]:
    return [row[0] for row in relation.select("id").order_by("id").fetchall()]


def attached(con: Any) -> str:
    [(name,)] = con.execute(
        "SELECT database_name FROM duckdb_databases() WHERE database_name LIKE 'penstock%'"
    ).fetchall()
    return str(name)


# ------------------------------------------------------------------------------- whole tables


def test_a_table_in_every_form(dataset: Dataset) -> None:
    table = dataset["t"]
    assert table.columns == ("id", "place", "Größe")
    arrow = table.order_by("id").arrow()
    assert arrow.column("id").to_pylist() == [0, 1, 2, 3, 4, 5]
    assert table.df()["id"].sum() == 15
    assert table.polars()["Größe"].max() == 9.5
    assert sorted(table.fetchall())[0] == (0, "FR", 0.0)
    assert len(table.fetchmany(2)) == 2
    assert [b.num_rows for b in table.iter_arrow(4)] == [4, 2]


def test_what_there_is(dataset: Dataset) -> None:
    assert (dataset.tables, "t" in dataset, "x" in dataset, list(dataset)) == (("t",), True, False, ["t"])
    assert dataset.row_counts() == {"t": 6}
    assert len(dataset.load_ids) == 2
    assert dataset["t"].schema.name == "t"
    assert [(c.name, c.type) for c in dataset["t"].schema.columns] == [
        ("id", t.INT64),
        ("place", t.TEXT),
        ("Größe", t.FLOAT64),
    ]
    assert dataset["t"].select("Größe").schema.names == ("Größe",)


def test_an_empty_dataset(bed: Bed) -> None:
    dataset = bed.session().dataset()
    assert (dataset.tables, dataset.row_counts(), dataset.load_ids) == ((), {}, ())
    assert repr(dataset) == "dataset of `p`: 0 tables"
    with pytest.raises(NotFoundError, match="no table yet"):
        dataset["t"]


# --------------------------------------------------------------------------------- narrowing


@pytest.mark.parametrize(
    ("op", "value", "found"),
    [
        ("=", "DE", [1, 3]),
        ("eq", "DE", [1, 3]),
        ("!=", "DE", [0, 2, 5]),
        ("in", ["DE", EVIL], [1, 3, 5]),
        ("not in", ("DE", EVIL), [0, 2]),
        ("in", [], []),
        ("not_in", [], [0, 1, 2, 3, 4, 5]),
        ("=", None, [4]),
        ("<>", None, [0, 1, 2, 3, 5]),
        ("like", "%DROP%", [5]),
        ("ILIKE", "d%", [1, 3]),
        ("=", EVIL, [5]),
    ],
)
def test_where(dataset: Dataset, op: str, value: object, found: list[int]) -> None:
    assert ids(dataset["t"].where("place", op, value)) == found


def test_conditions_in_sql_have_parameters(dataset: Dataset) -> None:
    narrow = dataset["t"].where('"Größe" > ? AND id < ? -- a remark', parameters=[0.3, 4])
    assert ids(narrow.where("place", "=", "DE")) == [3]
    assert narrow.parameters == (0.3, 4)


def test_order_and_limit(dataset: Dataset) -> None:
    table = dataset["t"]
    by_place = table.order_by("place", "desc").order_by("id")
    assert [r[0] for r in by_place.fetchall()] == [0, 2, 1, 3, 5, 4]
    assert [r[0] for r in by_place.head(3).fetchall()] == [0, 2, 1]
    assert [r[0] for r in by_place.limit(3).limit(9).fetchall()] == [0, 2, 1]
    assert table.limit(0).arrow().num_rows == 0
    # what follows a limit sees what it left
    assert ids(by_place.head(3).where("place", "=", "DE")) == [1]
    assert [r[0] for r in by_place.head(3).order_by("id").fetchall()] == [0, 1, 2]
    assert by_place.head(3).max("id").fetchscalar() == 2


def test_values(dataset: Dataset) -> None:
    table = dataset["t"]
    assert (table.max("id").fetchscalar(), table.min("id").fetchscalar()) == (5, 0)
    assert table.where("place", "=", "DE").count().fetchscalar() == 2
    assert table.limit(4).count().fetchscalar() == 4
    assert table.count().columns == ("count",)
    assert table.max("id").where("id", ">", 9).fetchall() == []
    with pytest.raises(RefusedError, match="not one value"):
        table.fetchscalar()


def test_a_relation_is_not_changed_by_what_is_made_of_it(dataset: Dataset) -> None:
    table = dataset["t"]
    before = table.sql()
    table.where("id", ">", 3).order_by("id").limit(1).select("id")
    assert table.sql() == before == 'SELECT "id", "place", "Größe"\nFROM "t"'


def test_conditions_may_name_columns_that_are_not_selected(dataset: Dataset) -> None:
    assert dataset["t"].select("id").where("place", "=", "FR").order_by("Größe", "desc").fetchall() == [
        (2,),
        (0,),
    ]


def test_loads(dataset: Dataset) -> None:
    first, second = dataset.load_ids
    table = dataset["t"]
    assert ids(table.from_loads(first)) == [0, 1, 2, 3]
    assert ids(table.from_loads(first, second)) == [0, 1, 2, 3, 4, 5]
    assert table.with_load_id_col().columns == ("id", "place", "Größe", LOAD_ID)
    assert {r[1] for r in table.with_load_id_col().select("id", LOAD_ID).fetchall()} == {first, second}
    with pytest.raises(NotFoundError, match="did you mean"):
        table.from_loads(first[:-1] + "x")


# ----------------------------------------------------------------------------------- queries


def test_queries(dataset: Dataset) -> None:
    found = dataset.sql("SELECT place, count(*) AS n FROM t WHERE id < ? GROUP BY ALL; ", [4])
    assert found.columns == ("place", "n")
    assert found.where("n", "=", 2).order_by("place").fetchall() == [("DE", 2), ("FR", 2)]
    assert [str(c.type) for c in found.schema.columns] == ["text", "int64"]
    assert dataset.query("SELECT 1 AS one -- a remark").fetchscalar() == 1
    assert dataset["_penstock_files"].select("outcome").fetchall() == [("loaded",), ("loaded",)]


@pytest.mark.parametrize("sql", ["DROP TABLE t", "DELETE FROM t", "SELECT * FROM t; DROP TABLE t"])
def test_a_query_cannot_write(dataset: Dataset, sql: str) -> None:
    with pytest.raises(RefusedError):
        dataset.sql(sql).arrow()
    assert dataset.row_counts() == {"t": 6}


def test_unknown_names_are_told_with_what_is_near(dataset: Dataset) -> None:
    with pytest.raises(NotFoundError, match="did you mean '_penstock_loads'"):
        dataset["_penstock_load"]
    with pytest.raises(NotFoundError, match=r"found: `t`"):
        dataset["nothing"]
    for wrong in (lambda r: r.select("plac"), lambda r: r.where("plac", "=", 1), lambda r: r.max("plac")):
        with pytest.raises(NotFoundError, match="did you mean 'place'"):
            wrong(dataset["t"])
    with pytest.raises(NotFoundError, match="there is no table `u`"):
        dataset.sql("SELECT * FROM u")
    with pytest.raises(RefusedError, match="did you mean 'like'"):
        dataset["t"].where("place", "lik", "x")


# ------------------------------------------------------------------------ only complete loads


def test_an_open_load_is_not_seen(bed: Bed, dataset: Dataset) -> None:
    """Neither by whoever writes it, nor (DuckDB lets nobody in meanwhile) by others."""
    session = bed.session()
    writer = open_destination(session.loaded, "p")
    table_before = dataset["t"]
    table = table_before.schema
    more = pa.Table.from_pylist([{"id": 99, "place": "XX"}], arrow_schema(table))
    with writer.lock("p", "me"):
        load = writer.begin("p", "unfinished")
        load.shape(table, Disposition())
        load.write(table, Disposition(), Batches(more.schema, more.to_batches()))
        own = Dataset(lambda: _Shared(writer), "p")
        assert own.row_counts() == {"t": 6}
        assert "unfinished" not in own.load_ids
        if bed.project["destination"] == "duckdb:///w.duckdb":
            with pytest.raises(LockHeldError):
                dataset.row_counts()
            assert repr(table_before).endswith("-- this process has the database open elsewhere")
        else:
            assert ids(dataset["t"]) == [0, 1, 2, 3, 4, 5]
        load.rollback()
    writer.close()
    assert ids(dataset["t"]) == [0, 1, 2, 3, 4, 5]


class _Shared:
    """A destination that stays open when it is closed."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def close(self) -> None:
        """Stay open."""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_load_that_is_killed_at_its_commit(bed: Bed, dataset: Dataset, tmp_path: Path, when: str) -> None:
    """Before it, nothing of it is seen; after it, everything."""
    bed.drop("c.jsonl", {"id": 99, "place": "XX"})
    calls = tmp_path / "calls"
    shutil.copytree(bed.root, copy := tmp_path.with_name(tmp_path.name + "-copy"))
    _faulty(copy, "--calls", str(calls))
    number = next(line.split()[0] for line in calls.read_text().splitlines() if "transaction.commit" in line)
    assert _faulty(bed.root, "--kill-at", number, "--when", when) == -9
    late = [99] if when == "after" else []
    assert ids(dataset["t"]) == [0, 1, 2, 3, 4, 5, *late]
    bed.loads()
    assert ids(dataset["t"]) == [0, 1, 2, 3, 4, 5, 99]


def _faulty(root: Path, *options: str) -> int:
    command = [sys.executable, "-m", "penstock.testing.faults", "--ports", "destination", *options]
    return subprocess.run([*command, "--", "run", "-q", "-p", str(root)]).returncode


# ------------------------------------------------------------------------------------- views


def test_tables_are_views_of_ones_own_connection(bed: Bed, dataset: Dataset) -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE mine AS SELECT 4 AS id")
        assert dataset.views(con) == ("t",)
        assert con.execute("SELECT count(*) FROM t").fetchall() == [(6,)]
        assert con.execute('SELECT "Größe" FROM t JOIN mine USING (id)').fetchall() == [(9.5,)]
        bed.drop("c.jsonl", {"id": 6, "place": "IT"})
        if bed.project["destination"] == "duckdb:///w.duckdb":
            with pytest.raises(duckdb.Error, match="read-only"):
                con.execute(f"DELETE FROM {attached(con)}.t")
            return
        bed.loads()
        assert con.execute("SELECT count(*) FROM t").fetchall() == [(6,)]
        dataset.views(con)
        assert con.execute("SELECT count(*) FROM t").fetchall() == [(7,)]


def test_show_with_sql_works_on_each_destination(bed: Bed, dataset: Dataset) -> None:
    shown = subprocess.run(
        [
            sys.executable,
            "-m",
            "penstock",
            "show",
            "-p",
            str(bed.root),
            "--sql",
            "SELECT sum(id) AS s FROM t",
        ],
        capture_output=True,
        text=True,
    )
    assert shown.stdout == " s\n15\n"


# ---------------------------------------------------------------------------------- printing


def test_printing(dataset: Dataset) -> None:
    assert repr(dataset) == "dataset of `p`: 1 table\n  t  6 rows"
    assert repr(dataset["t"].order_by("id").where("id", "<", 2)) == (
        "   id  place    Größe\nint64  text   float64\n    0  FR         0.0\n    1  DE        0.25"
    )
    text = repr(dataset.sql("SELECT range AS n FROM range(12)"))
    assert text.endswith("\n    9\nthe first 10 rows")
    assert repr(dataset["t"].limit(0)).endswith("no rows")


def test_html_has_no_markup_of_the_data(dataset: Dataset) -> None:
    html = dataset.sql("SELECT '<b>&' AS \"<i>\"")._repr_html_()
    assert "<th>&lt;i&gt;<br><small>text</small></th>" in html
    assert "<td>&lt;b&gt;&amp;</td>" in html
    assert "<td>6</td>" in dataset._repr_html_()


@pytest.mark.parametrize(("package", "method"), [("pandas", "df"), ("polars", "polars")])
def test_a_package_that_is_missing_is_named(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, package: str, method: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPartError, match=f"pip install {package}"):
        getattr(dataset["t"], method)()
