// What has happened, newest first.

import { get, listen } from "./api.js";
import { element, link, visible } from "./dom.js";
import { time } from "./format.js";

const MOST = 1000;

export async function show(content) {
  const filter = element("input", { type: "search", placeholder: "Filter", "aria-label": "Filter events" });
  const body = element("tbody");
  content.append(element("h1", {}, "What has happened"), element("div", { class: "bar" }, filter),
    element("div", { class: "wide" }, element("table", {}, element("thead", {}, element("tr", {}, ...["When", "Process", "What", "Message"].map((head) => element("th", { scope: "col" }, head)))), body)));

  function mark(row) {
    const word = filter.value.toLowerCase();
    row.hidden = word !== "" && !row.textContent.toLowerCase().includes(word);
    return row;
  }
  const make = (event) => mark(element("tr", { "data-id": event.id },
    element("td", { class: "muted" }, time(event.time)),
    element("td", {}, event.name ? link(`/process/${encodeURIComponent(event.name)}`, visible(event.name)) : "pmond"),
    element("th", { scope: "row" }, event.reason), element("td", {}, visible(event.message))));
  async function load() {
    const found = await get("/api/events");
    body.replaceChildren(...found.reverse().map(make));
  }
  filter.addEventListener("input", () => { for (const row of body.children) mark(row); });
  const stop = listen((kind, data) => {
    if (kind === "event" && !(body.firstElementChild && Number(body.firstElementChild.dataset.id) >= data.id)) {
      body.prepend(make(data));
      while (body.childElementCount > MOST) body.lastElementChild.remove();
    }
    if (kind === "hello" || (kind === "pmond" && data.connected)) load().catch(() => {});
  });
  await load();
  return stop;
}
