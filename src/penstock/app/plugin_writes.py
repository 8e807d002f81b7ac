"""What commands write about plugins: into the project file, and what is secret into `.env`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.app.plugins import EXTRAS, Entry, Plugins
from penstock.app.writing import write_whole
from penstock.errors import ProjectError
from penstock.project.dotenv import set_variable, unset_variable
from penstock.project.editing import Step, drop, plain, present, put
from penstock.project.load import DOTENV, PROJECT_FILES
from penstock.project.meltano import MELTANO_FILE
from penstock.singer.definition import PluginKind, Setting, SettingKind
from penstock.singer.settings import Place, cast, env_name, place_for

# Any throughout: values of settings


@dataclass(frozen=True, slots=True)
class Written:
    """Where a value was written: the file, and the key or variable in it."""

    file: str
    key: str


@dataclass
class Writer:
    """Changes the files of a project; `environment` is the one to change, None for the project itself."""

    plugins: Plugins
    environment: str | None = None

    @property
    def main_file(self) -> str:
        """The name of the project file."""
        names = (MELTANO_FILE,) if self.plugins.expands else PROJECT_FILES
        return next((name for name in names if (self.plugins.root / name).is_file()), names[0])

    # ---------------------------------------------------------------------------- plugins

    def add(self, kind: PluginKind, entry: Mapping[str, Any]) -> Written:
        """Write a plugin's entry into the project file."""
        name = str(entry["name"])
        path: list[Step] = ["plugins", kind.value, ("name", name)]
        self._change(self.main_file, lambda text: put(text, path, dict(entry)))
        return Written(self.main_file, f"plugins.{kind.value}.{name}")

    def remove(self, entry: Entry) -> None:
        """Take a plugin's entry out of the project file, environments included."""
        file = self._file_of(entry)
        self._change(file, lambda text: drop(text, ["plugins", entry.kind.value, ("name", entry.name)]))
        for name in self._environments(file):
            path = [*self._environment_steps(name), "plugins", entry.kind.value, ("name", entry.name)]
            self._change(file, lambda text, path=path: drop(text, path))

    # --------------------------------------------------------------------------- settings

    def set(self, entry: Entry, name: str, value: Any, store: Place | None = None) -> Written:
        """Write the value of a setting: what is secret into `.env`, the rest into the project file.

        Raises: ProjectError for a value that is not of the setting's kind, or a secret that is asked to go
        into the project file.
        """
        setting = setting_of(entry, name)
        name = setting.name if setting else name
        typed = typed_value(setting, value, entry.name)
        place = place_for(setting, name)
        if store is Place.PROJECT and place is Place.DOTENV:
            raise ProjectError(
                f"`{name}` is a secret, and does not belong into the project file",
                hint=f"`penstock config {entry.name} set {name}` writes it to `.env`",
            )
        if Place.DOTENV in (place, store) and not name.startswith("_"):
            return self._set_variable(entry, name, setting, typed)
        self._unset_variable(entry, name, setting)
        file = self._file_of(entry)
        text = typed if self.plugins.expands else _doubled(typed)
        path = [*self._entry_steps(entry), *_keys(name)]
        self._change(file, lambda before: put(before, path, text))
        return Written(file, ".".join(_keys(name)))

    def unset(self, entry: Entry, name: str) -> list[Written]:
        """Take the value of a setting out of the project file and `.env`; returns from where."""
        setting = setting_of(entry, name)
        name = setting.name if setting else name
        gone = self._unset_variable(entry, name, setting)
        file = self._file_of(entry)
        for key in dict.fromkeys((name, *(setting.aliases if setting else ()))):
            path = [*self._entry_steps(entry), *_keys(key)]
            if present(self._text(file), path):
                self._change(file, lambda text, path=path: drop(text, path))
                gone.append(Written(file, ".".join(_keys(key))))
        return gone

    def reset(self, entry: Entry) -> list[Written]:
        """Take all settings of a plugin out of the project file and `.env`; extras stay."""
        said = self.said(entry).get("config") or {}
        names = dict.fromkeys([*(s.name for s in entry.plugin.settings), *said])
        return [written for name in names for written in self.unset(entry, name)]

    def said(self, entry: Entry) -> Mapping[str, Any]:
        """What the file says of a plugin, in the environment to change."""
        return plain(self._text(self._file_of(entry)), self._entry_steps(entry)) or {}

    def put_key(self, entry: Entry, key: str, value: Any) -> Written:
        """Write a key of a plugin's entry, such as `select`; an empty list takes it out."""
        file = self._file_of(entry)
        path = [*self._entry_steps(entry), key]
        self._change(file, lambda text: put(text, path, value) if value else drop(text, path))
        return Written(file, key)

    # ------------------------------------------------------------------- jobs and schedules

    def put_item(self, key: str, item: Mapping[str, Any]) -> Written:
        """Write an item of `jobs` or `schedules`."""
        self._change(self.main_file, lambda text: put(text, [key, ("name", str(item["name"]))], dict(item)))
        return Written(self.main_file, f"{key}.{item['name']}")

    def drop_item(self, key: str, name: str) -> None:
        """Take an item out of `jobs` or `schedules`."""
        self._change(self.main_file, lambda text: drop(text, [key, ("name", name)]))

    # ------------------------------------------------------------------------------ inside

    def _entry_steps(self, entry: Entry) -> list[Step]:
        steps: list[Step] = ["plugins", entry.kind.value, ("name", entry.name)]
        return [*self._environment_steps(self.environment), *steps] if self.environment else steps

    def _environment_steps(self, name: str) -> list[Step]:
        if self.main_file == MELTANO_FILE:
            return ["environments", ("name", name), "config"]
        return ["environments", name]

    def _environments(self, file: str) -> list[str]:
        found = plain(self._text(file), ["environments"])
        if isinstance(found, list):
            return [str(item.get("name")) for item in found if isinstance(item, dict)]
        return list(found or ())

    def _file_of(self, entry: Entry) -> str:
        """The file that has a plugin's entry: the project file, or one that it includes."""
        listed = self.plugins.loaded.project.plugins.of(entry.kind)
        index = next((i for i, spec in enumerate(listed) if spec.name == entry.name), None)
        if index is None or self.environment:
            return self.main_file
        file = self.plugins.loaded.positions.of(("plugins", entry.kind.value, index, "name")).file
        return file if (self.plugins.root / file).is_file() else self.main_file

    def _set_variable(self, entry: Entry, name: str, setting: Setting | None, value: Any) -> Written:
        variable = (setting.env if setting else None) or env_name(entry.name, name)
        text = value if isinstance(value, str) else _json(value)
        self._change(DOTENV, lambda before: set_variable(before, variable, text))
        if setting is None:  # nothing would look for the variable of a setting that nobody declared
            path = [*self._entry_steps(entry), *_keys(name)]
            reference = f"${variable}" if self.plugins.expands else f"${{{variable}}}"
            self._change(self._file_of(entry), lambda before: put(before, path, reference))
        return Written(DOTENV, variable)

    def _unset_variable(self, entry: Entry, name: str, setting: Setting | None) -> list[Written]:
        names = [env_name(entry.name, n) for n in (name, *(setting.aliases if setting else ()))]
        names += [setting.env] if setting and setting.env else []
        gone = []
        for variable in dict.fromkeys(names):
            if variable in self.plugins.dotenv:
                self._change(DOTENV, lambda text, variable=variable: unset_variable(text, variable))
                gone.append(Written(DOTENV, variable))
        return gone

    def _text(self, file: str) -> str:
        path = self.plugins.root / file
        return path.read_text("utf-8") if path.is_file() else ""

    def _change(self, file: str, change: Any) -> None:
        path = self.plugins.root / file
        before = self._text(file)
        after = change(before)
        if after != before:
            write_whole(path, after, private=file == DOTENV)
        if file == DOTENV:
            self.plugins.__dict__.pop("dotenv", None)  # read it again


