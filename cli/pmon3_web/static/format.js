// Values as people read them.

export function bytes(count) {
  if (!count) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = count;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) { size /= 1024; unit += 1; }
  return `${size < 10 && unit > 0 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

export function percent(value) {
  return value ? `${value.toFixed(1)} %` : "–";
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

export function time(text) {
  if (!text) return "–";
  const when = new Date(text);
  const day = when.toDateString() === new Date().toDateString() ? "" : `${when.toLocaleDateString()} `;
  return day + when.toLocaleTimeString();
}

export function since(text) {
  return text ? duration((Date.now() - new Date(text)) / 1000) : "–";
}

// What a row says at a glance: its word, and how it is to be seen.
const BAD = new Set(["failed", "backoff"]);
const CHANGING = new Set(["init", "queued", "restarting", "stopping", "waiting"]);
export function tone(row) {
  if (BAD.has(row.status)) return "bad";
  if (row.status === "running") return row.ready ? "good" : "changing";
  if (CHANGING.has(row.status)) return "changing";
  return row.status === "completed" || row.status === "scheduled" ? "good" : "quiet";
}
