"""What MkDocs does beyond its own: it adds the pages that are made from the code."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from reference import pages

ROOT = Path(__file__).parent.parent.parent


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the reference, and the description of the code base that lies beside the docs."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    files.append(File.generated(config, "architecture.md", abs_src_path=str(ROOT / "ARCHITECTURE.md")))
    return files
