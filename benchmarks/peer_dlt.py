"""One cold dlt run, started by dlt's own Python: `peer_dlt.py FOLDER GLOB TARGET [--new-only]`.

TARGET is a DuckDB file or, if it does not end in `.duckdb`, a folder for parquet files.
"""

import sys
from pathlib import Path

import dlt
from dlt.sources.filesystem import filesystem, read_jsonl, read_parquet

folder, glob, target = sys.argv[1:4]
files = filesystem(bucket_url=Path(folder).as_uri(), file_glob=glob)
if "--new-only" in sys.argv:
    files.apply_hints(incremental=dlt.sources.incremental("modification_date"))
reader = read_parquet(use_pyarrow=True) if glob.endswith(".parquet") else read_jsonl()
place = Path(target)
if place.suffix == ".duckdb":
    destination = dlt.destinations.duckdb(str(place))
else:
    destination = dlt.destinations.filesystem(place.as_uri())
pipeline = dlt.pipeline(
    "bench", pipelines_dir=str(place.parent / "state"), destination=destination, dataset_name="bench"
)
print(pipeline.run((files | reader).with_name("events"), loader_file_format="parquet"))
