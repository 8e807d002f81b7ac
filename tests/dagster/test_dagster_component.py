"""The component: from YAML, by hand, and found by `dg`."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster_runs import models, run

from bed import Bed
from penstock.dagster import PenstockComponent

TABLE = "p/warehouse/t"
OLD_PYDANTIC = pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")  # Dagster's own use of it


def bed_of(root: Path) -> Bed:
    root.mkdir()
    bed = Bed(root, models="models/")
    bed.pipeline["schedule"] = "@daily"
    models(root, m="SELECT count(*) AS n FROM t")
    bed.drop("x.jsonl", {"id": 1})
    bed.session()
    return bed


def specs_of(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_without_a_layout(tmp_path: Path) -> None:
    bed_of(tmp_path / "w")
    defs = dg.build_defs_for_component(PenstockComponent(project=str(tmp_path / "w")))
    assert run(defs, "p").success
    assert "model/m" in specs_of(defs)


@OLD_PYDANTIC
def test_from_yaml(tmp_path: Path) -> None:
    bed_of(tmp_path / "w")
    text = f"""
project: {tmp_path / "w"}
pipelines: [p]
models: false
schedules: false
translation:
  group_name: mine
  key: "dwh/{{{{ node.layer }}}}/{{{{ node.name }}}}"
"""
    component = PenstockComponent.resolve_from_yaml(text)
    defs = dg.build_defs_for_component(component)
    specs = specs_of(defs)
    assert set(specs) == {f"dwh/{layer}/t" for layer in ("source", "land", "raw_hist", "warehouse")}
    assert {s.group_name for s in specs.values()} == {"mine"}
    assert [d.asset_key.to_user_string() for d in specs["dwh/land/t"].deps] == ["dwh/source/t"]
    assert defs.resolve_schedule_def("p_schedule").default_status is dg.DefaultScheduleStatus.STOPPED
    assert run(defs, "p").made["dwh/warehouse/t"]["rows_loaded"] == 1


@OLD_PYDANTIC
def test_a_wrong_word_is_refused() -> None:
    with pytest.raises(Exception, match="projct"):
        PenstockComponent.resolve_from_yaml("projct: here")


def test_in_the_layout_of_dg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed_of(tmp_path / "w")
    folder = tmp_path / "site" / "src" / "my_site" / "defs" / "warehouse"
    folder.mkdir(parents=True)
    for package in (folder.parent.parent, folder.parent):
        (package / "__init__.py").touch()
    (tmp_path / "site" / "pyproject.toml").write_text(
        '[project]\nname = "my_site"\nversion = "1"\n'
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "my_site"\n'
    )
    said = {"type": "penstock.dagster.PenstockComponent", "attributes": {"project": "../../../../../w"}}
    (folder / "defs.yaml").write_text(yaml.safe_dump(said))
    monkeypatch.syspath_prepend(str(tmp_path / "site" / "src"))
    defs = dg.load_from_defs_folder(path_within_project=folder.parent)
    assert TABLE in specs_of(defs)
    for name in [n for n in sys.modules if n.startswith("my_site")]:
        del sys.modules[name]


def test_dg_finds_it() -> None:
    group = importlib.metadata.entry_points(group="dagster_dg_cli.registry_modules")
    found = [e for e in group if e.value == "penstock.dagster"]
    assert found, "the entry point is written when the package is installed: install it again"
    assert found[0].load().PenstockComponent is PenstockComponent
