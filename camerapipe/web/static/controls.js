/**
 * Sliders for parameters, made of what the server says about them: range, unit, help.
 *
 * @typedef {{ key: string, label: string, low: number, high: number, unit: string, help: string,
 *   whole: boolean }} Control
 * @typedef {{ value: number, changed: boolean }} Value
 */

import { Aperture } from "./aperture.js";
import { byId, clamp, make } from "./dom.js";

const STEPS = 200; // of a slider

export class Controls {
  /**
   * @param {{ name: string, controls: Control[] }[]} groups
   * @param {(key: string, value: number | null, gesture: boolean, resting: boolean) => void} wish
   */
  constructor(groups, wish) {
    this.wish = wish;
    /** @type {Map<string, { show: (value: Value) => void }>} */
    this.rows = new Map();
    /** @type {Map<string, number>} values as they are on the page */
    this.values = new Map();
    this.aperture = new Aperture();
    byId("controls").replaceChildren(
      ...groups.map(({ name, controls }) =>
        make(
          "section",
          { class: "group" },
          make("h2", { text: name }),
          ...(name === "Aperture" ? [this.aperture.element] : []),
          ...controls.map((control) => this.row(control)),
        ),
      ),
    );
  }

  /** @param {Control} control */
  row(control) {
    const { key, label, low, high, unit, help, whole } = control;
    const id = `control-${key}`;
    const step = whole ? 1 : niceStep((high - low) / STEPS);
    // Without a step, both ends are reached; values between them are rounded here.
    const range = { min: low, max: high, step: "any", title: help };
    const slider = make("input", { type: "range", id, ...range, "aria-description": help });
    const number = make("input", { type: "number", ...range, "aria-label": label });
    const chosen = () => {
      const value = Math.round(slider.valueAsNumber / step) * step;
      return clamp(low, Number(value.toPrecision(6)), high);
    };
    const reset = make(
      "button",
      { class: "quiet reset", title: `Reset ${label}`, "aria-label": `Reset ${label}` },
      "↺",
    );
    const row = make(
      "div",
      { class: "control", id: `${id.replace(".", "-")}-row` },
      make("label", { for: id, title: help, text: label }),
      make("span", { class: "value" }, reset, number, make("span", { class: "unit", text: unit })),
      slider,
    );
    slider.addEventListener("input", () => this.change(key, chosen(), true, false, number));
    slider.addEventListener("change", () => this.change(key, chosen(), true, true, number));
    number.addEventListener("change", () => {
      if (number.value !== "" && number.validity.valid)
        this.change(key, Number(number.value), false, true, slider);
      else number.value = slider.value;
    });
    for (const element of [row.firstElementChild, slider])
      element?.addEventListener("dblclick", () => this.wish(key, null, false, true));
    reset.addEventListener("click", () => {
      this.wish(key, null, false, true);
      slider.focus();
    });
    this.rows.set(key, {
      show: ({ value, changed }) => {
        row.classList.toggle("changed", changed);
        if (document.activeElement !== slider || !slider.matches(":active"))
          slider.value = String(value);
        if (document.activeElement !== number) number.value = String(shown(value));
        slider.setAttribute("aria-valuetext", `${shown(value)} ${unit}`.trim());
      },
    });
    return row;
  }

  /**
   * @param {string} key @param {number} value @param {boolean} gesture @param {boolean} resting
   * @param {HTMLInputElement} other
   */
  change(key, value, gesture, resting, other) {
    other.value = String(shown(value));
    this.values.set(key, value);
    this.aperture.draw(this.values);
    this.wish(key, value, gesture, resting);
  }

  /** @param {{ [key: string]: Value }} values */
  show(values) {
    for (const [key, value] of Object.entries(values)) {
      this.values.set(key, value.value);
      this.rows.get(key)?.show(value);
    }
    this.aperture.draw(this.values);
  }
}

/** The next larger step of 1, 2, 5 times a power of ten. @param {number} step */
function niceStep(step) {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * ([1, 2, 5].find((each) => each * power >= step * 0.999) ?? 10);
}

/** @param {number} value */
function shown(value) {
  return Math.round(value * 100) / 100;
}
