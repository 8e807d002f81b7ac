// The first page: how things stand, and what needs a look.
function overview() {
  const models = tables.filter((t) => t.kind === "model");
  const loaded = tables.filter((t) => t.kind !== "model");
  const rows = tables.reduce((n, t) => n + (t.rows || 0), 0);
  const looks = [...(data.attention || []), ...tables.flatMap((t) => {
    const stale = staleness(t);
    return stale ? [{ level: stale.level, text: `${t.id} is ${stale.level === "bad" ? "stale" : "ageing"}`,
      more: stale.text, to: ["table", t.id] }] : [];
  })].sort((a, b) => (a.level === b.level ? 0 : a.level === "bad" ? -1 : 1));
  return [
    h("h1", {}, data.project),
    h("p", { class: "lead" }, data.environment && [pill(data.environment), " "],
      data.as_of ? `As of ${moment(data.as_of)}.` : "Nothing has run yet: this is what the project says."),
    facts([
      ["Pipelines", count(pipelines.length)],
      ["Tables", count(loaded.length)],
      models.length > 0 && ["Models", count(models.length)],
      rows > 0 && ["Rows", count(rows)],
      runs.length > 0 && ["Last run", when(runs[0].at), [runs[0].pipeline, ", ", state(runs[0].status)]],
    ]),
    section("What needs a look", looks.length
      ? h("ul", { class: "looks" }, looks.slice(0, 30).map((l) => h("li", { class: l.level },
        l.to ? link(l.to, l.text) : l.text, l.more && h("p", {}, l.more))),
        looks.length > 30 && h("li", {}, `and ${count(looks.length - 30)} more`))
      : h("p", { class: runs.length ? "calm" : "soft" }, runs.length ? "Nothing." : "Nothing has run yet.")),
    pipelines.length > 0 && section("Pipelines", sheet("Pipelines",
      [["Pipeline"], ["Source"], ["Tables", "n"], ["Schedule"], ["Last run"], ["Took", "n"], ["Where its time went"]],
      pipelines.map((p) => {
        const own = runs.filter((r) => r.pipeline === p.name);
        return [link(["pipeline", p.name], p.name), p.tool, count(tables.filter((t) => t.pipeline === p.name).length),
          p.schedule ? h("code", {}, p.schedule) : "–",
          own.length ? [link(["run", own[0].id], state(own[0].status)), " ", when(own[0].at)] : "never",
          own.length ? duration(own[0].seconds) : "–", own.length ? phasesChart(own[0].phases || []) : null];
      }))),
    runs.length > 0 && section("Last runs", runTable(runs.slice(0, 8)),
      runs.length > 8 && h("p", {}, link(["runs"], `all ${count(runs.length)} runs`))),
  ];
}

function pipelinePage(name) {
  const p = pipelines.find((found) => found.name === name);
  if (!p) return null;
  const own = runs.filter((r) => r.pipeline === name);
  return [
    h("p", { class: "crumb" }, "Pipeline"), h("h1", {}, name),
    pairs([["source", p.tool], ["where from", p.place && h("code", {}, p.place)], ["schedule", p.schedule],
      ["destination", p.destination && h("code", {}, p.destination)]]),
    section("Tables", catalogueTable(tables.filter((t) => t.pipeline === name))),
    own.length > 0 && section("Runs", runTable(own)),
  ];
}
