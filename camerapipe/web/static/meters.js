/** Numbers of the viewfinder: where the time of a frame goes, and where frames end. */

import { byId, make } from "./dom.js";

const STAGES = 7; // the longest ones; the others are one bar
const RATE = 0.2; // weight of the newest frame in what is shown
const EVERY_MS = 250;

export class Meters {
  constructor() {
    /** @type {Map<string, number>} */
    this.stages = new Map();
    this.spent = NaN;
    this.latency = NaN;
    this.toScreen = NaN;
    this.drawn = 0;
    this.since = performance.now();
    this.frames = 0;
    this.rate = NaN;
  }

  /** @param {import("./socket.js").Header} header */
  take(header) {
    this.spent = mix(this.spent, header.spent_ms);
    this.latency = mix(this.latency, header.latency_ms);
    const seen = new Map(header.stages);
    for (const name of new Set([...this.stages.keys(), ...seen.keys()])) {
      const value = mix(this.stages.get(name) ?? NaN, seen.get(name) ?? 0);
      if (value < 0.01) this.stages.delete(name);
      else this.stages.set(name, value);
    }
    this.frames += 1;
    const now = performance.now();
    if (now - this.drawn < EVERY_MS) return;
    this.drawn = now;
    if (now - this.since > 1000) {
      this.rate = (1000 * this.frames) / (now - this.since);
      this.since = now;
      this.frames = 0;
    }
    this.draw(header);
  }

  /** @param {import("./socket.js").Header} header */
  draw(header) {
    byId("rung-now").textContent = header.blocked ? "passed through" : header.rung;
    byId("reason").textContent = header.blocked ? "a finding blocks it" : header.reason;
    const longest = [...this.stages].sort((one, other) => other[1] - one[1]);
    const rest = longest.splice(STAGES).reduce((sum, [, ms]) => sum + ms, 0);
    const full = Math.max(header.budget_ms ?? 0, this.spent);
    const total = bar("all", this.spent, full, header.budget_ms);
    total.classList.add("total");
    total.classList.toggle("late", header.late);
    const rows = longest.map(([name, ms]) => bar(name, ms, full));
    if (rest) rows.push(bar("others", rest, full));
    byId("bars").replaceChildren(total, ...rows);
    this.tell(header);
  }

  /** @param {import("./socket.js").Header} header */
  tell(header) {
    const { counts, heat, recorded } = header;
    /** @type {[string, string][]} */
    const rows = [
      ["Shown", `${counts.shown}${this.rate ? `, ${this.rate.toFixed(1)} a second` : ""}`],
      ["Latency", `${this.latency.toFixed(0)} ms`],
      ["Dropped at the door", String(counts.dropped)],
      ["Superseded at the socket", String(counts.superseded)],
      ["Failed", String(counts.failed)],
    ];
    for (const [reason, count] of Object.entries(counts.drops))
      rows.push([`· ${reason}`, String(count)]);
    if (recorded)
      rows.push(["Recorded", `${recorded.frames} frames, ${recorded.changes} changes of controls`]);
    if (heat)
      rows.push([
        "Device",
        `${heat.temperature_c.toFixed(1)} °C${heat.throttled ? ", throttled" : ""}`,
      ]);
    byId("numbers").replaceChildren(
      ...rows.flatMap(([name, text]) => [make("dt", { text: name }), make("dd", { text })]),
    );
  }
}

/** @param {number} mean @param {number} value */
function mix(mean, value) {
  return Number.isNaN(mean) ? value : mean + RATE * (value - mean);
}

/** @param {string} name @param {number} ms @param {number} full @param {number | null} [budget] */
function bar(name, ms, full, budget = null) {
  const part = make("i");
  part.style.width = `${Math.min((100 * ms) / full, 100)}%`;
  const track = make("span", { class: "track" }, part);
  if (budget) {
    const mark = make("b");
    mark.style.left = `calc(${(100 * budget) / full}% - 2px)`;
    track.append(mark);
  }
  return make(
    "li",
    {},
    make("span", { text: name }),
    track,
    make("span", { text: `${ms.toFixed(1)} ms` }),
  );
}
