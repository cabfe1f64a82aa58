// Colours that programs write, as classes; all other escape sequences are left out.

const SEQUENCE = /\u001b(?:\[([0-9;:]*)([A-Za-z])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

export function coloured(line, style) {
  const parts = [];
  let from = 0;
  const put = (text) => { if (text) parts.push([text, classOf(style)]); };
  for (const found of line.matchAll(SEQUENCE)) {
    put(line.slice(from, found.index));
    from = found.index + found[0].length;
    if (found[2] === "m") apply(style, found[1]);
  }
  put(line.slice(from));
  return parts;
}

function apply(style, codes) {
  const numbers = codes === "" ? [0] : codes.split(/[;:]/).map(Number);
  for (let at = 0; at < numbers.length; at += 1) {
    const code = numbers[at];
    if (code === 0) { style.colour = -1; style.bold = false; }
    else if (code === 1) style.bold = true;
    else if (code === 22) style.bold = false;
    else if (code >= 30 && code <= 37) style.colour = code - 30;
    else if (code >= 90 && code <= 97) style.colour = code - 82;
    else if (code === 39) style.colour = -1;
    else if (code === 38 || code === 48) {
      if (numbers[at + 1] === 5) { if (code === 38) style.colour = numbers[at + 2] < 16 ? numbers[at + 2] : -1; at += 2; }
      else if (numbers[at + 1] === 2) at += 4;
    }
  }
}

const classOf = (style) => [style.colour >= 0 ? `c${style.colour}` : "", style.bold ? "bold" : ""].join(" ").trim();
