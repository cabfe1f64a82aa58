// A log as it is written, with search. Lines are text, whatever is in them.

import { processPath } from "./api.js";
import { coloured } from "./ansi.js";
import { element, visible } from "./dom.js";

const MOST_LINES = 5000;

export function logView(name) {
  const lines = element("ol", { class: "log", tabindex: "0", "aria-label": "Log" });
  const search = element("input", { type: "search", placeholder: "Search", "aria-label": "Search the log" });
  const only = element("input", { type: "checkbox", id: "only" });
  const follow = element("input", { type: "checkbox", id: "follow", checked: true });
  const count = element("span", { class: "muted", role: "status" });
  const note = element("p", { class: "muted", hidden: true });
  let style = { colour: -1, bold: false };
  let rest = "";
  let total = 0;
  let aborter = null;

  function make(text) {
    total += 1;
    const item = element("li", { id: `line-${total}` }, ...coloured(text, style).map(([part, look]) => (look ? element("span", { class: look }, visible(part)) : visible(part))));
    mark(item);
    return item;
  }

  function mark(item) {
    const word = search.value.toLowerCase();
    const hit = word !== "" && item.textContent.toLowerCase().includes(word);
    item.classList.toggle("hit", hit);
    item.hidden = only.checked && word !== "" && !hit;
    return hit;
  }

  function add(text) {
    const pieces = (rest + text).split("\n");
    rest = pieces.pop().slice(-65536);
    if (pieces.length > MOST_LINES) pieces.splice(0, pieces.length - MOST_LINES);
    lines.append(...pieces.map((piece) => make(piece.replace(/\r$/, ""))));
    while (lines.childElementCount > MOST_LINES) lines.firstElementChild.remove();
    if (follow.checked) lines.scrollTop = lines.scrollHeight;
    tally();
  }

  function tally() {
    const hits = search.value ? lines.querySelectorAll(".hit").length : 0;
    count.textContent = search.value ? `${hits} of ${lines.childElementCount} lines` : `${lines.childElementCount} lines`;
  }

  function find(step) {
    const hits = [...lines.querySelectorAll(".hit")];
    if (!hits.length) return;
    const now = hits.findIndex((one) => one.classList.contains("now"));
    const next = hits[(now + step + hits.length) % hits.length];
    for (const one of hits) one.classList.remove("now");
    next.classList.add("now");
    follow.checked = false;
    next.scrollIntoView({ block: "center" });
  }

  async function read() {
    aborter?.abort();
    aborter = new AbortController();
    const mine = aborter;
    lines.replaceChildren();
    rest = "";
    style = { colour: -1, bold: false };
    note.hidden = true;
    try {
      const response = await fetch(processPath(name, "/log?lines=1000"), { signal: mine.signal });
      if (!response.ok) {
        const body = await response.json().catch(() => ({}));
        throw new Error(body.error?.message || `the answer was ${response.status}`);
      }
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        add(value);
      }
    } catch (error) {
      if (mine.signal.aborted) return;
      note.textContent = error.message;
      note.hidden = false;
    }
  }

  const again = () => { for (const item of lines.children) mark(item); tally(); };
  search.addEventListener("input", again);
  only.addEventListener("change", again);
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); find(event.shiftKey ? -1 : 1); } });
  lines.addEventListener("scroll", () => { if (lines.scrollTop + lines.clientHeight < lines.scrollHeight - 40) follow.checked = false; });
  follow.addEventListener("change", () => { if (follow.checked) lines.scrollTop = lines.scrollHeight; });
  read();
  return {
    element: element("section", { "aria-label": "Log" }, element("h2", {}, "Log"),
      element("div", { class: "bar" }, search, element("label", {}, only, " only lines found"), element("label", {}, follow, " follow"), count), note, lines),
    restart: read,
    close: () => aborter?.abort(),
  };
}
