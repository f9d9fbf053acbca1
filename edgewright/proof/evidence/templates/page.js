"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const cells = data.cells.map(cell => {
  const [area, vantage, family, ...rest] = cell.id.split("/");
  return {...cell, area, row: rest.join("/"), seat: vantage + " " + family};
});
const byId = new Map(cells.map(cell => [cell.id, cell]));
const form = document.getElementById("filters");
const el = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") made.addEventListener("click", value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
};
const values = key => [...new Set(cells.map(cell => cell[key]))].sort();
for (const key of ["area", "vantage", "family", "verdict", "party", "impact"])
  for (const value of values(key)) form.elements[key].append(el("option", {value}, value));

function fits(cell) {
  const f = form.elements;
  for (const key of ["area", "vantage", "family", "verdict", "party", "impact"])
    if (f[key].value && cell[key] !== f[key].value) return false;
  if (f.expected.value && (f.expected.value === "allowed") !== cell.expected.allowed) return false;
  const text = f.text.value.trim().toLowerCase();
  return !text || [cell.id, cell.situation, cell.why, cell.feature, cell.expected.reason, cell.observed.reason]
    .some(part => (part || "").toLowerCase().includes(text));
}

function mark(cell) {
  const refused = !cell.expected.allowed;
  const sign = cell.verdict !== "proven" ? cell.verdict.slice(0, 5) : refused ? "refused" : "works";
  return el("button", {type: "button", class: `mark ${cell.verdict} ${refused ? "refused" : ""}`,
    title: `${cell.id}\n${cell.situation}\n${cell.verdict}: ${cell.why}`, on: () => detail(cell)}, sign);
}

function area(name, mine, open) {
  const seats = [...new Set(mine.map(cell => cell.seat))];
  const rows = [...new Set(mine.map(cell => cell.row))];
  const at = new Map(mine.map(cell => [cell.row + "\n" + cell.seat, cell]));
  const counts = {};
  for (const cell of mine) counts[cell.verdict] = (counts[cell.verdict] || 0) + 1;
  const bar = el("span", {class: "bar"}, ...Object.entries(counts).map(([verdict, n]) =>
    el("i", {class: verdict, style: `width:${100 * n / mine.length}%`, title: `${n} ${verdict}`})));
  const head = el("tr", {}, el("th"), ...seats.map(seat => {
    const [vantage, family] = seat.split(" ");
    return el("th", {}, vantage, el("br"), family);
  }));
  const body = rows.map(row => el("tr", {}, el("th", {title: row}, row), ...seats.map(seat => {
    const cell = at.get(row + "\n" + seat);
    return cell ? el("td", {}, mark(cell)) : el("td");
  })));
  const made = el("details", open ? {open: ""} : {},
    el("summary", {}, name, el("span", {class: "n"}, `${mine.length} cells`), bar));
  const table = () => el("div", {class: "scroll"}, el("table", {class: "grid"}, el("thead", {}, head), el("tbody", {}, ...body)));
  if (open) made.append(table());
  else made.addEventListener("toggle", () => made.children.length < 2 && made.append(table()));
  return made;
}

let opened = new Set();
function draw() {
  const shown = cells.filter(fits);
  const filtered = shown.length !== cells.length;
  const matrix = document.getElementById("matrix");
  for (const item of matrix.children) if (item.open) opened.add(item.dataset.area); else opened.delete(item.dataset.area);
  const areas = [...new Set(shown.map(cell => cell.area))];
  matrix.replaceChildren(...areas.map(name => {
    const made = area(name, shown.filter(cell => cell.area === name), filtered || opened.has(name) || areas.length === 1);
    made.dataset.area = name;
    return made;
  }));
  document.getElementById("count").textContent = `${shown.length} of ${cells.length} cells`;
  for (const tile of document.querySelectorAll(".tile"))
    tile.setAttribute("aria-pressed", String(tile.dataset.verdict === form.elements.verdict.value));
}

const shownText = shown => {
  if (!shown) return "nothing in particular";
  return Object.entries(shown).map(([key, value]) =>
    key === "headers" && Array.isArray(value) ? "headers:\n  " + value.join("\n  ")
      : `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join("\n");
};
const link = id => byId.has(id)
  ? el("button", {type: "button", class: "item " + byId.get(id).verdict, on: () => detail(byId.get(id))}, el("b", {}, byId.get(id).verdict), id)
  : el("span", {}, id || "none");

function detail(cell) {
  const panel = document.getElementById("detail");
  const pairs = [["situation", cell.situation], ["party, feature", `${cell.party}, ${cell.feature}`],
    ["vantage", `${cell.vantage}, ${cell.family}`], ["impact", cell.impact], ["took", `${cell.seconds} s`],
    ["correlation", (cell.correlation || []).join(", ") || "none"]];
  const list = el("dl", {});
  for (const [name, value] of pairs) list.append(el("dt", {}, name), el("dd", {}, value));
  list.append(el("dt", {}, "control"), el("dd", {}, link(cell.control)));
  const side = (title, found, extra) => el("div", {}, el("h4", {}, title),
    el("pre", {}, `${found.allowed ? "allowed" : "refused"}${extra}\nreason: ${found.reason || "none"}\n${shownText(found.shown)}`));
  panel.replaceChildren(
    el("button", {type: "button", class: "close", "aria-label": "close", on: () => { panel.hidden = true; }}, "×"),
    el("h3", {}, cell.id),
    el("p", {class: cell.verdict}, el("span", {class: "badge"}, cell.verdict), " " + cell.why), list,
    el("div", {class: "two"}, side("Expected", cell.expected, ""), side("Observed", cell.observed, `, came as far as ${cell.observed.stage}`)),
    el("h4", {}, "Steps"),
    ...(cell.transcript || []).map(line => el("pre", {class: / > |: > /.test(line.slice(0, 30)) ? "out" : / < |: < /.test(line.slice(0, 30)) ? "in" : ""}, line)));
  panel.hidden = false;
  panel.scrollTop = 0;
}

const wrong = cells.filter(cell => cell.verdict !== "proven");
if (wrong.length) {
  document.getElementById("wrong").hidden = false;
  document.getElementById("wrong-list").append(...wrong.slice(0, 200).map(cell =>
    el("button", {type: "button", class: "item " + cell.verdict, on: () => detail(cell)}, el("b", {}, cell.verdict), cell.id, el("span", {}, cell.why))));
}
for (const tile of document.querySelectorAll(".tile")) tile.addEventListener("click", () => {
  const select = form.elements.verdict;
  select.value = select.value === tile.dataset.verdict ? "" : tile.dataset.verdict;
  draw();
});
form.addEventListener("input", draw);
form.addEventListener("reset", () => setTimeout(draw));
form.addEventListener("submit", event => event.preventDefault());
document.addEventListener("keydown", event => { if (event.key === "Escape") document.getElementById("detail").hidden = true; });
draw();
