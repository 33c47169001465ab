/** The list of corrections beside the picture. */

import { byId, icon, make } from "./dom.js";
import { KINDS } from "./strokes.js";

/** @typedef {import("./strokes.js").Stroke} Stroke */

export class StrokeList {
  /**
   * @param {(strokes: Stroke[]) => void} replace
   * @param {() => void} unfocus
   */
  constructor(replace, unfocus) {
    this.replace = replace;
    this.unfocus = unfocus;
    byId("stroke-clear").addEventListener("click", () => replace([]));
  }

  /** @param {Stroke[]} strokes @param {[number, number] | null} focus */
  show(strokes, focus) {
    const rows = strokes.map((stroke, place) => {
      const { label, colour } = KINDS[stroke.kind];
      const amount = stroke.kind === "sigma" ? ` ${stroke.sigma_px} px` : "";
      const rest = () => this.replace(strokes.filter((_, k) => k !== place));
      return row(`${label}${amount}`, colour, rest);
    });
    if (focus) rows.unshift(row("Focus point", "var(--ink)", this.unfocus));
    byId("strokes").hidden = rows.length === 0;
    byId("stroke-clear").hidden = strokes.length < 2;
    byId("stroke-list").replaceChildren(...rows);
  }
}

/** @param {string} label @param {string} colour @param {() => void} remove */
function row(label, colour, remove) {
  const swatch = make("span", { class: "swatch" });
  swatch.style.background = colour;
  const button = make(
    "button",
    { class: "quiet square", title: `Remove: ${label}`, "aria-label": `Remove: ${label}` },
    icon("close"),
  );
  button.addEventListener("click", remove);
  return make("li", {}, swatch, make("span", { text: label }), button);
}
