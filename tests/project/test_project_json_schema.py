"""The JSON Schema accepts what the loader accepts, and refuses what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from project_texts import load, pipelines, told

from penstock.project.base import Spec
from penstock.project.json_schema import json_schema
from penstock.project.nodes import read_yaml
from penstock.project.spec import TableSpec

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

GOOD = [
    "name: shop",
    "name: shop\nlayers:\ndestination: duckdb:///w.duckdb\n",
    "name: shop\ndestination: {parquet: out}\n",
    "name: shop\ndestination: {type: duckdb, path: x, schema_name: y, threads: '${THREADS:-2}'}\n",
    pipelines("  a: {source: {type: land, min_age_s: }, policy: '${POLICY:-all}', tables: {t: , u: {}}}"),
    pipelines(
        "  a: {source: {type: filesystem, url: x, tables: {t: '*.csv'}}, tables: {t: {csv: {quote: }}}}"
    ),
    pipelines(
        "  a:\n    source: {type: land}\n    tables:\n"
        "      t: {contract: freeze, write: {mode: merge, primary_key: id}, partitions: day}\n"
        "      u: {contract: {columns: freeze}, write_disposition: replace, columns: [{name: a}]}\n"
        "      v: {columns: {a: int64, b: {type: text, max_length: 3, foreign_key: x.y}, c: }}\n"
        "      w: {gate: {expectations: [{name: a, constraint: b}], actions: {enum: drop}}}\n"
    ),
    "name: shop\ndestination: duckdb:///w.duckdb\nenvironments:\n  dev:\n  prod:\n"
    "    destination: {type: duckdb, path: x, memory_limit: 1GB}\n    layers: {land: s3://x}\n",
    "name: shop\nmodels: models/\n",
    "name: shop\nmodels: {dbt: warehouse}\nenvironments: {prod: {models: {dbt: {target: prod, path: w}}}}\n",
    "name: shop\nmodels: {path: m, materialized: '${KIND:-view}', unique_key: id, freshness: 1h}\n",
    pipelines(
        "  a: {source: {type: land}, owners: me, tags: [a], meta: {x: {y: 1}}, freshness: {fail_after: 2d}}"
    ),
    pipelines("  a: {source: {type: land}}\nenvironments: {prod: {pipelines: {a: {schedule: '@daily'}}}}\n"),
]
BAD = [
    "nam: shop",
    "{}",
    "name: 3",
    "name: shop\nlayers: {landing: x}",
    "name: shop\ndestination: {path: x}",
    "name: shop\ndestination: {type: duckdb}",
    "name: shop\ndestination: {type: duckdb, path: x, threads: many}",
    "name: shop\nroot: x",
    "name: shop\nmodels: {pathh: x}",
    "name: shop\nmodels: {materialized: ephemeral}",
    "name: shop\nmodels: {csv: {delimiter: x}}",
    "name: shop\nmodels: {dbt: {}}",
    pipelines("  a: {source: {type: land}, freshness: {warn_after: 1h}}"),
    "name: shop\nenvironments: {prod: {layer: {land: x}}}",
    pipelines("  a: {source: {path: x}}"),
    pipelines("  a: {source: {type: filesystem}}"),
    pipelines("  a: {}"),
    pipelines("  a: {source: {type: land}, tables: {t: {write: mrge}}}"),
    pipelines("  a: {source: {type: land}, tables: {t: {write: {mode: merge, key: id}}}}"),
    pipelines("  a: {source: {type: land}, tables: {t: {gate: {min_rows: many}}}}"),
    pipelines("  a: {source: {type: land}, tables: {t: {gate: {max_quarantined_share: 2}}}}"),
]


def problems(text: str) -> list[str]:
    tree, wrong = read_yaml(text, "penstock.yml")
    assert wrong == []
    return [error.message for error in VALIDATOR.iter_errors(tree.plain())]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("text", GOOD)
def test_what_loads_is_valid(text: str) -> None:
    assert load(text).project.name == "shop"
    assert problems(text) == []


@pytest.mark.parametrize("text", BAD)
def test_what_does_not_load_is_not_valid(text: str) -> None:
    assert told(text)
    assert problems(text)


def test_every_key_says_what_it_is_for() -> None:
    definitions = {**SCHEMA["$defs"], "ProjectFile": SCHEMA}
    for name, definition in definitions.items():
        for key, about in definition.get("properties", {}).items():
            assert "const" in about or about.get("description"), f"{name}.{key}"


def test_every_model_and_every_key_is_there() -> None:
    def models(root: type[Spec]) -> set[type[Spec]]:
        return {m for sub in root.__subclasses__() for m in ({sub} | models(sub))}

    for model in {
        m
        for m in models(Spec)
        if m.__name__ not in ("ProjectFile", "Project", "MakerSpec", "RefSpec", "Labels", "ModelSpec")
    }:
        definition = SCHEMA["$defs"][model.__name__]
        without = getattr(model, "without", ())
        fields = {name: f for name, f in model.model_fields.items() if name not in without}
        keys = {key for name, f in fields.items() for key in (name, f.alias) if key}
        assert set(definition["properties"]) == keys
        assert definition["description"]


def test_references_lead_somewhere() -> None:
    def references(value: Any) -> set[str]:  # Any: a JSON Schema
        if isinstance(value, list):
            return {r for item in value for r in references(item)}
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own | {r for item in value.values() for r in references(item)}
        return set()

    assert references(SCHEMA) <= {f"#/$defs/{name}" for name in SCHEMA["$defs"]}


def test_words_may_come_from_variables_wherever_they_are_listed() -> None:
    enums = {name for name, d in SCHEMA["$defs"].items() if "enum" in d and not name.endswith("Overlay")}
    action = SCHEMA["$defs"]["GateSpec"]["properties"]["arrival"]["anyOf"]
    assert enums == {
        "Action",
        "Materialization",
        "Mode",
        "NestingMode",
        "Order",
        "Policy",
        "Strategy",
        "WriteMode",
    }
    assert {"$ref": "#/$defs/Variable"} in action
    assert {"$ref": "#/$defs/Variable"} in SCHEMA["$defs"]["TableSpec"]["properties"]["write"]["anyOf"]
    assert TableSpec.model_fields["write"].alias in SCHEMA["$defs"]["TableSpec"]["properties"]
