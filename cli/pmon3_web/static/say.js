// What was done or could not be, and the question before something is done.

import { element } from "./dom.js";

const LONG = 6000;

export function say(what) {
  const problem = what instanceof Error;
  const text = problem ? `${what.message}${what.hint ? ` (${what.hint})` : ""}` : what;
  const line = element("p", { class: problem ? "problem" : "done" }, text);
  document.getElementById("said").append(line);
  setTimeout(() => line.remove(), problem ? 2 * LONG : LONG);
}

export function confirmed(title, text, word) {
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-title").textContent = title;
  document.getElementById("confirm-text").textContent = text;
  document.getElementById("confirm-yes").textContent = word;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
