"""A project as Dagster sees it: its catalogue, and the asset and the checks of every node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from dagster import AssetCheckSpec, AssetDep, AssetKey, AssetSpec

from penstock.app.session import Session
from penstock.catalogue import Catalogue, Key, Layer, Node
from penstock.dagster.checks import NodeChecks, checks_of
from penstock.dagster.keys import asset_key, identifier, tag
from penstock.dagster.translator import PenstockTranslator
from penstock.errors import ProjectError
from penstock.project.tables import destination_of
from penstock.schema.table import Table

DBT = "dbt"


@dataclass(frozen=True, slots=True)
class Options:
    """How a project is shown and run.

    `pipelines` are those to take in, None for all; `models` says whether the models are. `schedules` are on
    from the start. Units: `preview_rows` of every table are kept with each run, 0 for none; `wait_s` is how
    long a run waits for a lock that another one holds, in seconds.
    """

    pipelines: tuple[str, ...] | None = None
    models: bool = True
    schedules: bool = True
    preview_rows: int = 5
    wait_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A project, read once. `specs` and `checks` are by the node's key in the catalogue."""

    session: Session
    catalogue: Catalogue
    specs: Mapping[Key, AssetSpec]
    checks: Mapping[Key, NodeChecks]
    translator: PenstockTranslator
    options: Options = field(default_factory=Options)

    def pipeline(self, name: str) -> tuple[Node, ...]:
        """The nodes that a run of a pipeline makes."""
        return tuple(n for n in self.catalogue.nodes if n.pipeline == name and n.layer is not Layer.SOURCE)

    @property
    def pipelines(self) -> tuple[str, ...]:
        """The pipelines, in the order of the catalogue."""
        return tuple(dict.fromkeys(n.pipeline for n in self.catalogue.nodes if n.pipeline))

    @property
    def models(self) -> tuple[Node, ...]:
        """The models, in order."""
        return self.catalogue.of(Layer.MODEL)

    @property
    def project(self) -> str:
        """The project's name, as a part of the names of jobs."""
        return identifier(self.catalogue.project)

    def key(self, node: Node) -> AssetKey:
        """The asset of a node."""
        return self.specs[node.key].key

    def further(self, pipeline: str | None, table: str) -> AssetKey:
        """The asset of a table that only a run of the pipeline told of, or (None) of a model of dbt."""
        if pipeline is None:
            node = Node((Layer.MODEL, table), Layer.MODEL, Table(table), DBT, relation=table)
        else:
            kind = destination_of(self.session.project, pipeline).type
            key = (Layer.WAREHOUSE, pipeline, table)
            node = Node(key, Layer.WAREHOUSE, Table(table), kind, pipeline, relation=table)
        return self.translator.get_asset_spec(node).key

    def check_specs(self, nodes: Iterable[Node]) -> list[AssetCheckSpec]:
        """The checks of some nodes."""
        return [spec for node in nodes for spec in self.checks[node.key].specs]


def read(
    session: Session, translator: PenstockTranslator | None = None, options: Options | None = None
) -> Reading:
    """A project as Dagster sees it. No destination is opened, and no network.

    Raises: ProjectError when two nodes would be one asset.
    """
    from penstock.app.catalogue import catalogue_of

    options = options or Options()
    catalogue = _chosen(_with_dbt(catalogue_of(session.loaded), session), options)
    translate = translator or PenstockTranslator()
    asked = {node.key: translate.get_asset_spec(node) for node in catalogue.nodes}
    _refuse_twins(asked)
    storage = session.project.destination.type
    actual = {asset_key(key): spec.key for key, spec in asked.items()}
    specs = {key: _joined(spec, actual) for key, spec in asked.items()}
    for node in catalogue.of(Layer.MODEL):
        specs[node.key] = _stored(specs[node.key], storage)
    checks = {node.key: checks_of(node, specs[node.key].key) for node in catalogue.nodes}
    return Reading(session, catalogue, specs, checks, translate, options)


def _with_dbt(catalogue: Catalogue, session: Session) -> Catalogue:
    """A project of dbt that dbt never read has one node that stands for all of its models."""
    models = session.project.models
    if models is None or models.dbt is None or any(n.tool == DBT for n in catalogue.nodes):
        return catalogue
    name = f"{catalogue.project}_{DBT}"
    said = (
        "The models of dbt, which are known when dbt has read its project: by a build, or `penstock check`."
    )
    above = tuple(n.key for n in catalogue.of(Layer.WAREHOUSE))  # whatever it reads is made before
    table = Table(name, description=said)
    node = Node((Layer.MODEL, name), Layer.MODEL, table, DBT, reads=above, unlisted=True)
    return replace(catalogue, nodes=(*catalogue.nodes, node))


def _chosen(catalogue: Catalogue, options: Options) -> Catalogue:
    nodes = tuple(
        n
        for n in catalogue.nodes
        if (
            options.models
            if n.pipeline is None
            else options.pipelines is None or n.pipeline in options.pipelines
        )
    )
    unknown = set(options.pipelines or ()) - {n.pipeline for n in catalogue.nodes if n.pipeline}
    if unknown:
        raise ProjectError(
            f"there is no pipeline `{sorted(unknown)[0]}`",
            where=f"project `{catalogue.project}`",
            expected=", ".join(dict.fromkeys(n.pipeline for n in catalogue.nodes if n.pipeline)),
        )
    return replace(catalogue, nodes=nodes)


def _joined(spec: AssetSpec, actual: Mapping[AssetKey, AssetKey]) -> AssetSpec:
    """A spec whose upstream assets have the keys that the translator gave them."""
    if all(actual.get(dep.asset_key, dep.asset_key) == dep.asset_key for dep in spec.deps):
        return spec
    deps = [
        AssetDep(actual.get(d.asset_key, d.asset_key), partition_mapping=d.partition_mapping)
        for d in spec.deps
    ]
    return spec.replace_attributes(deps=deps)


def _stored(spec: AssetSpec, storage: str) -> AssetSpec:
    """A model's asset with what it is stored in, unless that was said."""
    kinds = {*spec.kinds, tag(storage)}
    said = {"dagster/storage_kind": storage, **spec.metadata}
    return spec.replace_attributes(metadata=said, kinds=kinds)


def _refuse_twins(specs: Mapping[Key, AssetSpec]) -> None:
    seen: dict[str, Key] = {}
    for key, spec in specs.items():
        name = spec.key.to_python_identifier()
        if name in seen:
            raise ProjectError(
                "two tables would be the same asset",
                where=f"Dagster, {spec.key.to_user_string()}",
                found=f"{'.'.join(seen[name])} and {'.'.join(key)}",
                hint="give one another key with a `PenstockTranslator`",
            )
        seen[name] = key
