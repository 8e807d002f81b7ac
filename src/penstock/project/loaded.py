"""A project with what was learnt while reading it: lines, secrets, and the tables of its metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from penstock.errors import NotFoundError, suggest
from penstock.project.nodes import Path
from penstock.project.positions import Positions
from penstock.project.spec import Project, TableSpec
from penstock.project.tables import contract_of, disposition_of, pipeline_of, table_of, tables_of
from penstock.project.variables import redact
from penstock.schema.contract import Contract
from penstock.schema.disposition import Disposition
from penstock.schema.faults import either
from penstock.schema.hints import Hints
from penstock.schema.table import Table


@dataclass(frozen=True, slots=True)
class LoadedProject:
    """A project with what was learnt while reading it.

    `metadata` holds the tables of the metadata files by their path as the project writes it,
    `digest` changes whenever a file, the environment or a variable does. `notes` say what of the files
    was left out. `late` says that settings of plugins hold `$NAME` still, as in a `meltano.yml`.
    """

    project: Project
    positions: Positions = field(repr=False)
    digest: str
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    metadata: Mapping[str, Table] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    late: bool = False

    def where_of(self, path: Path) -> str:
        """The place of a value for people: `penstock.yml:31 (pipelines.open_data)`."""
        return self.positions.where(path)

    def redact(self, text: str) -> str:
        """`text` with the project's secrets masked."""
        return redact(text, self.secrets)

    def spec(self, pipeline: str, table: str) -> TableSpec:
        """What the project says of a table; the defaults for one that it does not name."""
        return pipeline_of(self.project, pipeline).tables.get(table) or TableSpec()

    def table(self, pipeline: str, table: str, hinted: Table | None = None) -> Table:
        """What is promised of a table: by the project file, else its metadata file, else what is `hinted`."""
        spec = self.spec(pipeline, table)
        metadata = self.metadata[spec.metadata] if spec.metadata else hinted
        return table_of(table, spec, metadata, where=self.below(pipeline, table))

    def disposition(self, pipeline: str, table: str, hints: Hints | None = None) -> Disposition:
        """How rows of a table meet those that are in it. Raises: ProjectError for a merge without a key."""
        spec = self.spec(pipeline, table)
        promised = self.table(pipeline, table, hints.declared if hints else None)
        hinted = hints.disposition if hints else None
        return disposition_of(spec, promised, hinted, where=self.below(pipeline, table))

    def contract(self, pipeline: str, table: str) -> Contract:
        """What may happen when the shape of a table's data changes."""
        return contract_of(self.spec(pipeline, table))

    def find_table(self, table: str) -> tuple[str, str]:
        """The pipeline that fills a table, and the table: `table`, or `pipeline.table`.

        Raises: NotFoundError with the names that there are.
        """
        known = [(p, t) for p, spec in self.project.pipelines.items() for t in tables_of(spec)]
        names = [name for p, t in known for name in (t, f"{p}.{t}")]
        found = [pair for pair in known if table in (pair[1], ".".join(pair))]
        if len(found) == 1:
            return found[0]
        raise NotFoundError(
            f"several pipelines have a table `{table}`" if found else f"there is no table `{table}`",
            where=f"project `{self.project.name}`",
            expected=either([".".join(pair) for pair in found or known]) or None,
            hint=None if found else suggest(table, names),
        )

    def below(self, pipeline: str, table: str) -> Callable[[Path], str]:
        """A function that gives the place of a path of keys below a table."""
        return lambda path: self.where_of(("pipelines", pipeline, "tables", table, *path))
