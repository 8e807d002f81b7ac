"""What pydantic says of a project file, in our own terms and with its line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from penstock.errors import ProjectError, suggest
from penstock.project.nodes import Node, Path, dotted, where
from penstock.project.positions import locate
from penstock.project.spec import ProjectFile, WriteSpec
from penstock.project.variables import redact
from penstock.schema.faults import combine, either, flatten

_KINDS = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "string": "text",
    "tuple": "a list", "list": "a list", "dict": "a mapping", "model": "a mapping",
    "model_attributes": "a mapping", "mapping": "a mapping",
}  # fmt: skip
_LIMITS = {
    "ge": "at least",
    "gt": "more than",
    "le": "at most",
    "lt": "less than",
    "min_length": "characters: at least",
}


def complaints(error: ValidationError, tree: Node, kind: type[BaseModel] = ProjectFile) -> list[ProjectError]:
    """One error for each thing that is wrong in `tree`, a `kind`, in the order of the file's lines.

    Values that hold a variable without a value are not judged: that is an error of its own.
    """
    found: dict[str, tuple[int, ProjectError]] = {}
    for details in error.errors(include_url=False, include_input=False):
        path, node = locate(tree, _steps(details), missing=details["type"] == "missing")
        if not any(n.unset for _, n in node.scalars()):
            complaint = _complain(details, path, node, kind)
            found.setdefault(str(complaint), (node.at.line, complaint))
    return [complaint for _, complaint in sorted(found.values(), key=lambda f: f[0])]


def raise_all(faults: Iterable[ProjectError], subject: str, secrets: Iterable[str] = ()) -> None:
    """Raise all faults as one error, each once and without secrets; nothing if there are none."""
    hidden = frozenset(secrets)
    once: dict[str, ProjectError] = {}
    for fault in flatten(faults):
        facts = {k: getattr(fault, k) for k in ("where", "found", "expected", "hint")}
        masked = {k: redact(v, hidden) if v else None for k, v in facts.items()}
        once.setdefault(f"{fault.what} {fault.where}", ProjectError(redact(fault.what, hidden), **masked))
    if once:
        raise combine(list(once.values()), subject)


def _steps(details: ErrorDetails) -> Path:
    return (*details["loc"], *details.get("ctx", {}).get("at", ()))


def _complain(details: ErrorDetails, path: Path, node: Node, root: type[BaseModel]) -> ProjectError:
    """One error of pydantic's, by its kind."""
    kind, ctx = details["type"], details.get("ctx", {})
    name = f"`{dotted(path[-1:]) or 'the file'}`"
    place, found = where(node.at, path), _found(node)
    if kind == "extra_forbidden":
        return _unknown_key(details, place, root)
    if kind == "missing":
        return ProjectError(f"{name} is missing", where=place)
    if kind == "refused":
        return _refused(details["msg"], ctx, place, node)
    if kind == "union_tag_not_found":
        choices = _types_at(details["loc"], root)
        found = None if isinstance(node.value, dict) else found
        return ProjectError(f"{name} has no `type`", where=place, found=found, expected=either(choices))
    if kind == "union_tag_invalid":
        inner = node.child("type") or node
        return _unknown_word(
            "`type`", inner, where(inner.at, (*path, "type")), _types_at(details["loc"], root)
        )
    if kind in ("enum", "literal_error"):
        words = str(ctx["expected"]).replace(" or ", ", ").split(", ")
        return _unknown_word(name, node, place, [word.strip("'") for word in words])
    if wanted := _KINDS.get(kind.rpartition("_")[0]):
        return ProjectError(f"{name} has a wrong kind of value", where=place, found=found, expected=wanted)
    limit = next((f"{text} {ctx[k]}" for k, text in _LIMITS.items() if k in ctx), details["msg"])
    return ProjectError(f"{name} is out of range", where=place, found=found, expected=limit)


def _unknown_key(details: ErrorDetails, place: str, root: type[BaseModel]) -> ProjectError:
    key = str(details["loc"][-1]).removeprefix("write.")
    keys = _keys_at(details["loc"], root)
    hint = suggest(key, keys)
    return ProjectError(
        f"unknown key `{key}`", where=place, expected=None if hint else either(keys), hint=hint
    )


def _unknown_word(name: str, node: Node, place: str, words: Sequence[str]) -> ProjectError:
    return ProjectError(
        f"{name} has an unknown value",
        where=place,
        found=_found(node),
        expected=either(words),
        hint=suggest(str(node.value), words),
    )


def _refused(message: str, ctx: dict[str, Any], place: str, node: Node) -> ProjectError:  # Any: pydantic's
    """A refusal by a validator of our own; `known` holds the names that would have been right."""
    known = ctx.get("known", ())
    if isinstance(node.value, str) and node.written is not None and node.value != node.written:
        message = message.replace(repr(node.value), repr(node.written)).replace(node.value, node.written)
    return ProjectError(
        message,
        where=place,
        found=None if known or isinstance(node.value, dict | list | None) else _found(node),
        expected=ctx.get("expected") or either(known) or None,
        hint=ctx.get("hint") or suggest(ctx.get("name", ""), known),
    )


def _found(node: Node) -> str | None:
    """The value as the file has it; variables are not filled in, so that no secret shows."""
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return "a list"
    return f"'{node.written}'" if node.written else "nothing"


def _models_at(steps: Sequence[str | int], root: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that may stand where `steps` lead from `root`."""
    kinds: list[Any] = [root]  # Any: annotations
    for step in steps:
        kinds = [inner for kind in kinds for inner in _below(kind, step)]
    return [model for kind in kinds for model in _members(kind)]


def _types_at(steps: Sequence[str | int], root: type[BaseModel]) -> list[str]:
    """The values that `type` may have where `steps` lead."""
    fields = (m.model_fields["type"] for m in _models_at(steps, root) if "type" in m.model_fields)
    return [str(word) for field in fields for word in get_args(field.annotation)]


def _keys_at(steps: Sequence[str | int], root: type[BaseModel]) -> list[str]:
    """The keys that are known where `steps` lead, but for the last of them."""
    written = str(steps[-1]).startswith("write.")
    models = [WriteSpec] if written else _models_at(steps[:-1], root)
    fields = [
        item for m in models for item in m.model_fields.items() if item[0] not in getattr(m, "without", ())
    ]
    return list(dict.fromkeys(key for name, f in fields for key in (name, f.alias) if key))


def _below(kind: Any, step: str | int) -> list[Any]:  # Any: annotations
    """The annotations one step below an annotation."""
    if get_origin(kind) is dict:
        return [get_args(kind)[1]]
    if get_origin(kind) is tuple:
        return [get_args(kind)[0]]
    found = []
    for model in _members(kind):
        field = model.model_fields.get(str(step)) or next(
            (f for f in model.model_fields.values() if f.alias == step), None
        )
        if field is not None:
            found.append(field.annotation)
        elif "type" in model.model_fields and step in get_args(model.model_fields["type"].annotation):
            found.append(model)
    return found


def _members(kind: Any) -> list[type[BaseModel]]:  # Any: annotations
    """The models that an annotation allows."""
    if get_origin(kind) in (Union, UnionType):
        return [m for arg in get_args(kind) for m in _members(arg)]
    if hasattr(kind, "__metadata__"):
        return _members(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return []
    return [kind] if isinstance(kind, type) and issubclass(kind, BaseModel) else []
