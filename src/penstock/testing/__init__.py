"""Conformance suites for adapters, and faults to try them with.

An adapter's test inherits one suite and supplies one fixture; see `testing.store` and
`testing.destination`.
"""

from __future__ import annotations

import sys

if "pytest" in sys.modules:  # so that a failing check shows the values
    sys.modules["pytest"].register_assert_rewrite("penstock.testing.store", "penstock.testing.destination")
