/** What is under way, in a few words on the picture. */

import { byId } from "./dom.js";

const PATIENCE_MS = 500; // before it is said that something is under way
const MANY_LOSSES = 4;

export class Progress {
  constructor() {
    this.place = byId("progress");
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.losses = 0; // of the connection, one after another
  }

  /** @param {string} text empty: nothing is under way */
  show(text) {
    clearTimeout(this.timer);
    this.place.hidden = !text;
    this.place.textContent = text;
  }

  /** Say it if it takes a while. @param {string} text */
  soon(text) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(text), PATIENCE_MS);
  }

  /** @param {import("./socket.js").State} state */
  connection(state) {
    this.losses = state === "lost" ? this.losses + 1 : state === "open" ? 0 : this.losses;
    if (this.losses > MANY_LOSSES)
      this.show("The server does not answer. If it was started again, open its new link.");
    else this.show(this.losses ? "Connection lost; trying again…" : "");
  }
}
