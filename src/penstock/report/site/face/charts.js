// Small charts: bars of loads, of values, of time. Each says its numbers in words as well.
function loadsChart(points, says) {
  const width = 640, height = 130, foot = 18;
  const step = Math.min(28, width / points.length), bar = Math.max(1, step - 2);
  const all = points.map((p) => (p[1] || 0) + p[2] + p[3]);
  const most = Math.max(1, ...all);
  const scale = (n) => ((height - foot - 14) * n) / most;
  const bars = points.map((p, i) => {
    const parts = [["", p[1] || 0], ["gone", p[2]], ["aside", p[3]]];
    let y = height - foot;
    const title = g("title", {}, `${moment(p[0])}: ${count(p[1])} ${says}` +
      (p[2] ? `, ${count(p[2])} dropped` : "") + (p[3] ? `, ${count(p[3])} quarantined` : "") +
      (p[5] ? `, ${size(p[5])}` : ""));
    return g("g", {}, title, parts.filter(([, n]) => n).map(([kind, n]) => {
      const tall = Math.max(1, scale(n));
      y -= tall;
      return g("rect", { x: i * step, y, width: bar, height: tall, class: kind, rx: Math.min(2, bar / 3) });
    }));
  });
  const used = Math.max(180, points.length * step);
  const label = `${counted(points.length, "load")} from ${moment(points[0][0])} to ` +
    `${moment(points[points.length - 1][0])}, at most ${counted(most, "row")}`;
  return g("svg", { class: "chart", viewBox: `0 0 ${used} ${height}`, width: used, role: "img", "aria-label": label },
    g("line", { x1: 0, x2: used, y1: height - foot, y2: height - foot }),
    g("text", { x: 0, y: 10 }, count(most)), bars,
    g("text", { x: 0, y: height - 4 }, points[0][0].slice(0, 10)),
    points.length > 6 && g("text", { x: used, y: height - 4, "text-anchor": "end" },
      points[points.length - 1][0].slice(0, 10)));
}

function bytesChart(points) {
  const width = 320, height = 56, most = Math.max(...points.map((p) => p[5]));
  const step = Math.min(14, width / points.length);
  return g("svg", { class: "chart", viewBox: `0 0 ${points.length * step} ${height}`, width: points.length * step,
    role: "img", "aria-label": `bytes of the files of each load, at most ${size(most)}` },
  points.map((p, i) => {
    const tall = Math.max(1, (height * p[5]) / most);
    return g("rect", { x: i * step, y: height - tall, width: Math.max(1, step - 1), height: tall },
      g("title", {}, `${moment(p[0])}: ${size(p[5])} in ${counted(p[4], "file")}`));
  }));
}

function histogram(bins, low, high) {
  const width = 200, height = 32, most = Math.max(1, ...bins), step = width / bins.length;
  return h("div", {},
    g("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": `how values spread from ${low} to ${high}: ${bins.map(count).join(", ")}` },
    g("line", { x1: 0, x2: width, y1: height, y2: height }),
    bins.map((n, i) => n > 0 && g("rect", { x: i * step, y: height - Math.max(1, (height * n) / most),
      width: step - 1, height: Math.max(1, (height * n) / most) }, g("title", {}, counted(n, "value"))))),
    h("div", { class: "ends" }, h("span", { title: low }, short(low)), h("span", { title: high }, short(high))));
}

function topValues(top, of) {
  return h("div", { class: "tops", role: "list", "aria-label": "most frequent values" },
    top.map(([value, n]) => [
      h("span", { title: value, role: "listitem" }, value === "" ? h("i", {}, "empty") : value),
      meter(n, of), h("span", { class: "n" }, share(n, of))]));
}
const meter = (part, all) => h("div", { class: "meter", "aria-hidden": true },
  h("i", { style: { width: `${all ? Math.min(100, (100 * part) / all) : 0}%` } }));

function phasesChart(phases) {
  const known = phases.filter((p) => p[1]);
  const all = known.reduce((n, p) => n + p[1], 0);
  if (!all) return null;
  const words = known.map((p) => `${p[0]} ${duration(p[1])}`).join(", ");
  return h("div", { class: "steps", role: "img", "aria-label": words, title: words }, known.map((p) => {
    const place = Math.max(0, ["judge", "load", "land", "keep"].indexOf(p[0]));
    return h("i", { class: `s${place}`, style: { width: `${(100 * p[1]) / all}%` } });
  }));
}
