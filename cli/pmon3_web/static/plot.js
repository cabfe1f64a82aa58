// One line over the last hour, drawn with what SVG has.

import { drawing, element } from "./dom.js";

const WIDTH = 320;
const HEIGHT = 72;
const HOUR = 3600;

export function plot(title, points, words) {
  const now = Date.now() / 1000;
  const most = Math.max(1e-9, ...points.map(([, value]) => value));
  const x = (at) => (WIDTH * (at - now + HOUR)) / HOUR;
  const y = (value) => HEIGHT - 4 - ((HEIGHT - 10) * value) / most;
  const line = points.map(([at, value], index) => `${index ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const last = points.length ? points[points.length - 1][1] : 0;
  const svg = drawing("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title} of the last hour: now ${words(last)}, at most ${points.length ? words(most) : "–"}` });
  svg.append(drawing("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT - 4, y2: HEIGHT - 4 }));
  if (points.length > 1) {
    svg.append(drawing("path", { class: "area", d: `${line}L${x(points[points.length - 1][0]).toFixed(1)} ${HEIGHT - 4}L${x(points[0][0]).toFixed(1)} ${HEIGHT - 4}Z` }));
    svg.append(drawing("path", { class: "line", d: line }));
  }
  return element("figure", {},
    element("figcaption", {}, element("span", {}, title), element("strong", {}, words(last)), element("span", { class: "muted" }, points.length ? `at most ${words(most)}` : "no samples yet")),
    svg, element("div", { class: "muted ends" }, element("span", {}, "an hour ago"), element("span", {}, "now")));
}
