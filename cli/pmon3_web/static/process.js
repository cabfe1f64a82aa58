// One process: how it is and why, what it uses, what it has been, and what it writes.

import { get, listen, may, processPath } from "./api.js";
import { buttons } from "./actions.js";
import { element, fill, link, table, visible } from "./dom.js";
import { bytes, duration, percent, since, time, tone } from "./format.js";
import { state } from "./list.js";
import { logView } from "./log.js";
import { plot } from "./plot.js";

export async function show(content, name) {
  const head = element("div", { class: "head" });
  const facts = element("section", { "aria-label": "Facts" });
  const plots = element("section", { class: "plots", "aria-label": "The last hour" });
  const conditions = element("section");
  const past = element("section");
  const declared = element("section");
  content.append(head, element("div", { class: "columns" }, facts, plots), conditions);
  const logs = may("administrator") ? logView(name) : null;
  content.append(logs ? logs.element : element("p", { class: "muted" }, "Logs are for administrators."), past, declared);

  let found = null;
  async function load() {
    found = await get(processPath(name));
    const usage = await get(processPath(name, "/usage"));
    drawHead(head, found);
    facts.replaceChildren(factsOf(found));
    conditions.replaceChildren(element("h2", {}, "Conditions"), conditionsOf(found));
    plots.replaceChildren(
      plot("CPU", usage.map(([at, cpu]) => [at, cpu]), percent),
      plot("Memory", usage.map(([at, , memory]) => [at, memory]), bytes));
    past.replaceChildren(...(await pastOf(name, found)));
    declared.replaceChildren(element("details", {}, element("summary", {}, "What is declared"), element("pre", {}, visible(JSON.stringify(found.spec, null, 2)))));
  }

  let soon = 0;
  const again = () => { if (!soon) soon = setTimeout(() => { soon = 0; load().catch(() => {}); }, 150); };
  const stop = listen((kind, data) => {
    if (kind === "row" && data.name === name) again();
    if (kind === "usage" && data[name]) again();
    if (kind === "gone" && data.names.includes(name)) head.append(element("p", { class: "problem" }, "It was deleted."));
    if (kind === "hello" || (kind === "pmond" && data.connected)) { again(); if (logs) logs.restart(); }
  });
  await load();
  return () => { stop(); clearTimeout(soon); if (logs) logs.close(); };
}

function drawHead(head, row) {
  fill(head,
    element("h1", {}, visible(row.name), " ", state(row, row.status)),
    buttons(row.name, row),
    row.reason ? element("p", { class: `reason ${tone(row)}` }, visible(row.reason)) : null);
}

function factsOf(row) {
  const exit = row.exit_code === null ? row.exit_signal : row.exit_code;
  const pairs = [
    ["Process id", row.pid || "–"], ["User", row.user], ["Up for", row.pid ? since(row.started_at) : "–"],
    ["Restarts", row.restart_count], ["Last exit", exit === null ? "–" : exit],
    ["Next start", row.next_start_at ? time(row.next_start_at) : null], ["Next run", row.next_run_at ? time(row.next_run_at) : null],
    ["Program", [row.file, ...row.args].join(" ")], ["Declared by", row.owner], ["Log", row.log],
    ["Groups", row.groups.join(", ") || null], ["Held", row.hold ? `${row.hold.up ? "up" : "down"} by ${row.hold.by}${row.hold.reason ? `: ${row.hold.reason}` : ""}` : null],
    ["Change that waits for a restart", row.pending.map((change) => change.path).join(", ") || null],
  ];
  const needs = row.dependencies.map((one) => element("li", {}, link(`/process/${encodeURIComponent(one)}`, visible(one))));
  return element("dl", {}, ...pairs.filter(([, value]) => value !== null).flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, visible(value))]),
    ...(needs.length ? [element("dt", {}, "Needs"), element("dd", {}, element("ul", { class: "inline" }, ...needs))] : []));
}

// What is good news when it is true, and what is bad; the rest only tells.
const WISHED = new Set(["Ready", "ResourcesApplied"]);
const FEARED = new Set(["Stalled"]);
function toneOf(condition) {
  if (WISHED.has(condition.type)) return { True: "good", False: "bad" }[condition.status] || "quiet";
  if (condition.status !== "True") return "quiet";
  return FEARED.has(condition.type) ? "bad" : "changing";
}

function conditionsOf(row) {
  const lines = row.conditions.map((one) => {
    const ok = toneOf(one);
    return element("tr", {}, element("th", { scope: "row" }, one.type), element("td", {}, element("span", { class: `state ${ok}` }, one.status)), element("td", {}, one.reason), element("td", {}, visible(one.message)), element("td", { class: "muted" }, time(one.last_transition_time)));
  });
  const probes = Object.entries(row.probe).map(([which, one]) => {
    const ok = one.ok === null ? "quiet" : one.ok ? "good" : "bad";
    const word = one.ok === null ? "not tried" : one.ok ? "passes" : "fails";
    return element("tr", {}, element("th", { scope: "row" }, `${which} probe`), element("td", {}, element("span", { class: `state ${ok}` }, word)), element("td", {}, `${one.kind}, ${one.in_a_row} in a row`), element("td", {}, visible(one.message)), element("td", { class: "muted" }, time(one.at)));
  });
  return table(["What", "Is", "Because", "Message", "Since"], [...lines, ...probes], { caption: "Conditions and probes" });
}

async function pastOf(name, row) {
  const parts = [];
  if (row.spec.type === "oneshot" || row.last_run) {
    const runs = (await get(processPath(name, "/runs"))).reverse();
    parts.push(element("h2", {}, "Runs"), table(["Run", "Began", "Lasted", "Outcome", "By"], runs.map((run) => element("tr", {}, element("th", { scope: "row" }, String(run.number)), element("td", {}, time(run.started_at)), element("td", {}, duration(run.duration_seconds)), element("td", {}, run.outcome, run.exit_code ? ` (${run.exit_code})` : run.exit_signal ? ` (${run.exit_signal})` : ""), element("td", {}, visible(run.by)))), { caption: "Runs" }));
  }
  const events = [...row.events].reverse();
  parts.push(element("h2", {}, "What has happened"), table(["When", "What", "Message"], events.map((event) => element("tr", {}, element("td", { class: "muted" }, time(event.time)), element("th", { scope: "row" }, event.reason), element("td", {}, visible(event.message)))), { caption: "Events" }));
  return parts;
}
