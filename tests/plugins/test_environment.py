"""Environments of plugins: made once, whole or not at all, by several processes at a time.

The packages here are made on the spot and need no index; real ones are in `test_real_plugins.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from penstock.errors import LockHeldError, NotFoundError, OutsideError, ProjectError, RefusedError, StoreError
from penstock.plugins.environment import NOTE, OLD_PARTS, Wish, install, installed, lock_file, uninstall
from penstock.plugins.installer import Installer, Pip, Say, Uv, find_installer
from penstock.plugins.turn import turn
from penstock.singer.definition import Plugin, PluginKind

KIND = PluginKind.EXTRACTORS


@dataclass
class Offline:
    """An installer that puts packages from folders into an environment, and notes what it was asked."""

    asked: list[tuple[list[str], Path | None]] = field(default_factory=list)
    fails: bool = False
    made: int = 0

    def create(self, venv: Path, python: str | None, say: Say) -> None:
        self.made += 1
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)

    def install(self, venv: Path, packages: Sequence[str], constraints: Path | None, say: Say) -> None:
        self.asked.append(([*packages], constraints))
        if self.fails:
            raise OutsideError("no index")
        if packages == [OLD_PARTS]:
            return
        name, version, script = packages[0].split("/")[-1].split("=")
        site = next((venv / "lib").glob("python*/site-packages"))
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[console_scripts]\n{script} = x:main\n")
        program = venv / "bin" / script
        program.write_text(f"#!{venv}/bin/python\nprint('hello')\n")
        program.chmod(0o755)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / ".penstock" / "plugins"


def plugin(url: str = "dist-x=1.5=tap-x", **given: str) -> Plugin:
    return Plugin("tap-x", KIND, pip_url=url, **given)  # type: ignore[arg-type]


def test_made_once(home: Path) -> None:
    offline = Offline()
    first = install(plugin(), home, wish=Wish(installer=offline))
    assert (first.version, first.packages) == ("1.5", {"dist-x": "1.5"})
    assert first.venv is not None
    assert first.venv.parent == home / "extractors" / "tap-x"
    assert subprocess.run(first.command, check=True, capture_output=True).stdout == b"hello\n"
    assert install(plugin(), home, wish=Wish(installer=offline)) == first == installed(plugin(), home)
    assert offline.made == 1
    assert [a for a, _ in offline.asked] == [[OLD_PARTS], ["dist-x=1.5=tap-x"]]


@pytest.mark.parametrize(
    "other",
    [plugin("dist-x=1.6=tap-x"), plugin("dist-x=1.5=tap-y", executable="tap-y"), plugin(python="3.11")],
)
def test_made_anew_when_the_definition_changes(home: Path, other: Plugin) -> None:
    offline = Offline()
    first = install(plugin(), home, wish=Wish(installer=offline))
    assert installed(other, home) is None
    assert install(other, home, wish=Wish(installer=offline)).executable.is_file()
    assert offline.made == 2
    assert installed(plugin(), home) == first  # it may be in use; the other has a place of its own
    install(other, home, wish=Wish(installer=offline, force=True))
    assert installed(plugin(), home) is None


def test_what_is_half_made_is_never_used(home: Path) -> None:
    offline = Offline(fails=True)
    with pytest.raises(OutsideError):
        install(plugin(), home, wish=Wish(installer=offline))
    assert [*home.glob("extractors/tap-x/venv-*/bin/python")]
    assert installed(plugin(), home) is None
    offline.fails = False
    found = install(plugin(), home, wish=Wish(installer=offline))
    assert found.venv is not None
    (found.venv / NOTE).write_text('{"wanted": "')
    assert installed(plugin(), home) is None
    install(plugin(), home, wish=Wish(installer=offline))
    found.executable.unlink()
    assert installed(plugin(), home) is None


def test_several_at_a_time_make_one(home: Path) -> None:
    offline = Offline()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: install(plugin(), home, wish=Wish(installer=offline)), range(8)))
    assert len({f.executable for f in found}) == 1
    assert offline.made == 1


def test_who_waits_too_long_is_told(home: Path) -> None:
    with turn(home / "extractors" / "tap-x.lock", "it", 1), pytest.raises(LockHeldError, match="`tap-x`"):
        install(plugin(), home, wish=Wish(installer=Offline(), patience_s=0.2))


def test_versions_are_written_down_and_obeyed(home: Path, tmp_path: Path) -> None:
    offline = Offline()
    install(plugin(), home, wish=Wish(installer=offline))
    lock = lock_file(plugin(), tmp_path)
    assert lock == tmp_path / "plugins/extractors/tap-x.lock.txt"
    assert lock.read_text().splitlines()[-1] == "dist-x==1.5"
    assert offline.asked[-1][1] is None
    install(plugin(), home, wish=Wish(installer=offline, force=True))
    assert offline.asked[-1][1] == lock
    install(plugin(), home, wish=Wish(installer=offline, upgrade=True))
    assert offline.asked[-1][1] is None
    install(plugin("dist-x=2.0=tap-x"), home, wish=Wish(installer=offline))
    assert offline.asked[-1][1] is None  # it was written for another definition
    assert "dist-x==2.0" in lock.read_text()


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="no place to install `tap-x`"):
        install(plugin(), tmp_path / "file" / "plugins", tmp_path, Wish(installer=Offline()))


def test_uninstall(home: Path) -> None:
    install(plugin(), home, wish=Wish(installer=Offline()))
    assert uninstall(plugin(), home)
    assert installed(plugin(), home) is None
    assert not uninstall(plugin(), home)


def test_paths_of_the_project_and_variables(home: Path, tmp_path: Path) -> None:
    offline = Offline()
    wish = Wish(installer=offline, env={"TOKEN": "s3cret"})
    install(plugin("./taps/dist-x=1=tap-x other[extra] git+https://$TOKEN@host/x.git"), home, wish=wish)
    assert offline.asked[-1][0] == [
        f"{tmp_path}/taps/dist-x=1=tap-x",
        "other[extra]",
        "git+https://s3cret@host/x.git",
    ]
    with pytest.raises(ProjectError, match="not complete") as caught:
        install(plugin("git+https://${NO_SUCH_VARIABLE_IS_SET}@host/x.git"), home, wish=wish)
    assert "NO_SUCH_VARIABLE_IS_SET" in str(caught.value)


def test_package_without_the_program(home: Path) -> None:
    with pytest.raises(RefusedError, match="no program `tap-y`") as caught:
        install(plugin(executable="tap-y"), home, wish=Wish(installer=Offline()))
    assert "tap-x" in str(caught.value)
    assert installed(plugin(executable="tap-y"), home) is None


def test_only_tap_of_a_package_is_taken(home: Path) -> None:
    named = Plugin("my-github", KIND, pip_url="dist-x=1=tap-github")
    assert install(named, home, wish=Wish(installer=Offline())).executable.name == "tap-github"


def test_commands_need_no_environment(home: Path, tmp_path: Path) -> None:
    script = tmp_path / "taps" / "mine.py"
    script.parent.mkdir()
    script.write_text("print('mine')")
    found = install(Plugin("mine", KIND, executable="taps/mine.py --fast"), home)
    assert found.command == (sys.executable, str(script), "--fast")
    assert found.venv is None
    assert found.env == {}
    assert install(Plugin("sh", KIND), home).executable.name == "sh"
    with pytest.raises(NotFoundError, match="is not there"):
        install(Plugin("tap-nowhere", KIND), home)
    assert installed(Plugin("tap-nowhere", KIND), home) is None


# ----------------------------------------------------------------------------- real installers


BACKEND = """
import zipfile
INFO = "tap_local-0.3.dist-info/"
FILES = {
    "tap_local/__init__.py": "def main(): print('local')",
    INFO + "METADATA": "Metadata-Version: 2.1\\nName: tap-local\\nVersion: 0.3\\n",
    INFO + "WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    INFO + "entry_points.txt": "[console_scripts]\\ntap-local = tap_local:main\\n",
    INFO + "RECORD": "",
}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "tap_local-0.3-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        for path, text in FILES.items():
            wheel.writestr(path, text)
    return name
