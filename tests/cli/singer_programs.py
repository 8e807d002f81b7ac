"""A small tap and a small target as files of a project: no network, no packages."""

# ruff: noqa: E501 - the programs are text

from __future__ import annotations

from pathlib import Path

TAP = """
import argparse, json, sys

p = argparse.ArgumentParser()
for name in ("--config", "--catalog", "--state", "--format"):
    p.add_argument(name)
p.add_argument("--discover", action="store_true")
p.add_argument("--about", action="store_true")
a = p.parse_args()

STREAMS = {
    "orders": {"id": {"type": "integer"}, "amount": {"type": ["null", "number"]}, "note": {"type": ["null", "string"]}},
    "people": {"id": {"type": "integer"}, "name": {"type": ["null", "string"]}},
}
if a.about:
    print(json.dumps({"name": "tap-shop", "capabilities": ["catalog", "discover", "state", "about"], "settings": {
        "type": "object", "required": ["shops"], "properties": {
            "shops": {"type": "array", "items": {"type": "string"}, "description": "Which shops to read."},
            "api_key": {"type": "string", "secret": True, "description": "The key to the door."},
            "rows": {"type": "integer", "default": 3},
            "deep": {"type": "boolean"},
        }}}))
    sys.exit()
config = json.load(open(a.config))
if not config.get("shops"):
    sys.exit("no shops: key was " + str(config.get("api_key")))
def entry(name):
    crumbs = [{"breadcrumb": [], "metadata": {"inclusion": "available", "table-key-properties": ["id"]}}]
    crumbs += [{"breadcrumb": ["properties", k], "metadata": {"inclusion": "automatic" if k == "id" else "available"}}
               for k in STREAMS[name]]
    return {"tap_stream_id": name, "stream": name, "key_properties": ["id"],
            "schema": {"type": "object", "properties": STREAMS[name]}, "metadata": crumbs}
if a.discover:
    print(json.dumps({"streams": [entry(n) for n in STREAMS]}))
    sys.exit()
catalog = json.load(open(a.catalog)) if a.catalog else {"streams": [entry(n) for n in STREAMS]}
state = json.load(open(a.state)) if a.state else {}
last = (state.get("bookmarks") or {}).get("orders", 0)
for s in catalog["streams"]:
    marks = {tuple(m["breadcrumb"]): m["metadata"] for m in s["metadata"]}
    if not marks[()].get("selected"):
        continue
    kept = [k for k in s["schema"]["properties"]
            if marks[("properties", k)].get("selected") or marks[("properties", k)].get("inclusion") == "automatic"]
    schema = {"type": "object", "properties": {k: s["schema"]["properties"][k] for k in kept}}
    print(json.dumps({"type": "SCHEMA", "stream": s["stream"], "schema": schema, "key_properties": ["id"]}))
    for i in range(last + 1, config.get("rows", 3) + 1):
        row = {"id": i, "amount": i * 1.5, "note": config["shops"][0], "name": "n%d" % i}
        print(json.dumps({"type": "RECORD", "stream": s["stream"], "record": {k: row[k] for k in kept}}))
print(json.dumps({"type": "STATE", "value": {"bookmarks": {"orders": config.get("rows", 3)}}}))
"""

TARGET = """
import argparse, json, os, sys

p = argparse.ArgumentParser()
p.add_argument("--config")
p.add_argument("--about", action="store_true")
p.add_argument("--format")
a = p.parse_args()
if a.about:
    print(json.dumps({"name": "target-lines", "capabilities": ["about"], "settings": {"type": "object", "properties": {
        "folder": {"type": "string", "default": "output"}, "prefix": {"type": "string"}}}}))
    sys.exit()
config = json.load(open(a.config)) if a.config else {}
folder = config.get("folder", "output")
os.makedirs(folder, exist_ok=True)
for line in sys.stdin:
    m = json.loads(line)
    if m["type"] == "RECORD":
        with open(os.path.join(folder, config.get("prefix", "") + m["stream"] + ".jsonl"), "a") as f:
            f.write(json.dumps(m["record"]) + "\\n")
    elif m["type"] == "STATE":
        print(json.dumps(m["value"]), flush=True)
"""

ENTRIES = """
plugins:
  extractors:
  - name: tap-shop  # ours
    executable: tap_shop.py
    config:
      # the corner one
      shops: [corner]
  loaders:
  - name: target-lines
    executable: target_lines.py
"""


def shop(
    folder: Path, file: str = "penstock.yml", head: str = "name: shop\n", entries: str = ENTRIES
) -> Path:
    """A project with both programs; `file` is its project file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tap_shop.py").write_text(TAP)
    (folder / "target_lines.py").write_text(TARGET)
    (folder / file).write_text(head + entries)
    return folder
