"""The dbt project of a project: joined to the destination, asked what it has, and run."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.app.writing import write_whole
from penstock.errors import ProjectError
from penstock.gate.rules import identifier, quoted
from penstock.models.model import Materialization, Model
from penstock.project.load import DOTENV
from penstock.project.loaded import LoadedProject
from penstock.project.models import DbtSpec
from penstock.project.spec import DuckDBSpec
from penstock.project.variables import parse_dotenv
from penstock.report.facts import ModelResult, ModelStatus, Observer

if TYPE_CHECKING:
    from penstock.dbt.artifacts import SourceFreshness
    from penstock.dbt.files import ProjectFile
    from penstock.dbt.manifest import Home
    from penstock.dbt.nodes import DbtNode
    from penstock.dbt.profiles import Output
    from penstock.dbt.program import Setup
    from penstock.dbt.project import DbtProject

HOME = Path(".penstock") / "dbt"
PLUGINS = Path(".penstock") / "plugins"
_COUNTED_AT_ONCE = 100
OWN = "destination"
"""What `profiles` says for a profile of the destination, though the dbt project has one."""


def has_dbt(loaded: LoadedProject) -> bool:
    """Whether the project has models of dbt."""
    return loaded.project.models is not None and loaded.project.models.dbt is not None


def dbt_models(loaded: LoadedProject, say: Callable[[str], None] | None = None) -> tuple[Model, ...]:
    """The models, seeds and snapshots of the dbt project, parents first; none without one.

    dbt is installed if it is not yet (`say` hears the installer), and started only when a file of its project
    changed. Raises: ProjectError and RefusedError for a project that dbt cannot read.
    """
    if not has_dbt(loaded):
        return ()
    from penstock.dbt.nodes import model_of

    project = open_dbt(loaded, say)
    return tuple(model_of(node, project.shown) for node in project.nodes())


def dbt_nodes(loaded: LoadedProject, say: Callable[[str], None] | None = None) -> tuple[DbtNode, ...]:
    """The same with all that dbt says of them: columns, tests, descriptions, compiled SQL."""
    return open_dbt(loaded, say).nodes()


def dbt_digest(loaded: LoadedProject) -> str:
    """Changes with everything that decides what dbt makes: files, packages, variables. dbt is not started."""
    return open_dbt(loaded).digest()


def known_nodes(loaded: LoadedProject) -> tuple[DbtNode, ...]:
    """What was known of the dbt project when dbt last read it; dbt is neither installed nor started."""
    return open_dbt(loaded).known() if has_dbt(loaded) else ()


def run_dbt(
    loaded: LoadedProject, chosen: Collection[str] | None, full: bool, observe: Observer
) -> tuple[ModelResult, ...]:
    """Build and test models of dbt by name, all of them for None; each is told of as it ends.

    Called with the destination's lock held and its file closed. Raises: as `DbtProject.run`.
    """
    project = open_dbt(loaded)
    make_room(project.setup.output)
    results = project.run(chosen, full, observe)
    at_home = project.setup.profiles is None and project.setup.output.adapter == "duckdb"
    return _counted(loaded, project.known(), results) if at_home else results


def _counted(
    loaded: LoadedProject, nodes: Sequence[DbtNode], results: tuple[ModelResult, ...]
) -> tuple[ModelResult, ...]:
    """Results with the rows of new tables, of which the adapter of DuckDB does not tell."""
    from penstock.app.parts import open_warehouse

    new = {
        r.model
        for r in results
        if r.rows is None and r.status is ModelStatus.BUILT and r.materialized == Materialization.TABLE
    }
    made = [node for node in nodes if node.name in new]
    destination = open_warehouse(loaded, loaded.project.destination)
    rows: dict[str, int] = {}
    for first in range(0, len(made), _COUNTED_AT_ONCE):
        part = made[first : first + _COUNTED_AT_ONCE]
        counts = (
            f"SELECT {quoted(n.name)} AS model, count(*) AS n "
            f"FROM {identifier(n.schema)}.{identifier(n.relation)}"
            for n in part
        )
        answer = destination.query(" UNION ALL ".join(counts))
        rows |= dict(zip(answer["model"].to_pylist(), answer["n"].to_pylist(), strict=True))
    return tuple(
        replace(r, rows=rows[r.model], kept=rows[r.model]) if r.model in rows else r for r in results
    )


def dbt_freshness(loaded: LoadedProject) -> tuple[SourceFreshness, ...]:
    """How old the sources of the dbt project are. Called as `run_dbt`."""
    return open_dbt(loaded).freshness()


def dbt_docs(loaded: LoadedProject) -> Path:
    """dbt's own documentation as one page. Called as `run_dbt`."""
    return open_dbt(loaded).docs()


def made_docs(loaded: LoadedProject) -> Path | None:
    """The page of `dbt_docs`, if it was ever made."""
    page = Path(loaded.project.root) / HOME / "target" / "static_index.html"
    return page if page.is_file() else None


# ------------------------------------------------------------------------------------ joining


