"""What is said of a pipeline, a table or a model for people and programs, put on its nodes."""

from __future__ import annotations

from dataclasses import replace

from penstock.catalogue import Freshness, Layer, Node
from penstock.project import words
from penstock.project.labels import FreshnessSpec, Labels


def labelled(node: Node, *said: Labels) -> Node:
    """A node with what is said of it for people and programs; what is said later wins, words add up."""
    freshness = next((s.freshness for s in reversed(said) if s.freshness is not None), None)
    kept = node.layer not in (Layer.SOURCE, Layer.RAW_HIST)
    meta: dict[str, object] = {}
    for one in said:
        for program, words_ in one.meta.items():
            before = meta.get(program)
            if isinstance(before, dict) and isinstance(words_, dict):
                words_ = {**before, **words_}
            meta[program] = words_
    return replace(
        node,
        group=next((s.group for s in reversed(said) if s.group is not None), None),
        owners=next((s.owners for s in reversed(said) if s.owners), ()),
        tags=tuple(dict.fromkeys(tag for s in said for tag in s.tags)),
        freshness=_freshness(freshness) if freshness is not None and kept else None,
        meta=meta,
    )


def _freshness(said: FreshnessSpec) -> Freshness:
    warn_s = None if said.warn_after is None else words.seconds(said.warn_after)
    return Freshness(words.seconds(said.fail_after), warn_s)
