"""A dbt project with everything that dbt can do, built by dbt itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dbt_bed import DbtBed, write_files
from penstock.app import dbt
from penstock.dbt.artifacts import FreshnessStatus
from penstock.errors import OutsideError, RefusedError
from penstock.report.facts import ModelStatus

pytestmark = pytest.mark.slow
BUILT, UNCHANGED, FAILED, SKIPPED = (
    ModelStatus.BUILT, ModelStatus.UNCHANGED, ModelStatus.FAILED, ModelStatus.SKIPPED,
)  # fmt: skip
SHOP = {
    "dbt_project.yml": """
name: shop
version: "1.0.0"
profile: shop
vars: {least: 1}
models: {shop: {staging: {+materialized: view}, marts: {+materialized: table, +tags: [daily]}}}
""",
    "seeds/raw_orders.csv": """
id,town,amount,ordered_at
1,Leeds,5,2020-01-01
2,York,7,2020-01-02
3,Leeds,1,2020-01-02
""",
    "seeds/towns.csv": "town,region\nLeeds,north\n",
    "macros/doubled.sql": "{% macro doubled(x) %}{{ x }} * 2{% endmacro %}",
    "models/staging/sources.yml": """
version: 2
sources:
  - name: shop
    schema: main
    loaded_at_field: cast(ordered_at as timestamp)
    freshness: {warn_after: {count: 1, period: day}}
    tables: [{name: raw_orders}]
""",
    "models/staging/stg_orders.sql": """
select * from {{ source('shop', 'raw_orders') }} where amount >= {{ var('least') }}
""",
    "models/staging/clean.sql": """
{{ config(materialized='ephemeral') }} select id, town from {{ ref('stg_orders') }}
""",
    "models/marts/by_town.sql": """
select town, count(*) as n, {{ doubled('count(*)') }} as twice from {{ ref('clean') }} group by 1
""",
    "models/marts/growing.sql": """
{{ config(materialized='incremental', unique_key='id') }}
select id, town from {{ ref('stg_orders') }}
{% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}
""",
    "models/marts/schema.yml": """
version: 2
models:
  - name: by_town
    description: Orders by town.
    columns:
      - {name: town, description: Where., data_type: varchar, data_tests: [not_null, unique]}
      - name: n
        data_tests:
          - relationships:
              arguments: {to: ref('stg_orders'), field: id}
              config: {severity: warn}
unit_tests:
  - name: towns_are_counted
    model: by_town
    given:
      - input: ref('clean')
        format: sql
        rows: select 1 as id, 'a' as town union all select 2, 'a'
    expect: {rows: [{town: a, n: 2, twice: 4}]}
""",
    "snapshots/versions.yml": """
snapshots:
  - name: order_versions
    relation: ref('stg_orders')
    config: {unique_key: id, strategy: check, check_cols: [amount]}