def open_dbt(loaded: LoadedProject, say: Callable[[str], None] | None = None) -> DbtProject:
    """The dbt project, joined to the destination. Nothing is installed or started yet.

    Raises: ProjectError where the project has none, or dbt has nowhere to build.
    """
    from penstock.dbt.files import read_project
    from penstock.dbt.project import DbtProject

    spec = _spec(loaded)
    root = Path(loaded.project.root).resolve()
    where = loaded.where_of(("models", "dbt"))
    file = read_project((root / Path(spec.path).expanduser()).resolve(), where)
    ignored = root / ".penstock" / ".gitignore"
    if not ignored.is_file():
        write_whole(ignored, "*\n")
    env = {**_dotenv(root), **spec.env}
    profiles = _own_profiles(spec, file, root, env)
    return DbtProject(_setup(loaded, spec, file, profiles, env, say))


def _setup(
    loaded: LoadedProject,
    spec: DbtSpec,
    file: ProjectFile,
    profiles: Path | None,
    env: Mapping[str, str],
    say: Callable[[str], None] | None,
) -> Setup:
    from penstock.dbt.program import Setup

    root = Path(loaded.project.root).resolve()
    output = _output(loaded, spec, file, profiles)
    return Setup(
        file=file,
        root=root,
        home=root / HOME,
        plugins=root / PLUGINS,
        output=output,
        near=_near(loaded, output),
        profiles=profiles,
        target=spec.target or (None if profiles else loaded.project.environment),
        dbt=spec.dbt,
        adapter=spec.adapter,
        python=spec.python,
        threads=spec.threads,
        variables=spec.vars,
        env=env,
        say=say,
        redact=loaded.redact,
        limits=partial(_limits, loaded),
    )


def _spec(loaded: LoadedProject) -> DbtSpec:
    models = loaded.project.models
    if models is None or models.dbt is None:
        raise ProjectError(
            "the project has no models of dbt",
            expected="`models: {dbt: path/to/dbt_project}` in the project file",
        )
    return models.dbt


def _own_profiles(spec: DbtSpec, file: ProjectFile, root: Path, env: Mapping[str, str]) -> Path | None:
    """The folder of the user's own `profiles.yml`: as the project says, beside the dbt project, or as
    DBT_PROFILES_DIR says, where it has the profile; None to have one made."""
    from penstock.dbt.files import read_yaml
    from penstock.dbt.profiles import FILE

    if spec.url is not None or spec.profiles == OWN:
        return None
    if spec.profiles is not None:
        return (root / Path(spec.profiles).expanduser()).resolve()
    outside = {**env, **os.environ}.get("DBT_PROFILES_DIR")
    for folder in (file.folder, *([Path(outside).expanduser()] if outside else [])):
        if (folder / FILE).is_file() and file.profile in read_yaml(folder / FILE):
            return folder.resolve()
    return None


def _output(loaded: LoadedProject, spec: DbtSpec, file: ProjectFile, profiles: Path | None) -> Output:
    """Where dbt builds."""
    from penstock.dbt.environment import adapter_name
    from penstock.dbt.files import read_yaml
    from penstock.dbt.profiles import FILE, Output, duckdb_output, own_output, postgres_output

    where = loaded.where_of(("models", "dbt"))
    if profiles is not None:
        if not (profiles / FILE).is_file():
            found = f"no `{FILE}` in {profiles}"
            raise ProjectError("there are no dbt profiles", where=where, found=found)
        said = read_yaml(profiles / FILE)
        try:
            return own_output(said, file.profile, spec.target, str(profiles / FILE))
        except ProjectError:
            if spec.adapter is None:
                raise
            return Output(adapter_name(spec.adapter), "", {})
    if spec.url is not None:
        return postgres_output(spec.url, spec.schema_name, spec.threads)
    destination = loaded.project.destination
    if not isinstance(destination, DuckDBSpec):
        raise ProjectError(
            f"dbt cannot build in a destination of the type `{destination.type}`",
            where=where,
            expected="a DuckDB destination, a `profiles.yml` of your own, or `url` of a PostgreSQL database",
        )
    path = (Path(loaded.project.root) / Path(destination.path).expanduser()).resolve()
    schema = spec.schema_name or destination.schema_name
    return duckdb_output(str(path), schema, spec.threads)


def _limits(loaded: LoadedProject) -> dict[str, object]:
    """What dbt's DuckDB may use."""
    from penstock.destinations.engine import Limits  # which loads the driver

    destination = loaded.project.destination
    if not isinstance(destination, DuckDBSpec):
        return {}
    limits = Limits(destination.memory_limit, destination.threads)
    return {"threads": limits.all_threads, "memory_limit": limits.memory_for_queries()}


def _near(loaded: LoadedProject, output: Output) -> Home:
    """Where Penstock's tables are, as dbt calls that place; where dbt builds if that is another warehouse."""
    from penstock.dbt.manifest import Home

    destination = loaded.project.destination
    if isinstance(destination, DuckDBSpec) and output.adapter == "duckdb":
        return Home(destination.schema_name, Path(destination.path).stem)
    return Home(output.schema, output.database)


def make_room(output: Output) -> None:
    """The folder of a DuckDB file: dbt makes the file and not the folder."""
    if output.adapter == "duckdb" and "://" not in str(output.settings.get("path")):
        path = Path(str(output.settings.get("path")))
        if path.is_absolute():
            path.parent.mkdir(parents=True, exist_ok=True)


def _dotenv(root: Path) -> dict[str, str]:
    """The variables of the project's `.env` file that the process does not have."""
    path = root / DOTENV
    said = parse_dotenv(path.read_text("utf-8")) if path.is_file() else {}
    return {name: value for name, value in said.items() if name not in os.environ}
