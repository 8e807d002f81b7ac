"""From text to typed values: short forms, environments, files, and every kind of error with its line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from project_texts import ROOT, load, pipelines, told

from penstock.errors import NotFoundError, ProjectError
from penstock.gate.verdict import Action, Policy
from penstock.project.load import parse_project
from penstock.project.sources import FilesystemSpec, LandSpec
from penstock.project.spec import (
    CsvSpec,
    DestinationSpec,
    DuckDBSpec,
    ExpectationSpec,
    LayersSpec,
    ParquetSpec,
)
from penstock.schema.contract import Mode
from penstock.schema.disposition import WriteMode

FULL = """\
name: postcodes
layers: {land: data/land, raw_hist: data/raw_hist, quarantine: data/quarantine}
destination: duckdb:///warehouse.duckdb

pipelines:
  open_data:
    source:
      type: filesystem
      path: raw_data
      tables:
        random_postcodes: "*.csv"
    tables:
      random_postcodes:
        gate:
          min_rows: 100
          on_broken: drop
          expectations:
            - {name: in_england_or_wales, constraint: "country IN ('England', 'Wales')", action: fail}
        write: append
        csv: {delimiter: '\\t', null_values: NA}
    policy: per_file
    schedule: "30 13 * * 0"

environments:
  prod:
    layers: {land: s3://my-land, raw_hist: s3://my-raw-hist}
    destination: {type: parquet, path: "s3://${BUCKET}/curated"}
  test:
"""


def test_a_whole_project() -> None:
    loaded = load(FULL)
    project = loaded.project
    assert (project.name, project.root, project.environment) == ("postcodes", ROOT, None)
    assert project.layers == LayersSpec()
    assert project.destination == DuckDBSpec(path="warehouse.duckdb")
    pipeline = project.pipelines["open_data"]
    assert pipeline.source == FilesystemSpec(url="raw_data", tables={"random_postcodes": "*.csv"})
    assert (pipeline.policy, pipeline.schedule) == (Policy.PER_FILE, "30 13 * * 0")
    table = pipeline.tables["random_postcodes"]
    assert table.gate.expectations == (
        ExpectationSpec(
            name="in_england_or_wales",
            constraint="country IN ('England', 'Wales')",
            action=Action.FAIL,
        ),
    )
    assert (table.gate.min_rows, table.gate.on_broken, table.write) == (100, Action.DROP, WriteMode.APPEND)
    assert table.csv == CsvSpec(delimiter="\t", null_values=("NA",))


def test_values_remember_their_lines() -> None:
    loaded = load(FULL)
    table = ("pipelines", "open_data", "tables", "random_postcodes")
    assert loaded.where_of(table) == "penstock.yml:13 (pipelines.open_data.tables.random_postcodes)"
    assert loaded.where_of((*table, "gate", "min_rows")).startswith("penstock.yml:15 ")
    assert loaded.where_of((*table, "write_disposition")).startswith("penstock.yml:19 ")
    assert loaded.where_of(("pipelines", "open_data", "source", "url")).startswith("penstock.yml:9 ")
    assert loaded.where_of((*table, "contract")) == loaded.where_of(table)
    assert loaded.positions.of(("pipelines", "none")).line == 5


# ----------------------------------------------------------------------------- short forms


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("duckdb:///warehouse.duckdb", DuckDBSpec(path="warehouse.duckdb")),
        ("duckdb://sub/warehouse.duckdb", DuckDBSpec(path="sub/warehouse.duckdb")),
        ("duckdb:////var/warehouse.duckdb", DuckDBSpec(path="/var/warehouse.duckdb")),
        ("{duckdb: /var/warehouse.duckdb}", DuckDBSpec(path="/var/warehouse.duckdb")),
        ("{type: duckdb, path: w.db, schema: raw}", DuckDBSpec(path="w.db", schema_name="raw")),
        ("parquet://folder", ParquetSpec(path="folder")),
        ("parquet:////var/folder", ParquetSpec(path="/var/folder")),
        ("parquet:s3://bucket/prefix", ParquetSpec(path="s3://bucket/prefix")),
        ("parquet://s3://bucket/prefix", ParquetSpec(path="s3://bucket/prefix")),
        ("{parquet: gs://bucket}", ParquetSpec(path="gs://bucket")),
    ],
)
def test_destinations(text: str, destination: DestinationSpec) -> None:
    assert load(f"name: shop\ndestination: {text}").project.destination == destination
    body = f"  a: {{source: {{type: land}}, destination: {text}}}"
    assert load(pipelines(body)).project.pipelines["a"].destination == destination


def test_short_forms_of_a_table() -> None:
    text = pipelines("""\
  a:
    source: {type: land}
    tables:
      word:
      one: {contract: freeze, write_disposition: replace, primary_key: id, partitions: [day, hour]}
      two:
        contract: {columns: discard_row}
        write: {mode: merge, primary_key: [id, day], dedup_sort: day}
        columns: {id: int64, day: {type: date, nullable: false}, customer: {foreign_key: customers.id}, x: }
""")
    tables = load(text).project.pipelines["a"].tables
    assert tables["word"].write is WriteMode.APPEND
    one, two = tables["one"], tables["two"]
    assert (one.contract.columns, one.contract.data_type, one.contract.tables) == (
        Mode.FREEZE,
        Mode.FREEZE,
        Mode.EVOLVE,
    )
    assert (one.write, one.primary_key, one.partitions) == (WriteMode.REPLACE, ("id",), ("day", "hour"))
    assert (two.contract.columns, two.contract.data_type) == (Mode.DISCARD_ROW, None)
    assert (two.write, two.primary_key, two.dedup_sort) == (WriteMode.MERGE, ("id", "day"), "day")
    assert [(c.name, c.type, c.nullable) for c in two.columns] == [
        ("id", "int64", True),
        ("day", "date", False),
        ("customer", None, True),
        ("x", None, True),
    ]
    key = two.columns[2].foreign_key
    assert key is not None
    assert (key.table, key.columns) == ("customers", ("id",))


def test_empty_values_are_defaults() -> None:
    text = "  a:\n    source: {type: land, min_age_s: }\n    tables:\nlayers:\ndestination:\n"
    project = load(pipelines(text)).project
    assert project.layers == LayersSpec()
    assert project.destination == DuckDBSpec(path="warehouse.duckdb")
    assert project.pipelines["a"].source == LandSpec()


# ------------------------------------------------------------------------- files and places


def test_pipelines_in_files_of_their_own() -> None:
    single = "source: {type: land}\ntables: {t: {write: replace}}\n"
    several = "b: {source: {type: land}}\nc:\n  source: {type: lnd}\n"
    loaded = load("name: shop", pipelines__a=single, pipelines__more=several.replace("lnd", "land"))
    assert list(loaded.project.pipelines) == ["a", "b", "c"]
    assert loaded.where_of(("pipelines", "a", "tables", "t")) == "pipelines/a.yml:2 (pipelines.a.tables.t)"
    [error] = told("name: shop", pipelines__more=several)
    assert "pipelines/more.yml:3 (pipelines.c.source.type) | found: 'lnd'" in error


def test_a_pipeline_that_is_there_twice() -> None:
    [error] = told(pipelines("  a: {source: {type: land}}"), pipelines__a="source: {type: land}")
    assert error == (
        "the pipeline `a` is there twice | where: pipelines/a.yml:1 | hint: it is at penstock.yml:3 already"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "the project file is no mapping | where: penstock.yml:1"),
        ("", "`name` is missing | where: penstock.yml:1 (name)"),
        (
            "name: a\nenvironments: [a]",
            "an environment must be a mapping | where: penstock.yml:2 (environments)",
        ),
        ("name: a\nenvironments: {b: 1}", "where: penstock.yml:2 (environments.b)"),
    ],
)
def test_a_file_that_is_no_project(text: str, message: str) -> None:
    [error] = told(text)
    assert message in error


def test_no_file_at_all() -> None:
    with pytest.raises(ProjectError, match="there is no project file"):
        parse_project({}, Path(), None, {})


# ----------------------------------------------------------------------------- environments


def test_an_environment_is_laid_over_the_project() -> None:
    loaded = load(FULL, "prod", {"BUCKET": "my-bucket"})
    project = loaded.project
    assert project.environment == "prod"
    assert project.layers == LayersSpec(land="s3://my-land", raw_hist="s3://my-raw-hist")
    assert project.destination == ParquetSpec(path="s3://my-bucket/curated")
    assert loaded.where_of(("layers", "land")).startswith("penstock.yml:26 ")
    assert loaded.where_of(("layers", "quarantine")).startswith("penstock.yml:2 ")


def test_an_environment_by_variable() -> None:
    env = {"BUCKET": "b-1", "PENSTOCK_ENVIRONMENT": "prod"}
    assert load(FULL, None, env).project.environment == "prod"
    assert load(FULL, "test", env).project.environment == "test"
    assert load(FULL, None, {"PENSTOCK_ENVIRONMENT": ""}).project.environment is None
    texts = {"penstock.yml": FULL, ".env": "PENSTOCK_ENVIRONMENT=prod\nBUCKET=of-file"}
    project = parse_project(texts, ROOT, None, {"BUCKET": "of-process"}).project
    assert project.environment == "prod"
    assert project.destination == ParquetSpec(path="s3://of-process/curated")


def test_an_unknown_environment() -> None:
    [error] = told(FULL, "prd")
    assert error == "there is no environment `prd` | expected: prod or test | hint: did you mean 'prod'?"


def test_the_other_environments_are_checked_too_but_need_no_secrets() -> None:
    text = FULL.replace("raw_hist: s3://my-raw-hist", "raw_hits: s3://my-raw-hist")
    [error] = told(text)
    assert error == (
        "unknown key `raw_hits` | where: penstock.yml:26 (layers.raw_hits) | hint: did you mean 'raw_hist'?"
    )
    assert told(text, "test") == [error]


# ---------------------------------------------------------------------------------- secrets


def test_secrets_never_show() -> None:
    text = pipelines("  a: {source: {type: land}, schedule: '${SECRET}', policy: '${SECRET}'}\n") + (
        "destination: '${SECRET}'\nlayers: {land: '${SECRET}://x', raw_hist: [1]}\n"
    )
    errors = told(text, env={"SECRET": "hunter2"})
    assert len(errors) == 5
    assert "hunter2" not in "\n".join(errors)
    assert sum("found: '${SECRET}" in error for error in errors) == 4


def test_a_missing_secret() -> None:
    [error] = told(
        "name: shop\ndestination:\n  type: parquet\n  path: s3://${BUCKET}/x\n", env={"BUCKETS": "b"}
    )
    assert error == (
        "the variable `BUCKET` is not set | where: penstock.yml:4 (destination.path) "
        "| expected: `BUCKET` in the environment or in the `.env` file | hint: did you mean 'BUCKETS'?"
    )


def test_secrets_are_remembered_and_hidden() -> None:
    loaded = load(
        "name: shop\ndestination: 'duckdb:///${PLACE}.duckdb'", env={"PLACE": "hunter2", "OTHER": "other"}
    )
    assert loaded.secrets == {"hunter2"}
    assert loaded.redact("at hunter2.duckdb, other") == "at ***.duckdb, other"
    assert "hunter2" not in repr(loaded).replace(repr(loaded.project), "")


def test_numbers_may_come_from_variables() -> None:
    text = pipelines("  a: {source: {type: land, min_age_s: '${AGE}'}}")
    assert load(text, env={"AGE": "7.5"}).project.pipelines["a"].source == LandSpec(min_age_s=7.5)
    [error] = told(text, env={"AGE": "soon"})
    assert "`min_age_s` has a wrong kind of value" in error
    assert "found: '${AGE}' | expected: a number" in error


# ----------------------------------------------------------------------------------- errors


def test_every_error_of_a_file_is_told_in_order() -> None:
    text = pipelines("""\
  a:
    source:
      type: filesystem
      path: s4://x
      min_age_s: -1
      glbo: "*"
    tables:
      t:
        write:
          mode: merg
          dedup_srt: u
        contract: frozen
        gate:
          min_rows: many
          expectations:
            - {name: a, constrain: b}
        columns:
          id: {type: int64, nullable: maybe}
        csv: {delimiter: ab, encoding: utf-9}
        zzzzzz: 2
    polcy: all
  b: {source: {typ: land}}
  c: {source: {type: lnd}, schedule: daily, dataset: /x}
  d: {destination: duckbd:///x}
  _e: {source: {type: land}, tables: {_penstock_x: , "": }}
""")
    head = [error.split(" | hint")[0].split(" | expected")[0] for error in told(text)]
    a = "pipelines.a"
    assert head == [
        f"'s4://' is not a store | where: penstock.yml:6 ({a}.source.path) | found: 's4://x'",
        f"`min_age_s` is out of range | where: penstock.yml:7 ({a}.source.min_age_s) | found: '-1'",
        f"unknown key `glbo` | where: penstock.yml:8 ({a}.source.glbo)",
        f"`mode` has an unknown value | where: penstock.yml:12 ({a}.tables.t.write.mode) | found: 'merg'",
        f"unknown key `dedup_srt` | where: penstock.yml:13 ({a}.tables.t.write.dedup_srt)",
        f"`contract` has an unknown value | where: penstock.yml:14 ({a}.tables.t.contract) | found: 'frozen'",
        f"`min_rows` has a wrong kind of value | where: penstock.yml:16 ({a}.tables.t.gate.min_rows) "
        "| found: 'many'",
        f"`constraint` is missing | where: penstock.yml:18 ({a}.tables.t.gate.expectations[0].constraint)",
        f"unknown key `constrain` | where: penstock.yml:18 ({a}.tables.t.gate.expectations[0].constrain)",
        f"`nullable` has a wrong kind of value | where: penstock.yml:20 ({a}.tables.t.columns.id.nullable) "
        "| found: 'maybe'",
        f"'ab' is not one character | where: penstock.yml:21 ({a}.tables.t.csv.delimiter) | found: 'ab'",
        f"'utf-9' is not an encoding | where: penstock.yml:21 ({a}.tables.t.csv.encoding) | found: 'utf-9'",
        f"unknown key `zzzzzz` | where: penstock.yml:22 ({a}.tables.t.zzzzzz)",
        f"unknown key `polcy` | where: penstock.yml:23 ({a}.polcy)",
        "`source` has no `type` | where: penstock.yml:24 (pipelines.b.source)",
        "`type` has an unknown value | where: penstock.yml:25 (pipelines.c.source.type) | found: 'lnd'",
        "'/x' cannot be a dataset | where: penstock.yml:25 (pipelines.c.dataset) | found: '/x'",
        "'daily' is not a schedule | where: penstock.yml:25 (pipelines.c.schedule) | found: 'daily'",
        "`source` is missing | where: penstock.yml:26 (pipelines.d.source)",
        "this is not a destination | where: penstock.yml:26 (pipelines.d.destination) | found: 'duckbd:///x'",
        "'_e' cannot be a name | where: penstock.yml:27 (pipelines._e)",
        "'_penstock_x' cannot name a table | where: penstock.yml:27 (pipelines._e.tables._penstock_x)",
        "'' cannot name a table | where: penstock.yml:27 (pipelines._e.tables[''])",
    ]


def test_one_error_reads_like_this() -> None:
    with pytest.raises(ProjectError) as caught:
        load(pipelines("  a:\n    source: {type: land}\n    tables:\n      t: {write: mrge}\n"))
    assert str(caught.value) == (
        "`write` has an unknown value\n"
        "  where: penstock.yml:6 (pipelines.a.tables.t.write)\n"
        "  found: 'mrge'\n"
        "  expected: append, replace or merge\n"
        "  hint: did you mean 'merge'?"
    )


def test_several_errors_read_like_this() -> None:
    with pytest.raises(ProjectError) as caught:
        load("nam: shop\nlayers: {landing: x}\n")
    assert str(caught.value) == (
        "`penstock.yml` has 3 errors\n"
        " 1 `name` is missing\n"
        "     where: penstock.yml:1 (name)\n"
        " 2 unknown key `nam`\n"
        "     where: penstock.yml:1 (nam)\n"
        "     hint: did you mean 'name'?\n"
        " 3 unknown key `landing`\n"
        "     where: penstock.yml:2 (layers.landing)\n"
        "     hint: did you mean 'land'?"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("source: {type: filesystem}", "`path` is missing | where: penstock.yml:3 (pipelines.a.source.path)"),
        ("source: {type: filesystem, path: x}", "it is not said which table the files fill"),
        ("source: {type: filesystem, path: x}, tables: {b: , c: }", "one glob cannot fill 2 tables"),
        (
            "source: {type: filesystem, path: x, tables: {orders: y}}, tables: {order: }",
            "no files of the source fill the table `order` | where: penstock.yml:3 "
            "(pipelines.a.tables.order) | expected: orders | hint: did you mean 'orders'?",
        ),
        (
            "source: {type: filesystem, path: x, glob: y, tables: {b: y}}",
            "`glob` and `tables` both say which files to read",
        ),
        (
            "source: {type: land}, tables: {b: {gate: {min_rows: 2, max_rows: 1}}}",
            "`min_rows` is above `max_rows`",
        ),
        (
            "source: {type: land}, tables: {b: {gate: {expectations: "
            "[{name: a, constraint: x}, {name: a, constraint: y}]}}}",
            "the expectation `a` is there twice | where: penstock.yml:3 "
            "(pipelines.a.tables.b.gate.expectations)",
        ),
        (
            "source: {type: land}, tables: {b: {write: append, write_disposition: merge}}",
            "`write` and `write_disposition` are two names for one thing",
        ),
        (
            "source: {type: land}, tables: {b: {primary_key: id, write: {mode: merge, primary_key: id}}}",
            "`primary_key` is said twice | where: penstock.yml:3 (pipelines.a.tables.b.write.primary_key)",
        ),
        ("source: {type: land}, destination: {duckdb: ':memory:'}", "a database in memory forgets"),
        ("source: {type: land}, destination: {duckdb: 's3://x'}", "a database cannot be written at 's3://'"),
        (
            "source: {type: land}, destination: {type: duckdb, path: x, memory_limit: lots}",
            "an amount of memory",
        ),
        ("source: {type: land}, destination: w.duckdb", "did you mean 'duckdb'?"),
        ("source: {type: land}, destination: out/w.db", "write `duckdb:///out/w.db`"),
        ("source: {type: land}, destination: 3", "`destination` has a wrong kind of value"),
    ],
)
def test_contradictions(body: str, message: str) -> None:
    [error] = told(pipelines(f"  a: {{{body}}}"))
    assert message in error


# ---------------------------------------------------------------------------------- metadata

ORDERS = "  a: {source: {type: land}, tables: {orders: {metadata: metadata/orders.yml, write: merge}}}"


def test_metadata_files_join_the_project() -> None:
    meta = "primary_key: id\ncolumns: {id: int64, name: text}\n"
    loaded = load(pipelines(ORDERS), metadata__orders=meta)
    assert loaded.table("a", "orders").primary_key == ("id",)
    assert loaded.disposition("a", "orders").primary_key == ("id",)
    assert loaded.contract("a", "orders").data_type is Mode.QUARANTINE
    assert loaded.table("a", "unnamed").columns == ()


def test_wrong_metadata_is_told_with_its_own_lines() -> None:
    meta = "columns:\n  - {name: id, type: int64}\n  - name: b\n    type: txt\nprimary_key: idd\n"
    assert [error.split(" | expected")[0] for error in told(pipelines(ORDERS), metadata__orders=meta)] == [
        "`txt` is not a type | where: metadata/orders.yml:4 (columns.b.type)",
        "`idd` of `primary_key` is not a column | where: metadata/orders.yml:5 (primary_key) "
        "| hint: did you mean 'id'?",
    ]


def test_metadata_that_is_not_there() -> None:
    [error] = told(pipelines(ORDERS))
    assert "the metadata file of `orders` is not there" in error
    assert "penstock.yml:3 (pipelines.a.tables.orders.metadata) | found: metadata/orders.yml" in error


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ("{", "this is not JSON: "),
        ('{"columns": [{"name": "a"}],\n "columns": []}', "the key `columns` is there twice in one object"),
        ('["a"]', "the metadata is no mapping"),
    ],
)
def test_metadata_that_is_no_json(meta: str, message: str) -> None:
    from penstock.project.metadata import add_metadata

    loaded = parse_project({"penstock.yml": pipelines(ORDERS.replace(".yml", ".json"))}, ROOT, None, {})
    with pytest.raises(ProjectError, match=message) as caught:
        add_metadata(loaded, {"metadata/orders.json": meta})
    assert str(caught.value.where).startswith("metadata/orders.json")


def test_the_digest_changes_with_everything_that_is_read() -> None:
    meta = "primary_key: id\ncolumns: {id: int64}\n"
    text = pipelines(ORDERS) + "\ndestination: 'duckdb:///${W:-w}'\nenvironments: {prod: }\n"
    digests = {
        load(text, metadata__orders=meta).digest,
        load(text + "# comment", metadata__orders=meta).digest,
        load(text, metadata__orders=meta + "# comment").digest,
        load(text, "prod", metadata__orders=meta).digest,
        load(text, env={"W": "other"}, metadata__orders=meta).digest,
    }
    assert len(digests) == 5
    assert load(text, env={"X": "other"}, metadata__orders=meta).digest in digests


# ---------------------------------------------------------------------------------- by name


def test_tables_are_found_by_name() -> None:
    loaded = load(
        pipelines("""\
  a: {source: {type: filesystem, path: x, tables: {orders: "*.csv"}}, destination: "duckdb:///a.duckdb"}
  b: {source: {type: land}, tables: {orders: , people: }}
""")
    )
    assert loaded.find_table("people") == ("b", "people")
    assert loaded.find_table("a.orders") == ("a", "orders")
    with pytest.raises(
        NotFoundError, match=r"several pipelines have a table `orders`\n.*\n  expected: a.orders or b"
    ):
        loaded.find_table("orders")
    with pytest.raises(NotFoundError, match="there is no table `peple`") as caught:
        loaded.find_table("peple")
    assert caught.value.hint == "did you mean 'people'?"


def test_loading_imports_no_engine() -> None:
    code = (
        "import sys, penstock.app.files, penstock.project.json_schema\n"
        "heavy = {'pyarrow', 'duckdb', 'obstore', 'rich', 'typer'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
