/** Before and after: whether they are compared, and the divider between them. */

import { Divider } from "./divider.js";
import { byId } from "./dom.js";

export class Comparing {
  /** @param {import("./layers.js").Layers} layers @param {() => void} changed */
  constructor(layers, changed) {
    this.layers = layers;
    this.changed = changed;
    this.divider = new Divider(layers);
    this.paused = false; // while a brush is used
    this.blocked = false; // the picture is left untouched, so that there is nothing to compare
  }

  get on() {
    return this.layers.comparing;
  }

  /** @param {boolean} on */
  set(on) {
    this.layers.comparing = on;
    byId("compare").setAttribute("aria-pressed", String(on));
    this.show();
    this.changed();
  }

  /** With a brush, the result is seen everywhere. @param {string} tool */
  toolSelected(tool) {
    if (tool === "move") {
      if (this.paused) this.set(true);
      this.paused = false;
    } else if (this.on) {
      this.paused = true;
      this.set(false);
    }
  }

  /** @param {boolean} blocked */
  block(blocked) {
    this.blocked = blocked;
    this.show();
  }

  show() {
    this.divider.show(this.on && !this.blocked);
  }
}
