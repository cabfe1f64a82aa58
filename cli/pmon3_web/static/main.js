// Which view the address means, and what stands around every view.

import { connect, listen, whoLooks } from "./api.js";
import { element } from "./dom.js";
import { say } from "./say.js";
import * as events from "./events.js";
import * as graph from "./graph.js";
import * as list from "./list.js";
import * as process from "./process.js";
import * as sets from "./sets.js";

const VIEWS = [
  [/^\/$/, list.show, "Processes"],
  [/^\/process\/([^/]+)$/, process.show, "Process"],
  [/^\/graph$/, graph.show, "Graph"],
  [/^\/sets$/, sets.showAll, "Sets"],
  [/^\/set$/, sets.showOne, "Set"],
  [/^\/events$/, events.show, "Events"],
];
const content = document.getElementById("content");
const connection = document.getElementById("connection");
let leave = () => {};
let opened = 0;

async function open() {
  const mine = (opened += 1);
  leave();
  leave = () => {};
  const path = location.pathname;
  const [pattern, show, title] = VIEWS.find(([one]) => one.test(path)) || VIEWS[0];
  for (const one of document.querySelectorAll("nav a")) {
    const here = one.getAttribute("href");
    const is = here === path || (here === "/" && path.startsWith("/process")) || (here === "/sets" && path === "/set");
    if (is) one.setAttribute("aria-current", "page"); else one.removeAttribute("aria-current");
  }
  const words = (pattern.exec(path) || []).slice(1).map(decodeURIComponent);
  document.title = `${words[0] || title} · pmon3`;
  // A view that somebody has left before it was there goes on in a room that nobody sees, and ends.
  const room = element("div");
  content.replaceChildren(room);
  try {
    const end = (await show(room, ...words)) || (() => {});
    if (mine === opened) leave = end; else end();
  } catch (error) {
    room.replaceChildren(element("p", { class: "problem" }, error.message, error.hint ? ` (${error.hint})` : ""));
  }
}

// Links within the page change the view and load nothing.
document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a[href]");
  if (!anchor || anchor.origin !== location.origin || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (anchor.hash && anchor.pathname === location.pathname) return;
  event.preventDefault();
  history.pushState(null, "", anchor.href);
  open().then(() => content.focus());
});
window.addEventListener("popstate", open);

function told(text) {
  connection.textContent = text;
  connection.hidden = !text;
}

listen((kind, data) => {
  if (kind === "lost") told("The page does not answer; trying again …");
  if (["hello", "pmond", "pmond-is"].includes(kind)) told(data.connected ? "" : "pmond does not answer; what is shown is what was last known.");
});

try {
  const { role, pmond } = await whoLooks();
  document.getElementById("pmond").textContent = pmond.error ? "" : `${pmond.host} · ${pmond.version} · ${role}`;
} catch (error) {
  say(error);
}
connect();
open();
