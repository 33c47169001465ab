/**
 * Findings and errors in plain words, above the picture.
 *
 * @typedef {{ code: string, severity: string, message: string }} Finding
 */

import { byId, make } from "./dom.js";

const ORDER = ["blocking", "warning"]; // what only informs stands in the details

export class Notes {
  /** @param {() => void} goOn asked for after a blocking finding */
  constructor(goOn) {
    this.goOn = goOn;
    this.area = byId("notes");
    /** @type {string} what is shown, so that it is read out only when it changes */
    this.shown = "";
    this.error = "";
    /** @type {Finding[]} */
    this.findings = [];
    this.blocked = false;
  }

  clear() {
    this.findings = [];
    this.error = "";
    this.show();
  }

  /** @param {Finding[]} findings @param {boolean} blocked whether the picture is left untouched */
  setFindings(findings, blocked) {
    this.findings = findings;
    this.blocked = blocked;
    byId("check-list").replaceChildren(
      ...findings.map(({ message }) => make("li", { text: message })),
    );
    this.show();
  }

  /** @param {string} message empty: none */
  setError(message) {
    this.error = message;
    this.show();
  }

  show() {
    const told = this.findings
      .filter((each) => ORDER.includes(each.severity))
      .sort((one, other) => ORDER.indexOf(one.severity) - ORDER.indexOf(other.severity));
    const state = JSON.stringify([this.error, told, this.blocked]);
    if (state === this.shown) return;
    this.shown = state;
    const notes = told.map((finding, place) => this.note(finding, this.blocked && place === 0));
    if (this.error) notes.unshift(this.errorNote());
    this.area.replaceChildren(...notes);
  }

  errorNote() {
    return make(
      "div",
      { class: "note error" },
      make("p", { text: this.error }),
      make("button", { class: "small", onclick: () => this.setError(""), text: "Dismiss" }),
    );
  }

  /** @param {Finding} finding @param {boolean} blocks */
  note({ severity, message }, blocks) {
    const text = blocks ? `${message} The picture is left as it is.` : message;
    const note = make(
      "div",
      { class: `note ${blocks ? severity : "warning"}` },
      make("p", { text }),
    );
    if (blocks)
      note.append(make("button", { class: "small", onclick: this.goOn, text: "Go on anyway" }));
    return note;
  }
}
