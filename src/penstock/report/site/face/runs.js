// Runs: how each ended, where its time went, what became of the rows.
function runTable(found) {
  return sheet("Runs", [["Started"], ["Pipeline"], ["Ended"], ["Took", "n"], ["Read", "n"], ["Loaded", "n"], ["Dropped", "n"],
    ["Quarantined", "n"], ["Phases"]],
  found.map((r) => {
    const sum = (i) => (r.tables || []).reduce((n, s) => n + s.counts[i], 0);
    return [link(["run", r.id], moment(r.at)), [r.pipeline, r.command !== "run" && [" ", pill(r.command, "plain")],
      r.attempt && [" ", pill(`attempt ${r.attempt}`, "warn")]], state(r.status), duration(r.seconds),
    count(sum(1)), count(sum(2)), count(sum(3)), sum(4) ? h("span", { class: "warn" }, count(sum(4))) : "0",
    phasesChart(r.phases || [])];
  }));
}

function runsPage() {
  return [h("h1", {}, "Runs"), h("p", { class: "lead" }, runs.length
    ? "The newest first. A run is a link to its phases, rules and findings."
    : "No run is on record."), runs.length > 0 && runTable(runs)];
}

function runPage(id) {
  const r = runs.find((found) => found.id === id);
  if (!r) return null;
  const phases = r.phases || [];
  const longest = Math.max(...phases.map((p) => p[1] || 0), 0.001);
  const timed = (r.tables || []).some((s) => s.seconds);
  const slowest = Math.max(...(r.tables || []).map((s) => s.seconds || 0), 0.001);
  const broken = (r.tables || []).flatMap((s) => Object.entries(s.broken || {}).map(([rule, n]) => [s, rule, n]));
  const discarded = (r.tables || []).flatMap((s) => Object.entries(s.discarded || {}).map(([c, n]) => [s, c, n]));
  const changes = (r.tables || []).flatMap((s) => s.changes || []);
  return [
    h("p", { class: "crumb" }, "Run of ", pipelineLink(r.pipeline)),
    h("h1", {}, moment(r.at), " ", pill(r.status.replace(/_/g, " "), STATES[r.status] === "bad" ? "bad" : "")),
    pairs([["run", h("code", {}, r.id)], ["command", r.command], ["took", duration(r.seconds)],
      ["loads", r.loads && h("code", {}, r.loads.join(", "))], ["Penstock", r.version]]),
    r.error && section("Error", h("pre", { class: "raw" }, r.error)),
    phases.length > 0 && section("Phases", sheet("Phases", [["Phase"], ["Took", "n"], ["", "wide"], ["Files", "n"], ["Rows", "n"], ["Bytes", "n"]],
      phases.map((p) => [p[0], duration(p[1]), meter(p[1] || 0, longest), count(p[2]), p[3] ? count(p[3]) : "–",
        p[4] ? size(p[4]) : "–"]))),
    r.tables && section("Tables", sheet("Tables", [["Table"], ["Took", "n"], ["", "wide"], ["Files", "n"], ["Read", "n"], ["Loaded", "n"],
      ["Dropped", "n"], ["Quarantined", "n"]].filter((head, i) => timed || (i !== 1 && i !== 2)),
    r.tables.map((s) => [tableLink(s.id, s.name), timed && duration(s.seconds), timed && meter(s.seconds || 0, slowest),
      ...s.counts.map(count)].filter((cell) => cell !== false)))),
    broken.length > 0 && section("Broken rules", sheet("Broken rules", [["Rule"], ["Table"], ["Rows", "n"]],
      broken.map(([s, rule, n]) => [rule, tableLink(s.id, s.name), count(n)]))),
    discarded.length > 0 && section("Values that were not kept", sheet("Values that were not kept", [["Column"], ["Table"], ["Values", "n"]],
      discarded.map(([s, c, n]) => [c, tableLink(s.id, s.name), count(n)]))),
    changes.length > 0 && section("Schema", h("ul", {}, changes.map((c) => h("li", {}, c)))),
    r.findings && section("Findings about files", sheet("Findings", [["File"], ["Rule"], ["What became of it"], ["Found", "wide"]],
      r.findings.map((f) => [h("span", { class: "mono" }, f.key), f.rule, pill(f.action, f.action === "allow" ? "plain" : "warn"), f.message]))),
    r.notices && section("Notices", h("ul", {}, r.notices.map((n) => h("li", {}, n)))),
  ];
}

function qualityPage() {
  const rules = data.rules || [];
  const broken = rules.filter((r) => r.rows).sort((a, b) => b.rows - a.rows);
  const aside = data.aside || [];
  return [h("h1", {}, "Quality"),
    h("p", { class: "lead" }, `${counted(rules.length, "rule")} on ${counted(new Set(rules.map((r) => r.table)).size, "table")}; `,
      broken.length ? `${count(broken.length)} of them broken in the runs shown.` : "none was broken in the runs shown."),
    broken.length > 0 && section("Broken rules", sheet("Broken rules",
      [["Rule"], ["Table"], ["What happens then"], ["In the last run", "n"], ["In all runs shown", "n"]],
      broken.map((r) => [r.rule, tableLink(r.table), r.action ? pill(r.action, "plain") : "–",
        r.last ? link(["run", r.last[0]], count(r.last[1])) : "–", count(r.rows)]))),
    section("Quarantine", aside.length ? samples(aside.slice(0, 100)) : h("p", { class: "soft" }, "Nothing is set aside."),
      aside.length > 100 && h("p", { class: "soft" }, `The newest 100 of ${count(aside.length)} are shown.`)),
    rules.length > broken.length && section("Rules that held", sheet("Rules that held", [["Rule"], ["Table"], ["What happens then"]],
      rules.filter((r) => !r.rows).slice(0, 500).map((r) => [r.rule, tableLink(r.table), r.action ? pill(r.action, "plain") : "–"])))];
}
