// What the page knows, and what follows from it.
const data = JSON.parse(document.getElementById("data").textContent);
const tables = data.tables || [];
const pipelines = data.pipelines || [];
const runs = data.runs || [];
for (const t of tables) for (const p of t.points || []) p[0] = new Date(p[0] * 1000).toISOString();
const byId = new Map(tables.map((t) => [t.id, t]));
const readers = new Map(tables.map((t) => [t.id, []]));
for (const t of tables) for (const read of t.reads || []) if (readers.has(read)) readers.get(read).push(t.id);

const columnKey = (table, column) => JSON.stringify([table, column.toLowerCase()]);
const madeOf = new Map();
const goesInto = new Map();
function joinColumns(from, into) {
  if (!madeOf.has(columnKey(...into))) madeOf.set(columnKey(...into), []);
  if (!goesInto.has(columnKey(...from))) goesInto.set(columnKey(...from), []);
  madeOf.get(columnKey(...into)).push(from);
  goesInto.get(columnKey(...from)).push(into);
}
for (const [model, columns] of Object.entries(data.lineage || {})) {
  for (const [column, made] of Object.entries(columns)) for (const from of made) joinColumns(from, [model, column]);
}

const lastAt = (t) => (t.points ? t.points[t.points.length - 1][0] : t.built ? t.built.at : undefined);
function staleness(t) {
  if (!t.fresh) return null;
  const at = lastAt(t);
  if (!at) return { level: "warn", text: "never loaded" };
  const old = age(at);
  if (old > t.fresh.fail) return { level: "bad", text: `${span(old)} old, ${span(t.fresh.fail)} allowed` };
  if (t.fresh.warn && old > t.fresh.warn) return { level: "warn", text: `${span(old)} old` };
  return null;
}
const asideOf = (id) => (data.aside || []).filter((a) => a.id === id);
const waiting = (id) => asideOf(id).filter((a) => !a.replayed).reduce((n, a) => n + (a.rows || 0), 0);
