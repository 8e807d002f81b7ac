"""Sources of dlt from beginning to end: landed, checked, kept, and loaded exactly once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("dlt", reason="dlt is not installed: pip install 'penstock[dlt]'")

import dlt
import pyarrow as pa
import pydantic
from dlt.common.wei import Wei
from dlt_api import Api
from dlt_workshop import IMPORTS, STEP_FIVE, STEP_SIX, STEPS_TWO_TO_FOUR

import penstock as ps
import penstock.dlt as face
from penstock.app.pipeline import pipeline as engine
from penstock.errors import OutsideError
from penstock.report.facts import PipelineResult


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def query(sql: str, file: str = "shop.duckdb") -> list[dict[str, Any]]:
    import duckdb

    with duckdb.connect(file, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.sql(sql).to_arrow_table().to_pylist()


def loaded(result: PipelineResult) -> int:
    return sum(table.loaded for table in result.tables)


def shop() -> Any:
    return face.pipeline("shop", destination="duckdb", dataset_name="sales")


@dlt.resource(primary_key="id", write_disposition="merge")
def orders(
    rows: list[dict[str, Any]],
    seen: Any = dlt.sources.incremental("seen", initial_value=datetime(2024, 1, 1, tzinfo=UTC)),  # noqa: B008
) -> Iterator[Any]:
    yield [row for row in rows if row["seen"] >= seen.last_value]


def order(number: int, day: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "seen": datetime(2024, 1, day, tzinfo=UTC), **more}


def test_a_merge_goes_on_where_it_was(here: Path) -> None:
    rows = [order(1, 1, tags=["a"]), order(2, 2, tags=[])]
    assert loaded(shop().run(orders(rows))) == 2
    rows = [*rows, order(1, 3, tags=["b", "c"]), order(3, 3, tags=["d"])]
    assert loaded(shop().run(orders(rows))) == 2
    found = query("select id, seen, tags from sales.orders order by id")
    assert found == [rows[2], rows[1], rows[3]]
    assert loaded(shop().run(orders(rows))) == 0
    state = shop().state["sources"]["shop"]["resources"]["orders"]["incremental"]["seen"]
    assert state["last_value"] == datetime(2024, 1, 3, tzinfo=UTC)
    assert len(state["unique_hashes"]) == 2


def test_the_state_is_at_the_destination(here: Path) -> None:
    shop().run(orders([order(1, 1), order(2, 2)]))
    shutil.rmtree(here / ".penstock", ignore_errors=True)
    shutil.rmtree(here / "data" / "land", ignore_errors=True)
    shop().run(orders([order(2, 2), order(3, 2)]))
    assert [row["id"] for row in query("select id from sales.orders order by id")] == [1, 2, 3]


def test_values_of_all_kinds_arrive_as_they_were(here: Path) -> None:
    row = {
        "instant": datetime(2024, 1, 1, 12, 30, 0, 123456, tzinfo=UTC),
        "day": date(2024, 1, 1),
        "exact": Decimal("12.50"),
        "many": Wei(12),
        "bytes": b"\x00\xff",
        "nested": {"list": [1, 2], "text": "x"},
    }
    shop().run([row], table_name="kinds")
    [found] = query("select * exclude (_penstock_load_id) from sales.kinds")
    assert found == {**row, "many": 12}


def test_columns_that_were_declared(here: Path) -> None:
    columns = {
        "amount": {"data_type": "decimal", "precision": 10, "scale": 2},
        "seen": {"data_type": "timestamp"},
    }
    resource = dlt.resource([{"amount": 1, "seen": "2024-01-01T00:00:00Z"}], name="declared", columns=columns)
    shop().run(resource)
    [found] = query("select typeof(amount) as amount, typeof(seen) as seen from sales.declared")
    assert found == {"amount": "DECIMAL(10,2)", "seen": "TIMESTAMP WITH TIME ZONE"}


def test_arrow_tables_and_dynamic_names(here: Path) -> None:
    @dlt.resource(table_name=lambda item: f"events_{item['kind']}" if isinstance(item, dict) else "arrow")
    def mixed() -> Iterator[Any]:
        yield [{"kind": "a", "n": 1}, {"kind": "b", "n": 2}, {"kind": "a", "n": 3}]
        yield pa.table({"n": pa.array([1, 2], pa.int16())})

    shop().run(mixed)
    assert query("select n from sales.events_a order by n") == [{"n": 1}, {"n": 3}]
    assert query("select n from sales.events_b") == [{"n": 2}]
    assert query("select n, typeof(n) as kind from sales.arrow") == [
        {"n": 1, "kind": "SMALLINT"},
        {"n": 2, "kind": "SMALLINT"},
    ]


def test_child_tables(here: Path) -> None:
    rows = [{"id": 1, "who": {"name": "Ada"}, "lines": [{"n": 1, "tags": ["a"]}, {"n": 2}]}]
    shop().run(
        dlt.resource(rows, name="orders", max_table_nesting=1, primary_key="id", write_disposition="merge")
    )
    rows[0]["lines"] = [{"n": 3}]
    shop().run(
        dlt.resource(rows, name="orders", max_table_nesting=1, primary_key="id", write_disposition="merge")
    )
    assert query("select id, who__name from sales.orders") == [{"id": 1, "who__name": "Ada"}]
    joined = "sales.orders__lines l join sales.orders o on l._penstock_parent_id = o._penstock_id"
    assert query(f"select o.id, l.n from {joined}") == [{"id": 1, "n": 3}]


def test_tables_as_dlt_would_name_and_cut_them(here: Path) -> None:
    pipeline = face.pipeline("shop", dataset_name="sales", naming="snake_case", nesting="flatten")
    pipeline.run([{"Id": 1, "homeAddress": {"postCode": "x"}, "Tags": ["a", "b"]}], table_name="myPeople")
    assert query("select id, home_address__post_code from sales.my_people") == [
        {"id": 1, "home_address__post_code": "x"}
    ]
    values = query("select value from sales.my_people__tags order by _penstock_list_index")
    assert values == [{"value": "a"}, {"value": "b"}]


def test_keys_by_which_rows_are_deleted_and_added(here: Path) -> None:
    resource = dlt.resource(name="days", merge_key="day", write_disposition="merge")
    day = [{"day": 1, "n": 1}, {"day": 1, "n": 2}, {"day": 2, "n": 3}]
    shop().run(resource(lambda: iter(day)))
    shop().run(resource(lambda: iter([{"day": 1, "n": 9}])))
    assert query("select day, n from sales.days order by n") == [{"day": 2, "n": 3}, {"day": 1, "n": 9}]


def test_rows_that_say_that_they_are_gone(here: Path) -> None:
    resource = dlt.resource(
        name="people", primary_key="id", write_disposition="merge", columns={"gone": {"hard_delete": True}}
    )
    shop().run(resource(lambda: iter([{"id": 1, "gone": False}, {"id": 2, "gone": False}])))
    shop().run(resource(lambda: iter([{"id": 1, "gone": True}])))
    assert query("select id from sales.people") == [{"id": 2}]


def test_versions_of_rows_under_dlts_names(here: Path) -> None:
    versions = {"disposition": "merge", "strategy": "scd2"}
    for rows in ([{"id": 1, "v": "a"}, {"id": 2, "v": "b"}], [{"id": 1, "v": "c"}]):
        shop().run(dlt.resource(rows, name="dim", write_disposition=versions))
    found = query("select id, v, _dlt_valid_to is null as holds from sales.dim order by id, _dlt_valid_from")
    assert found == [
        {"id": 1, "v": "a", "holds": False},
        {"id": 1, "v": "c", "holds": True},
        {"id": 2, "v": "b", "holds": False},
    ]


def test_what_a_run_replaces(here: Path) -> None:
    resource = dlt.resource(name="whole", write_disposition="replace")
    shop().run(resource(lambda: iter([{"n": 1}, {"n": 2}])))
    shop().run(resource(lambda: iter([{"n": 3}])))
    assert query("select n from sales.whole") == [{"n": 3}]


def test_a_source_that_breaks_half_way_leaves_nothing_and_is_read_again(here: Path) -> None:
    broken = True

    @dlt.resource
    def shaky(n: Any = dlt.sources.incremental("n")) -> Iterator[Any]:  # noqa: B008 - dlt's way
        yield [{"n": n} for n in range(5000)]
        if broken:
            raise ConnectionError("the line is dead")
        yield [{"n": 5000}]

    with pytest.raises(OutsideError, match="`shaky` of dlt failed"):
        shop().run(shaky)
    broken = False
    assert loaded(shop().run(shaky)) == 5001
    assert loaded(shop().run(shaky)) == 0
    assert query("select count(*) as rows, count(distinct n) as ids from sales.shaky") == [
        {"rows": 5001, "ids": 5001}
    ]


KILLED = """
import os, sys
from pathlib import Path
import penstock.dlt as dlt

