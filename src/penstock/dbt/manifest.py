"""dbt's `manifest.json` read into nodes. Pure.

Ephemeral models are no relations: whoever reads one reads what it reads, and changes when it does.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.dbt.nodes import DbtColumn, DbtNode, DbtTest, Kind
from penstock.gate.rules import identifier

# Any throughout: JSON that another program wrote

_KINDS = frozenset(kind.value for kind in Kind)
# how and where a file is kept, and what is only said of it, decides nothing about its rows
_IDLE = frozenset(
    {"tags", "meta", "docs", "group", "description", "access", "freshness", "grants", "enabled"}
)


@dataclass(frozen=True, slots=True)
class Home:
    """Where Penstock's own tables are: a dbt source in this schema is one of them.

    `database` is None where any will do.
    """

    schema: str = "main"
    database: str | None = None


def nodes_of(manifest: Mapping[str, Any], home: Home | None = None, salt: str = "") -> tuple[DbtNode, ...]:
    """Every model, seed and snapshot that is enabled, each after those that it reads.

    What is in the schema of `home` goes by its table's name, all else by its schema and name. `salt` is
    what decides about rows beside the files, such as variables; it goes into every version.
    """
    return _Reading(manifest, home or Home(), salt).nodes()


@dataclass
class _Reading:
    manifest: Mapping[str, Any]
    home: Home
    salt: str
    _versions: dict[str, str] = field(default_factory=dict)

    def nodes(self) -> tuple[DbtNode, ...]:
        found = {k: n for k, n in self.manifest["nodes"].items() if n["resource_type"] in _KINDS}
        tests = self._tests(found)
        names = self._names(found)
        made = {
            key: self._node(key, raw, names, tests[key]) for key, raw in found.items() if not _ephemeral(raw)
        }
        return tuple(made[key] for key in _ordered(found, made))

    def _node(
        self, key: str, raw: Mapping[str, Any], names: Mapping[str, str], tests: list[DbtTest]
    ) -> DbtNode:
        config = raw.get("config") or {}
        parents = [parent for parent in self._parents(key) if parent in names]
        reads = dict.fromkeys(names[parent] for parent in parents)
        sources = dict.fromkeys(names[p] for p in parents if p in (self.manifest.get("sources") or {}))
        return DbtNode(
            unique_id=key,
            name=names[key],
            called=_own_name(raw),
            kind=Kind(raw["resource_type"]),
            relation=_relation(raw),
            schema=raw.get("schema") or "",
            database=raw.get("database"),
            path=raw["original_file_path"],
            fqn=tuple(raw["fqn"]),
            materialized=config.get("materialized") or raw["resource_type"],
            version=self._version(key),
            language=raw.get("language") or "sql",
            reads=tuple(reads),
            sources=tuple(sources),
            sql=self._sql(raw, names),
            description=(raw.get("description") or "").strip() or None,
            columns=tuple(_column(c) for c in (raw.get("columns") or {}).values()),
            tests=tuple(tests),
            tags=tuple(dict.fromkeys(raw.get("tags") or ())),
            group=raw.get("group"),
            owners=self._owners(raw.get("group")),
            meta=raw.get("meta") or config.get("meta") or {},
            primary_key=tuple(raw.get("primary_key") or ()),
        )

    def _names(self, found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """What nodes and sources are called: as a query at home writes them."""
        sources: Mapping[str, Mapping[str, Any]] = self.manifest.get("sources") or {}
        made = {key: raw for key, raw in found.items() if not _ephemeral(raw)}
        return {key: self._name(raw) for key, raw in (*made.items(), *sources.items())}

    def _name(self, raw: Mapping[str, Any]) -> str:
        name, schema = _relation(raw), raw.get("schema") or ""
        near = self.home.database is None or raw.get("database") in (None, "", self.home.database)
        return name if near and schema in ("", self.home.schema) else f"{schema}.{name}"

    def _parents(self, key: str) -> Iterable[str]:
        """What a node reads, ephemeral models seen through."""
        raw = self.manifest["nodes"].get(key)
        for parent in ((raw or {}).get("depends_on") or {}).get("nodes") or ():
            if _ephemeral(self.manifest["nodes"].get(parent) or {}):
                yield from self._parents(parent)
            else:
                yield parent

    def _sql(self, raw: Mapping[str, Any], names: Mapping[str, str]) -> str:
        """The compiled query, which reads by the names that we use."""
        code = raw.get("compiled_code") or ""
        if not code or raw.get("language") not in (None, "sql"):
            return ""
        for parent in self._parents(raw["unique_id"]):
            known = self.manifest["nodes"].get(parent) or (self.manifest.get("sources") or {}).get(parent)
            if known and known.get("relation_name") and parent in names:
                code = code.replace(known["relation_name"], _written(names[parent]))
        return str(code).strip()

    def _owners(self, group: str | None) -> tuple[str, ...]:
        for raw in (self.manifest.get("groups") or {}).values():
            if raw["name"] == group:
                owner = raw.get("owner") or {}
                said = owner.get("email") or owner.get("name")
                return tuple(said) if isinstance(said, list) else ((str(said),) if said else ())
        return ()

    # ------------------------------------------------------------------------------ versions

    def _version(self, key: str) -> str:
        """A digest of a node's text and configuration, its macros and the ephemeral models that it reads."""
        if key in self._versions:
            return self._versions[key]
        raw = self.manifest["nodes"][key]
        config = {k: v for k, v in (raw.get("config") or {}).items() if k not in _IDLE}
        depends = raw.get("depends_on") or {}
        nodes = self.manifest["nodes"]
        within = [p for p in depends.get("nodes") or () if _ephemeral(nodes.get(p) or {})]
        said = [
            self.salt,
            raw.get("relation_name"),
            (raw.get("checksum") or {}).get("checksum"),
            raw.get("raw_code"),
            config,
            sorted(self._macros(depends.get("macros") or ())),
            [self._version(parent) for parent in within],
        ]
        found = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:32]
        self._versions[key] = found
        return found

    def _macros(self, names: Iterable[str]) -> set[str]:
        """The text of macros and of those that they call, without dbt's own: an upgrade is no change."""
        macros = self.manifest.get("macros") or {}
        adapter = (self.manifest.get("metadata") or {}).get("adapter_type")
        own = {"dbt", "dbt_postgres", f"dbt_{adapter}"}
        waiting, seen, texts = list(names), set[str](), set[str]()
        while waiting:
            name = waiting.pop()
            raw = macros.get(name)
            if name in seen or raw is None or raw.get("package_name") in own:
                continue
            seen.add(name)
            texts.add(f"{name}: {raw.get('macro_sql')}")
            waiting += (raw.get("depends_on") or {}).get("macros") or ()
        return texts

    # --------------------------------------------------------------------------------- tests

    def _tests(self, found: Mapping[str, Mapping[str, Any]]) -> defaultdict[str, list[DbtTest]]:
        """Tests by the node that they are about; those of a source are about the first that reads it."""
        tests: defaultdict[str, list[DbtTest]] = defaultdict(list)
        nodes = [n for n in self.manifest["nodes"].values() if n["resource_type"] == "test"]
        for raw in [*nodes, *(self.manifest.get("unit_tests") or {}).values()]:
            owner = _owner(raw, found)
            if owner is not None:
                tests[owner].append(_test(raw))
        return tests


