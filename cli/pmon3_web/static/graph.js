// Who needs whom: columns by depth, an arrow from each process to what it needs.

import { get, listen } from "./api.js";
import { drawing, element, visible } from "./dom.js";
import { tone } from "./format.js";

const ACROSS = 220;
const DOWN = 44;
const BOX = [170, 30];

export async function show(content) {
  const holder = element("div", { class: "wide graph", tabindex: "0", role: "region", "aria-label": "Dependency graph" });
  content.append(element("h1", {}, "Who needs whom"), holder);

  async function load() {
    const [graph, rows] = await Promise.all([get("/api/graph"), get("/api/processes")]);
    const status = new Map(rows.map((row) => [row.name, row]));
    const members = new Set(graph.edges.flat());
    if (!members.size) {
      holder.replaceChildren(element("p", { class: "muted" }, "No process needs another one."));
      return;
    }
    holder.replaceChildren(draw(graph, members, status));
  }

  let soon = 0;
  const stop = listen((kind) => { if ((kind === "row" || kind === "gone" || kind === "hello") && !soon) soon = setTimeout(() => { soon = 0; load().catch(() => {}); }, 300); });
  await load();
  return () => { stop(); clearTimeout(soon); };
}

function depths(graph, members) {
  const depth = new Map();
  const needs = (name) => graph.edges.filter(([one]) => one === name).map(([, other]) => other);
  for (const name of graph.order.filter((one) => members.has(one))) {
    depth.set(name, Math.max(0, ...needs(name).map((other) => (depth.has(other) ? depth.get(other) + 1 : 0))));
  }
  for (const name of members) if (!depth.has(name)) depth.set(name, 0);
  return depth;
}

function draw(graph, members, status) {
  const place = new Map();
  const rowsOf = [];
  for (const [name, depth] of depths(graph, members)) {
    rowsOf[depth] = (rowsOf[depth] || 0) + 1;
    place.set(name, [10 + depth * ACROSS, 10 + (rowsOf[depth] - 1) * DOWN]);
  }
  const width = 20 + BOX[0] + ACROSS * Math.max(0, ...[...place.values()].map(([x]) => Math.round((x - 10) / ACROSS)));
  const height = 20 + DOWN * Math.max(...rowsOf.map((count) => count || 0));
  const svg = drawing("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  const arrow = drawing("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" });
  arrow.append(drawing("path", { class: "tip", d: "M0 0L8 4L0 8z" }));
  svg.append(drawing("defs", {}, arrow));
  const conditions = new Map(graph.dependencies.map((one) => [`${one.process}\n${one.needs}`, one]));
  for (const [from, to] of graph.edges) {
    const [x1, y1] = place.get(from);
    const [x2, y2] = place.get(to);
    const middle = y1 + BOX[1] / 2;
    const end = [x2 + BOX[0], y2 + BOX[1] / 2];
    const one = conditions.get(`${from}\n${to}`);
    const path = drawing("path", { class: one && !one.required ? "edge optional" : "edge", d: `M${x1} ${middle}C${x1 - 40} ${middle} ${end[0] + 40} ${end[1]} ${end[0]} ${end[1]}`, "marker-end": "url(#arrow)" });
    path.append(drawing("title", {}));
    path.firstChild.textContent = `${from} needs ${to}${one ? ` to be ${one.condition}` : ""}`;
    svg.append(path);
  }
  for (const [name, [x, y]] of place) {
    const row = status.get(name);
    const box = drawing("a", { href: `/process/${encodeURIComponent(name)}`, class: `node ${row ? tone(row) : "quiet"}` });
    const label = drawing("text", { x: x + 12, y: y + 20 });
    label.textContent = visible(name.length > 21 ? `${name.slice(0, 20)}…` : name);
    const title = drawing("title");
    title.textContent = `${name}: ${row ? row.status : "not declared"}`;
    box.append(title, drawing("rect", { x, y, width: BOX[0], height: BOX[1], rx: 6 }), label);
    svg.append(box);
  }
  return svg;
}
