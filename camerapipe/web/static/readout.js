/** What is known of the place under the pointer. */

import { byId } from "./dom.js";

/** @typedef {import("./socket.js").Header} Header */

const WAIT_MS = 40; // between two questions

export class Readout {
  /** @param {(x: number, y: number) => Promise<Header>} ask */
  constructor(ask) {
    this.ask = ask;
    this.element = byId("readout");
    /** @type {[number, number] | null} */
    this.point = null;
    this.waiting = false;
  }

  /** @param {[number, number] | null} point px of the photograph; null: none */
  at(point) {
    this.point = point;
    if (!point) this.element.hidden = true;
    else if (!this.waiting) {
      this.waiting = true;
      setTimeout(() => this.read(), WAIT_MS);
    }
  }

  async read() {
    const point = this.point;
    try {
      if (point) this.show(await this.ask(...point));
    } catch {
      // The connection was lost: there is nothing to read.
    }
    this.waiting = false;
    if (this.point && this.point !== point) this.at(this.point);
  }

  /** @param {Header} found */
  show({ sigma_px, radius_px }) {
    this.element.hidden = sigma_px === undefined || !this.point;
    const radius = radius_px === undefined ? "" : `, disk radius ${radius_px.toFixed(1)} px`;
    if (sigma_px !== undefined)
      this.element.textContent = `Blur ${sigma_px.toFixed(2)} px${radius}`;
  }
}
