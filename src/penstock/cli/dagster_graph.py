"""What a running UI of Dagster says of the project that it serves, by its GraphQL."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Any throughout: answers of GraphQL

_GRAPH = """
{ workspaceOrError { __typename
    ... on PythonError { message }
    ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename
        ... on PythonError { message stack errorChain { error { message stack } } } } } } }
  assetNodes { id pools } }
"""
_PLACE = re.compile(r'File "(.+)", line (\d+)')
_LIMITS = "{ instance { supportsConcurrencyLimits concurrencyLimits { concurrencyKey limit } } }"
_SET = """
mutation ($pool: String!, $limit: Int!) {
  setConcurrencyLimit(concurrencyKey: $pool, limit: $limit) }
"""


@dataclass(frozen=True, slots=True)
class Graph:
    """How many assets there are, the pools that they run in, and what could not be loaded."""

    assets: int
    pools: tuple[str, ...]
    faults: tuple[str, ...]


def graph(url: str) -> Graph | None:
    """The asset graph; None while nobody answers, or the project is being loaded still."""
    data = _ask(url, _GRAPH)
    workspace = (data or {}).get("workspaceOrError") or {}
    entries = workspace.get("locationEntries") or []
    if data is None or any(entry["loadStatus"] == "LOADING" for entry in entries):
        return None
    faults = list(_faults(workspace))
    nodes = data.get("assetNodes") or []
    pools = {pool for node in nodes for pool in node.get("pools") or []}
    return Graph(len(nodes), tuple(sorted(pools)), tuple(faults))


def limit_pools(url: str, pools: tuple[str, ...], limit: int = 1) -> None:
    """Give each pool that has no limit one: a default does not hold for the first use of a pool."""
    found = ((_ask(url, _LIMITS) or {}).get("instance")) or {}
    limited = {one["concurrencyKey"]: one.get("limit") for one in found.get("concurrencyLimits") or []}
    for pool in pools:
        if found.get("supportsConcurrencyLimits") and limited.get(pool) is None:
            _ask(url, _SET, {"pool": pool, "limit": limit})


def _faults(workspace: dict[str, Any]) -> Iterator[str]:
    """What could not be loaded, the cause of it first: Dagster wraps what a module raised."""
    if workspace.get("__typename") == "PythonError":
        yield str(workspace["message"]).strip()
    for entry in workspace.get("locationEntries") or []:
        loaded = entry.get("locationOrLoadError") or {}
        if loaded.get("__typename") == "PythonError":
            cause = [loaded, *(link["error"] for link in loaded.get("errorChain") or [])][-1]
            where = [place for frame in cause.get("stack") or [] if (place := _PLACE.search(frame))]
            told = str(cause["message"]).strip().partition("\n")[0]
            yield f"{told} ({where[-1][1]}:{where[-1][2]})" if where else told


def _ask(url: str, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """The data of an answer; None when nobody answers (yet)."""
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310 - http
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            found: dict[str, Any] | None = json.load(answer).get("data")
    except (OSError, ValueError):  # refused, cut off, or no JSON: it is starting
        return None
    return found