""",
    "tests/few.sql": "select * from {{ ref('growing') }} where id > 100",
}
ALL = {"raw_orders", "towns", "stg_orders", "by_town", "growing", "order_versions"}


def told(result: object) -> dict[str, tuple[str, int | None]]:
    return {t.name: (t.status, t.rows) for t in result.tests}  # type: ignore[attr-defined]


def test_everything_of_a_project_is_built_once_and_then_what_changed(dbt_bed: Callable[..., DbtBed]) -> None:
    bed = dbt_bed(SHOP, threads=2)
    bed.project["models"]["path"] = "models"  # and a model of our own, which reads one of dbt's
    write_files(bed.root, {"models/report.sql": "SELECT sum(n) AS orders FROM by_town"})
    first = bed.build()
    assert {name: r.status for name, r in first.items()} == dict.fromkeys({*ALL, "report"}, BUILT)
    assert bed.sql("SELECT orders FROM report") == [(3,)]
    assert bed.sql("SELECT town, n, twice FROM by_town ORDER BY town") == [("Leeds", 2, 4), ("York", 1, 2)]
    assert told(first["by_town"]) == {
        "not_null_by_town_town": ("pass", 0),
        "unique_by_town_town": ("pass", 0),
        "relationships_by_town_n__id__ref_stg_orders_": ("pass", 0),
        "towns_are_counted": ("pass", 0),
    }
    assert {name: r.rows for name, r in first.items() if r.rows is not None} == {
        "raw_orders": 3, "towns": 1, "by_town": 2, "report": 1,
    }  # fmt: skip
    assert told(first["growing"]) == {"few": ("pass", 0)}
    assert {r.status for r in bed.build().values()} == {UNCHANGED}

    # a macro changes what calls it and what is below, a seed's rows what reads it, tests change nothing
    write_files(bed.folder, {"macros/doubled.sql": "{% macro doubled(x) %}{{ x }} + {{ x }}{% endmacro %}"})
    third = bed.build()
    assert {name for name, r in third.items() if r.status is BUILT} == {"by_town", "report"}
    assert {name for name, r in third.items() if r.status is FAILED} == set()

    write_files(bed.folder, {"seeds/raw_orders.csv": SHOP["seeds/raw_orders.csv"] + "4,Hull,2,2020-01-03\n"})
    fourth = bed.build()
    assert {name for name, r in fourth.items() if r.status is BUILT} == {*ALL, "report"} - {
        "towns",
        "stg_orders",
    }
    assert bed.sql("SELECT max(id), count(*) FROM growing") == [(4, 4)]

    # the catalogue knows columns, tests and, after a run, the SQL that ran
    nodes = {n.name: n for n in dbt.known_nodes(bed.session().loaded)}
    assert [(c.name, c.type, c.description) for c in nodes["by_town"].columns][:1] == [
        ("town", "varchar", "Where.")
    ]
    assert "stg_orders" in nodes["by_town"].sql
    assert nodes["by_town"].reads == ("stg_orders",)
    assert nodes["by_town"].tags == ("daily",)


def test_a_model_that_fails_and_a_test_that_fails(dbt_bed: Callable[..., DbtBed]) -> None:
    broken = {
        **SHOP,
        "seeds/raw_orders.csv": SHOP["seeds/raw_orders.csv"] + "5,,1,2020-01-05\n",
        "models/marts/below.sql": "select * from {{ ref('by_town') }}",
        "models/marts/wrong.sql": "select no_such_column from {{ ref('towns') }}",
    }
    bed = dbt_bed(broken)
    found = bed.build()
    assert (found["by_town"].status, found["by_town"].exit_code) == (FAILED, 1)
    assert told(found["by_town"])["not_null_by_town_town"] == ("fail", 1)
    assert "not_null_by_town_town (1 row)" in found["by_town"].error
    assert (found["below"].status, found["below"].why) == (SKIPPED, "`by_town` failed")
    assert found["wrong"].status is FAILED
    assert "no_such_column" in found["wrong"].error
    assert "dbt_project/models/marts/wrong.sql" in found["wrong"].error
    assert found["growing"].status is BUILT
    # what failed is tried again, what was built is not
    again = bed.build()
    assert (again["by_town"].status, again["growing"].status) == (FAILED, UNCHANGED)


def test_a_project_that_dbt_cannot_read_is_refused_with_its_words(dbt_bed: Callable[..., DbtBed]) -> None:
    bed = dbt_bed({**SHOP, "models/marts/lost.sql": "select * from {{ ref('nobody') }}"})
    with pytest.raises(RefusedError, match=r"dbt refuses the project[\s\S]*lost[\s\S]*nobody"):
        bed.build()


def test_freshness_docs_and_words_of_ones_own(
    dbt_bed: Callable[..., DbtBed], capfd: pytest.CaptureFixture[str]
) -> None:
    from penstock.cli import main

    bed = dbt_bed({**SHOP, "models/marts/secret.sql": "select '{{ env_var('SHOP_WORD') }}' as word"})
    (bed.root / ".env").write_text("SHOP_WORD=from-the-file\n")
    assert bed.build()["secret"].status is BUILT
    assert bed.sql("SELECT word FROM secret") == [("from-the-file",)]
    loaded = bed.session().loaded
    (source,) = dbt.dbt_freshness(loaded)
    assert (source.source, source.status) == ("shop.raw_orders", FreshnessStatus.WARN)
    assert source.age_s is not None
    assert source.age_s > 86_400
    assert dbt.made_docs(loaded) is None
    page = dbt.dbt_docs(loaded)
    assert "by_town" in page.read_text("utf-8")
    assert dbt.made_docs(loaded) == page
    capfd.readouterr()
    assert main(("dbt", "--project", str(bed.root), "ls", "--select", "by_town+", "--quiet")) == 0
    assert "shop.marts.by_town" in capfd.readouterr().out
    assert not (bed.folder / "target").exists()  # what dbt makes lies with Penstock's own


def test_packages_are_fetched_once_and_those_that_are_there_are_taken(dbt_bed: Callable[..., DbtBed]) -> None:
    bed = dbt_bed({**SHOP, "packages.yml": "packages: [{local: ../parts}]\n",
                   "models/marts/by_town.sql": "select 'x' as town, 1 as n, {{ parts.two() }} as twice",
                   "models/marts/schema.yml": "version: 2\n"})  # fmt: skip
    part = {"dbt_project.yml": "name: parts\nversion: 1.0.0\n"}
    write_files(bed.root / "parts", {**part, "macros/two.sql": "{% macro two() %}2{% endmacro %}"})
    assert bed.build()["by_town"].status is BUILT
    assert bed.sql("SELECT twice FROM by_town") == [(2,)]
    write_files(bed.root / "parts", {"macros/two.sql": "{% macro two() %}22{% endmacro %}"})
    assert {name for name, r in bed.build().items() if r.status is BUILT} == {"by_town"}
    assert bed.sql("SELECT twice FROM by_town") == [(22,)]
    write_files(bed.folder, {"packages.yml": "packages: [{local: ../nowhere}]\n"})
    with pytest.raises(OutsideError, match=r"packages of the dbt project[\s\S]*nowhere"):
        bed.build()


SLEEPING = "select count(*) as n from range(200000000000) as t(i) where i % 7 = 3"


def test_a_killed_build_leaves_no_dbt_and_the_old_table(dbt_bed: Callable[..., DbtBed]) -> None:
    bed = dbt_bed({"dbt_project.yml": SHOP["dbt_project.yml"], "models/marts/long.sql": "select 1 as n"})
    assert bed.build()["long"].status is BUILT
    write_files(bed.folder, {"models/marts/long.sql": SLEEPING})
    bed.session()
    for number in (signal.SIGTERM, signal.SIGKILL):
        command = [sys.executable, "-m", "penstock", "run", "--project", str(bed.root)]
        run = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        _wait_for(lambda: _building(bed.root), "dbt to begin with the model")
        run.send_signal(number)
        run.communicate(timeout=60)
        assert run.returncode != 0
        _wait_for(lambda: not _processes(bed.root), "dbt to be gone")
    assert bed.sql("SELECT n FROM long") == [(1,)]


def _building(root: Path) -> bool:
    log = root / ".penstock" / "dbt" / "logs" / "dbt.log"
    return bool(_processes(root)) and log.is_file() and "200000000000" in log.read_text("utf-8")


def _processes(root: Path) -> list[str]:
    """The commands of processes that run a dbt for this project."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"DBT_TARGET_PATH={root}/" in place.read_bytes().decode("utf-8", "replace"):
                found.append((place.parent / "cmdline").read_bytes().decode("utf-8", "replace"))
        except OSError:
            continue
    return [command for command in found if command]


def _wait_for(true: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 90
    while not true():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.1)
