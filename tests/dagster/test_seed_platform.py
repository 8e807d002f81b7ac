"""A platform where users write generators and definitions: found, made a project of, and run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest

dg = pytest.importorskip("dagster")
pytest.importorskip("requests")

import penstock as ps  # noqa: E402
import penstock.dlt as dlt  # noqa: E402
from penstock.app.session import Session  # noqa: E402
from penstock.catalogue import Node  # noqa: E402
from penstock.dagster import ConfigurableDltResource, DagsterDltFactory  # noqa: E402
from penstock.dagster.dlt_resource import collecting  # noqa: E402
from penstock.dagster.dlt_translator import DltTranslator  # noqa: E402
from penstock.dagster.factory import session_of  # noqa: E402
from penstock.dagster.finding import find_resources  # noqa: E402
from penstock.errors import NotFoundError, ProjectError  # noqa: E402
from penstock.report.facts import Status  # noqa: E402

IMPORTS = """
import penstock.dlt as dlt
from penstock.dagster import ConfigurableDltResource
"""

ONE = {
    "data.py": """
# data.py
from collections.abc import Callable, Generator
from typing import Any

import requests

def api_generator() -> Generator[Any, Any, None]:
    uri = "https://www.api.com/endpoint"
    response = requests.get(uri)
    yield response.json()
    while next_uri := response.json().get("next_page"):
        response = requests.get(next_uri)
        yield response.json()
""",
    "definitions.py": IMPORTS
    + """
# definitions.py
from .data import api_generator
...
ConfigurableDltResource.config(
    dlt.resource(
        # the generator you defined in the data.py file
        api_generator,
        # the schema and table to materialize on the warehouse
        name="schema.table",
        table_name="table",
        primary_key="id", # the primary key column
        write_disposition="merge", # how to incrementally load
    ),
    kinds={"api"},
    # aditional dagster configuration for orchestration and checks
    meta={
        "dagster": { 
            "automation_condition": "on_schedule", 
            "automation_condition_config": {
                "cron_schedule": "@daily",
                "cron_timezone": "utc",
            },
            "freshness_lower_bound_delta_seconds": 108000
        }
    },
)
...
""",  # noqa: W291 - as it was written
}

MANY = {
    "data.py": """
# data.py
from collections.abc import Callable, Generator
from typing import Any

import requests

def get_api_generator(endpoint: str) -> Callable[[], Any]:
    base_uri = "https://www.api.com/"

    def api_generator() -> Generator[Any, Any, None]:
        response = requests.get(base_uri+endpoint)
        yield response.json()
        while next_uri := response.json().get("next_page"):
            response = requests.get(next_uri)
            yield response.json()
    
    return api_generator
""",  # noqa: W293 - as it was written
    "definitions.py": IMPORTS
    + """
# definitions.py
from .data import get_api_generator
...
ConfigurableDltResource.config(
    dlt.resource(
        get_api_generator("endpoint_one"),
        name="schema.table_one",
        table_name="table_one",
        primary_key="id",
        write_disposition="merge",
    ),
    kinds={"api"}
),
ConfigurableDltResource.config(
    dlt.resource(
        get_api_generator("endpoint_two"),
        name="schema.table_two",
        table_name="table_two",
        primary_key="id",
        write_disposition="merge",
    ),
    kinds={"api"}
),
...
""",
}


class Api:
    """Documents, one a page, each with the address of the next."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.names = {"endpoint": "abc", "endpoint_one": "de", "endpoint_two": "fgh"}

    def page(self, target: str) -> dict[str, Any]:
        url = urlsplit(target)
        endpoint = url.path.strip("/")
        number = int(parse_qs(url.query).get("page", ["0"])[0])
        names = self.names[endpoint]
        more = f"{self.url}{endpoint}?page={number + 1}" if number + 1 < len(names) else None
        return {"id": number, "name": names[number], "next_page": more}


