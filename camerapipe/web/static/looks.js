/** The choice between looks: a row of radio buttons. */

import { byId, make } from "./dom.js";

const LOOKS = [
  { name: "lens", label: "Lens", help: "As a larger lens would have taken it." },
  { name: "portrait", label: "Portrait", help: "The subject is held sharp." },
];

export class Looks {
  /** @param {(look: string) => void} wish */
  constructor(wish) {
    this.buttons = LOOKS.map(({ name, label, help }) =>
      make("button", { role: "radio", title: help, onclick: () => wish(name), text: label }),
    );
    const row = make("div", { class: "segments", role: "radiogroup", "aria-label": "Look" });
    row.append(...this.buttons);
    byId("looks").replaceChildren(make("h2", { text: "Look" }), row);
  }

  /** @param {string | null} look null: the preset has none */
  show(look) {
    byId("looks").hidden = look === null;
    LOOKS.forEach(({ name }, k) =>
      this.buttons[k].setAttribute("aria-checked", String(name === look)),
    );
  }
}
