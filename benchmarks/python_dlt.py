"""One cold run of a dlt pipeline, by dlt's own Python: `python_dlt.py rows COUNT | tables FOLDER`."""

import sys
from pathlib import Path

import dlt
from python_rows import rows

what, given = sys.argv[1:]


@dlt.resource(name="events")
def made():  # type: ignore[no-untyped-def]  # as people write it
    yield from rows(int(given))


@dlt.resource(name="events")
def read():  # type: ignore[no-untyped-def]
    import pyarrow.parquet as pq

    for file in sorted(Path(given).iterdir()):
        yield from pq.ParquetFile(file).iter_batches(100_000)


pipeline = dlt.pipeline(
    "bench",
    pipelines_dir=str(Path.cwd() / "state"),
    destination=dlt.destinations.duckdb("w.duckdb"),
    dataset_name="bench",
)
print(pipeline.run(made if what == "rows" else read, loader_file_format="parquet"))
