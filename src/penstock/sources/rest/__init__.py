"""Records of HTTP APIs: asked for page by page, landed as they came."""

from penstock.sources.rest.source import RestSource

__all__ = ["RestSource"]
