/**
 * The photographs of a folder as a strip, with the verdict of the check.
 *
 * @typedef {{ name: string, thumbnail: boolean,
 *   verdict: { answer: string, message: string } | null }} Item
 */

import { byId, make } from "./dom.js";

const POLL_MS = 1200;

export class Strip {
  /** @param {number} count @param {(number: number) => void} open */
  constructor(count, open) {
    this.area = byId("strip");
    this.area.hidden = false;
    this.buttons = Array.from({ length: count }, (_, number) =>
      make("button", { onclick: () => open(number) }, make("span", { class: "blank" })),
    );
    this.area.replaceChildren(...this.buttons);
    void this.poll();
  }

  async poll() {
    try {
      const answer = await fetch("/studio/shelf");
      /** @type {Item[]} */
      const items = await answer.json();
      items.forEach((item, number) => this.show(item, number));
      if (items.every(({ verdict }) => verdict)) return;
    } catch {
      // The server is away for the moment; the next time may succeed.
    }
    setTimeout(() => this.poll(), POLL_MS);
  }

  /** @param {Item} item @param {number} number */
  show({ name, thumbnail, verdict }, number) {
    const button = this.buttons[number];
    const state = `${thumbnail} ${verdict?.answer}`;
    if (button.dataset.state === state) return;
    button.dataset.state = state;
    button.title = verdict ? `${name}: ${verdict.message}` : name;
    button.replaceChildren(
      thumbnail
        ? make("img", { src: `/studio/shelf/${number}/thumbnail`, alt: "", loading: "lazy" })
        : make("span", { class: "blank" }),
      make("span", { class: "file", text: name }),
    );
    if (verdict) button.append(make("span", { class: "chip", text: ANSWERS[verdict.answer] }));
  }

  /** @param {number} number */
  select(number) {
    this.buttons.forEach((button, each) =>
      button.setAttribute("aria-current", String(each === number)),
    );
    this.buttons[number]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

/** Whether there is defocus to magnify, in a word. @type {{ [answer: string]: string }} */
const ANSWERS = {
  yes: "ready",
  "a little": "little blur",
  "in doubt": "in doubt",
  no: "no blur",
  unreadable: "unreadable",
};
