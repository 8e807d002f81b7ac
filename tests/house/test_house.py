"""The house rules that no linter knows."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import penstock
from penstock.registry import BUILDERS, DESTINATIONS, SOURCES, STORES

ROOT = Path(penstock.__file__).parent
MODULES = [m.name for m in pkgutil.walk_packages([str(ROOT)], "penstock.") if "__main__" not in m.name]
PURE = ("schema", "records", "layers", "gate", "ledger", "singer", "models", "plan", "catalogue")
IMPURE = {"socket", "subprocess", "time", "random", "requests", "urllib", "http", "asyncio"}
ROOMS_THAT_SAY_NOTHING = {"utils", "helpers", "common", "core", "misc"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def test_every_public_name_has_a_docstring() -> None:
    bare = []
    for path in sorted(ROOT.rglob("*.py")):
        module = tree(path)
        if not ast.get_docstring(module) and path.name != "__init__.py":
            bare.append(f"{path.relative_to(ROOT)}")
        bare += [
            f"{path.relative_to(ROOT)}:{n.lineno} {n.name}"
            for n in public(module)
            if not ast.get_docstring(n)
        ]
    assert not bare


def public(room: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """The public classes, functions and methods; what is inside private classes and functions is private."""
    for node in room.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith(("_", "test_")):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def test_no_room_is_called_after_nothing() -> None:
    assert not [m for m in MODULES if m.rpartition(".")[2] in ROOMS_THAT_SAY_NOTHING]


def test_the_pure_floors_reach_for_nothing_outside() -> None:
    found = []
    for floor in PURE:
        place = ROOT / floor
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
            for node in ast.walk(tree(path)):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                found += [f"{path.name}: {n}" for n in names if n.partition(".")[0] in IMPURE]
    assert not found


def test_every_registered_part_is_there() -> None:
    for part in [*SOURCES.values(), *STORES.values(), *DESTINATIONS.values(), *BUILDERS.values()]:
        module, _, name = part.path.partition(":")
        assert hasattr(importlib.import_module(module), name), part.path


def test_every_module_can_be_imported_by_itself() -> None:
    for module in MODULES:
        importlib.import_module(module)


def test_every_type_ignore_names_its_code() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{n}"
        for path in sorted(ROOT.rglob("*.py"))
        for n, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"#\s*type:\s*ignore(?!\[)", line)
    ]
    assert not bare


def test_the_public_face() -> None:
    assert set(penstock.__all__) == {
        "Incremental", "PenstockError", "Pipeline", "Resource", "Source", "__version__", "current", "defer",
        "ignore", "incremental", "mark", "model", "open_session", "pipeline", "resource", "source",
        "transformer",
    }  # fmt: skip
    assert all(hasattr(penstock, name) for name in penstock.__all__)
