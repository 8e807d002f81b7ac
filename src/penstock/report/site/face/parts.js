// Pieces that several pages are made of.
const pill = (text, kind) => h("span", { class: `pill ${kind || ""}` }, text);
const section = (title, ...children) => h("section", {}, h("h2", {}, title), ...children);
const facts = (pairs) => h("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, value, more]) =>
  h("div", {}, h("dt", {}, name), h("dd", {}, value, more && h("small", {}, more)))));
const pairs = (rows) => h("dl", { class: "pairs" }, rows.filter(([, v]) => v !== undefined && v !== null).map(
  ([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

// A table that scrolls by itself on a narrow screen. `heads` are [text, class]; a row is cells, the first its head.
function sheet(label, heads, rows) {
  return h("div", { class: "scroll", role: "region", "aria-label": label, tabindex: 0 },
    h("table", {},
      h("thead", {}, h("tr", {}, heads.map(([text, kind]) => h("th", { scope: "col", class: kind }, text)))),
      h("tbody", {}, rows.map((row) => h("tr", row.attributes || {}, (row.cells || row).map((cell, i) =>
        h(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : undefined, class: heads[i][1] }, cell)))))));
}

const tableLink = (id, text) => (byId.has(id) ? link(["table", id], text || byId.get(id).id) : text || id);
const pipelineLink = (name) => (pipelines.some((p) => p.name === name) ? link(["pipeline", name], name)
  : name === "models" ? link(["models"], name) : name);
const list = (ids) => ids.map((id, i) => [i > 0 && ", ", tableLink(id)]);
const STATES = { loaded: "good", built: "good", refused: "bad", failed: "bad", stopped: "bad" };
const state = (status) => h("span", { class: STATES[status] || "soft" }, status.replace(/_/g, " "));

const newest = (t) => (t.kind === "foreign" ? "–" : when(lastAt(t)));

function freshness(t) {
  const stale = staleness(t);
  return [newest(t), stale && [" ", pill(stale.level === "bad" ? "stale" : "ageing", stale.level)]];
}

const WORDS = new Set(("select from where group by order having join left right full inner outer cross lateral on using as " +
  "with recursive union all except intersect distinct case when then else end and or not in is null like ilike between " +
  "exists over partition rows range limit offset qualify window values cast interval asc desc true false filter").split(" "));
function sql(text) {
  const found = [];
  const token = /(--[^\n]*|\/\*[\s\S]*?\*\/)|('(?:[^']|'')*'|"(?:[^"]|"")*")|([A-Za-z_]\w*)|([\s\S])/g;
  for (const [whole_, comment, quoted, word] of text.matchAll(token)) {
    if (comment) found.push(h("i", {}, comment));
    else if (!quoted && word && WORDS.has(word.toLowerCase())) found.push(h("b", {}, word));
    else found.push(whole_);
  }
  return h("pre", { tabindex: 0, "aria-label": "SQL" }, h("code", {}, found));
}

function samples(entries) {
  return entries.map((a) => h("details", { open: entries.length === 1 },
    h("summary", {}, h("span", { class: "mono" }, a.key), " ",
      a.kept === "file" ? pill("whole file", "warn") : pill(counted(a.rows || 0, "row"), a.replayed ? "plain" : "warn"),
      a.replayed && [" ", pill("replayed", "plain")]),
    a.reason && h("p", {}, a.reason),
    a.broken && h("p", { class: "soft" }, Object.entries(a.broken).map(([r, n]) => `${r}: ${count(n)}`).join(", ")),
    (a.samples || []).map((s) => h("div", {},
      h("p", {}, `row ${count(s.row)}: `, s.broken.map(([rule, column, value], i) => [i > 0 && "; ",
        h("strong", {}, column && !rule.startsWith(column) ? `${column}.${rule}` : rule), value !== null && value !== undefined &&
        [" ", h("code", {}, value)]])),
      h("pre", { class: "raw" }, s.raw))),
    a.kept === "rows" && a.rows > (a.samples || []).length && h("p", { class: "soft" },
      `${count((a.samples || []).length)} of ${count(a.rows)} rows; all of them: `,
      h("code", {}, `penstock quarantine show ${a.table}`))));
}
