"""Projects whose data comes from an HTTP API, end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import penstock
from penstock.errors import ProjectError
from penstock.ledger import Refresh
from penstock.project.json_schema import json_schema
from penstock.report.facts import PipelineResult, Status
from servers.rest_api import Api, Reply, paged

PROJECT = """
name: shop
destination: duckdb:///w.duckdb
pipelines:
  p:
    source:
      type: rest_api
      base_url: {url}
      retry: {{attempts: 3, wait_s: 0.01}}
      {source}
{tables}
"""


class Shop:
    """A project of one pipeline over an API."""

    def __init__(self, folder: Path, api: Api) -> None:
        self.folder, self.api = folder, api

    def write(self, source: str, tables: str = "") -> Shop:
        text = "\n      ".join(line.strip("\n") for line in source.strip().splitlines())
        project = PROJECT.format(url=self.api.url, source=text, tables=tables)
        (self.folder / "penstock.yml").write_text(project)
        return self

    def run(self, refresh: Refresh | None = None) -> PipelineResult:
        session = penstock.open_session(self.folder)
        return session.run([], penstock.ignore, refresh=refresh).pipelines[0]

    def loads(self) -> PipelineResult:
        result = self.run()
        assert result.error is None, result.error
        return result

    def sql(self, text: str) -> list[Any]:
        rows = penstock.open_session(self.folder).show(None, sql=text).to_pylist()
        return [next(iter(r.values())) if len(r) == 1 else tuple(r.values()) for r in rows]

    def landed(self) -> list[str]:
        kept = (self.folder / "data/raw_hist").rglob("*.jsonl.gz")
        return sorted(path.name.partition("_1")[0] for path in kept)


@pytest.fixture
def shop(tmp_path: Path, api: Api) -> Shop:
    return Shop(tmp_path, api)


def test_the_example_of_the_design(shop: Shop) -> None:
    shop.api.answers["/random/postcodes"] = lambda _: {
        "status": 200,
        "result": {"postcode": f"AB{len(shop.api.asked)} 1CD", "longitude": -1.10, "codes": {"lsoa": "E01"}},
    }
    shop.write("tables: {random_postcodes: {path: random/postcodes, records: result, repeat: 1000}}")
    [table] = shop.loads().tables
    assert (table.table, table.loaded, table.files) == ("random_postcodes", 1000, 1)
    assert shop.sql("SELECT count(DISTINCT postcode) FROM random_postcodes") == [1000]
    assert shop.sql("SELECT DISTINCT codes.lsoa FROM random_postcodes") == ["E01"]
    assert shop.landed() == ["random_postcodes"]


@pytest.mark.parametrize("land_as", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_exact_numbers_reach_the_table(shop: Shop, land_as: str) -> None:
    shop.api.answers["/t"] = lambda _: Reply(b'[{"id":9007199254740993,"price":1.10},{"id":2,"price":0.3}]')
    shop.write(f"land_as: {land_as}\ntables: {{t: {{path: t, columns: {{price: 'decimal(12,2)'}}}}}}").loads()
    assert shop.sql("SELECT id, price::TEXT FROM t ORDER BY id") == [(2, "0.30"), (9007199254740993, "1.10")]


def test_gate_contract_and_keys_of_the_project(shop: Shop) -> None:
    shop.api.answers["/t"] = lambda _: [{"id": n, "n": n} for n in range(4)]
    rules = "{expectations: [{name: small, constraint: n < 3}]}"
    shop.write(
        "tables: {t: {path: t, write: merge, primary_key: id}}", f"    tables: {{t: {{gate: {rules}}}}}"
    )
    assert {(t.loaded, t.quarantined) for t in shop.loads().tables} == {(3, 1)}
    shop.loads()
    assert shop.sql("SELECT count(*) FROM t") == [3]


def test_a_cursor_of_a_project(shop: Shop) -> None:
    rows = [{"id": 1, "at": "2026-01-01T00:00:00Z"}, {"id": 2, "at": "2026-01-02T00:00:00Z"}]
    shop.api.answers["/t"] = lambda r: [row for row in rows if row["at"] >= r.params["since"]]
    shop.write("""
      tables:
        t:
          path: t
          params: {since: "{incremental.start_value}"}
          primary_key: id
          incremental: {cursor_path: at, initial_value: "2026-01-01T12:00:00Z"}
    """)
    shop.loads()
    assert shop.run().status is Status.NOTHING_NEW
    rows.append({"id": 3, "at": "2026-01-02T00:00:00Z"})
    shop.loads()
    assert shop.sql("SELECT id FROM t ORDER BY id") == [2, 3]
    refreshed = shop.run(Refresh.DROP_SOURCES)
    assert refreshed.error is None, refreshed.error
    assert shop.api.asked[-1].params == {"since": "2026-01-01T12:00:00Z"}
    assert shop.sql("SELECT id FROM t ORDER BY id") == [2, 3]


def test_a_table_that_is_replaced_and_one_that_is_empty_then(shop: Shop) -> None:
    rows = [{"id": 1}, {"id": 2}]
    shop.api.answers["/t"] = lambda _: rows
    shop.api.answers["/u"] = lambda _: [{"id": 3}]
    shop.write("checkpoint_s: 0\ntables: {u: u, t: {path: t, write: replace}}")
    shop.loads()
    shop.loads()
    assert shop.sql("SELECT count(*) FROM t") == [2]
    rows.clear()
    shop.loads()
    assert shop.sql("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)") == [(0, 3)]


def test_what_landed_before_a_failure_is_loaded_and_not_asked_for_again(shop: Shop) -> None:
    shop.api.answers["/t"] = lambda r: paged(99)(r) if r.params["page"] != "5" else Reply("", 500)
    shop.write("checkpoint_s: 0\ntables: {t: {path: t, paginator: page_number}}")
    result = shop.run()
    assert "the API answered with 500, 3 times" in str(result.error)
    shop.api.answers["/t"] = paged(99)
    shop.api.asked.clear()
    shop.loads()
    assert shop.api.paths()[0] == "/t?page=5"
    assert shop.sql("SELECT count(*), count(DISTINCT id) FROM t") == [(99, 99)]


def test_parents_and_children(shop: Shop) -> None:
    shop.api.answers["/orgs"] = lambda _: {"data": [{"id": n} for n in (1, 2)]}
    for n in (1, 2):
        shop.api.answers[f"/orgs/{n}/repos"] = lambda r: {"data": [{"name": f"r{r.path[6]}"}]}
    shop.write("""
      tables:
        orgs: orgs
        repos: {path: "orgs/{resources.orgs.id}/repos", include_from_parent: {org: id}}
    """)
    shop.loads()
    assert shop.sql("SELECT org, name FROM repos ORDER BY org") == [(1, "r1"), (2, "r2")]


def test_secrets_come_from_the_environment(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "very-secret-token")
    shop.api.answers["/t"] = lambda r: [{"id": 1}] if "very-secret" in r.headers["authorization"] else []
    shop.write("auth: {type: bearer, token: '${API_TOKEN}'}\ntables: {t: t}").loads()
    kept = [p for p in (shop.folder / "data").rglob("*") if p.is_file()]
    assert kept
    assert not [p for p in kept if b"very-secret" in p.read_bytes()]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("tables: {}", "tables"),
        ("tables: {t: {path: t, paginator: page_nmber}}", "did you mean 'page_number'?"),
        ("tables: {t: {path: t, paginater: auto}}", "did you mean 'paginator'?"),
        ("tables: {t: {path: t, records: 'a..b'}}", "is no path"),
        ("tables: {t: {path: t, columns: {a: strng}}}", "is not a type"),
        ("tables: {t: {path: t, responses: [{action: ignore}]}}", "not said which answers are meant"),
        ("auth: {type: bearer}\ntables: {t: t}", "token"),
    ],
)
def test_projects_that_are_wrong(shop: Shop, source: str, said: str) -> None:
    shop.write(source)
    with pytest.raises(ProjectError) as caught:
        shop.run()
    assert said in str(caught.value)
    assert "penstock.yml:" in str(caught.value)


FORMS: list[dict[str, Any]] = [
    {"tables": {"t": "path/of/t"}},
    {"tables": {"t": {"path": "t", "paginator": "header_link", "records": "data.items", "repeat": 1000}}},
    {"tables": {"t": {"path": "t", "paginator": {"type": "offset", "limit": "${LIMIT:-100}"}}}},
    {"tables": {"t": {"path": "t", "json": {"a": [1, None]}, "params": {"x": [1, 2], "y": None}}}},
    {
        "tables": {
            "t": {"path": "t", "include_from_parent": ["a"], "params": {"q": "{resources.u.a}"}},
            "u": "u",
        }
    },
    {"tables": {"t": {"path": "t", "incremental": {"cursor_path": "at", "initial_value": "2026-01-01"}}}},
    {"tables": {"t": "t"}, "auth": {"type": "bearer", "token": "x"}, "rate_limit": 2.5},
    {"tables": {"t": "t"}, "auth": {"type": "api_key", "api_key": "x"}, "hosts": "example.org:443"},
    {"tables": {"t": "t"}, "responses": [{"status": 404, "action": "ignore"}], "retry": {"status": [500]}},
]


@pytest.mark.parametrize("form", FORMS)
def test_editors_and_penstock_agree(tmp_path: Path, form: dict[str, Any]) -> None:
    source = {"type": "rest_api", "base_url": "https://api.example", **form}
    project = {"name": "p", "destination": "duckdb:///w.duckdb", "pipelines": {"p": {"source": source}}}
    assert not [*Draft202012Validator(json_schema()).iter_errors(project)]
    (tmp_path / "penstock.yml").write_text(json.dumps(project))
    penstock.open_session(tmp_path)


def test_a_base_that_is_no_url(tmp_path: Path) -> None:
    (tmp_path / "penstock.yml").write_text(
        "name: p\npipelines: {p: {source: {type: rest_api, base_url: api.example, tables: {t: t}}}}"
    )
    with pytest.raises(ProjectError, match="is not the address of an API"):
        penstock.open_session(tmp_path)
