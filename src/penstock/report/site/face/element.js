// Elements are made by name and text alone: nothing of the data is ever read as HTML.
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) node.style[key] = text;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false || child === "") continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}
const h = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const g = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

const to = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");
const link = (parts, ...children) => h("a", { href: to(...parts) }, ...children);

// Numbers as people read them.
const whole = new Intl.NumberFormat("en-GB");
const count = (n) => (n === undefined || n === null ? "–" : whole.format(n));
const counted = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
const share = (part, all) => {
  if (!all || !part) return "0 %";
  const percent = (100 * part) / all;
  return percent < 0.1 ? "< 0.1 %" : `${percent < 10 && part !== all ? percent.toFixed(1) : Math.round(percent)} %`;
};
function size(bytes) {
  let amount = bytes, unit = "B";
  for (const larger of ["kB", "MB", "GB", "TB", "PB"]) {
    if (amount < 999.5) break;
    amount /= 1000;
    unit = larger;
  }
  return unit === "B" ? `${bytes} B` : `${amount.toFixed(amount < 9.995 ? 2 : amount < 99.95 ? 1 : 0)} ${unit}`;
}
function duration(seconds) {
  if (seconds === undefined || seconds === null) return "–";
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 0.995 ? 2 : 1)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(seconds) % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
const moment = (at) => (at ? at.slice(0, 16).replace("T", " ") + " UTC" : "–");
function span(seconds) {
  for (const [limit, per, unit] of [[120, 1, "second"], [7200, 60, "minute"], [172800, 3600, "hour"]]) {
    if (seconds < limit) return counted(Math.floor(seconds / per), unit);
  }
  return counted(Math.floor(seconds / 86400), "day");
}
const age = (at) => Math.max(0, (Date.now() - Date.parse(at)) / 1000);
const when = (at) => (at ? h("time", { datetime: at, title: moment(at) }, `${span(age(at))} ago`) : "never");
const short = (text) => (/^\d{4}-\d\d-\d\d \d\d:\d\d/.test(text) ? text.slice(0, 16).replace(" 00:00", "") : /^-?\d+\.\d{4,}$/.test(text) ? String(Number(Number(text).toPrecision(6))) : text);
