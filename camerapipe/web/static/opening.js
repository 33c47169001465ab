/** Opening photographs and recipes: a file dialog, drag and drop, the shelf of the server. */

import { byId } from "./dom.js";

/**
 * What happens to files.
 * @typedef {{ limitBytes: number, opened: (picture: string) => void,
 *   recipe: (file: File) => void, failed: (message: string) => void }} Ways
 */

export class Opening {
  constructor() {
    /** @type {Ways | null} */
    this.ways = null;
    /** @type {File | undefined} that was chosen before it was known what happens to it */
    this.waiting = undefined;
    /** @type {AbortController | null} of what is being opened */
    this.current = null;
    this.input = byId("file", HTMLInputElement);
    for (const id of ["choose", "open"])
      byId(id).addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => {
      this.upload(this.input.files?.[0]);
      this.input.value = "";
    });
    byId("busy-cancel").addEventListener("click", () => this.stop());
    this.listenToDrops();
  }

  /** Take files, and the one that waits; whether there is one. @param {Ways} ways */
  begin(ways) {
    const { waiting } = this;
    this.ways = ways;
    this.waiting = undefined;
    this.upload(waiting);
    return waiting !== undefined;
  }

  listenToDrops() {
    let inside = 0;
    const area = byId("drop");
    const hasFiles = (/** @type {DragEvent} */ event) =>
      event.dataTransfer?.types.includes("Files") ?? false;
    addEventListener("dragenter", (event) => {
      if (hasFiles(event)) area.hidden = ++inside === 0;
    });
    addEventListener("dragleave", (event) => {
      if (hasFiles(event)) area.hidden = --inside <= 0;
    });
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      inside = 0;
      area.hidden = true;
      this.upload(event.dataTransfer?.files[0]);
    });
  }

  /** @param {File | undefined} file */
  upload(file) {
    if (!file) return;
    if (!this.ways) {
      this.waiting = file;
      this.busy(`Opening ${file.name}…`);
      return;
    }
    if (file.name.toLowerCase().endsWith(".toml")) {
      this.ways.recipe(file);
      return;
    }
    const { limitBytes } = this.ways;
    if (file.size > limitBytes) {
      this.ways.failed(`${file.name} is larger than ${Math.round(limitBytes / 2 ** 20)} MB.`);
      return;
    }
    void this.open(`/studio/upload?name=${encodeURIComponent(file.name)}`, file.name, file);
  }

  /** @param {number} number of the shelf @param {string} name */
  take(number, name) {
    return this.open(`/studio/shelf/${number}/open`, name);
  }

  /** @param {string} address @param {string} name @param {File} [body] */
  async open(address, name, body) {
    this.stop();
    const current = new AbortController();
    this.current = current;
    this.busy(`Opening ${name}…`);
    try {
      const answer = await fetch(address, { method: "POST", body, signal: current.signal });
      const text = await answer.text();
      const data = answer.headers.get("content-type")?.includes("json") ? JSON.parse(text) : {};
      if (current !== this.current) return;
      if (data.picture) this.ways?.opened(data.picture);
      else this.ways?.failed(data.error ?? text);
    } catch (error) {
      if (current !== this.current) return;
      this.ways?.failed(`The server does not answer: ${/** @type {Error} */ (error).message}`);
    }
    if (current === this.current) this.busy("");
  }

  stop() {
    this.current?.abort();
    this.current = null;
    this.waiting = undefined;
    this.busy("");
  }

  /** @param {string} text */
  busy(text) {
    byId("busy").hidden = !text;
    byId("busy-text").textContent = text;
    document.body.classList.toggle("busy", Boolean(text));
  }
}
