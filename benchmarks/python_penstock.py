"""One cold run of a Penstock pipeline written in Python: `python_penstock.py rows COUNT | tables FOLDER`.

With a third word, `flatten`, the list becomes a child table and the object becomes columns.
"""

import sys
from pathlib import Path

from python_rows import rows

import penstock as ps

what, given, *nesting = sys.argv[1:]


@ps.resource(name="events", nesting=nesting[0] if nesting else None)
def made():  # type: ignore[no-untyped-def]  # as people write it
    yield from rows(int(given))


@ps.resource(name="events")
def read():  # type: ignore[no-untyped-def]
    import pyarrow.parquet as pq

    for file in sorted(Path(given).iterdir()):
        yield from pq.ParquetFile(file).iter_batches(100_000)


pipeline = ps.pipeline("bench", destination="duckdb:///w.duckdb")
print(pipeline.run(made if what == "rows" else read))