"""


def project_of(tmp_path: Path) -> Path:
    """A package whose build needs nothing from an index."""
    folder = tmp_path / "tap-local"
    (folder / "tap_local").mkdir(parents=True)
    (folder / "tap_local" / "__init__.py").write_text("def main():\n    print('local')\n")
    (folder / "backend.py").write_text(BACKEND)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("installer", [find_installer(), Pip()], ids=["found", "pip"])
def test_installers_make_environments(home: Path, tmp_path: Path, installer: Installer) -> None:
    project_of(tmp_path)
    heard: list[str] = []
    local = Plugin("tap-local", KIND, pip_url="./tap-local")
    found = install(local, home, wish=Wish(installer=installer, say=heard.append))
    assert subprocess.run(found.command, check=True, capture_output=True).stdout == b"local\n"
    assert found.version == "0.3"
    assert int(found.packages["setuptools"].split(".")[0]) < 81
    assert any("tap-local" in line for line in heard)


@pytest.mark.slow
@pytest.mark.parametrize("installer", [find_installer(), Pip()], ids=["found", "pip"])
def test_errors_tell_what_the_installer_said(home: Path, tmp_path: Path, installer: Installer) -> None:
    missing = Plugin("tap-x", KIND, pip_url="./no-such-folder")
    with pytest.raises(OutsideError, match="`tap-x` could not be installed") as caught:
        install(missing, home, wish=Wish(installer=installer))
    assert "no-such-folder" in (caught.value.found or "")
    assert installed(missing, home) is None


def test_uv_comes_with_its_package() -> None:
    found = find_installer()
    assert isinstance(found, Uv)
    assert found.program.is_file()


def test_addresses_are_told_without_their_passwords(home: Path, tmp_path: Path) -> None:
    script = tmp_path / "uv"
    script.write_text("#!/bin/sh\necho 'cannot clone https://me:s3cret@host/x.git' >&2\nexit 3\n")
    script.chmod(0o755)
    with pytest.raises(OutsideError) as caught:
        install(plugin(), home, wish=Wish(installer=Uv(script)))
    assert "https://***@host/x.git" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_note_is_written_last(home: Path) -> None:
    found = install(plugin(), home, wish=Wish(installer=Offline()))
    assert found.venv is not None
    note = json.loads((found.venv / NOTE).read_text())
    assert set(note) == {"wanted", "program", "version", "packages"}