@dlt.resource
def numbers(n=dlt.sources.incremental("n", initial_value=0)):
    for page in range(n.last_value // 1000, 12):
        yield [{"n": 1000 * page + i} for i in range(1000)]
        if page == 8 and not Path("killed").exists():
            Path("killed").touch()
            os.kill(os.getpid(), 9)

dlt.pipeline("shop", dataset_name="sales").run(numbers)
"""


def test_a_run_that_is_killed_is_done_again_once(here: Path) -> None:
    (here / "main.py").write_text(KILLED)
    killed = subprocess.run([sys.executable, "main.py"], capture_output=True, timeout=120)
    assert killed.returncode == -9
    for _ in range(2):
        python("main.py")
    found = query("select count(*) as rows, count(distinct n) as numbers from sales.numbers")
    assert found == [{"rows": 12_000, "numbers": 12_000}]


def test_our_own_pipeline_takes_what_is_dlts(here: Path) -> None:
    run = engine("shop", destination="duckdb:///shop.duckdb").run
    run(dlt.resource([{"id": 1, "n": 1}], name="things"), write="merge", primary_key="id")
    run([dlt.resource([{"id": 1, "n": 2}], name="things")], write_disposition="merge", primary_key="id")
    assert query("select id, n from things") == [{"id": 1, "n": 2}]


def test_a_run_that_begins_anew(here: Path) -> None:
    shop().run(orders([order(1, 1), order(2, 2)]))
    shop().run(orders([order(3, 1)]), refresh="drop_resources")
    assert query("select id from sales.orders") == [{"id": 3}]


PROJECT = """
name: shop
destination: duckdb:///shop.duckdb
pipelines:
  numbers:
    source:
      type: dlt
      ref: made:numbers
      with: {count: 3}
      resources: squares
    tables:
      squares:
        columns:
          square: {type: int64, maximum: 3}
"""
MADE = """
import dlt

@dlt.source
def numbers(count):
    runs = dlt.current.source_state().get("runs", 0)

    @dlt.resource
    def plain():
        yield from ({"n": n} for n in range(count))

    @dlt.resource
    def squares():
        state = dlt.current.source_state()
        state["runs"] = runs + 1
        yield from ({"square": n * n, "run": state["runs"]} for n in range(count))

    return plain, squares
"""


def test_a_project_file(here: Path) -> None:
    (here / "penstock.yml").write_text(PROJECT)
    (here / "made.py").write_text(MADE)
    for _ in range(2):
        penstock("run")
    assert query("select square, run from squares order by run, square") == [
        {"square": 0, "run": 1},
        {"square": 1, "run": 1},
        {"square": 0, "run": 2},
        {"square": 1, "run": 2},
    ], "rows that break a rule are set aside"
    assert query("select table_name from duckdb_tables() where table_name = 'plain'") == []


API = """
name: tracker
destination: duckdb:///shop.duckdb
pipelines:
  tracker:
    source:
      type: dlt
      ref: dlt.sources.rest_api:rest_api_source
      with:
        name: tracker
        config:
          client: {{base_url: "{url}", paginator: {{type: page_number, base_page: 1, total_path: pages}}}}
          resources:
            - name: issues
              primary_key: id
              write_disposition: merge
              endpoint:
                path: issues
                data_selector: data
                params: {{since: "{{incremental.start_value}}"}}
                incremental: {{cursor_path: updated, initial_value: "2024-01-02T00:00:00Z"}}
"""


def test_an_api_in_a_project_file_alone(here: Path, api: Api) -> None:
    (here / "penstock.yml").write_text(API.format(url=api.url))
    penstock("run")
    api.issues.append({"id": 6, "updated": "2024-01-06T00:00:00Z"})
    api.asked.clear()
    penstock("run")
    assert len(api.asked) == 1
    assert "since=2024-01-05" in api.asked[0]
    assert [row["id"] for row in query("select id from issues order by id")] == [2, 3, 4, 5, 6]
    api.status = 503
    failed = subprocess.run(
        [sys.executable, "-m", "penstock", "run"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert failed.returncode == 3, "outside: to be run again later"
    assert "the resource `issues` of dlt failed" in failed.stderr


# ---------------------------------------------------------------------------------------- workshop


ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "LANG")},
    "NO_PROXY": "127.0.0.1",
    "RUNTIME__REQUEST_MAX_ATTEMPTS": "1",
}


def python(*arguments: str) -> None:
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(
        command, env=ENVIRONMENT | {"HOME": str(Path.cwd())}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def penstock(*arguments: str) -> None:
    python("-m", "penstock", *arguments)


def generate(folder: Path, number: int) -> None:
    folder.mkdir(exist_ok=True)
    rows = [{"id": 1000 * number + n, "name": f"name {n}"} for n in range(1000)]
    file = folder / f"synthetic_data_{number}.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    modified = 1_700_000_000 + 1000 * number
    os.utime(file, (modified, modified))


def counts() -> tuple[int, int]:
    files = "read_parquet('raw_history/*/synthetic_data/*.parquet')"
    sql = f"select count(*) as loaded, (select count(*) from {files}) as kept"
    [found] = query(f"{sql} from synthetic_nonsense_duckdb_data.synthetic_data", "test_data.duckdb")
    return found["kept"], found["loaded"]


def test_the_workshop_step_by_step(here: Path) -> None:
    generate(here / "raw_data", 0)
    python("-c", IMPORTS + STEPS_TWO_TO_FOUR + STEP_FIVE)
    assert counts() == (1000, 1000)


def test_the_workshop_incrementally(here: Path) -> None:
    generate(here / "raw_data", 0)
    (here / "main.py").write_text(IMPORTS + STEP_SIX)
    python("main.py")
    assert counts() == (1000, 1000)
    generate(here / "raw_data", 1)
    python("main.py")
    assert counts() == (2000, 2000), "only the last thousand rows were pulled through"
    python("main.py")
    assert counts() == (2000, 2000)


class Address(pydantic.BaseModel):
    town: str
    house: int


class Person(pydantic.BaseModel):
    dlt_config: ClassVar[dict[str, bool]] = {"skip_nested_types": True}
    name: str
    address: Address


@pytest.mark.parametrize("nesting", ["native", "flatten"])
def test_hints_of_columns_inside_of_objects(here: Path, nesting: str) -> None:
    rows = [{"name": "Ada", "address": {"town": "Lund", "house": 7}}]
    pipeline = face.pipeline("people", destination="duckdb", nesting=nesting)
    result = pipeline.run(dlt.resource(rows, name="by_model", columns=Person))
    assert [(t.loaded, t.quarantined, dict(t.discarded)) for t in result.tables] == [(1, 0, {})]
    hints = {"address__house": {"data_type": "double"}, "address__town": {"nullable": False}}
    pipeline.run(dlt.resource(rows, name="by_hints", columns=hints))
    own = engine("people", destination="duckdb:///ours.duckdb")
    own.run(ps.resource(rows, name="by_us", columns=hints, nesting=nesting))
    wanted = "address.house" if nesting == "native" else "address__house"
    for dataset, table in ((pipeline.dataset(), "by_hints"), (own.dataset(), "by_us")):
        found = dataset.sql(f"SELECT {wanted}, typeof({wanted}) FROM {table}").fetchall()
        assert found == [(7.0, "DOUBLE")]


@pytest.mark.parametrize("mode", ["drop_sources", "drop_resources", "drop_data"])
def test_a_resource_of_dlt_that_gives_nothing_when_it_is_refreshed(tmp_path: Path, mode: str) -> None:
    given: list[dict[str, int]] = [{"n": 1}]

    @dlt.resource(name="t", primary_key="n", write_disposition="merge")
    def t() -> Iterator[dict[str, int]]:
        yield from given

    pipeline = ps.pipeline("p", root=tmp_path)
    pipeline.run(t)
    assert pipeline.dataset().row_counts() == {"t": 1}
    given.clear()
    pipeline.run(t, refresh=mode)
    assert pipeline.dataset().row_counts() in ({"t": 0}, {})
