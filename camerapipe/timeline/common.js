// What the charts share: the data, colours, numbers, the tooltip, SVG.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const FRAME = Object.fromEntries(
  ["seq", "start", "latency", "fate", "flags", "spent", "budget", "lateness", "stage", "reason",
    "rung", "advice", "capture", "caveats"].map((name, column) => [name, column]));
const SPAN = Object.fromEntries(
  ["kind", "outer", "frame", "start", "ms", "granted", "steps", "setup", "residual", "caveats"]
    .map((name, column) => [name, column]));
const LATE = 1, CONTENDED = 2;

const word = (number) => (number == null ? "" : String(data.words[number]));
const caveats = (number) => (number == null ? "" : data.words[number].join(", "));
const place = new Map(data.order.map((kind, i) => [kind, i]));
const colourOf = (kind) => data.colours[place.get(kind)];

function style(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Milliseconds for people: 0.013 ms, 3.21 ms, 45.3 ms, 312 ms, 12.5 s.
function ms(value) {
  if (value == null) return "–";
  const size = Math.abs(value);
  if (size >= 10000) return `${(value / 1000).toFixed(1)} s`;
  return `${value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 || !size ? 2 : 3)} ms`;
}

const count = (value) => value.toLocaleString("en");
const share = (value) => `${(100 * value).toFixed(1)} %`;

// Round steps (1, 2, 5) that cut a range into at most `most` parts.
function ticks(low, high, most) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step + 0);
  return { step, values: found };
}

// A moment of the run, with as many digits as the step between ticks needs.
function clock(value, step) {
  const digits = Math.max(0, Math.ceil(-Math.log10(step / 1000) - 1e-9));
  return `${(value / 1000).toFixed(Math.min(6, digits))} s`;
}

// First index of a list, ordered by `key`, that is not below `value`.
function lowerBound(list, key, value) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle][key] < value) low = middle + 1; else high = middle;
  }
  return low;
}

const tip = {
  box: document.getElementById("tip"),
  // Rows are [name, value]; a title stands above. All is set as text, never as HTML.
  show(event, title, rows) {
    const head = document.createElement("strong");
    head.textContent = title;
    this.box.replaceChildren(head, ...rows.filter(([, value]) => value !== "").map(([name, value]) => {
      const row = document.createElement("div");
      for (const text of [name, value]) {
        row.appendChild(document.createElement("span")).textContent = text;
      }
      return row;
    }));
    this.box.hidden = false;
    const { width, height } = this.box.getBoundingClientRect();
    const right = event.clientX + 14 + width > innerWidth - 8;
    this.box.style.left = `${Math.max(8, right ? event.clientX - 14 - width : event.clientX + 14)}px`;
    this.box.style.top = `${Math.max(8, Math.min(event.clientY + 14, innerHeight - height - 8))}px`;
  },
  hide() { this.box.hidden = true; },
};

// Round moments between two, as [moment, text].
function moments(from, to, most) {
  const { step, values } = ticks(from, to, most);
  return values.map((value) => [value, clock(value, step)]);
}

function svgElement(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// Draw now, and again when the size or the colours change; after the observer is done, since
// drawing may change the height.
function keepDrawn(element, draw) {
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(element);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
