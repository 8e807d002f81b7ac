"""Conformance suites for adapters, and faults to try them with.

An adapter's test inherits one suite and supplies one fixture; see `testing.store` and
`testing.destination`.
"""

from __future__ import annotations

import sys

if "pytest" in sys.modules:  # so that a failing check shows the values
    modules = ("store", "destination", "destination_runs", "dispositions", "loads", "builder")
    sys.modules["pytest"].register_assert_rewrite(*(f"penstock.testing.{name}" for name in modules))
