"""The JSON Schema of the project file, for completion and checks in editors.

It is made from the models of the project file, and accepts what the loader accepts: short forms,
both names of a key that has two, empty values, and a variable in place of any value. Source: JSON
Schema draft 2020-12.
"""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from penstock.gate.verdict import Action, Policy
from penstock.models.model import Materialization
from penstock.project import spec
from penstock.project.base import Spec
from penstock.schema.contract import Mode
from penstock.schema.disposition import Order, Strategy, WriteMode
from penstock.schema.nesting import NestingMode

# Any throughout: JSON Schema is nested dictionaries.

FILE_NAME = "penstock.schema.json"
_VARIABLE = {"type": "string", "pattern": r"\$\{.+\}", "description": "A variable: `${NAME}`."}
_PARTIAL = "Overlay"
_WORDS = ("integer", "number", "boolean")
_ENUMS = tuple(
    f"#/$defs/{kind.__name__}"
    for kind in (Action, Materialization, Mode, NestingMode, Order, Policy, Strategy, WriteMode)
)


def json_schema() -> dict[str, Any]:
    """The schema of `penstock.yml`, with its environments."""
    schema = spec.ProjectFile.model_json_schema(ref_template="#/$defs/{model}")
    models = {model.__name__: model for model in _models(Spec)}
    notes = _notes(models.values())
    definitions: dict[str, Any] = schema.pop("$defs")
    for name, definition in [*definitions.items(), ("ProjectFile", schema)]:
        if name in models:
            _complete(definition, models[name], notes)
    partial = _partial({**definitions, "ProjectFile": copy.deepcopy(schema)})
    schema["properties"]["environments"] = {
        "description": "What is different in each environment; chosen with `--environment`.",
        "type": ["object", "null"],
        "additionalProperties": {"anyOf": [{"$ref": f"#/$defs/ProjectFile{_PARTIAL}"}, {"type": "null"}]},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Penstock project",
        "$defs": {**definitions, **partial, "Variable": _VARIABLE},
    }


def _complete(definition: dict[str, Any], model: type[BaseModel], notes: dict[tuple[str, str], str]) -> None:
    """Add to the schema of a model what pydantic does not know of."""
    properties: dict[str, Any] = definition["properties"]
    required = set(definition.pop("required", ()))
    choices = []
    without: tuple[str, ...] = getattr(model, "without", ())
    for name, field in model.model_fields.items():
        key = field.alias or name
        if name in without:
            del properties[key]
            continue
        if "const" in properties[key]:
            required.add(key)
        properties[key] = _lenient(properties[key], _note(notes, model, name), key in required)
        if field.alias:
            properties[name] = properties[key]
            if key in required:
                required.remove(key)
                choices.append({"anyOf": [{"required": [key]}, {"required": [name]}]})
    definition["properties"] = {key: properties[key] for key in _order(model) if key in properties}
    if required:
        definition["required"] = sorted(required)
    if choices:
        definition["allOf"] = choices


def _order(model: type[BaseModel]) -> list[str]:
    """The keys of a model, its own before those that it shares with others."""
    own = [name for kind in model.__mro__ for name in inspect.get_annotations(kind)]
    fields = {name: model.model_fields[name] for name in own if name in model.model_fields}
    return [key for name, field in fields.items() for key in (field.alias or name, name)]


def _lenient(schema: dict[str, Any], note: str | None, required: bool) -> dict[str, Any]:
    """The schema of one key that also takes a variable and, unless it is required, nothing."""
    if "const" in schema:
        return {"const": schema["const"]}
    forms = list(_forms({k: v for k, v in schema.items() if k not in ("default", "title")}))
    if any("enum" in f or f.get("type") in _WORDS or str(f.get("$ref")) in _ENUMS for f in forms):
        forms.append({"$ref": "#/$defs/Variable"})
    if not required:
        forms.append({"type": "null"})
    once = [form for index, form in enumerate(forms) if form not in forms[:index]]
    outer: dict[str, Any] = dict(once[0]) if len(once) == 1 else {"anyOf": once}
    if note:
        outer["description"] = note
    if isinstance(schema.get("default"), str | int | float):
        outer["default"] = schema["default"]
    return outer


def _forms(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The ways in which a value may be written."""
    if list(schema) == ["anyOf"]:
        for form in schema["anyOf"]:
            yield from _forms(form)
    elif schema == {"type": "object", "additionalProperties": True}:
        yield {"$ref": f"#/$defs/ColumnSpec{_PARTIAL}"}
    elif isinstance(schema.get("additionalProperties"), dict):
        forms = list(_forms(schema["additionalProperties"]))
        yield {**schema, "additionalProperties": forms[0] if len(forms) == 1 else {"anyOf": forms}}
    else:
        yield schema


def _partial(definitions: dict[str, Any]) -> dict[str, Any]:
    """The same definitions for an overlay: nothing is required, because the rest is said elsewhere."""
    return {f"{name}{_PARTIAL}": _without_required(schema) for name, schema in definitions.items()}


def _without_required(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_required(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {k: v for k, v in schema.items() if k not in ("allOf", "discriminator")}
    if isinstance(kept.get("required"), list):
        del kept["required"]
    if "oneOf" in kept:
        kept["anyOf"] = kept.pop("oneOf")
    reference = kept.get("$ref")
    if isinstance(reference, str) and not reference.endswith(("/Variable", _PARTIAL)):
        kept["$ref"] = reference + _PARTIAL
    return {k: _without_required(v) for k, v in kept.items()}


def _note(notes: dict[tuple[str, str], str], model: type[BaseModel], field: str) -> str | None:
    """The docstring of a field, its model's own or an inherited one."""
    return next((notes[key] for m in model.__mro__ if (key := (m.__name__, field)) in notes), None)


def _models(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model and all that are made from it."""
    yield root
    for model in root.__subclasses__():
        yield from _models(model)


def _notes(models: Iterable[type[BaseModel]]) -> dict[tuple[str, str], str]:
    """The docstrings below the fields of the models, by model and field."""
    found = {}
    modules = {model.__module__: inspect.getmodule(model) for model in models}
    for node in (n for m in modules.values() if m is not None for n in ast.parse(inspect.getsource(m)).body):
        if isinstance(node, ast.ClassDef):
            for field, note in zip(node.body, node.body[1:], strict=False):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(field.target, ast.Name)
                    and isinstance(note, ast.Expr)
                    and isinstance(note.value, ast.Constant)
                ):
                    found[node.name, field.target.id] = inspect.cleandoc(str(note.value.value)).replace(
                        "\n", " "
                    )
    return found