@pytest.fixture
def api() -> Iterator[Api]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(stub.page(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub = Api(f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield stub
    server.shutdown()
    server.server_close()
    thread.join()


def written(folder: Path, files: dict[str, str], api: Api | None = None) -> Path:
    """Files in a folder, the address of the stand-in in the place of the API's."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("https://www.api.com/", api.url) if api else text, "utf-8")
    return folder


def rows(session: Session, pipeline: str, table: str) -> list[tuple[int, str]]:
    found = session.dataset(pipeline).sql(f'SELECT id, name FROM "{table}" ORDER BY id').arrow()
    return [(row["id"], row["name"]) for row in found.to_pylist()]


def rows_in(folder: Path, *tables: str) -> list[int]:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as con:
        counts = [con.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]
    return [count[0] for count in counts if count]


def run(session: Session, *names: str) -> list[Status]:
    return [done.status for done in session.run(names, ps.ignore).pipelines]


# -------------------------------------------------------------------------------------- the seed


def test_the_code_runs_with_nothing_but_its_imports_changed(tmp_path: Path, api: Api) -> None:
    written(tmp_path / "source", ONE, api)
    session = session_of(tmp_path)
    assert run(session) == [Status.LOADED]
    assert rows(session, "schema.table", "table") == [(0, "a"), (1, "b"), (2, "c")]


def test_a_second_run_merges_by_the_key(tmp_path: Path, api: Api) -> None:
    written(tmp_path / "source", ONE, api)
    run(session_of(tmp_path))
    api.names["endpoint"] = "aBcd"
    session = session_of(tmp_path)
    run(session)
    assert rows(session, "schema.table", "table") == [(0, "a"), (1, "B"), (2, "c"), (3, "d")]


def test_a_factory_function_gives_a_table_for_each_endpoint(tmp_path: Path, api: Api) -> None:
    written(tmp_path / "source", MANY, api)
    session = session_of(tmp_path)
    assert run(session, "schema.table_two") == [Status.LOADED]  # one alone
    assert list(session.dataset("schema.table_one")) == []
    assert run(session) == [Status.LOADED, Status.LOADED]
    assert rows(session, "schema.table_one", "table_one") == [(0, "d"), (1, "e")]
    assert rows(session, "schema.table_two", "table_two") == [(0, "f"), (1, "g"), (2, "h")]


def test_what_is_said_for_dagster_is_in_the_project(tmp_path: Path) -> None:
    written(tmp_path / "source", ONE)
    spec = session_of(tmp_path).project.pipelines["schema.table"].tables["table"]
    assert spec.meta["dagster"] == {
        "automation_condition": "on_schedule",
        "automation_condition_config": {"cron_schedule": "@daily", "cron_timezone": "utc"},
        "freshness_lower_bound_delta_seconds": 108000,
        "kinds": ["api"],
    }


def test_files_land_and_are_kept(tmp_path: Path, api: Api) -> None:
    written(tmp_path / "source", ONE, api)
    run(session_of(tmp_path))
    kept = list((tmp_path / "data" / "raw_hist").rglob("*.jsonl.gz"))
    assert [path.relative_to(tmp_path / "data/raw_hist").parts[:2] for path in kept] == [
        ("schema.table", "table")
    ]


# ------------------------------------------------------------------------------------ the finder

RESOURCE = "ConfigurableDltResource.config(dlt.resource([{{'id': 1}}], name='{name}'))\n"


def test_packages_are_found_in_order_of_path_and_deep(tmp_path: Path) -> None:
    for folder, name in (("b/deep", "b.t"), ("a", "a.t"), (".hidden", "no.t"), ("__pycache__", "no.u")):
        written(tmp_path / folder, {"definitions.py": IMPORTS + RESOURCE.format(name=name)})
    assert [one.name for one in find_resources(tmp_path)] == ["a.t", "b.t"]


def test_relative_imports_reach_the_outermost_package(tmp_path: Path) -> None:
    package = tmp_path / "platform"
    files = {
        "__init__.py": "",
        "shared.py": "ROWS = [{'id': 7}]\n",
        "sources/__init__.py": "",
        "sources/one/__init__.py": "",
        "sources/one/definitions.py": IMPORTS
        + "from ...shared import ROWS\nfrom platform.shared import ROWS as SAME\n".replace("platform", "plat")
        + "assert ROWS == SAME\n"
        + "ConfigurableDltResource.config(dlt.resource(ROWS, name='one.t'))\n",
    }
    written(package.with_name("plat"), files)
    (found,) = find_resources(tmp_path / "plat" / "sources")
    assert found.name == "one.t"


def test_what_was_found_once_is_found_again(tmp_path: Path) -> None:
    written(tmp_path / "a", {"definitions.py": IMPORTS + RESOURCE.format(name="a.t")})
    assert [[one.name for one in find_resources(tmp_path)] for _ in range(2)] == [["a.t"], ["a.t"]]


def test_a_folder_without_definitions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"there is no `definitions.py`"):
        find_resources(tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("x = 1\nx = (\n", 2, "cannot be read"),
        ("x = 1\n\nimport no_such_package_here\n", 3, "no_such_package_here"),
        ("def fail():\n    1 / 0\n\nfail()\n", 2, "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_imported_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    written(tmp_path / "bad", {"definitions.py": text})
    with pytest.raises(ProjectError) as told:
        find_resources(tmp_path)
    assert told.value.where == f"{tmp_path / 'bad' / 'definitions.py'}:{line}"
    assert what in str(told.value)


# ------------------------------------------------------------------------------------- resources


def rows_of() -> Iterator[dict[str, Any]]:
    yield {"id": 1}


@pytest.mark.parametrize("make", [dlt.resource, ps.resource])
def test_resources_of_both_kinds_run(tmp_path: Path, make: Any) -> None:
    one = ConfigurableDltResource.config(make(rows_of, name="a.b.c"), kinds="api", tags=["x"])
    assert (one.key, one.schema, one.table) == (("a", "b", "c"), "a_b", "c")
    session = session_of([one], root=tmp_path)
    assert run(session) == [Status.LOADED]
    assert session.dataset("a.b.c").sql("SELECT id FROM c").arrow().to_pylist() == [{"id": 1}]


def test_a_project_file_says_where_it_leads(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "penstock.yml": "name: p\ndestination: parquet://out\nlayers: {land: a, raw_hist: b}\n",
            "sources/one/definitions.py": IMPORTS + RESOURCE.format(name="one.t"),
        },
    )
    session = session_of(tmp_path / "sources")
    assert run(session) == [Status.LOADED]
    assert list((tmp_path / "out" / "one" / "t").rglob("*.parquet"))
    assert list((tmp_path / "b" / "one.t" / "t").rglob("*.gz"))


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = [ConfigurableDltResource.config(ps.resource(rows_of, name="a.b")) for _ in range(2)]
    with pytest.raises(ProjectError, match=r"2 resources are called `a\.b`"):
        session_of(twice, root=tmp_path)


def test_a_destination_that_is_none_is_told(tmp_path: Path) -> None:
    one = ConfigurableDltResource.config(ps.resource(rows_of, name="a.b"))
    with pytest.raises(ProjectError, match="this is not a destination"):
        session_of([one], root=tmp_path, destination="ducksdb:///x")


def test_what_is_no_resource_is_refused() -> None:
    with pytest.raises(ProjectError, match="a resource is expected"):
        ConfigurableDltResource.config(rows_of)


def test_a_mistake_in_meta_is_told_where_it_is_made() -> None:
    with pytest.raises(ProjectError, match="did you mean 'on_schedule'"), collecting() as found:
        ConfigurableDltResource.config(
            ps.resource(rows_of, name="a.b"), meta={"dagster": {"automation_condition": "on_shedule"}}
        )
    assert found == []


# --------------------------------------------------------------------------------------- Dagster


def test_the_assets_are_what_the_code_says(tmp_path: Path) -> None:
    written(tmp_path / "source", ONE)
    defs = DagsterDltFactory.build_definitions(tmp_path)
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    assert set(specs) == {
        "schema/source/table_source",
        "schema/land/table_land",
        "schema/raw_hist/table_raw_hist",
        "schema/table",
    }
    table = specs["schema/table"]
    assert "api" in table.kinds
    assert table.group_name == "schema"
    assert table.freshness_policy == dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=30))
    assert table.automation_condition is not None
    assert table.automation_condition.get_label() == "on_schedule(@daily, UTC)"
    assert [dep.asset_key.to_user_string() for dep in table.deps] == ["schema/raw_hist/table_raw_hist"]


def test_every_midnight_the_whole_pipeline_is_asked_for(tmp_path: Path) -> None:
    written(tmp_path / "source", ONE)
    defs = DagsterDltFactory.build_definitions(tmp_path)
    instance, cursor, asked = dg.DagsterInstance.ephemeral(), None, []
    for day in (1, 2, 3):
        result = dg.evaluate_automation_conditions(
            defs,
            instance,
            dg.AssetSelection.all(),
            evaluation_time=datetime(2030, 1, day, 0, 1, tzinfo=UTC),
            cursor=cursor,
        )
        cursor = result.cursor
        asked.append(result.total_requested)
    assert asked == [0, 3, 3]
    (sensor,) = defs.sensors or ()
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_a_run_of_dagster_lands_checks_keeps_and_loads(tmp_path: Path, api: Api) -> None:
    written(tmp_path / "source", MANY, api)
    defs = DagsterDltFactory.build_definitions(tmp_path)
    job = defs.resolve_job_def("schema_table_two")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
        assert result.success
        made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert made == {"schema/land/table_two_land", "schema/raw_hist/table_two_raw_hist", "schema/table_two"}
    session = session_of(tmp_path)
    assert rows(session, "schema.table_two", "table_two") == [(0, "f"), (1, "g"), (2, "h")]


def test_one_function_says_what_assets_are(tmp_path: Path) -> None:
    class Mine(DltTranslator):
        def get_asset_spec(self, node: Node) -> Any:
            spec = super().get_asset_spec(node)
            return spec.replace_attributes(key=spec.key.with_prefix("mine"), owners=["team:mine"])

    written(tmp_path / "source", ONE)
    defs = DagsterDltFactory.build_definitions(tmp_path, translator=Mine())
    for spec in defs.resolve_all_asset_specs():
        assert spec.key.path[0] == "mine"
        assert spec.owners == ["team:mine"]
        assert all(dep.asset_key.path[0] == "mine" for dep in spec.deps)


def test_folders_with_definitions_of_their_own_go_into_one_code_location(tmp_path: Path) -> None:
    """As `dagster.load_from_defs_folder` finds them: a function that builds them, a folder each."""
    made = []
    for schema in ("ads", "rates"):
        resources = [
            ConfigurableDltResource.config(dlt.resource(rows_of, name=f"{schema}.{table}"), kinds={"api"})
            for table in ("one", "two")
        ]
        made.append(DagsterDltFactory.build_definitions(tuple(resources), root=tmp_path))
    defs = dg.Definitions.merge(*made)
    dg.Definitions.validate_loadable(defs)
    with dg.DagsterInstance.ephemeral() as instance:
        for job in ("ads_all", "rates_two"):
            assert defs.resolve_job_def(job).execute_in_process(instance=instance).success
    assert rows_in(tmp_path, "ads.one", "rates.two", "ads.two") == [1, 1, 1]


@pytest.mark.parametrize(
    ("tags", "shown"), [(["daily", "pii"], {"daily": "", "pii": ""}), ({"team": "ads"}, {"team": "ads"})]
)
def test_tags_are_names_or_names_with_values(tmp_path: Path, tags: Any, shown: dict[str, str]) -> None:
    one = ConfigurableDltResource.config(ps.resource(rows_of, name="a.b"), tags=tags)
    defs = DagsterDltFactory.build_definitions([one], root=tmp_path)
    (table,) = [s for s in defs.resolve_all_asset_specs() if s.key == dg.AssetKey(["a", "b"])]
    assert {name: value for name, value in table.tags.items() if not name.startswith("dagster/")} == shown
