"""The version of the package, and nothing else, so that builds can read it without importing."""

__version__ = "0.1.0"
