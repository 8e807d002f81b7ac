"""The models of a project: the files of its folder, read, checked and ready to be built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

from pydantic import ValidationError

from penstock.app.files import metadata_texts, read_text
from penstock.app.model_cache import ModelCache, Taken
from penstock.app.model_faults import same_names, wrong_order, wrong_sql
from penstock.app.model_files import files_below, folder_of, function_of, modules_of, name_of, shown
from penstock.errors import ProjectError
from penstock.models.function import ModelFunction
from penstock.models.model import Materialization, Model
from penstock.project.building import check_model, idle_words, kept_as, kept_table, version_of
from penstock.project.complaints import complaints, raise_all
from penstock.project.front_matter import front_matter
from penstock.project.loaded import LoadedProject
from penstock.project.metadata import read_table
from penstock.project.models import TWINS, ModelSpec
from penstock.project.nodes import Node, Position, grow, overlay
from penstock.project.positions import Positions
from penstock.project.python_model import imported, python_model
from penstock.project.tables import Where, table_of
from penstock.registry import DIALECTS
from penstock.schema.disposition import Disposition
from penstock.schema.faults import flatten
from penstock.schema.table import Table

CACHE = "models.json"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model and what is said of it.

    `table` is what is promised of its rows, `disposition` how those of a build meet those of earlier ones.
    `where` gives the place of a path of keys of its words. `load` runs the file of a Python model.
    """

    model: Model
    spec: ModelSpec
    table: Table
    disposition: Disposition
    where: Where = field(repr=False, compare=False)
    load: Callable[[], ModelFunction] | None = field(default=None, repr=False, compare=False)

    @property
    def function(self) -> ModelFunction | None:
        """The function of a Python model, whose file is run with the first look; None for SQL.

        Raises: ProjectError when the file cannot be run.
        """
        return None if self.load is None else self.load()


def dialect_of(loaded: LoadedProject) -> str:
    """The dialect of SQL in which the project's models are written.

    Raises: ProjectError if its destination builds no models.
    """
    kind = loaded.project.destination.type
    if kind not in DIALECTS:
        raise ProjectError(
            "no models can be built at this destination",
            where=loaded.where_of(("models",)),
            found=f"destination: {kind}",
            expected=" or ".join(DIALECTS),
        )
    return DIALECTS[kind]


def load_models(loaded: LoadedProject, dialect: str) -> tuple[LoadedModel, ...]:
    """The models of a project's folder, by path; none for a project without `models`, or with dbt's alone.

    Python files are not run, unless their words are computed.
    Raises: ProjectError telling everything that is wrong, with file and line.
    """
    folder = folder_of(loaded)
    if folder is None:
        return ()
    reading = _Reading(
        loaded, folder, ModelCache(loaded.project.root / ".penstock" / CACHE, dialect), dialect
    )
    models = [m for m in map(reading.model, files_below(folder)) if m is not None]
    reading.faults += same_names(loaded, models)
    reading.cache.keep()
    raise_all(reading.faults, f"`{shown(folder, loaded.project.root)}`", loaded.secrets)
    return tuple(models)


def own_models(loaded: LoadedProject) -> tuple[LoadedModel, ...]:
    """The models of a project's folder in the dialect of its destination. Raises: as `load_models`."""
    spec = loaded.project.models
    return load_models(loaded, dialect_of(loaded)) if spec is not None and spec.folder is not None else ()


def check_models(loaded: LoadedProject) -> list[ProjectError]:
    """Everything that is wrong with a project's models, as far as their files tell."""
    try:
        models = own_models(loaded)
    except ProjectError as wrong:
        return flatten([wrong])
    return [*wrong_sql(models), *wrong_order(models)]


# ------------------------------------------------------------------------------------ reading


