/**
 * The controls of a simulated camera: focus, exposure and sensitivity, each by hand or automatic.
 *
 * @typedef {import("./socket.js").Header} Header
 * @typedef {{ name: string, logarithmic: boolean, text: (value: number) => string }} Dial
 */

import { byId, clamp } from "./dom.js";

/** @type {{ [id: string]: Dial }} */
const DIALS = {
  focus: { name: "focus_distance_dpt", logarithmic: false, text: distance },
  exposure: { name: "exposure_time_ns", logarithmic: true, text: seconds },
  iso: { name: "sensitivity", logarithmic: true, text: (value) => `ISO ${Math.round(value)}` },
};
const LOCKS = { "ae-lock": "ae_lock", "awb-lock": "awb_lock" };
const STATES = { "af-state": "af_state", "ae-state": "ae_state", "awb-state": "awb_state" };

const input = (/** @type {string} */ id) => byId(id, HTMLInputElement);

export class SimulatedCamera {
  /**
   * @param {(controls: { [name: string]: any }) => void} set
   * @param {(point: [number, number]) => void} focus
   */
  constructor(set, focus) {
    this.panel = byId("camera-panel");
    this.set = set;
    /** @type {{ [name: string]: [number, number] } | null} lowest and highest values */
    this.ranges = null;
    for (const [id, dial] of Object.entries(DIALS)) {
      input(id).addEventListener("input", () => {
        input(`${id}-auto`).checked = false;
        this.send(id, dial);
      });
      input(`${id}-auto`).addEventListener("change", () => this.send(id, dial));
    }
    for (const [id, name] of Object.entries(LOCKS))
      input(id).addEventListener("change", () => set({ [name]: input(id).checked }));
    input("compensation").addEventListener("input", () => {
      const stops = input("compensation").valueAsNumber;
      byId("compensation-value").textContent = `${stops > 0 ? "+" : ""}${stops} EV`;
      set({ exposure_compensation_ev: stops });
    });
    const screen = byId("screen");
    screen.addEventListener("click", (event) => {
      if (!this.ranges) return;
      const box = screen.getBoundingClientRect();
      input("focus-auto").checked = true;
      focus([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
    });
  }

  /** A camera has started, or none. @param {{ [name: string]: [number, number] } | null} ranges */
  begin(ranges) {
    this.ranges = ranges;
    this.panel.hidden = !ranges;
    byId("screen").classList.toggle("can-focus", Boolean(ranges));
    if (!ranges) return;
    for (const id of Object.keys(DIALS)) input(`${id}-auto`).checked = true;
    for (const id of Object.keys(LOCKS)) input(id).checked = false;
    input("compensation").value = "0";
    byId("compensation-value").textContent = "0 EV";
  }

  /** Show how a frame was taken. @param {{ [name: string]: any } | null} metadata */
  show(metadata) {
    if (!metadata || !this.ranges) return;
    for (const [id, dial] of Object.entries(DIALS)) {
      const value = metadata[dial.name];
      if (input(`${id}-auto`).checked) input(id).value = String(this.placeOf(dial, value));
      tell(`${id}-value`, dial.text(value));
      input(id).setAttribute("aria-valuetext", dial.text(value));
    }
    for (const [id, name] of Object.entries(STATES)) tell(id, metadata[name].replaceAll("_", " "));
    if (metadata.lens_state === "moving") tell("af-state", `${metadata.af_state}, lens moves`);
  }

  /** @param {string} id @param {Dial} dial */
  send(id, dial) {
    const automatic = input(`${id}-auto`).checked;
    this.set({ [dial.name]: automatic ? null : this.valueOf(dial, input(id).valueAsNumber) });
  }

  /** Value at a place of a slider, 0 to 1. @param {Dial} dial @param {number} place */
  valueOf({ name, logarithmic }, place) {
    const [low, high] = this.ranges?.[name] ?? [0, 1];
    return logarithmic ? Math.round(low * (high / low) ** place) : low + (high - low) * place;
  }

  /** @param {Dial} dial @param {number} value */
  placeOf({ name, logarithmic }, value) {
    const [low, high] = this.ranges?.[name] ?? [0, 1];
    const place = logarithmic
      ? Math.log(value / low) / Math.log(high / low)
      : (value - low) / (high - low);
    return clamp(0, place, 1);
  }
}

/** @param {string} id @param {string} text */
function tell(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

/** @param {number} dpt dioptres */
function distance(dpt) {
  return dpt < 0.02 ? "infinity" : `${(1 / dpt).toPrecision(2)} m`;
}

/** @param {number} ns */
function seconds(ns) {
  return `1/${Math.round(1e9 / ns)} s`;
}
