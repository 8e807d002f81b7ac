// The lineage graph. Ranks and the order within them come with the data; here boxes get their pixels.
const WIDE = 190, GAP = 74, HEAD = 33, LINE = 25, SPACE = 14, MOST = 12;

function closure(start, next) {
  const found = new Set(start);
  const queue = [...start];
  while (queue.length) for (const n of next(queue.pop())) if (!found.has(n)) { found.add(n); queue.push(n); }
  return found;
}
const up = (id) => (byId.has(id) ? [...(byId.get(id).reads || []), ...(byId.get(id).pipeline ? [`source ${byId.get(id).pipeline}`] : [])] : []);
const down = (id) => (id.startsWith("source ") ? tables.filter((t) => `source ${t.pipeline}` === id).map((t) => t.id)
  : readers.get(id) || []);

// Every column that a column is made of or goes into, as keys, and the lines between them.
function columnPath(table, column) {
  const walk = (map) => {
    const found = new Map([[columnKey(table, column), [table, column]]]);
    const queue = [[table, column]];
    while (queue.length) for (const n of map.get(columnKey(...queue.pop())) || []) {
      if (!found.has(columnKey(...n))) { found.set(columnKey(...n), n); queue.push(n); }
    }
    return found;
  };
  return { above: walk(madeOf), below: walk(goesInto) };
}

function boxesOf(shown, focus, path) {
  const at = (id) => (byId.has(id) ? byId.get(id).at : (pipelines.find((p) => `source ${p.name}` === id) || {}).at) || [0, 0];
  const linked = new Set([...madeOf.keys(), ...goesInto.keys()]);
  const boxes = [...shown].map((id) => {
    const t = byId.get(id);
    let columns = [];
    if (focus && t) {
      columns = (t.columns || []).map((c) => c.name);
      const lit = columns.filter((c) => path && (path.above.has(columnKey(id, c)) || path.below.has(columnKey(id, c))));
      if (columns.length > MOST && id !== focus) {
        const joined = columns.filter((c) => linked.has(columnKey(id, c)) && !lit.includes(c));
        const kept = new Set([...lit, ...joined].slice(0, Math.max(MOST, lit.length)));
        columns = columns.filter((c) => kept.has(c));
      }
    }
    const more = focus && t ? (t.columns || []).length - columns.length : 0;
    return { id, t, at: at(id), columns, more, height: HEAD + columns.length * LINE + (more ? 23 : 0) };
  });
  const ranks = [...new Set(boxes.map((b) => b.at[0]))].sort((a, b) => a - b);
  const stacks = ranks.map((rank) => boxes.filter((b) => b.at[0] === rank).sort((a, b) => a.at[1] - b.at[1]));
  const talls = stacks.map((stack) => stack.reduce((n, b) => n + b.height + SPACE, -SPACE));
  const tall = Math.max(...talls, 0);
  stacks.forEach((stack, i) => {
    let y = 16 + (focus ? (tall - talls[i]) / 2 : 0);
    for (const b of stack) { b.x = 16 + i * (WIDE + GAP); b.y = y; y += b.height + SPACE; }
  });
  return { boxes, stacks, width: 32 + ranks.length * (WIDE + GAP) - GAP, height: tall + 32 };
}

function drawEdges(placed, focus, path) {
  const by = new Map(placed.boxes.map((b) => [b.id, b]));
  const lines = [];
  const curve = (x1, y1, x2, y2, lit, from, into) => lines.push(g("path", { class: lit ? "lit" : undefined,
    "data-from": from, "data-into": into,
    d: `M${x1},${y1} C${x1 + GAP * 0.55},${y1} ${x2 - GAP * 0.55},${y2} ${x2},${y2}` }));
  const y = (b, column) => {
    const i = column === undefined ? -1 : b.columns.findIndex((c) => c.toLowerCase() === column.toLowerCase());
    return i < 0 ? b.y + HEAD / 2 : b.y + HEAD + i * LINE + LINE / 2;
  };
  for (const b of placed.boxes) {
    const traced = new Set();
    if (focus) for (const column of b.columns) for (const from of madeOf.get(columnKey(b.id, column)) || []) {
      const source = by.get(from[0]);
      if (!source) continue;
      traced.add(source.id);
      const ends = [columnKey(...from), columnKey(b.id, column)];
      const lit = path && (ends.every((k) => path.above.has(k)) || ends.every((k) => path.below.has(k)));
      curve(source.x + WIDE, y(source, from[1]), b.x, y(b, column), lit, from[0], b.id);
    }
    for (const id of up(b.id)) if (by.has(id) && !traced.has(id)) {
      const source = by.get(id);
      curve(source.x + WIDE, y(source), b.x, y(b), false, id, b.id);
    }
  }
  return g("svg", { width: placed.width, height: placed.height, "aria-hidden": true }, lines);
}

