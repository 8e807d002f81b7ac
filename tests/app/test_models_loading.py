"""The models of a project: files in, models out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from penstock.app.files import load_project
from penstock.app.models import LoadedModel, check_models, dialect_of, load_models
from penstock.errors import ProjectError
from penstock.models.model import Materialization
from penstock.project.loaded import LoadedProject
from penstock.schema.disposition import Disposition, WriteMode
from penstock.schema.faults import ManyFaultsError


class Shop:
    """A project whose models are written by tests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project("models: models/\n")
        (root / "models").mkdir()

    def project(self, text: str) -> None:
        (self.root / "penstock.yml").write_text(f"name: shop\n{text}")

    def write(self, path: str, text: str = "SELECT 1 AS a") -> None:
        file = self.root / "models" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    @property
    def loaded(self) -> LoadedProject:
        return load_project(self.root, env={})

    def models(self) -> dict[str, LoadedModel]:
        loaded = self.loaded
        return {m.model.name: m for m in load_models(loaded, dialect_of(loaded))}

    def faults(self) -> list[str]:
        return [str(fault) for fault in check_models(self.loaded)]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """An empty folder of models."""
    return Shop(tmp_path)


def head(words: str, query: str = "SELECT 1 AS a") -> str:
    return f"/*---\n{words}\n---*/\n{query}\n"


def test_a_project_without_models(shop: Shop) -> None:
    shop.project("")
    assert shop.models() == {}
    assert shop.faults() == []


def test_sql_models(shop: Shop) -> None:
    shop.write("top.sql", "SELECT * FROM stg JOIN {{ ref('orders') }} USING (id)")
    shop.write(
        "marts/daily/stg.sql",
        head("materialized: incremental\nunique_key: id\ntags: [a, b]\ndepends_on: [x, raw.people]",
             "SELECT * FROM raw.people p, now_there() -- remark"),
    )  # fmt: skip
    models = shop.models()
    assert list(models) == ["stg", "top"]
    top, stg = models["top"].model, models["stg"].model
    assert (top.path, top.tool, top.folder, top.tags) == ("models/top.sql", "sql", "", ())
    assert top.reads == ("stg", "orders")
    assert "ref" not in top.sql
    assert (stg.path, stg.folder, stg.tags) == ("models/marts/daily/stg.sql", "marts/daily", ("a", "b"))
    assert stg.materialized is Materialization.INCREMENTAL
    assert stg.reads == ("raw.people", "x")
    assert models["stg"].disposition == Disposition(WriteMode.MERGE, ("id",))
    assert stg.sql.count("\n", 0, stg.sql.index("SELECT")) == 6
    assert models["stg"].where(("tags", 1)) == "models/marts/daily/stg.sql:4 (tags[1])"
    assert top.version != stg.version


def test_what_is_hidden_or_no_model_is_left_out(shop: Shop) -> None:
    for name in ("a.sql", ".b.sql", "__pycache__/c.sql", ".git/d.sql", "e.txt", "f.yml"):
        shop.write(name)
    shop.write("g.py", "N = 1")
    (shop.root / "models" / "loop").symlink_to(shop.root / "models")
    assert list(shop.models()) == ["a"]


