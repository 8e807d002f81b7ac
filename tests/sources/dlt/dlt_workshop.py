"""The code of a workshop on dlt, with its imports changed and nothing else."""

from __future__ import annotations

IMPORTS = """
from penstock.dlt.sources.filesystem import FilesystemConfigurationResource, ReadersSource
from penstock.dlt.sources.filesystem import _read_jsonl, _read_parquet, filesystem
from penstock.dlt.destinations import duckdb
import penstock.dlt as dlt
import penstock.dlt.destinations as dlt_destinations
import logging

your_table_name, your_folder_name, your_file_name = "synthetic_data", "raw_data", "*.jsonl"
your_parquet_folder_name = "raw_history/synthetic_nonsense_data/synthetic_data"
your_parquet_file_name = "*.parquet"
"""

STEPS_TWO_TO_FOUR = """
# Create a logger
logger = logging.getLogger("dlt")

# Set the log level
logger.setLevel(logging.INFO)
@dlt.source
def read_json_from_local_filesystem(
    table_name: str,
    folder_name: str,
    file_name: str
    ):
    yield filesystem(
            bucket_url=folder_name,
            file_glob=file_name
        ) | dlt.transformer(name=table_name)(_read_jsonl)

destination_fs = dlt_destinations.filesystem(bucket_url="raw_history/")

example_pipeline = dlt.pipeline(
    pipeline_name="test_pipeline",
    dataset_name="synthetic_nonsense_data",
    destination=destination_fs
)

example_pipeline.run(
    read_json_from_local_filesystem(
        your_table_name,
        your_folder_name,
        your_file_name
    ),
    loader_file_format="parquet"
)
"""

STEP_FIVE = """
@dlt.source(_impl_cls=ReadersSource, spec=FilesystemConfigurationResource)
def read_json_parquet_from_local_filesystem(
    table_name: str,
    folder_name: str,
    file_name: str
    ):
    yield (
        filesystem(
            bucket_url=folder_name,
            file_glob=file_name
        ) | dlt.transformer(name=table_name)(_read_jsonl),
        filesystem(
            bucket_url=folder_name,
            file_glob=file_name
        ) | dlt.transformer(name=table_name)(_read_parquet)
)

example_pipeline_2 = dlt.pipeline(
    pipeline_name="test_pipeline_2",
    dataset_name="synthetic_nonsense_duckdb_data",
    destination=duckdb(path="test_data.duckdb")
)

example_pipeline_2.run(
    read_json_parquet_from_local_filesystem(
        your_table_name,
        your_parquet_folder_name,
        your_parquet_file_name
    ),
)
"""

# the pipelines of the steps before, and `run_source`, which the text calls `parquet_source` as well
STEP_SIX = """
@dlt.source(_impl_cls=ReadersSource, spec=FilesystemConfigurationResource)
def read_json_parquet_from_local_filesystem(
    table_name: str,
    folder_name: str,
    file_name: str,
    incremental_load: str = None,
    ):
    fs = filesystem(
            bucket_url=folder_name,
            file_glob=file_name
        )
    fs.apply_hints(
        incremental=dlt.sources.incremental(incremental_load)
    )
    yield (
        fs | dlt.transformer(name=table_name)(_read_jsonl),
        fs | dlt.transformer(name=table_name)(_read_parquet)
)

destination_fs = dlt_destinations.filesystem(bucket_url="raw_history/")
example_pipeline = dlt.pipeline(
    pipeline_name="test_pipeline",
    dataset_name="synthetic_nonsense_data",
    destination=destination_fs
)
example_pipeline_2 = dlt.pipeline(
    pipeline_name="test_pipeline_2",
    dataset_name="synthetic_nonsense_duckdb_data",
    destination=duckdb(path="test_data.duckdb")
)

example_pipeline.run(
    read_json_parquet_from_local_filesystem(
        your_table_name,
        your_folder_name,
        your_file_name,
        incremental_load="modified_date"
    )
)

run_source = parquet_source = read_json_parquet_from_local_filesystem(
        your_table_name,
        your_parquet_folder_name,
        your_parquet_file_name
    )
for source in parquet_source.resources:
    run_source.resources[source].apply_hints(
        incremental=dlt.sources.incremental("_dlt_load_id")
        )

example_pipeline_2.run(run_source)
"""