function drawGraph(shown, focus, column) {
  const path = column && columnPath(focus, column);
  const placed = boxesOf(shown, focus, path);
  const inPath = (id, c) => path && (path.above.has(columnKey(id, c)) || path.below.has(columnKey(id, c)));
  const boxes = placed.boxes.map((b) => {
    const name = b.t ? b.t.name : b.id.slice(7);
    const kind = b.t ? b.t.kind : "source";
    const place = b.t ? ["lineage", b.id] : ["pipeline", name];
    return h("div", { class: `box ${kind} ${b.id === focus ? "self" : ""} ${b.columns.some((c) => inPath(b.id, c)) ? "lit" : ""}`,
      style: { left: `${b.x}px`, top: `${b.y}px` }, "data-id": b.id },
    h("a", { href: to(...place), title: b.t ? b.id : `source of ${name}`, "aria-label": `${kind} ${name}` },
      kind === "source" ? `${name} ⇥` : name),
    b.columns.map((c) => h("button", { type: "button", class: inPath(b.id, c) ? "lit" : undefined, title: c,
      "data-column": c, "aria-pressed": b.id === focus && c === column ? "true" : "false",
      onclick: () => { location.hash = to("lineage", b.id, c); } }, c)),
    b.more > 0 && h("p", {}, `${count(b.more)} more`));
  });
  const plane = h("div", { class: "plane", style: { width: `${placed.width}px`, height: `${placed.height}px` } },
    drawEdges(placed, focus, path), boxes);
  const graph = h("div", { class: `graph ${path ? "chosen" : ""}`, role: "group", tabindex: -1,
    "aria-label": "Lineage graph. Arrow keys left and right follow the lines, up and down go through a column of boxes." }, plane);
  graph.addEventListener("keydown", (event) => walk(event, graph, placed));
  graph.addEventListener("focusin", (event) => lightUp(graph, event.target.closest(".box")));
  graph.addEventListener("focusout", () => lightUp(graph, null));
  requestAnimationFrame(() => {
    const self = placed.boxes.find((b) => b.id === focus);
    if (self) { graph.scrollLeft = self.x - graph.clientWidth / 2 + WIDE / 2; graph.scrollTop = self.y - 60; }
  });
  return graph;
}

function lightUp(graph, box) {
  if (graph.classList.contains("chosen")) return;
  for (const path of graph.querySelectorAll("path")) {
    path.classList.toggle("lit", box !== null && [path.dataset.from, path.dataset.into].includes(box.dataset.id));
  }
}

function walk(event, graph, placed) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 };
  const box = event.target.closest(".box");
  if (!box || !(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const boxAt = (id) => graph.querySelector(`.box[data-id="${CSS.escape(id)}"]`);
  const column = event.target.dataset.column;
  let next;
  if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    const rank = placed.stacks.find((stack) => stack.some((b) => b.id === box.dataset.id));
    const all = rank.flatMap((b) => [...boxAt(b.id).querySelectorAll("a, button")]);
    next = all[all.indexOf(event.target) + steps[event.key]];
  } else {
    const along = event.key === "ArrowLeft" ? madeOf : goesInto;
    const columns = column ? along.get(columnKey(box.dataset.id, column)) || [] : [];
    for (const [id, name] of columns) {
      next = next || (boxAt(id) && [...boxAt(id).querySelectorAll("button")].find(
        (b) => b.dataset.column.toLowerCase() === name.toLowerCase()));
    }
    const ids = (event.key === "ArrowLeft" ? up : down)(box.dataset.id).filter((id) => boxAt(id));
    const own = placed.boxes.find((b) => b.id === box.dataset.id);
    const far = (id) => Math.abs(placed.boxes.find((b) => b.id === id).y - own.y);
    if (!next && ids.length) next = boxAt(ids.sort((a, b) => far(a) - far(b))[0]).querySelector("a");
  }
  if (next) next.focus();
}

function lineagePage(focus, column) {
  if (!tables.length) return [h("h1", {}, "Lineage"), h("p", {}, "The project names no tables.")];
  if (!focus) {
    const all = [...pipelines.map((p) => `source ${p.name}`), ...tables.map((t) => t.id)];
    return [h("h1", {}, "Lineage"),
      h("p", { class: "lead" }, "Sources on the left, what is made of them to the right. A box leads to its columns."),
      drawGraph(all)];
  }
  const t = byId.get(focus);
  if (!t) return null;
  const shown = new Set([...closure([focus], up), ...closure([focus], down)]);
  const path = column && columnPath(focus, column);
  const words = (found) => [...found.values()].filter(([id, c]) => id !== focus || c.toLowerCase() !== column.toLowerCase());
  const columns = (found) => (found.length ? h("ul", { class: "flat" }, found.map(([id, c]) => h("li", {},
    link(["lineage", id, c], h("code", {}, `${id}.${c}`))))) : h("p", { class: "soft" }, "nothing that is known"));
  if (path) say(`${column}: made of ${words(path.above).map((p) => p.join(".")).join(", ") || "nothing that is known"}; ` +
    `goes into ${words(path.below).map((p) => p.join(".")).join(", ") || "nothing"}`);
  return [
    h("p", { class: "crumb" }, link(["lineage"], "Lineage")),
    h("h1", {}, t.name, column && h("span", { class: "soft" }, ` · ${column}`)),
    h("p", { class: "lead" }, link(["table", focus], "What is known of it"), column && [" · ", link(["lineage", focus], "all columns")]),
    drawGraph(shown, focus, column),
    path && [h("h2", {}, "Made of"), columns(words(path.above)), h("h2", {}, "Goes into"), columns(words(path.below))],
    !path && h("p", { class: "soft" }, "A column shows the path that its values take."),
  ];
}
