// All processes: a row each, changed one by one as pmond tells; replicas folded into one row.

import { get, listen } from "./api.js";
import { buttons } from "./actions.js";
import { element, link, visible } from "./dom.js";
import { bytes, percent, since, tone } from "./format.js";

const SORTS = {
  name: (one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }),
  state: (one, other) => rank(one) - rank(other) || SORTS.name(one, other),
  cpu: (one, other) => other.cpu_percent - one.cpu_percent || SORTS.name(one, other),
  memory: (one, other) => other.memory_bytes - one.memory_bytes || SORTS.name(one, other),
  restarts: (one, other) => other.restart_count - one.restart_count || SORTS.name(one, other),
};
const NUMBERS = new Set(["Up for", "CPU", "Memory", "Restarts"]);
const RANKS = ["bad", "changing", "good", "quiet"];
const rank = (row) => RANKS.indexOf(tone(row));

export async function show(content) {
  const rows = new Map();
  const shownRows = new Map();
  const open = new Set();
  const params = new URLSearchParams(location.search);
  let sort = SORTS[params.get("sort")] ? params.get("sort") : "name";

  const filter = element("input", { type: "search", id: "filter", placeholder: "Filter: name, group, state  ( / )", value: params.get("q") || "", "aria-label": "Filter processes" });
  const group = element("select", { "aria-label": "Group" }, element("option", { value: "" }, "All groups"));
  const order = element("select", { "aria-label": "Sort by" }, ...Object.keys(SORTS).map((name) => element("option", { value: name, selected: name === sort }, `by ${name}`)));
  const counts = element("ul", { class: "counts", "aria-label": "How many are how" });
  const body = element("tbody");
  const empty = element("p", { class: "muted", hidden: true });

  content.append(
    element("h1", { class: "hidden" }, "Processes"),
    element("div", { class: "bar" }, counts, filter, group, order),
    element("div", { class: "wide" }, element("table", { class: "processes" },
      element("thead", {}, element("tr", {}, ...["Name", "State", "Up for", "CPU", "Memory", "Restarts", "Why", "Actions"].map((head) => element("th", { scope: "col", class: NUMBERS.has(head) ? "number" : head === "Actions" ? "last" : null }, head)))),
      body)),
    empty,
  );

  function matches(row) {
    const word = filter.value.trim().toLowerCase();
    if (group.value && !row.groups.includes(group.value)) return false;
    return !word || [row.name, row.status, ...row.groups].some((text) => text.toLowerCase().includes(word));
  }

  // Several processes of one entry stand in one row until somebody opens it.
  function families() {
    const found = new Map();
    for (const row of [...rows.values()].filter(matches).sort(SORTS[sort])) {
      const name = row.replica && row.replica.count > 1 ? row.replica.of : row.name;
      if (!found.has(name)) found.set(name, []);
      found.get(name).push(row);
    }
    return found;
  }

  function draw() {
    const wanted = [];
    for (const [name, members] of families()) {
      const alone = members.length === 1 && members[0].name === name;
      if (!alone) wanted.push([`family:${name}`, () => familyRow(name, members)]);
      if (alone || open.has(name)) for (const row of members) wanted.push([row.name, () => processRow(row, !alone)]);
    }
    const stays = new Set(wanted.map(([key]) => key));
    for (const key of [...shownRows.keys()]) if (!stays.has(key)) { shownRows.get(key).remove(); shownRows.delete(key); }
    let before = body.firstElementChild;
    for (const [key, make] of wanted) {
      let made = shownRows.get(key);
      if (!made || key.startsWith("family:")) {
        const fresh = make();
        if (made) { if (before === made) before = fresh; made.replaceWith(fresh); }
        made = fresh;
        shownRows.set(key, made);
      }
      if (made === before) before = before.nextElementSibling; else body.insertBefore(made, before);
    }
    empty.hidden = wanted.length > 0;
    empty.textContent = rows.size ? "Nothing matches the filter." : "No process is declared: pmon3 exec, or pmon3 apply.";
    drawCounts();
  }

  function drawCounts() {
    const words = { bad: "failing", changing: "changing", good: "well", quiet: "stopped" };
    const found = { bad: 0, changing: 0, good: 0, quiet: 0 };
    for (const row of rows.values()) found[tone(row)] += 1;
    counts.replaceChildren(...RANKS.map((one) => element("li", { class: one }, element("strong", {}, String(found[one])), ` ${words[one]}`)));
  }

  function drawGroups() {
    const names = [...new Set([...rows.values()].flatMap((row) => row.groups))].sort();
    const chosen = group.value;
    group.replaceChildren(element("option", { value: "" }, "All groups"), ...names.map((name) => element("option", { value: name, selected: name === chosen }, visible(name))));
    group.hidden = names.length === 0;
  }

  function familyRow(name, members) {
    const ready = members.filter((row) => tone(row) === "good").length;
    const worst = members.reduce((one, other) => (rank(other) < rank(one) ? other : one));
    const toggle = element("button", { class: "fold", "aria-expanded": String(open.has(name)), onclick: () => { if (!open.delete(name)) open.add(name); draw(); } }, `${visible(name)} `, element("span", { class: "muted" }, `× ${members.length}`));
    const sum = (field) => members.reduce((total, row) => total + row[field], 0);
    return element("tr", { class: tone(worst) },
      element("th", { scope: "row" }, toggle),
      element("td", {}, state(worst, `${ready} of ${members.length} well`)),
      element("td", { class: "number" }, ""), element("td", { class: "number" }, percent(sum("cpu_percent"))),
      element("td", { class: "number" }, bytes(sum("memory_bytes"))), element("td", { class: "number" }, String(sum("restart_count"))),
      element("td", { class: "why" }, tone(worst) === "good" ? "" : visible(worst.reason)), element("td"));
  }

  function processRow(row, inside) {
    return element("tr", { class: `${tone(row)}${inside ? " inside" : ""}`, "data-name": row.name },
      element("th", { scope: "row" }, link(`/process/${encodeURIComponent(row.name)}`, visible(row.name))),
      element("td", {}, state(row, row.status)),
      element("td", { class: "number" }, row.pid ? since(row.started_at) : "–"),
      element("td", { class: "number cpu" }, percent(row.cpu_percent)),
      element("td", { class: "number memory" }, bytes(row.memory_bytes)),
      element("td", { class: "number" }, String(row.restart_count)),
      element("td", { class: "why" }, visible(row.reason || "")),
      element("td", {}, buttons(row.name, row, true)));
  }

  function changed(row) {
    const known = rows.get(row.name);
    const seen = known || { cpu_percent: 0, memory_bytes: 0 };
    rows.set(row.name, { ...row, cpu_percent: row.pid ? seen.cpu_percent : 0, memory_bytes: row.pid ? seen.memory_bytes : 0 });
    const shown = shownRows.get(row.name);
    const family = row.replica && row.replica.count > 1;
    if (known && shown && !family && sort === "name" && !filter.value && !group.value) {
      const fresh = processRow(rows.get(row.name), false);
      const focused = shown.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
      shown.replaceWith(fresh);
      shownRows.set(row.name, fresh);
      if (focused) (fresh.querySelector(`[aria-label="${CSS.escape(focused)}"]`) || fresh.querySelector("a")).focus();
      drawCounts();
    } else {
      shownRows.get(row.name)?.remove();
      shownRows.delete(row.name);
      draw();
    }
  }

  function measured(usage) {
    let folded = false;
    for (const [name, [cpu, memory]] of Object.entries(usage)) {
      const row = rows.get(name);
      if (!row) continue;
      row.cpu_percent = cpu;
      row.memory_bytes = memory;
      folded ||= row.replica !== null && row.replica.count > 1;
      const shown = shownRows.get(name);
      if (shown) {
        shown.querySelector(".cpu").textContent = percent(cpu);
        shown.querySelector(".memory").textContent = bytes(memory);
      }
    }
    if (folded || sort === "cpu" || sort === "memory") draw();
  }

  async function load() {
    const found = await get("/api/processes");
    const known = new Map(rows);
    rows.clear();
    for (const row of found) {
      const before = known.get(row.name);
      rows.set(row.name, before ? { ...row, cpu_percent: before.cpu_percent, memory_bytes: before.memory_bytes } : row);
    }
    for (const shown of shownRows.values()) shown.remove();
    shownRows.clear();
    drawGroups();
    draw();
  }

  filter.addEventListener("input", draw);
  group.addEventListener("change", draw);
  order.addEventListener("change", () => { sort = order.value; draw(); });
  const onKey = (event) => {
    if (event.key === "/" && !["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName)) { event.preventDefault(); filter.focus(); }
  };
  document.addEventListener("keydown", onKey);
  const clock = setInterval(() => {
    for (const [name, shown] of shownRows) {
      const row = rows.get(name);
      if (row && row.pid) shown.children[2].textContent = since(row.started_at);
    }
  }, 5000);
  const stop = listen((kind, data) => {
    if (kind === "row") changed(data);
    if (kind === "gone") { for (const name of data.names) rows.delete(name); draw(); }
    if (kind === "usage") measured(data);
    if (kind === "hello" || (kind === "pmond" && data.connected)) load().catch(() => {});
  });
  await load();
  return () => { stop(); clearInterval(clock); document.removeEventListener("keydown", onKey); };
}

export function state(row, word) {
  return element("span", { class: `state ${tone(row)}` }, word, row.status === "running" && !row.ready ? " (not ready)" : "");
}