def setting_of(entry: Entry, name: str) -> Setting | None:
    """The setting of that name or alias, extras included, or None for one that is not declared."""
    extra = next((s for s in EXTRAS if s.name == name), None)
    return extra or entry.plugin.setting(name)


def typed_value(setting: Setting | None, value: Any, plugin: str) -> Any:
    """What a person typed as a value of the setting's kind; lists and objects as JSON or YAML.

    Raises: ProjectError for what is not of that kind.
    """
    if not isinstance(value, str):
        return cast(setting, value, plugin)
    kind = setting.kind if setting else None
    text = value.strip()
    nested = kind in (SettingKind.ARRAY, SettingKind.OBJECT) or (kind is None and text[:1] in ("[", "{"))
    if nested and text[:1] in ("[", "{"):
        from ruamel.yaml.error import YAMLError

        try:
            found = plain(text)
        except YAMLError:
            found = None
        if isinstance(found, list | dict):
            return cast(setting, found, plugin)
    return cast(setting, value, plugin)


def _keys(name: str) -> Sequence[str]:
    """The keys that lead to a setting below a plugin's entry."""
    if name.startswith("_") and any(
        s.name == name.split(".")[0] or name.startswith(f"{s.name}.") for s in EXTRAS
    ):
        return name[1:].split(".")
    return ["config", *name.split(".")]


def _doubled(value: Any) -> Any:
    """Texts as a project file has them: `$$` for a dollar sign that a variable could begin with."""
    if isinstance(value, str):
        return re.sub(r"\$\$", "$$$$", value)
    if isinstance(value, dict):
        return {k: _doubled(v) for k, v in value.items()}
    return [_doubled(v) for v in value] if isinstance(value, list) else value


def _json(value: Any) -> str:
    import json

    return json.dumps(value)
