/** What is known of the lens, from the frames or as it is typed. */

import { byId, make } from "./dom.js";

const input = (/** @type {string} */ id) => byId(id, HTMLInputElement);

export class Optics {
  /** @param {(header: import("./socket.js").Header) => Promise<any>} ask */
  constructor(ask) {
    this.ask = ask;
    this.shown = ""; // as text
    for (const id of ["focal", "f-number", "sensor", "distance"])
      byId(id).addEventListener("change", () => this.use());
  }

  /** Lens and distance as they are typed; null where something is missing. */
  typed() {
    const [focal, number] = [input("focal").valueAsNumber, input("f-number").valueAsNumber];
    const distance = input("distance").valueAsNumber;
    const sensor = byId("sensor", HTMLSelectElement).value;
    return {
      lens: focal > 0 && number > 0 ? { focal_mm: focal, f_number: number, sensor } : null,
      distance_m: distance > 0 ? distance : null,
    };
  }

  /** Use what is typed for the stream, and show what it means. */
  async use() {
    const { lens, distance_m } = this.typed();
    if (!lens) {
      await this.ask({ op: "change", lens: null, distance_m });
      return;
    }
    const answer = await this.ask({ op: "optics", lens, distance_m });
    if (answer) this.tell(answer.facts);
  }

  /** @param {{ [name: string]: any } | null} facts */
  tell(facts) {
    const text = JSON.stringify(facts);
    if (text === this.shown) return;
    this.shown = text;
    const rows = facts ? rowsOf(facts) : [["Not known", "type them above"]];
    byId("optics").replaceChildren(
      ...rows.flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value })]),
    );
  }
}

/** @param {{ [name: string]: any }} facts */
function rowsOf(facts) {
  const metres = (/** @type {number} */ value) =>
    value > 1000 ? "infinity" : `${value.toPrecision(3)} m`;
  const rows = [["Hyperfocal distance", metres(facts.hyperfocal_m)]];
  if (facts.lens) rows.unshift(["Lens", facts.lens]);
  if (facts.background_blur_px === undefined) return rows;
  return [
    ...rows,
    ["Sharp", `${metres(facts.sharp_from_m)} to ${metres(facts.sharp_to_m)}`],
    ["Blur of the background", `${facts.background_blur_px.toFixed(1)} px`],
  ];
}
