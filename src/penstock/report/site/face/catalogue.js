// The catalogue: every table and model, one line each.
const LAYERS = { source: "Sources", land: "Landing", raw_hist: "Raw history", warehouse: "Warehouse", model: "Models" };

function catalogueTable(found, label = "Tables") {
  return sheet(label, [["Table"], ["Rows", "n"], ["Newest data"], ["Columns", "n"], ["Quarantined", "n"], ["Description", "wide"]],
    found.map((t) => ({ attributes: { "data-table": t.id }, cells: [
      [tableLink(t.id), t.kind === "model" && [" ", pill(t.materialized || t.tool, "plain")],
        (t.columns || []).some((c) => c.hidden === "sensitive") && [" ", pill("sensitive", "plain")]],
      count(t.rows), freshness(t), count((t.columns || []).length),
      waiting(t.id) ? pill(count(waiting(t.id)), "warn") : "–", t.description || ""] })));
}

function catalogue() {
  const by = new Map();
  for (const t of tables) {
    const place = t.kind !== "table" ? t.kind : (t.layers || []).map((l) => l.layer).pop() || "warehouse";
    if (!by.has(place)) by.set(place, []);
    by.get(place).push(t);
  }
  const said = h("p", { class: "soft", role: "status" });
  const filter = h("input", { type: "search", id: "filter", placeholder: "Filter", autocomplete: "off" });
  const names = Object.entries({ ...LAYERS, foreign: "Tables of others" }).filter(([place]) => by.has(place));
  const groups = names.map(([place, name]) => section(name, catalogueTable(by.get(place), name)));
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    let left = 0;
    for (const group of groups) {
      let some = false;
      for (const row of group.querySelectorAll("tr[data-table]")) {
        const t = byId.get(row.dataset.table);
        const text = [t.id, t.description, t.group, ...(t.tags || []), ...(t.owners || [])].join(" ").toLowerCase();
        row.hidden = !text.includes(wanted);
        if (!row.hidden) { some = true; left += 1; }
      }
      group.hidden = !some;
    }
    said.textContent = wanted ? `${counted(left, "table")} of ${count(tables.length)}` : "";
  });
  return [h("h1", {}, "Tables"),
    h("p", { class: "lead" }, "Every table by the last layer that its rows reach, and what is known of it."),
    h("div", { class: "tools" }, h("label", { class: "unseen", for: "filter" }, "Filter tables"), filter, said),
    tables.length ? groups : h("p", {}, "The project names no tables.")];
}

function modelsPage() {
  const models = tables.filter((t) => t.kind === "model");
  if (!models.length) return [h("h1", {}, "Models"), h("p", { class: "lead" }, "The project has no models.")];
  return [h("h1", {}, "Models"), h("p", { class: "lead" }, "Tables that are built from other tables."),
    sheet("Models", [["Model"], ["Kept as"], ["Last build"], ["Took", "n"], ["Rows", "n"], ["Dropped", "n"],
      ["Quarantined", "n"], ["Reads", "wide"]],
    models.map((t) => [[tableLink(t.id), t.tool !== "sql" && [" ", pill(t.tool, "plain")]], t.materialized || "–",
      t.built ? when(t.built.at) : "never", t.built ? duration(t.built.seconds) : "–",
      count(t.built && t.built.kept !== undefined ? t.built.kept : t.rows),
      count(t.built && t.built.dropped), count(t.built && t.built.quarantined), list(t.reads || [])]))];
}