def test_a_folder_outside_the_project(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    shop.write("a.sql", head("tagz: 1"))
    inner = Shop.__new__(Shop)
    inner.root = tmp_path / "inner"
    inner.project("models: ../models\n")
    assert "../models/a.sql:2 (tagz)" in inner.faults()[0]


def test_defaults_of_all_models(shop: Shop) -> None:
    shop.project(
        "models:\n  path: models\n  materialized: incremental\n  cursor: at\n  primary_key: id\n"
        "  version_column: dea_version\n  gate: {min_rows: 1}\n"
    )
    shop.write("plain.sql")
    shop.write("whole.sql", head("materialized: table"))
    shop.write("seen.sql", head("materialized: view"))
    shop.write("other.sql", head("unique_key: [a, b]\ngate: {max_rows: 9}"))
    specs = {name: m.spec for name, m in shop.models().items()}
    assert (specs["plain"].cursor, specs["plain"].primary_key) == ("at", ("id",))
    assert (specs["whole"].cursor, specs["whole"].version_column) == (None, "dea_version")
    assert (specs["seen"].version_column, specs["seen"].gate.min_rows) == (None, None)
    assert (specs["other"].primary_key, specs["other"].gate.min_rows, specs["other"].gate.max_rows) == (
        ("a", "b"), 1, 9,
    )  # fmt: skip


def test_a_model_aligns_to_its_metadata(shop: Shop) -> None:
    (shop.root / "meta.json").write_text(
        '{"name": "x", "primary_key": ["id"], '
        '"columns": [{"name": "id", "type": "int64", "description": "The id"}]}'
    )
    shop.write("m.sql", head("metadata: meta.json\ncolumns: {id: {nullable: false}}"))
    model = shop.models()["m"]
    assert model.table.primary_key == ("id",)
    [column] = model.table.columns
    assert (str(column.type), column.description, column.nullable) == ("int64", "The id", False)
    before = model.model.version
    text = (shop.root / "meta.json").read_text()
    (shop.root / "meta.json").write_text(text.replace("The id", "What it is called"))
    assert shop.models()["m"].model.version == before
    (shop.root / "meta.json").write_text(text.replace("int64", "int32"))
    assert shop.models()["m"].model.version != before


def test_a_version_does_not_change_with_white_space_remarks_and_descriptions(shop: Shop) -> None:
    shop.write("m.sql", head("description: x", "SELECT a,b FROM t"))
    before = shop.models()["m"].model.version
    shop.write("m.sql", head("description: y\ntags: z", "-- new\nSELECT a,\n  b /* two */ FROM t"))
    assert shop.models()["m"].model.version == before
    shop.write("m.sql", head("description: x", "SELECT a,c FROM t"))
    assert shop.models()["m"].model.version != before


# --------------------------------------------------------------------------------------- Python

PYTHON = """\
import penstock as ps
from shared import RATE
from beside import more

@ps.model(tags=["py"], primary_key="id", reads={"p": "raw.people"})
def anything(stg, p):
    \"\"\"What it holds.\"\"\"
    return stg
"""


def test_python_models_are_named_without_being_run(shop: Shop) -> None:
    shop.write("marts/top.py", PYTHON)
    shop.write("shared.py", "raise RuntimeError('not now')")
    model = shop.models()["top"]
    assert (model.model.tool, model.model.sql, model.model.tags) == ("python", "", ("py",))
    assert model.model.reads == ("stg", "raw.people")
    assert model.table.description == "What it holds."
    with pytest.raises(ProjectError) as caught:
        _ = model.function
    assert "this file cannot be run\n  where: models/marts/top.py:2" in str(caught.value)
    assert "RuntimeError: not now" in str(caught.value)


def test_python_models_import_what_lies_beside_them(shop: Shop) -> None:
    shop.write("marts/top.py", PYTHON.replace("shared", "shared_rate_1").replace("beside", "beside_1"))
    shop.write("shared_rate_1.py", "RATE = 2")
    shop.write("marts/beside_1.py", "more = 1")
    path = list(sys.path)
    model = shop.models()["top"]
    assert model.function is not None
    assert model.function is model.function
    assert (model.function.name, model.function.reads) == ("anything", ("stg", "raw.people"))
    assert sys.path == path
    assert shop.models()["top"].table.primary_key == ("id",)


def test_a_model_that_is_imported_is_not_the_files_own(shop: Shop) -> None:
    shop.write("one.py", "import penstock as ps\n@ps.model\ndef f(a): ...\n")
    shop.write("two.py", "import penstock as ps\nfrom one import f\n@ps.model\ndef g(b): ...\n")
    function = shop.models()["two"].function
    assert function is not None and function.name == "g"


def test_computed_words_are_asked_of_the_file(shop: Shop) -> None:
    shop.write(
        "m.py",
        "import penstock as ps\nTAGS = ['a']\n@ps.model(tags=TAGS, reads=dict(x='y'))\ndef m(x): ...\n",
    )
    model = shop.models()["m"]
    assert (model.model.tags, model.model.reads) == (("a",), ("y",))
    shop.write("m.py", "import penstock as ps\nX = {'tagz': 1}\n@ps.model(\n  **X)\ndef m(x): ...\n")
    assert "unknown key `tagz`\n  where: models/m.py:5 (tagz)" in shop.faults()[0]


def test_the_version_of_a_python_model_is_its_file(shop: Shop) -> None:
    shop.write("m.py", "import penstock as ps\n@ps.model\ndef m(a):\n    return a\n")
    before = shop.models()["m"].model.version
    shop.write("m.py", "import penstock as ps\n@ps.model\ndef m(a):\n    return a[:1]\n")
    assert shop.models()["m"].model.version != before


def test_the_version_changes_with_what_the_file_imports(shop: Shop) -> None:
    shop.write("marts/m.py", "import penstock as ps\nfrom lib.rates import RATE\n@ps.model\ndef m(a): ...\n")
    shop.write("lib/__init__.py", "")
    shop.write("lib/rates.py", "import deep\nimport os\nRATE = 1")
    shop.write("deep.py", "import lib.rates\nX = 1")
    shop.write("other.py", "X = 1")
    versions = [shop.models()["m"].model.version]
    for path, text in (
        ("other.py", "X = 2"),
        ("lib/rates.py", "import deep\nRATE = 2"),
        ("deep.py", "X = 2"),
    ):
        shop.write(path, text)
        versions.append(shop.models()["m"].model.version)
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3
    assert versions[-1] == shop.models()["m"].model.version


# ---------------------------------------------------------------------------------------- faults


def test_everything_that_is_wrong_is_told_at_once(shop: Shop) -> None:
    shop.write("a.sql", head("primry_key: id"))
    shop.write("b.sql", head("tags: x", "DELETE FROM x"))
    shop.write("c.sql", head("materialized: partition"))
    shop.write("d.py", "import penstock as ps\n@ps.model(materialized='ephemeral')\ndef d(): ...\n")
    shop.write("e.sql", head("columns: {a: int65}"))
    shop.write("f.sql", head("metadata: nowhere.json"))
    shop.write("g.sql", "DROP TABLE x")
    loaded = shop.loaded
    with pytest.raises(ManyFaultsError) as caught:
        load_models(loaded, "duckdb")
    told = [f"{f.where}: {f.what}".partition(": a model is one SELECT")[0] for f in caught.value.faults]
    assert told == [
        "models/a.sql:2 (primry_key): unknown key `primry_key`",
        "models/b.sql:4:1",
        "models/c.sql:2 (materialized): `c` replaces partitions, but nothing says by which columns",
        "models/d.py:2 (materialized): `ephemeral` is no materialization of Penstock's",
        "models/e.sql:2 (columns.a): `e.a`: `int65` is not a type",
        "models/f.sql:2 (metadata): the metadata file is not there",
        "models/g.sql:1:1",
    ]
    assert shop.faults() == [str(f) for f in caught.value.faults]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a.sql", "b/A.sql"], "two models are called `A`\n  where: models/b/A.sql"),
        (["orders.sql"], "the model `orders` is called as a table of the pipeline `p`"),
        (["_penstock_x.sql"], "cannot name a table"),
        (["stg.orders.sql"], "'stg.orders' cannot name a model\n  where: models/stg.orders.sql"),
    ],
)
def test_names(shop: Shop, files: list[str], message: str) -> None:
    shop.project("models: models\npipelines: {p: {source: {type: land}, tables: {Orders: }}}\n")
    for file in files:
        shop.write(file)
    [fault] = shop.faults()
    assert message in fault


