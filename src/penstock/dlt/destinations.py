"""The destinations of dlt that Penstock has: `duckdb`, and `filesystem` with parquet files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import RefusedError, suggest

DUCKDB, FILESYSTEM = "duckdb", "filesystem"
_FOLDER = "file://"


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination as dlt names it. `at` is the database's file or the bucket; None: by default."""

    type: str
    at: str | None = None

    def spec(self, pipeline_name: str, dataset_name: str) -> Mapping[str, Any]:
        """The same in the words of a project file. Raises: RefusedError for a bucket without a name."""
        if self.type == DUCKDB:
            return {"type": "duckdb", "path": self.at or f"{pipeline_name}.duckdb", "schema": dataset_name}
        bucket = self.at or _configured()
        if bucket is None:
            raise RefusedError(
                "a filesystem destination needs the place of its files",
                hint="give `bucket_url`, or set DESTINATION__FILESYSTEM__BUCKET_URL",
            )
        folder = bucket.removeprefix(_FOLDER).rstrip("/")
        return {"type": "parquet", "path": f"{folder}/{dataset_name}"}


def duckdb(credentials: str | None = None, *, path: str | None = None) -> Destination:
    """A DuckDB file, `<pipeline_name>.duckdb` if none is named; each dataset is a schema in it."""
    said = credentials if credentials is not None else path
    if said is None:
        return Destination(DUCKDB)
    if not isinstance(said, str):
        raise RefusedError(
            "a DuckDB destination is the path of a file",
            found=f"a {type(said).__name__}",
            expected="such as `warehouse.duckdb`",
        )
    return Destination(DUCKDB, said.removeprefix("duckdb:///"))


def filesystem(bucket_url: str | None = None) -> Destination:
    """Parquet files in a folder or bucket, one folder a table below one for each dataset.

    Credentials come from the environment. Raises: RefusedError for what is no text.
    """
    return Destination(FILESYSTEM, str(bucket_url) if bucket_url is not None else None)


KINDS: Mapping[str, Callable[..., Destination]] = {DUCKDB: duckdb, FILESYSTEM: filesystem}


def destination_of(said: object) -> Destination:
    """A destination by name, by URL, or as it is. Raises: RefusedError for one that is not here."""
    if isinstance(said, Destination):
        return said
    if said is None:
        return duckdb()
    for kind in KINDS.values():
        if said is kind:
            return kind()
    name, _, rest = said.partition(":///") if isinstance(said, str) else (type(said).__name__, "", "")
    short = name.rpartition(".")[2]
    if short in KINDS and isinstance(said, str):
        return KINDS[short](rest or None)
    raise RefusedError(
        f"`{short}` is not a destination here",
        expected=" or ".join(f"`{kind}`" for kind in KINDS),
        hint=suggest(short, KINDS) or "import `destinations` from `penstock.dlt`",
    )


def _configured() -> str | None:
    """The bucket that dlt's configuration names."""
    import dlt

    found = dlt.config.get("destination.filesystem.bucket_url")
    return str(found) if found else None


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"`{name}` is not a destination here, only "
        + " and ".join(KINDS)
        + f" are. {suggest(name, KINDS) or ''}",
        name=name,
    )
