/** The dialog for exports: what is asked for, progress, files. */

import { byId, make } from "./dom.js";

/** @typedef {import("./socket.js").Header} Header */

/** @type {{ [kind: string]: string }} */
const NAMES = { picture: "Picture", map: "Blur map", recipe: "Recipe", report: "Report" };

export class Exporting {
  /**
   * @param {{ name: string, bits: number[], lossy: boolean }[]} formats
   * @param {(asked: { [name: string]: any }) => Promise<Header>} start
   * @param {(number: string) => void} cancel
   */
  constructor(formats, start, cancel) {
    this.formats = formats;
    this.start = start;
    this.cancel = cancel;
    this.picture = ""; // number of the open photograph
    this.usualBits = "8"; // of the format, for this photograph
    this.deep = false; // whether it has more than 8 bits
    /** @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    /** @type {Set<string>} exports that this page asked for, whose files are saved at once */
    this.own = new Set();
    this.dialog = byId("export-dialog", HTMLDialogElement);
    this.format = byId("export-format", HTMLSelectElement);
    this.bits = byId("export-bits", HTMLSelectElement);
    this.quality = byId("export-quality", HTMLInputElement);
    this.list = byId("export-list");
    this.format.append(
      ...formats.map(({ name }) => make("option", { value: name, text: name.toUpperCase() })),
    );
    this.format.addEventListener("change", () => this.fit());
    this.quality.addEventListener(
      "input",
      () => (byId("quality-value").textContent = this.quality.value),
    );
    byId("export-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.go();
    });
    byId("export-close").addEventListener("click", () => this.dialog.close());
    this.fit();
  }

  /** @param {string} picture @param {boolean} deep */
  setPicture(picture, deep) {
    if (picture !== this.picture) {
      this.rows.clear();
      this.list.replaceChildren();
    }
    this.picture = picture;
    this.deep = deep;
    this.fit();
  }

  open() {
    if (!this.dialog.open) this.dialog.showModal();
    byId("export-go").focus();
  }

  /** Offer what the format has. */
  fit() {
    const format = this.formats.find(({ name }) => name === this.format.value);
    if (!format) return;
    byId("quality-field").hidden = !format.lossy;
    byId("bits-field").hidden = format.bits.length < 2;
    const wanted = this.deep
      ? Math.max(...format.bits.filter((each) => each <= 16))
      : format.bits[0];
    this.usualBits = String(wanted);
    this.bits.replaceChildren(
      ...format.bits.map((each) =>
        make("option", { value: each, text: each, selected: each === wanted }),
      ),
    );
  }

  async go() {
    const checked = this.dialog.querySelectorAll('input[name="kind"]:checked');
    const kinds = [...checked].map((each) => /** @type {HTMLInputElement} */ (each).value);
    const format = this.formats.find(({ name }) => name === this.format.value);
    const asked = {
      kinds,
      format: this.format.value,
      strip_gps: byId("export-gps", HTMLInputElement).checked,
      // What is not changed is left to the server, as on the command line.
      ...(this.bits.value === this.usualBits ? {} : { bits: Number(this.bits.value) }),
      ...(format?.lossy && this.quality.value !== this.quality.defaultValue
        ? { quality: Number(this.quality.value) }
        : {}),
    };
    const row = make("li", {});
    this.list.prepend(row);
    row.append(make("p", { text: kinds.length ? "Starts…" : "Choose a file above." }));
    if (!kinds.length) return;
    try {
      const { export: number } = await this.start(asked);
      this.own.add(number);
      this.rows.set(number, row);
    } catch (error) {
      row.replaceChildren(make("p", { class: "bad", text: /** @type {Error} */ (error).message }));
    }
  }

  /** Show how an export goes. @param {Header} message */
  show(message) {
    let row = this.rows.get(message.export);
    if (!row) {
      row = make("li", {}); // of another page, or of this one before it was loaded anew
      this.rows.set(message.export, row);
      this.list.prepend(row);
    }
    if (message.files) this.done(row, message);
    else if (message.error || message.cancelled)
      row.replaceChildren(make("p", { text: message.error ?? "Cancelled." }));
    else this.advance(row, message);
  }

  /** @param {HTMLElement} row @param {Header} message */
  advance(row, { export: number, stage, part, waits }) {
    let bar = row.querySelector("progress");
    if (!bar) {
      bar = make("progress", { max: 1, value: 0, "aria-label": "Progress of the export" });
      const cancel = () => this.cancel(number);
      row.replaceChildren(
        make(
          "p",
          { class: "row" },
          make("span", {}),
          make("button", { class: "small", text: "Cancel", onclick: cancel }),
        ),
        bar,
      );
    }
    bar.value = part ?? 0;
    const text = waits ? "Waits for its turn" : stage.replaceAll("_", " ");
    const label = row.querySelector("span");
    if (label) label.textContent = text;
  }

  /** @param {HTMLElement} row @param {Header} message */
  done(row, { export: number, files, verdict, notes }) {
    const links = files.map((/** @type {{ kind: string, name: string, bytes: number }} */ file) => {
      const address = `/studio/pictures/${this.picture}/exports/${number}/${file.kind}`;
      const size = `${NAMES[file.kind]}, ${bytes(file.bytes)}`;
      const link = make("a", { href: address, download: file.name, text: file.name });
      return {
        link,
        row: make("p", { class: "row" }, link, make("span", { class: "soft small", text: size })),
      };
    });
    row.replaceChildren(
      ...links.map((/** @type {{ row: HTMLElement }} */ each) => each.row),
      make("p", { class: "soft small", text: [verdict, ...notes].join(". ") }),
    );
    if (this.own.delete(number)) for (const { link } of links) link.click();
  }
}

/** @param {number} count */
function bytes(count) {
  if (count < 1e6) return `${Math.max(Math.round(count / 1e3), 1)} kB`;
  return `${(count / 1e6).toFixed(1)} MB`;
}
