/** The list of corrections beside the picture. */

import { byId, icon, make } from "./dom.js";
import { KINDS } from "./strokes.js";

/** @typedef {import("./strokes.js").Stroke} Stroke */

export class StrokeList {
  /** @param {(strokes: Stroke[]) => void} replace */
  constructor(replace) {
    this.replace = replace;
    byId("stroke-clear").addEventListener("click", () => replace([]));
  }

  /** @param {Stroke[]} strokes */
  show(strokes) {
    byId("strokes").hidden = strokes.length === 0;
    byId("stroke-list").replaceChildren(
      ...strokes.map((stroke, place) => {
        const { label, colour } = KINDS[stroke.kind];
        const amount = stroke.kind === "sigma" ? ` ${stroke.sigma_px} px` : "";
        const swatch = make("span", { class: "swatch" });
        swatch.style.background = colour;
        const remove = make(
          "button",
          {
            class: "quiet square",
            title: "Remove",
            "aria-label": `Remove correction ${place + 1}, ${label}`,
            onclick: () => this.replace(strokes.filter((_, k) => k !== place)),
          },
          icon("close"),
        );
        return make("li", {}, swatch, make("span", { text: `${label}${amount}` }), remove);
      }),
    );
  }
}