def _owner(raw: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> str | None:
    depends = (raw.get("depends_on") or {}).get("nodes") or ()
    about = [p for p in (raw.get("attached_node"), *reversed(depends)) if p]
    direct: str | None = next((p for p in about if p in found and not _ephemeral(found[p])), None)
    if direct is not None:
        return direct
    wanted = set(about)
    for key, node in found.items():
        if not _ephemeral(node) and wanted & set((node.get("depends_on") or {}).get("nodes") or ()):
            return key
    return None


def _test(raw: Mapping[str, Any]) -> DbtTest:
    severity = str((raw.get("config") or {}).get("severity") or "error").lower()
    said = (raw.get("description") or "").strip() or None
    return DbtTest(raw["unique_id"], raw["name"], severity, raw.get("column_name"), said)


def _column(raw: Mapping[str, Any]) -> DbtColumn:
    return DbtColumn(raw["name"], raw.get("data_type"), (raw.get("description") or "").strip() or None)


def _ephemeral(raw: Mapping[str, Any]) -> bool:
    return (raw.get("config") or {}).get("materialized") == "ephemeral"


def _written(name: str) -> str:
    schema, dot, table = name.rpartition(".")
    return f"{identifier(schema)}.{identifier(table)}" if dot else identifier(table)


def _relation(raw: Mapping[str, Any]) -> str:
    return str(raw.get("alias") or raw.get("identifier") or raw["name"])


def _own_name(raw: Mapping[str, Any]) -> str:
    """A node's name; a version of a model has its number behind it, as dbt selects it."""
    version = raw.get("version")
    return str(raw["name"]) if version is None else f"{raw['name']}.v{version}"


def _ordered(found: Mapping[str, Mapping[str, Any]], made: Mapping[str, DbtNode]) -> list[str]:
    """Keys of `made`, parents first; dbt has refused cycles already."""
    done: dict[str, None] = {}
    for start in found:
        stack = [(start, False)]
        while stack:
            key, left = stack.pop()
            if left:
                done[key] = None
            elif key in found and key not in done:
                stack.append((key, True))
                parents = (found[key].get("depends_on") or {}).get("nodes") or ()
                stack += [(parent, False) for parent in reversed(parents)]
    return [key for key in done if key in made]


def with_sql(nodes: Iterable[DbtNode], before: Iterable[DbtNode]) -> tuple[DbtNode, ...]:
    """`nodes`, with the compiled SQL of earlier ones where it still holds and dbt did not compile it anew."""
    known = {(n.unique_id, n.version): n.sql for n in before if n.sql}
    return tuple(
        node if node.sql else replace(node, sql=known.get((node.unique_id, node.version), ""))
        for node in nodes
    )
