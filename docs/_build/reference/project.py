"""The keys of the project file, from the JSON Schema that editors use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from penstock.project.json_schema import json_schema
from reference.markdown import code, join, table

# Any throughout: JSON Schema is nested dictionaries.

INTRO = """
# The project file

`penstock.yml` lies in the project's folder; more pipelines may lie in `pipelines/*.yml`, each file
being one pipeline of that name, or a mapping of names to pipelines. Relative paths are relative to the
project's folder. `${NAME}` and `${NAME:-default}` are filled in from the environment or from `.env`.
A key that is not listed here is an error that names the line and the key that was perhaps meant.

An editor completes and checks the file with `penstock check --json-schema > penstock.schema.json` and
this first line of `penstock.yml`:

```text
# yaml-language-server: $schema=penstock.schema.json
```
"""
_TITLES = {
    "LayersSpec": "layers",
    "DuckDBSpec": "destination: duckdb",
    "ParquetSpec": "destination: parquet",
    "SingerTargetSpec": "destination: singer_target",
    "PipelineSpec": "pipelines.*",
    "FilesystemSpec": "source: filesystem",
    "LandSpec": "source: land",
    "PythonSpec": "source: python",
    "DltSpec": "source: dlt",
    "RestApiSpec": "source: rest_api",
    "RestTableSpec": "rest_api: tables.*",
    "RestIncrementalSpec": "rest_api: incremental",
    "ResponseSpec": "rest_api: responses",
    "RestRetrySpec": "rest_api: retry",
    "BearerSpec": "rest_api: auth: bearer",
    "ApiKeySpec": "rest_api: auth: api_key",
    "BasicSpec": "rest_api: auth: basic",
    "OAuth2Spec": "rest_api: auth: oauth2_client_credentials",
    "AutoPagesSpec": "rest_api: paginator: auto",
    "SinglePageSpec": "rest_api: paginator: single_page",
    "PageNumberSpec": "rest_api: paginator: page_number",
    "OffsetSpec": "rest_api: paginator: offset",
    "CursorPagesSpec": "rest_api: paginator: cursor",
    "HeaderLinkSpec": "rest_api: paginator: header_link",
    "HeaderCursorSpec": "rest_api: paginator: header_cursor",
    "JsonLinkSpec": "rest_api: paginator: json_link",
    "SqlDatabaseSpec": "source: sql_database",
    "SqlTableSpec": "sql_database: tables.*",
    "SqlCursorSpec": "sql_database: incremental",
    "SingerSpec": "source: singer",
    "StateOptions": "singer: state",
    "RetrySpec": "retry",
    "ModelsSpec": "models",
    "DbtSpec": "models: dbt",
    "FreshnessSpec": "freshness",
    "TableSpec": "tables.*",
    "ColumnSpec": "columns",
    "ForeignKeySpec": "foreign_key",
    "GateSpec": "gate",
    "ExpectationSpec": "expectations",
    "VolumeSpec": "volume",
    "ContractSpec": "contract",
    "WriteSpec": "write",
    "Scd2Spec": "scd2",
    "NestingSpec": "nesting",
    "CsvSpec": "csv",
    "PluginsSpec": "plugins",
    "PluginSpec": "plugins.*",
    "PluginSettingSpec": "plugins.*: settings",
    "PluginCommandSpec": "plugins.*: commands",
    "MappingSpec": "plugins.*: mappings",
    "JobSpec": "jobs",
    "ScheduleSpec": "schedules",
    "Action": "Action",
    "Materialization": "Materialization",
    "Mode": "Mode",
    "Policy": "Policy",
    "WriteMode": "WriteMode",
    "Strategy": "Strategy",
    "Order": "Order",
    "NestingMode": "NestingMode",
}


def page() -> str:
    """The keys of the file, section by section, and the words that some of them take."""
    schema = json_schema()
    definitions = schema["$defs"]
    known = {n for n in definitions if not n.endswith("Overlay") and n != "Variable"}
    unlisted = known ^ _TITLES.keys()
    if unlisted:
        raise LookupError(f"the project file and its reference differ in {sorted(unlisted)}")
    sections = [_section(definitions[name], title) for name, title in _TITLES.items()]
    return join(INTRO, "## The top", _keys(schema), *sections)


def _section(schema: dict[str, Any], title: str) -> str:
    words = schema.get("description", "").split("\n\n")
    body = _keys(schema) if "properties" in schema else f"One of {', '.join(map(code, schema['enum']))}."
    return join(f"## {title}", *words, body)


def _keys(schema: dict[str, Any]) -> str:
    choices = [one["required"][0] for either in schema.get("allOf", ()) for one in either["anyOf"]]
    required = {*schema.get("required", ()), *choices}
    rows = []
    for keys, value in _named(schema["properties"]):
        default = "required" if required & set(keys) else _default(value)
        values = ", ".join(dict.fromkeys(_values(value)))
        rows.append((" or ".join(map(code, keys)), values, default, value.get("description", "")))
    return table(("key", "value", "default", "meaning"), rows)


def _named(properties: dict[str, Any]) -> list[tuple[list[str], dict[str, Any]]]:
    """The keys with what stands behind them; two names for one key come together."""
    found: list[tuple[list[str], dict[str, Any]]] = []
    for key, value in properties.items():
        twin = next((keys for keys, other in found if other == value and "description" in value), None)
        if twin is None:
            found.append(([key], value))
        else:
            twin.append(key)
    return found


def _default(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    return "" if value is None else code(str(value).lower() if isinstance(value, bool) else str(value))


def _values(schema: dict[str, Any]) -> Iterator[str]:
    """What may stand behind a key, in words; a variable and nothing at all go without saying."""
    for form in schema.get("anyOf") or schema.get("oneOf") or [schema]:
        if "anyOf" in form or "oneOf" in form:
            yield from _values(form)
        elif "$ref" in form:
            name = form["$ref"].rpartition("/")[2].removesuffix("Overlay")
            if name != "Variable":
                title = "the top" if name == "ProjectFile" else _TITLES[name]
                yield f"[{title}](#{_anchor(title)})"
        elif "const" in form:
            yield code(form["const"])
        elif "enum" in form:
            yield ", ".join(code(str(word)) for word in form["enum"])
        elif form.get("type") == "array":
            items = list(_values(form["items"])) if "items" in form else []
            yield f"list of {' or '.join(items)}" if items else "list"
        elif isinstance(form.get("additionalProperties"), dict):
            yield f"mapping to {' or '.join(dict.fromkeys(_values(form['additionalProperties'])))}"
        elif form.get("type") not in (None, "null"):
            yield _WORDS.get(str(form["type"]), str(form["type"]))
        elif not form.keys() - {"description", "default"}:
            yield "any value"


_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "mapping"}


def _anchor(title: str) -> str:
    """The anchor that Python-Markdown gives a heading."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")