def test_models_that_wait_for_each_other(shop: Shop) -> None:
    shop.write("a.sql", "SELECT * FROM b")
    shop.write("b.sql", "SELECT * FROM a")
    [fault] = shop.faults()
    assert "`a`" in fault and "`b`" in fault


def test_expectations_that_are_not_sql(shop: Shop) -> None:
    shop.write("a.sql", head("gate:\n  expectations:\n    - {name: e, constraint: 'a >'}"))
    [fault] = shop.faults()
    assert "the expectation `e` is not a SQL condition" in fault
    assert "models/a.sql:4 (gate.expectations[0].constraint)" in fault


def test_queries_that_the_engine_cannot_read(shop: Shop) -> None:
    shop.write("a.sql", head("tags: x", "SELECT a\nFRM t WHERE x ="))
    shop.write("b.sql", head("materialized: incremental\nprimary_key: a\nsource_filter: 'a >'", "FROM t"))
    other, one = shop.faults()
    assert "models/a.sql:5" in one and "syntax error" in one
    assert "`source_filter` is not a SQL condition" in other and "models/b.sql:4 (source_filter)" in other


def test_a_folder_that_is_not_there_and_a_destination_that_builds_nothing(shop: Shop) -> None:
    shop.project("models: sql/\n")
    [fault] = shop.faults()
    assert "the folder of models is not there\n  where: penstock.yml:2 (models)" in fault
    shop.project("models: models/\ndestination: {type: singer_target, target: target-jsonl}\n")
    [fault] = shop.faults()
    assert "no models can be built at this destination\n  where: penstock.yml:2 (models)" in fault
    shop.project("models: {dbt: w}\ndestination: {type: singer_target, target: target-jsonl}\n")
    assert shop.faults() == []


def test_nothing_heavy_is_loaded_for_models(shop: Shop) -> None:
    shop.write("a.sql", head("tags: a", "WITH x AS (SELECT * FROM t) SELECT * FROM x"))
    shop.write("b.py", "import penstock as ps\nimport pandas\n@ps.model\ndef m(a: pandas.DataFrame): ...\n")
    code = (
        "import sys; from pathlib import Path; from penstock.app.files import load_project\n"
        "from penstock.app.catalogue import catalogue_of\n"
        f"assert len(catalogue_of(load_project(Path({str(shop.root)!r}))).nodes) == 3\n"
        "heavy = {'duckdb', 'pyarrow', 'sqlglot', 'pandas', 'numpy'}\n"
        "print({n.partition('.')[0] for n in sys.modules} & heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
