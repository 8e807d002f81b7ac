// Which page is shown: the part of the address behind the hash.
const said = document.getElementById("said");
const say = (text) => { said.textContent = text; };
const PAGES = {
  "": ["", overview], tables: ["tables", catalogue], models: ["models", modelsPage], runs: ["runs", runsPage],
  quality: ["quality", qualityPage], table: ["tables", tablePage], pipeline: ["", pipelinePage], run: ["runs", runPage],
  lineage: ["lineage", lineagePage],
};

function show(first) {
  let parts = [""];
  try { parts = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent); } catch { parts = ["?"]; }
  let [home, draw] = Object.hasOwn(PAGES, parts[0]) ? PAGES[parts[0]] : ["", () => null];
  if (parts[0] === "table" && byId.has(parts[1]) && byId.get(parts[1]).kind === "model") home = "models";
  const main = document.getElementById("main");
  say("");
  const drawn = draw(...parts.slice(1)) || [h("h1", {}, "Nothing is here"),
    h("p", {}, "The address names nothing of this project. ", link([""], "Overview"))];
  main.replaceChildren(h("div", {}, drawn));
  for (const place of document.querySelectorAll("#nav a")) {
    if (place.dataset.page === home) place.setAttribute("aria-current", "page");
    else place.removeAttribute("aria-current");
  }
  const title = main.querySelector("h1").textContent.trim();
  document.title = title === data.project ? `${title} · Penstock` : `${title} · ${data.project} · Penstock`;
  const lit = main.querySelector("tr.lit");
  if (lit) lit.scrollIntoView({ block: "center", behavior: "instant" });
  else if (!first) window.scrollTo({ top: 0, behavior: "instant" });
  const pressed = main.querySelector('button[aria-pressed="true"]');
  if (pressed) pressed.focus({ preventScroll: true });
  else if (!first) { main.focus({ preventScroll: true }); if (!said.textContent) say(title); }
}

function startTheme() {
  const button = document.getElementById("theme");
  const keep = (theme) => { try { localStorage.setItem("penstock-theme", theme); } catch { /* a private window keeps nothing */ } };
  let theme = null;
  try { theme = localStorage.getItem("penstock-theme"); } catch { /* nor does it tell anything */ }
  const dark = () => (theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const apply = () => { if (theme) document.documentElement.dataset.theme = theme; };
  apply();
  button.addEventListener("click", () => { theme = dark() ? "light" : "dark"; keep(theme); apply(); say(`${theme} colours`); });
}

if (data.as_of) document.getElementById("as-of").textContent = ` from facts as of ${moment(data.as_of)}`;
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
startTheme();
startSearch();
addEventListener("hashchange", () => show(false));
show(true);
