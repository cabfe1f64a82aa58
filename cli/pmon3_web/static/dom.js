// Elements from values. Text is set as text, never as markup: what programs write stays what it is.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Replace what is in an element; nothing stands for nothing.
export function fill(parent, ...children) {
  parent.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
}

export function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function link(address, text, attributes = {}) {
  return element("a", { href: address, ...attributes }, text);
}

// Controls and characters that turn the order of text around, so that nobody is shown something else.
export function visible(text) {
  return String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, "\ufffd");
}

export function table(heads, rows, attributes = {}) {
  return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": attributes.caption || "Table" },
    element("table", {},
      attributes.caption ? element("caption", { class: "hidden" }, attributes.caption) : null,
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...rows)));
}
