"""The scaffolds of `penstock init`: whole projects that run as they are.

A template is a folder below `penstock/templates`. Its files are written under their own names,
with `dot_` at the start of a name standing for a dot and `.template` at its end left out, and with
`{{name}}` replaced by the project's name.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from penstock.errors import RefusedError, StoreError, UsageError, suggest
from penstock.project.words import NAME

_TEMPLATES = {
    "files": "JSON lines in a folder, checked and loaded into DuckDB",
    "parquet": "two pipelines: JSON lines to parquet files, and those to DuckDB",
    "land": "files that others drop into the landing area, checked against etl_manager metadata",
    "singer": "taps and targets: add, config, select and run them as with Meltano",
    "postcodes": "a thousand calls of an API, checked, kept, loaded and counted day by day",
    "dagster-releases": "releases on GitHub, and assets of Dagster that are made of them, with a chart",
}
_MARK = re.compile(r"\{\{(\w+)\}\}")
_PLAIN = re.compile(r"[a-z][a-z0-9_-]*")


def templates() -> dict[str, str]:
    """What each template makes, by name; the first is the one to offer."""
    return dict(_TEMPLATES)


def scaffold(template: str, target: Path, values: Mapping[str, str], force: bool = False) -> list[Path]:
    """Write a template's files into the folder `target`, all of them or none; returns their paths.

    `values` holds the project's `name`; without it the folder's name is taken. Files that are there
    are only written over with `force`.
    Raises: UsageError for an unknown template or an impossible name; RefusedError listing the files
    that are in the way; StoreError when the disk refuses.
    """
    if template not in _TEMPLATES:
        raise UsageError(
            f"there is no template `{template}`",
            expected=", ".join(_TEMPLATES),
            hint=suggest(template, _TEMPLATES),
        )
    values = {"name": target.resolve().name, **values}
    if not NAME.fullmatch(values["name"]):
        raise UsageError(
            f"{values['name']!r} cannot name a project",
            expected="letters, digits, spaces, `_`, `-` and `.`, a letter or digit first",
            hint="choose another with `--name`",
        )
    source = files("penstock") / "templates" / template
    texts = {path: _fill(path, text, values) for path, text in _files(source, PurePosixPath())}
    _refuse_existing(target, texts, force)
    try:
        _write(target, texts)
    except OSError as error:
        raise StoreError("the project cannot be written", where=str(target), found=error.strerror) from error
    return [target / path for path in texts]


def _files(folder: Traversable, below: PurePosixPath) -> Iterator[tuple[PurePosixPath, str]]:
    """The files of a template with the names that they get, in order of name."""
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        name = re.sub(r"^dot_", ".", item.name).removesuffix(".template")
        if item.is_dir():
            yield from _files(item, below / name)
        else:
            yield below / name, item.read_text("utf-8")


def _fill(path: PurePosixPath, text: str, values: Mapping[str, str]) -> str:
    """A file with its marks replaced; in YAML by what YAML reads as the same text."""
    in_yaml = path.suffix == ".yml"
    return _MARK.sub(lambda m: _scalar(values[m[1]]) if in_yaml else values[m[1]], text)


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text not in ("true", "false", "null") else json.dumps(text)


def _refuse_existing(target: Path, texts: Mapping[PurePosixPath, str], force: bool) -> None:
    """Refuse what is in the way: folders and non-folders always, files unless they may go."""
    if target.exists() and not target.is_dir():
        raise RefusedError("the project needs a folder", where=str(target), found="a file")
    blocked = {p for path in texts for p in path.parents if (target / p).is_file()}
    blocked |= {path for path in texts if (target / path).is_dir()}
    present = {path for path in texts if (target / path).exists()}
    if blocked or (present and not force):
        names = sorted(str(path) for path in blocked or present)
        raise RefusedError(
            f"{len(names)} of the project's files are there already"
            if len(names) > 1
            else f"`{names[0]}` is there already",
            where=str(target),
            found=", ".join(names),
            hint=None if blocked else "choose another folder, or write over them with `--force`",
        )


def _write(target: Path, texts: Mapping[PurePosixPath, str]) -> None:
    """Write every file beside the target first, then move them in; on failure all is as it was."""
    made = [p for p in (target, *target.parents) if not p.exists()]
    target.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".penstock-init-", dir=target))
    fresh, old = work / "fresh", work / "old"
    moved: list[PurePosixPath] = []
    try:
        for path, text in texts.items():
            for folder in (fresh, old):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (fresh / path).write_text(text, "utf-8")
        for path in texts:
            made += [p for p in (target / path).parents if not p.exists()]
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            moved.append(path)
            if (target / path).exists():
                (target / path).replace(old / path)
            (fresh / path).replace(target / path)
    except BaseException:
        _restore(target, old, moved)
        shutil.rmtree(work)
        for folder in sorted(set(made), key=lambda p: len(p.parts), reverse=True):
            folder.rmdir()
        raise
    shutil.rmtree(work)


def _restore(target: Path, old: Path, moved: list[PurePosixPath]) -> None:
    for path in moved:
        if (old / path).exists():
            (old / path).replace(target / path)
        else:
            (target / path).unlink(missing_ok=True)
