// Finding tables and columns by any part of their names.
const entries = [
  ...tables.map((t) => ({ text: t.id.toLowerCase(), name: t.id, more: t.description || (t.kind === "model" ? "model" : "table"),
    place: ["table", t.id], order: 0 })),
  ...pipelines.map((p) => ({ text: p.name.toLowerCase(), name: p.name, more: "pipeline", place: ["pipeline", p.name], order: 1 })),
  ...tables.flatMap((t) => (t.columns || []).map((c) => ({ text: c.name.toLowerCase(), name: c.name,
    more: `column of ${t.id}${c.description ? `: ${c.description}` : ""}`, place: ["table", t.id, c.name], order: 2 }))),
];

function find(text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  const rank = (e) => (e.text === wanted ? 0 : e.text.startsWith(wanted) ? 1 : e.text.split(/[._]/).some((w) => w.startsWith(wanted)) ? 2 : 3);
  return entries.filter((e) => e.text.includes(wanted)).map((e) => [rank(e), e])
    .sort(([a, x], [b, y]) => a - b || x.order - y.order || (x.name < y.name ? -1 : x.name > y.name ? 1 : 0)).slice(0, 20).map(([, e]) => e);
}

function startSearch() {
  const box = document.getElementById("search");
  const found = document.getElementById("found");
  let shown = [], at = -1;
  const choose = (i) => {
    at = i;
    [...found.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === at)));
    if (at >= 0) {
      box.setAttribute("aria-activedescendant", `found-${at}`);
      found.children[at].scrollIntoView({ block: "nearest" });
    } else box.removeAttribute("aria-activedescendant");
  };
  const close = () => { found.hidden = true; box.setAttribute("aria-expanded", "false"); choose(-1); };
  const open = (entry) => { close(); box.value = ""; location.hash = to(...entry.place); document.getElementById("main").focus(); };
  box.addEventListener("input", () => {
    shown = find(box.value);
    found.replaceChildren(...shown.map((e, i) => h("li", { role: "option", id: `found-${i}`, "aria-selected": "false",
      onmousedown: (event) => { event.preventDefault(); open(e); } }, e.name, h("small", {}, e.more))));
    if (box.value.trim() && !shown.length) found.append(h("li", { role: "option", "aria-disabled": "true" }, "nothing is called so"));
    found.hidden = !box.value.trim();
    box.setAttribute("aria-expanded", String(!found.hidden));
    choose(shown.length ? 0 : -1);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { box.value = ""; close(); box.blur(); }
    if (!shown.length || found.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose((at + (event.key === "ArrowDown" ? 1 : shown.length - 1)) % shown.length);
    }
  });
  box.addEventListener("blur", close);
  document.getElementById("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (shown.length) open(shown[Math.max(at, 0)]);
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); box.focus(); }
  });
}
