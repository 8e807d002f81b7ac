"""dlt without its reporting home: imported first by every module here that imports dlt.

dlt sends usage data unless told otherwise. Whatever its configuration says, it does not while
Penstock runs it: the environment comes before any of its files.
"""

from __future__ import annotations

import os

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

from dlt.common.runtime.telemetry import is_telemetry_started, stop_telemetry

if is_telemetry_started():  # by a pipeline of dlt's own, earlier in this process
    stop_telemetry()
