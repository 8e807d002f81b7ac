"""The modules that other code may import, from their source: nothing is run to describe it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import penstock
from reference.markdown import fence, join

INTRO = """
# Python

Modules with a promise: what a program is written with, what an adapter implements and is given, and the
suites that test it. The rest of the package may change without notice. Of the first ones, the names that
programs use are in `penstock` itself: `import penstock as ps`, then `ps.pipeline`, `ps.resource`,
`ps.source`, `ps.transformer`, `ps.defer`, `ps.incremental`, `ps.current`, `ps.mark`,
`ps.model`.
"""
MODULES = (
    "app.pipeline",
    "app.dataset",
    "app.relation",
    "sources.python.decorators",
    "sources.python.resource",
    "sources.python.group",
    "cursors.incremental",
    "sources.python.current",
    "sources.python.mark",
    "models.function",
    "app.session",
    "catalogue",
    "ports",
    "ledger",
    "plan",
    "layers",
    "schema.table",
    "schema.types",
    "schema.contract",
    "schema.disposition",
    "records.chunk",
    "gate.verdict",
    "report.facts",
    "testing.store",
    "testing.destination",
)


def page() -> str:
    """One section a module: its docstring, and every public name with its signature and docstring."""
    [folder] = penstock.__path__
    sections = [_module(name, Path(folder, *name.split(".")).with_suffix(".py")) for name in MODULES]
    return join(INTRO, *sections)


def _module(name: str, path: Path) -> str:
    tree = ast.parse(path.read_text("utf-8"))
    named = [n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef) and _public(n.name)]
    public = [n for n in named if "overload" not in map(ast.unparse, n.decorator_list)]
    return join(f"## penstock.{name}", _doc(tree), *map(_entry, public))


def _entry(node: ast.ClassDef | ast.FunctionDef) -> str:
    if isinstance(node, ast.FunctionDef):
        return join(f"### {node.name}", fence(_signature(node), "python"), _doc(node))
    tests = any(isinstance(n, ast.FunctionDef) and n.name.startswith("test_") for n in node.body)
    methods = [n for n in node.body if isinstance(n, ast.FunctionDef) and _public(n.name)]
    parts = [join(f"**{m.name}**", fence(_signature(m), "python"), _doc(m)) for m in methods if not tests]
    return join(f"### {node.name}", fence(_class(node), "python"), _doc(node), *parts)


def _class(node: ast.ClassDef) -> str:
    """The head of a class, and its fields or members."""
    head = f"class {node.name}" + (f"({', '.join(map(ast.unparse, node.bases))})" if node.bases else "")
    fields = [
        "    " + ast.unparse(n)
        for n in node.body
        if (isinstance(n, ast.AnnAssign) and _public(ast.unparse(n.target))) or isinstance(n, ast.Assign)
    ]
    return "\n".join([f"{head}:", *fields]) if fields else head


def _signature(node: ast.FunctionDef) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    one_line = f"def {node.name}({ast.unparse(node.args)}){returns}"
    return (
        one_line
        if len(one_line) <= 100
        else one_line.replace("(", "(\n    ", 1).replace(f"){returns}", f"\n){returns}")
    )


def _doc(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> str:
    """A docstring as Markdown: indented lines stay as they are laid out."""
    text = ast.get_docstring(node) or ""
    return inspect.cleandoc(text).replace("\nRaises:", "\n\nRaises:").replace("\nReturns:", "\n\nReturns:")


def _public(name: str) -> bool:
    return not name.startswith("_")
