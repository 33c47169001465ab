/** Opening photographs: a file dialog, drag and drop, the shelf of the server. */

import { byId } from "./dom.js";

export class Opening {
  /**
   * @param {number} limitBytes @param {(picture: string) => void} opened
   * @param {(message: string) => void} failed
   */
  constructor(limitBytes, opened, failed) {
    this.limitBytes = limitBytes;
    this.opened = opened;
    this.failed = failed;
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
    if (file.size > this.limitBytes) {
      this.failed(`${file.name} is larger than ${Math.round(this.limitBytes / 2 ** 20)} MB.`);
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
      if (data.picture) this.opened(data.picture);
      else this.failed(data.error ?? text);
    } catch (error) {
      if (current !== this.current) return;
      this.failed(`The server does not answer: ${/** @type {Error} */ (error).message}`);
    }
    if (current === this.current) this.busy("");
  }

  stop() {
    this.current?.abort();
    this.current = null;
    this.busy("");
  }

  /** @param {string} text */
  busy(text) {
    byId("busy").hidden = !text;
    byId("busy-text").textContent = text;
    document.body.classList.toggle("busy", Boolean(text));
  }
}
