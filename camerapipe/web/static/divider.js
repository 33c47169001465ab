/** The border between before and after, which is dragged or moved by keys. */

import { byId, clamp } from "./dom.js";

/** @type {{ [key: string]: number }} share of the width of the stage */
const STEPS = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 };

export class Divider {
  /** @param {import("./layers.js").Layers} layers */
  constructor(layers) {
    this.layers = layers;
    this.element = byId("divider");
    this.element.addEventListener("pointerdown", (event) =>
      this.element.setPointerCapture(event.pointerId),
    );
    this.element.addEventListener("pointermove", (event) => {
      if (!this.element.hasPointerCapture(event.pointerId)) return;
      const box = byId("stage").getBoundingClientRect();
      this.move((event.clientX - box.left) / box.width);
    });
    this.element.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.move(layers.border + step);
    });
    this.move(0.5);
  }

  /** @param {number} share of the width of the stage */
  move(share) {
    this.layers.border = clamp(0, share, 1);
    this.element.style.left = `${this.layers.border * 100}%`;
    this.element.setAttribute("aria-valuenow", String(Math.round(this.layers.border * 100)));
    this.layers.redraw();
  }

  /** @param {boolean} visible */
  show(visible) {
    this.element.hidden = !visible;
  }
}
