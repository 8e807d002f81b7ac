// One table or model: what is promised of it, what is in it, where it comes from and goes.
function tablePage(id, column) {
  const t = byId.get(id);
  if (!t) return null;
  const into = readers.get(id);
  const aside = asideOf(id);
  const stale = staleness(t);
  return [
    h("p", { class: "crumb" }, t.pipeline ? ["Table of ", link(["pipeline", t.pipeline], t.pipeline)] : t.kind === "model" ? "Model" : "Table of others"),
    h("h1", {}, t.name, " ", t.materialized && pill(t.materialized), (t.tags || []).map((tag) => [" ", pill(tag, "plain")])),
    t.description && h("p", { class: "lead" }, t.description),
    facts([
      ["Rows", count(t.rows), t.part_of && ["parts of ", t.part_of]],
      ["Newest data", newest(t), stale ? h("span", { class: stale.level }, stale.text) : t.fresh
        && `at most ${span(t.fresh.fail)} old`],
      ["Columns", count((t.columns || []).length)],
      waiting(id) > 0 && ["In quarantine", h("span", { class: "warn" }, counted(waiting(id), "row"))],
      t.built && ["Last build", duration(t.built.seconds), moment(t.built.at)],
    ]),
    pairs([
      ["written by", t.pipeline ? ["pipeline ", link(["pipeline", t.pipeline], t.pipeline)] : t.kind === "model" ? `${t.tool} model` : "nothing in this project"],
      ["reads", (t.reads || []).length ? list(t.reads) : undefined],
      ["read by", into.length ? list(into) : "nothing in this project"],
      ["owners", t.owners && t.owners.join(", ")], ["group", t.group], ["schedule", t.schedule],
      ["partitioned by", t.partitions && t.partitions.join(", ")], ["version", t.version && h("code", {}, t.version.slice(0, 12))],
    ]),
    h("p", {}, link(["lineage", id], "Lineage of every column →")),
    section("Columns", columnTable(t, column)),
    t.points && section("Over time", loadsChart(t.points, t.kind === "model" ? "rows kept" : "rows loaded"),
      h("p", { class: "soft" }, t.kind === "model" ? "Rows of each build." : "Rows of each load; dropped and quarantined ones on top.",
        t.earlier > 0 && ` ${counted(t.earlier, "earlier load")} not drawn.`),
      t.points.some((p) => p[5] > 0) && [h("h3", {}, "Bytes of files"), bytesChart(t.points)]),
    (t.layers || []).some((l) => l.place) && section("Where it lies", h("ul", { class: "way" },
      t.layers.filter((l) => l.place).map((l) => h("li", {}, (LAYERS[l.layer] || l.layer).replace(/s$/, ""),
        h("small", { class: "mono" }, l.place))))),
    t.checks && section("Rules", ruleTable((data.rules || []).filter((r) => r.table === id), t)),
    t.sql && section("SQL", sql(t.sql)),
    aside.length > 0 && section("Quarantine", samples(aside.slice(0, 20)),
      aside.length > 20 && h("p", { class: "soft" }, `${count(aside.length - 20)} older ones are not shown.`)),
  ];
}

function columnTable(t, chosen) {
  if (!t.columns) return h("p", { class: "soft" }, "Columns are known once something is loaded.");
  const seen = t.columns.some((c) => c.profile);
  const heads = [["Column"], ["Type"], ["What is promised", "wide"]];
  if (seen) heads.push(["Nulls", "n"], ["Distinct", "n"], ["Values", "wide"]);
  const rows = t.columns.map((c) => {
    const cells = [
      [h("span", { class: "mono" }, c.name), c.key && [" ", pill("key")], c.partition && [" ", pill("partition", "plain")],
        c.hidden && [" ", h("span", { class: "pill warn", title: c.hidden }, c.hidden === "sensitive" ? "sensitive" : "hidden")],
        c.absent && seen && [" ", pill("not there yet", "plain")]],
      h("span", { class: "mono" }, c.type || "–"),
      [c.description, c.rules && h("div", { class: "soft" }, c.rules.join(" · "))]];
    if (seen) {
      const p = c.profile;
      cells.push(p ? share(p.nulls, p.count) : "–", p && p.distinct !== undefined ? `${p.about ? "≈ " : ""}${count(p.distinct)}` : "–",
        p ? values(p, c.hidden) : null);
    }
    return { attributes: { class: chosen === c.name ? "lit" : undefined, "data-column": c.name }, cells };
  });
  const looked = t.looked_at;
  return [sheet("Columns", heads, rows),
    t.note && h("p", { class: "warn" }, t.note),
    looked > 0 && h("p", { class: "soft" }, looked < t.rows
      ? `Values are told from a sample of ${count(looked)} of ${count(t.rows)} rows.` : `Values are told from all ${count(looked)} rows.`)];
}

function values(p, hidden) {
  if (hidden) return h("span", { class: "soft" }, `*** (${hidden})`);
  const parts = [];
  if (p.bins) parts.push(histogram(p.bins, p.low, p.high));
  else if (p.top) parts.push(topValues(p.top, p.count));
  else if (p.low !== undefined) parts.push(h("span", { class: "mono" }, p.low === p.high ? p.low : `${p.low} … ${p.high}`));
  const words = [];
  if (p.mean !== undefined) words.push(`mean ${short(String(p.mean))}`);
  if (p.quantiles && p.quantiles.length === 5) words.push(`median ${short(p.quantiles[2])}`);
  if (words.length) {
    const all = ["5 %", "25 %", "50 %", "75 %", "95 %"].map((n, i) => p.quantiles && `${n}: ${p.quantiles[i]}`);
    parts.push(h("div", { class: "soft", title: p.quantiles ? all.join("\n") : undefined }, words.join(" · ")));
  }
  return parts;
}

function ruleTable(rules, t) {
  const checks = new Map((t.checks || []).map((c) => [c.rule, c]));
  return sheet("Rules", [["Rule"], ["What happens then"], ["Broken in the last run", "n"], ["In all runs shown", "n"], ["What it says", "wide"]],
    rules.map((r) => [r.rule, r.action ? pill(r.action, r.action === "fail" ? "bad" : r.action === "allow" ? "plain" : "warn") : "–",
      r.last ? link(["run", r.last[0]], count(r.last[1])) : "–", r.rows ? count(r.rows) : "–",
      (checks.get(r.rule) || {}).description || ""]));
}
