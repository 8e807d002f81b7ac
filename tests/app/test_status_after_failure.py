"""What a person has to do after a run that did not succeed, as `status` tells it."""

from __future__ import annotations

from bed import Bed
from penstock.report.look import status_looks


def test_status_names_what_is_to_be_done(bed: Bed) -> None:
    bed.table.update({"columns": {"n": "int64"}, "contract": {"columns": "freeze"}})
    bed.drop("1.jsonl", {"n": 1, "x": 2})
    assert bed.run().error is not None
    [status] = bed.session().status([])
    assert status.failed is not None
    assert "failed and stay" in status.failed
    assert [(look.what, look.command) for look in status_looks([status])] == [
        ("the last run of `p` did not succeed", "penstock status p --last"),
        ("1 file of `p` waits", "penstock run p"),
    ]
    bed.table["contract"] = {"columns": "evolve"}
    bed.loads()
    [status] = bed.session().status([])
    assert (status.failed, status_looks([status])) == (None, ())
