"""What a Python file says of its model, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from penstock.errors import ProjectError
from penstock.models.function import relations_of, unnamed_parameter
from penstock.project.nodes import Node, Position

DECORATOR = "model"
_PLACES = ("penstock", "penstock.models.function")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class PythonModel:
    """The function that a file decorates with `model`: its words as a tree, and what it reads.

    `dynamic` says that some word is computed, so that only running the file tells it. `line` is the
    function's own.
    """

    words: Node
    reads: tuple[str, ...]
    line: int
    dynamic: bool = False


@dataclass(slots=True)
class _Words:
    """Words as they are read; `dynamic` as soon as one is computed."""

    file: str
    dynamic: bool = False
    found: dict[str, Node] = field(default_factory=dict)

    def node(self, value: ast.expr) -> Node:
        """A literal with its lines."""
        at = Position(self.file, value.lineno)
        if isinstance(value, ast.List | ast.Tuple):
            return Node([self.node(item) for item in value.elts], at)
        if isinstance(value, ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in value.keys]
            self.dynamic |= None in keys
            return Node({str(key): self.node(item) for key, item in zip(keys, value.values, strict=True)}, at)
        try:
            plain = ast.literal_eval(value)
        except ValueError:
            self.dynamic = True
            plain = None
        if not isinstance(plain, str | int | float | bool | None):
            self.dynamic, plain = True, None
        return Node(plain, at, None if plain is None else str(plain))


def python_model(text: str, file: str) -> PythonModel | None:
    """The model of a Python file, which errors call `file`; None for a file that decorates no function.

    Raises: ProjectError for what is no Python, for two models, and for parameters that read nothing.
    """
    if DECORATOR not in text:
        return None
    module = _parsed(text, file)
    names = _names(module)
    found = [(f, d) for f in module.body if isinstance(f, _Function) for d in _decorators(f, names)]
    if not found:
        return None
    if len(found) > 1:
        raise ProjectError(
            "a file holds one model, which is called as the file",
            where=f"{file}:{found[1][0].lineno}",
            found=f"`{found[0][0].name}` and `{found[1][0].name}`",
            hint="make a file of its own of each; what they share goes into a file without a model",
        )
    [(function, decorator)] = found
    where = f"{file}:{function.lineno}"
    if isinstance(function, ast.AsyncFunctionDef):
        raise ProjectError("a model is a plain function", where=where, found=f"async def {function.name}")
    words = _Words(file)
    reads = _read_words(words, decorator, where)
    if (said := ast.get_docstring(function)) and "description" not in words.found:
        at = Position(file, function.lineno)
        words.found["description"] = Node(" ".join(said.partition("\n\n")[0].split()), at)
    relations = relations_of(list(_parameters(function, where)), {} if words.dynamic else reads, where)
    tree = Node(words.found, Position(file, decorator.lineno))
    return PythonModel(tree, tuple(dict.fromkeys(relations.values())), function.lineno, words.dynamic)


def imported(text: str, file: str) -> tuple[str, ...]:
    """The modules that a Python file may import, by their dotted names, each once.

    `from a.b import c` may mean the module `a.b.c`. Raises: ProjectError for what is no Python.
    """
    found: list[str] = []
    for node in ast.walk(_parsed(text, file)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(dict.fromkeys(found))


def _parsed(text: str, file: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise ProjectError(f"this is not Python: {error.msg}", where=f"{file}:{error.lineno or 1}") from None


def _names(module: ast.Module) -> set[str]:
    """What a decorator may be called in this module, such as `ps.model`."""
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {f"{a.asname or a.name}.{DECORATOR}" for a in node.names if a.name in _PLACES}
        elif isinstance(node, ast.ImportFrom) and node.module in _PLACES and not node.level:
            found |= {a.asname or a.name for a in node.names if a.name == DECORATOR}
    return found


def _decorators(function: _Function, names: set[str]) -> Iterator[ast.expr]:
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if ast.unparse(called) in names:
            yield decorator


def _read_words(words: _Words, decorator: ast.expr, where: str) -> dict[str, str]:
    """The words of the decorator go to `words`; what each parameter reads is returned."""
    reads: dict[str, str] = {}
    if not isinstance(decorator, ast.Call):
        return reads
    if decorator.args:
        raise ProjectError(
            "the words of a model are given by name", where=where, expected="such as `tags=[…]`"
        )
    for keyword in decorator.keywords:
        if keyword.arg is None:
            words.dynamic = True
        elif keyword.arg == "reads":
            said = words.node(keyword.value).plain()
            if isinstance(said, dict):
                reads = {str(name): str(relation) for name, relation in said.items()}
            elif not words.dynamic:
                raise ProjectError(
                    "`reads` is no mapping",
                    where=where,
                    expected='such as `reads={"orders": "sales.orders"}`',
                )
        else:
            words.found[keyword.arg] = words.node(keyword.value)
    return reads


def _parameters(function: _Function, where: str) -> Iterator[str]:
    """The parameters without a default."""
    given = function.args
    for odd in (*given.posonlyargs, given.vararg, given.kwarg):
        if odd is not None:
            raise unnamed_parameter(odd.arg, where)
    yield from (a.arg for a in given.args[: len(given.args) - len(given.defaults)])
    yield from (a.arg for a, d in zip(given.kwonlyargs, given.kw_defaults, strict=True) if d is None)
