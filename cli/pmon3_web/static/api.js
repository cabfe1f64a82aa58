// Requests of this page, and what changes at pmond.

let csrf = "";
export const me = { role: "viewer" };

export class Problem extends Error {
  constructor(status, error) {
    super(error.message || `the answer was ${status}`);
    this.status = status;
    this.hint = error.hint || "";
    this.diagnostics = error.diagnostics || [];
  }
}

async function answer(response) {
  if (response.status === 401) {
    location.assign("/login");
    throw new Problem(401, { message: "your session is over" });
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, body.error || {});
  return body;
}

export async function get(path) {
  return answer(await fetch(path, { headers: { accept: "application/json" } }));
}

export async function post(path, body) {
  const headers = { "content-type": "application/json", "x-pmon3-csrf": csrf };
  return answer(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

export async function whoLooks() {
  const found = await get("/api/me");
  csrf = found.csrf;
  me.role = found.role;
  return found;
}

export function may(role) {
  const order = ["viewer", "operator", "administrator"];
  return order.indexOf(me.role) >= order.indexOf(role);
}

export const processPath = (name, more = "") => `/api/processes/${encodeURIComponent(name)}${more}`;

// One connection for all views. A listener is called with the kind of a message and what it says.
const listeners = new Set();
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function connect() {
  const source = new EventSource("/api/stream");
  // What a view shows is as new as its own question; after a break it is not.
  let first = true;
  source.addEventListener("hello", (message) => {
    const { connected } = JSON.parse(message.data);
    tell(first ? "pmond-is" : "hello", { connected });
    first = false;
  });
  const tell = (kind, data) => { for (const listener of [...listeners]) listener(kind, data); };
  for (const kind of ["pmond", "row", "gone", "usage", "event"]) {
    source.addEventListener(kind, (message) => tell(kind, JSON.parse(message.data)));
  }
  source.addEventListener("error", () => {
    tell("lost", {});
    // Refused for good: by a session that is over, for instance.
    if (source.readyState === EventSource.CLOSED) whoLooks().then(() => setTimeout(connect, 2000), () => setTimeout(connect, 5000));
  });
}
