// Start, stop and restart, with a question before what interrupts something.

import { may, post } from "./api.js";
import { element } from "./dom.js";
import { confirmed, say } from "./say.js";

const WORDS = {
  start: ["Start", "started"],
  restart: ["Restart", "restarted"],
  stop: ["Stop", "stopped"],
};

export function buttons(name, row, small = false) {
  if (!may("operator")) return element("span");
  const up = row.pid > 0;
  const verbs = up ? ["restart", "stop"] : ["start"];
  return element("span", { class: "actions" }, ...verbs.map((verb) => button(verb, name, small)));
}

function button(verb, name, small) {
  const [word, done] = WORDS[verb];
  async function act() {
    const text = verb === "stop" ? "It stays stopped until somebody starts it." : "It is interrupted for a moment.";
    if (verb !== "start" && !(await confirmed(`${word} ${name}?`, text, word))) return;
    try {
      await post(`/api/actions/${verb}`, { name });
      say(`${name} is being ${done}.`);
    } catch (error) {
      say(error);
    }
  }
  return element("button", { class: small ? "small" : "", onclick: act, "aria-label": `${word} ${name}` }, word);
}