class _Reading:
    """One reading of a folder; what is wrong goes to `faults`."""

    def __init__(self, loaded: LoadedProject, folder: Path, cache: ModelCache, dialect: str) -> None:
        self.loaded, self.folder, self.cache, self.dialect = loaded, folder, cache, dialect
        self.root = loaded.project.root
        self.faults: list[ProjectError] = []
        self.metadata = cache_of(self.root)

    def with_defaults(self, tree: Node) -> Node:
        """The words of a model laid over those that hold for every model, but for what means nothing here."""
        own = tree.child("materialized") or self.defaults.child("materialized")
        idle = idle_words(str(own.value) if own is not None and own.value else Materialization.TABLE)
        idle |= {w for pair in TWINS.items() if any(tree.child(word) for word in pair) for w in pair}
        said = self.defaults.value
        assert isinstance(said, dict)
        return overlay(replace(self.defaults, value={k: n for k, n in said.items() if k not in idle}), tree)

    @cached_property
    def defaults(self) -> Node:
        """The words that hold for every model."""
        said = self.loaded.positions.tree.child("models")
        if said is None or not isinstance(said.value, dict):
            return Node({}, Position("", 0))
        return Node({k: n for k, n in said.value.items() if k not in ("path", "dbt")}, said.at)

    def model(self, path: Path) -> LoadedModel | None:
        """The model of a file, if it has one and nothing is wrong with it."""
        name = shown(path, self.root)
        try:
            text = read_text(path, name)
            taken = self.taken(path, name, text)
            return self.made(path, name, text, taken) if taken.tool else None
        except ProjectError as wrong:
            self.faults.append(wrong)
            return None

    def taken(self, path: Path, name: str, text: str) -> Taken:
        """What a file says, remembered or found out."""
        key = self.cache.key(name, text)
        known = self.cache.get(key)
        if known is None:
            known, lasting = self.take(path, name, text)
            if lasting:
                self.cache.put(key, known)
        return known

    def take(self, path: Path, name: str, text: str) -> tuple[Taken, bool]:
        """What a file says, and whether its text alone tells it."""
        if path.suffix == ".sql":
            from penstock.models.sql import analyse

            head = front_matter(text, name)
            query = analyse(head.body, self.dialect, name)
            return Taken("sql", head.words.plain(), query.sql, query.reads, query.digest, query.outside), True
        found, imports = python_model(text, name), imported(text, name)
        if found is None:
            return Taken("", imports=imports), True
        digest = self.cache.key(name, text)
        if not found.dynamic:
            return Taken("python", found.words.plain(), "", found.reads, digest, imports=imports), True
        function = function_of(path, name, self.folder, self.root)
        said = {**found.words.plain(), **function.words}
        return Taken("python", said, "", function.reads, digest, imports=imports), False

    def digest_of(self, path: Path, taken: Taken) -> str:
        """What changes with a model's query, or with its code and all that this imports from the folder."""
        parts = {path: taken.digest}
        waiting = [(path, taken)]
        while waiting:
            file, said = waiting.pop()
            for module in modules_of(file, said.imports, self.folder):
                if module not in parts:
                    name = shown(module, self.root)
                    text = read_text(module, name)
                    parts[module] = self.cache.key(name, text)
                    waiting.append((module, self.taken(module, name, text)))
        return taken.digest if len(parts) == 1 else "\n".join(sorted(parts.values()))

    def made(self, path: Path, name: str, text: str, taken: Taken) -> LoadedModel:
        """The model of what a file says. Raises: ProjectError telling everything that is wrong with it."""
        called = name_of(path, name)
        tree = self.with_defaults(grow(taken.words, Position(name, 0)))

        @cache
        def positions() -> Positions:
            return Positions(self.with_defaults(_tree(name, text, taken)))

        def where(keys: tuple[str | int, ...]) -> str:
            return positions().where(keys)

        try:
            spec = ModelSpec.model_validate(tree.plain())
        except ValidationError as error:
            wrong = complaints(error, positions().tree, ModelSpec)
            raise_all(wrong, f"`{name}`", self.loaded.secrets)
            raise
        table = table_of(called, spec, self.promised(spec, where), where=where)
        raise_all(check_model(spec, table, where=where), f"`{name}`", self.loaded.secrets)
        kept = kept_table(spec, table)
        model = Model(
            name=called,
            path=name,
            tool=taken.tool,
            sql=taken.sql,
            reads=tuple(dict.fromkeys((*taken.reads, *spec.depends_on))),
            materialized=spec.materialized,
            version=version_of(spec, kept, self.digest_of(path, taken)),
            tags=spec.tags,
            folder=path.parent.relative_to(self.folder).as_posix().removeprefix("."),
            outside=taken.outside,
        )
        load = None if taken.tool == "sql" else cache(lambda: function_of(path, name, self.folder, self.root))
        return LoadedModel(model, spec, kept, kept_as(spec, kept, where=where), where, load)

    def promised(self, spec: ModelSpec, where: Where) -> Table | None:
        """The table of the metadata file that a model names."""
        if spec.metadata is None:
            return None
        file, _, part = spec.metadata.partition("#")
        text = self.metadata(file)
        if text is None:
            raise ProjectError(
                "the metadata file is not there",
                where=where(("metadata",)),
                found=spec.metadata,
                expected="a YAML or JSON file, relative to the project's folder, or `package.module:Model`",
            )
        return read_table(file, text, part or None)


def cache_of(root: Path) -> Callable[[str], str | None]:
    """What gives the text of a metadata file, read once, or None if there is none."""
    return cache(lambda name: metadata_texts([name], root).get(name))


def _tree(name: str, text: str, taken: Taken) -> Node:
    """The words of a file once more, with their lines."""
    if taken.tool == "sql":
        return front_matter(text, name).words
    found = python_model(text, name)
    if found is None:
        return grow(taken.words, Position(name, 1))
    return (
        overlay(grow(taken.words, Position(name, found.line)), found.words) if found.dynamic else found.words
    )
