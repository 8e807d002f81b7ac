"""Which pipeline runs before which: one that reads what another writes comes after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePath

from penstock.errors import ProjectError
from penstock.layers import quote
from penstock.project.places import absolute, fixed, inside, join
from penstock.project.sources import FilesystemSpec
from penstock.project.spec import ParquetSpec, PipelineSpec, Project
from penstock.project.tables import dataset_of, destination_of, globs_of, tables_of


@dataclass(frozen=True, slots=True)
class _Written:
    """A folder that a pipeline writes, and how the names of its files end (empty: any way)."""

    place: str
    ending: str = ""


@dataclass(frozen=True, slots=True)
class _Read:
    """The files that a pipeline reads: everything below `place` that matches `glob` from `url`."""

    url: str
    place: str
    glob: str


def order_pipelines(project: Project, *, where: Callable[[str], str] | None = None) -> list[str]:
    """The names of all pipelines, each after those whose files it reads; otherwise as written.

    `where` gives the place of a pipeline in the project file for errors.
    Raises: ProjectError naming the pipelines of a circle.
    """
    before = {name: sorted(_sources(project, name)) for name in project.pipelines}
    sorter = TopologicalSorter(before)
    try:
        sorter.prepare()
    except CycleError as error:
        raise _circle(error.args[1], where) from None
    ordered: list[str] = []
    rank = {name: index for index, name in enumerate(project.pipelines)}
    while sorter.is_active():
        for name in sorted(sorter.get_ready(), key=rank.__getitem__):
            ordered.append(name)
            sorter.done(name)
    return ordered


def feeds(url: str, glob: str, folder: str, ending: str = "") -> bool:
    """Whether files below a folder may be among those that `glob` takes from `url`; both are absolute.

    `ending` is how their names end (empty: any way).
    """
    return _meets(_Read(url, join(url, fixed(glob)), glob), _Written(folder, ending))


def table_folder(destination: ParquetSpec, root: PurePath, table: str) -> str:
    """The folder of a table's parquet files; that of all tables where the layout does not say it."""
    place = absolute(root, destination.path)
    folder, marked, _ = destination.layout.partition("{table}")
    return join(place, folder + quote(table)) if marked and "{" not in folder else place


def _circle(names: list[str], where: Callable[[str], str] | None) -> ProjectError:
    circle = list(reversed(names))
    if len(set(circle)) == 1:
        what = f"the pipeline `{circle[0]}` reads what it writes"
        hint = "write to a folder that its source does not read"
    else:
        what = "these pipelines wait for each other: " + " → ".join(f"`{n}`" for n in circle)
        hint = "let one of them read or write another folder"
    return ProjectError(what, where=where(circle[0]) if where else None, hint=hint)


def _sources(project: Project, name: str) -> set[str]:
    """The pipelines that write what `name` reads."""
    reads = _reads(project, project.pipelines[name])
    return {
        other
        for other, pipeline in project.pipelines.items()
        if reads and any(_meets(r, w) for w in _writes(project, other, pipeline) for r in reads)
    }


def _reads(project: Project, pipeline: PipelineSpec) -> list[_Read]:
    if not isinstance(pipeline.source, FilesystemSpec):
        return []
    url = absolute(project.root, pipeline.source.url)
    return [_Read(url, join(url, fixed(glob)), glob) for glob in globs_of(pipeline).values()]


def _writes(project: Project, name: str, pipeline: PipelineSpec) -> list[_Written]:
    """The folders that a pipeline fills: its part of land and raw history, and parquet tables."""
    dataset = dataset_of(name, pipeline)
    layers = (project.layers.land, project.layers.raw_hist)
    written = [_Written(join(absolute(project.root, layer), dataset)) for layer in layers]
    destination = destination_of(project, name)
    if isinstance(destination, ParquetSpec):
        places = [table_folder(destination, project.root, table) for table in tables_of(pipeline)]
        places = places or [absolute(project.root, destination.path)]
        written += [_Written(p, ".parquet") for p in places]
    return written


def _meets(read: _Read, written: _Written) -> bool:
    """Whether files of `written` may be among those read."""
    if not _endings_meet(read.glob, written.ending):
        return False
    if inside(read.place, written.place):
        return True
    if not inside(written.place, read.place):
        return False
    deeper = written.place.removeprefix(read.url).strip("/").count("/") + 1
    return "**" in read.glob or read.glob.count("/") >= deeper


def _endings_meet(glob: str, ending: str) -> bool:
    """Whether a file whose name ends so can match the glob."""
    last = glob.rpartition("/")[2]
    literal = last[max(last.rfind(c) for c in "*?]}") + 1 :]
    return literal.endswith(ending) or ending.endswith(literal)
