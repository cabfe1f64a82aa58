// Sets: in sync or not and why; what changed when; back to what was; an edit, seen before it is done.

import { get, may, post } from "./api.js";
import { element, fill, link, table, visible } from "./dom.js";
import { time } from "./format.js";
import { confirmed, say } from "./say.js";

const address = (name) => `/set?name=${encodeURIComponent(name)}`;
const SYNC = { Synced: "good", OutOfSync: "bad" };
const HEALTH = { Healthy: "good", Progressing: "changing", Degraded: "bad" };
const chip = (word, tones) => element("span", { class: `state ${tones[word] || "quiet"}` }, word);

export async function showAll(content) {
  const sets = await get("/api/sets");
  content.append(element("h1", {}, "Sets"));
  if (!sets.length) {
    content.append(element("p", { class: "muted" }, "No manifest was applied: pmon3 apply -f FILE."));
    return;
  }
  content.append(table(["Set", "Sync", "Health", "Processes", "Revision", "Message"], sets.map((one) => element("tr", {},
    element("th", { scope: "row" }, link(address(one.name), visible(one.name))), element("td", {}, chip(one.sync, SYNC)), element("td", {}, chip(one.health, HEALTH)),
    element("td", { class: "number" }, String(one.processes)), element("td", { class: "number" }, String(one.revision)), element("td", {}, visible(one.message || (one.suspended ? "suspended" : ""))))), { caption: "Sets" }));
}

export async function showOne(content) {
  const name = new URLSearchParams(location.search).get("name") || "";
  const [sets, revisions] = await Promise.all([get("/api/sets"), get(`/api/history?set=${encodeURIComponent(name)}`)]);
  const one = sets.find((found) => found.name === name);
  if (!one) throw new Error(`There is no set ${name}.`);
  const planned = element("section", { "aria-live": "polite" });
  fill(content,
    element("h1", { class: "path" }, visible(name)),
    element("p", {}, chip(one.sync, SYNC), " ", chip(one.health, HEALTH), " ", visible(one.message || "")),
    one.suspended ? element("p", { class: "problem" }, `Suspended by ${one.suspended.by}${one.suspended.reason ? `: ${one.suspended.reason}` : ""}.`) : null,
    one.inventory.length ? element("p", {}, "Processes: ", ...one.inventory.flatMap((member) => [link(`/process/${encodeURIComponent(member.name)}`, visible(member.name)), " "])) : null,
    may("administrator") ? editor(name, one, planned) : null,
    planned,
    element("h2", {}, "History"),
    table(["Revision", "When", "By", "Message", "Commit", "Outcome", "Actions"], revisions.map((revision, index) => element("tr", {},
      element("th", { scope: "row" }, String(revision.revision)), element("td", { class: "muted" }, time(revision.time)), element("td", {}, visible(revision.by)), element("td", {}, visible(revision.message)), element("td", {}, visible(revision.commit.slice(0, 12))), element("td", {}, revision.outcome),
      element("td", {}, index && may("administrator") ? element("button", { class: "small", onclick: () => goBack(name, revision.revision, planned) }, "Roll back") : ""))), { caption: "Revisions" }));
}

// The view anew, with what has become history.
const again = () => window.dispatchEvent(new PopStateEvent("popstate"));

async function goBack(name, revision, planned) {
  try {
    const wouldBe = await post("/api/rollback", { set: name, to: revision, dry_run: true });
    planned.replaceChildren(planTable(wouldBe.plan));
    const count = wouldBe.plan.actions.length;
    if (!(await confirmed(`Back to revision ${revision}?`, count ? `${count} changes, shown on the page.` : "Nothing would change.", "Roll back"))) return;
    await post("/api/rollback", { set: name, to: revision, dry_run: false });
    say(`Going back to revision ${revision}.`);
    again();
  } catch (error) {
    say(error);
  }
}

function editor(name, one, planned) {
  const text = element("textarea", { rows: 14, spellcheck: "false", "aria-label": "Manifest", hidden: true });
  const plan = element("button", { onclick: makePlan, hidden: true }, "Plan");
  const open = element("button", { onclick: load }, "Edit");
  async function load() {
    try {
      const source = await get(`/api/source?set=${encodeURIComponent(name)}`);
      text.value = JSON.stringify(source, null, 2);
      for (const part of [text, plan]) part.hidden = false;
      open.hidden = true;
      text.focus();
    } catch (error) {
      say(error);
    }
  }
  async function makePlan() {
    try {
      const made = await post("/api/plan", { set: name, text: text.value });
      const edited = text.value;
      const apply = element("button", { class: "strong", onclick: async () => {
        if (!(await confirmed("Apply this plan?", `${made.actions.length} changes to ${name}.`, "Apply"))) return;
        try {
          const applied = await post("/api/apply", { set: name, text: edited, plan_digest: made.plan_digest });
          say(`Applied: revision ${applied.revision}.`);
          again();
        } catch (error) {
          say(error);
        }
      } }, "Apply");
      planned.replaceChildren(planTable(made), ...(made.actions.length ? [apply] : []));
    } catch (error) {
      say(error);
      planned.replaceChildren(element("ul", { class: "problem" }, ...error.diagnostics.map((diagnostic) => element("li", {}, `line ${diagnostic.range.start.line}: ${diagnostic.message}`))));
    }
  }
  const followed = one.followed ? element("p", { class: "muted" }, "This set follows a file: change that file, as what is applied here is replaced by its next edit.") : null;
  return element("section", { "aria-label": "Edit" }, element("h2", {}, "Edit"), followed, open, text, element("div", { class: "bar" }, plan));
}

const WORDS = { create: "good", delete: "bad", restart: "changing", update: "changing" };
function planTable(plan) {
  if (!plan.actions.length) return element("p", { class: "muted" }, "Nothing would change.");
  const value = (one) => (one === null || one === undefined ? "–" : typeof one === "string" ? one : JSON.stringify(one));
  return table(["Action", "Process", "Field", "Before", "After"], plan.actions.flatMap((action) => (action.changes.length ? action.changes : [null]).map((change, index) => element("tr", {},
    element("td", {}, index ? "" : element("span", { class: `state ${WORDS[action.action] || "quiet"}` }, action.action)),
    element("th", { scope: "row" }, index ? "" : visible(action.name)),
    element("td", {}, change ? visible(change.path) : ""), element("td", {}, change ? element("del", {}, visible(value(change.before))) : ""), element("td", {}, change ? element("ins", {}, visible(value(change.after))) : "")))), { caption: "Plan" });
}
