"""The same lesson on PostgreSQL: dbt reads and builds there, and Penstock tells of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import pytest

from dbt_bed import RESALE, DbtBed
from penstock.app import dbt
from penstock.errors import OutsideError
from penstock.report.facts import ModelStatus, Pause
from servers import resale
from servers.postgres import PASSWORD

pytestmark = pytest.mark.slow
FILES = {
    **RESALE,
    "models/source.yml": RESALE["models/source.yml"].replace(
        "- name: ingestion", "- name: ingestion\n    schema: public"
    ),
    "models/prices.sql": """
select *, resale_price / floor_area_sqm as price_per_sqm
from {{ source('ingestion', 'resale_flat_prices_from_jan_2017') }}
""",
}


def test_the_lesson_on_postgresql(
    dbt_bed: Callable[..., DbtBed], postgres_url: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_url()
    resale.fill(url, 500)
    monkeypatch.setenv("RESALE_URL", url)
    bed = dbt_bed(FILES, url="${RESALE_URL}", schema="resale_flat", threads=2)
    loaded = bed.session().loaded
    models = dbt.dbt_models(loaded)
    assert {m.name: m.reads for m in models} == {
        "prices": (f"public.{resale.TABLE}",),
        "prices_by_town_type_model": ("prices",),
    }
    began = time.monotonic()
    beats: list[float] = []
    results = dbt.run_dbt(loaded, None, False, lambda e: beats.append(1.0) if isinstance(e, Pause) else None)
    assert len(beats) > (time.monotonic() - began) / 10  # whoever wants to stop it is asked all the time
    found = {r.model: r for r in results}
    assert {r.status for r in results} == {ModelStatus.BUILT}, [r.error for r in results]
    assert found["prices"].rows == 500
    with psycopg.connect(url) as connection:
        sql = "SELECT count(*), sum(price_per_sqm - resale_price / floor_area_sqm) FROM resale_flat.prices"
        assert connection.execute(sql).fetchone() == (500, 0)
    assert urlsplit(url).password == PASSWORD
    written = [p for p in (bed.root / ".penstock" / "dbt").rglob("*") if p.is_file()]
    assert written
    assert not [p for p in written if PASSWORD.encode() in p.read_bytes()]


def test_a_profile_of_ones_own_is_respected(
    dbt_bed: Callable[..., DbtBed], postgres_url: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_url()
    resale.fill(url, 20)
    parts = urlsplit(url)
    monkeypatch.setenv("DBT_ENV_SECRET_RESALE", PASSWORD)
    profile = f"""
resale_flat:
  target: lesson
  outputs:
    lesson:
      type: postgres
      host: 127.0.0.1
      port: {parts.port}
      user: {parts.username}
      password: "{{{{ env_var('DBT_ENV_SECRET_RESALE') }}}}"
      dbname: {parts.path[1:]}
      schema: own_schema
"""
    bed = dbt_bed({**FILES, "profiles.yml": profile})
    project = dbt.open_dbt(bed.session().loaded)
    assert (project.setup.output.adapter, project.setup.profiles) == ("postgres", bed.folder)
    results = dbt.run_dbt(bed.session().loaded, ["prices"], True, lambda event: None)
    assert [(r.model, r.status, r.rows) for r in results] == [("prices", ModelStatus.BUILT, 20)]
    with psycopg.connect(url) as connection:
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'own_schema'"
        assert connection.execute(tables).fetchall() == [("prices",)]
    monkeypatch.setenv("DBT_ENV_SECRET_RESALE", "wrong")
    with pytest.raises(OutsideError, match=r"cannot open the warehouse[\s\S]*password authentication failed"):
        dbt.run_dbt(bed.session().loaded, ["prices"], True, lambda event: None)
