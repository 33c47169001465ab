/** Keys of the studio, each with what it does in words. */

import { byId, make } from "./dom.js";

/**
 * @typedef {{ keys: string[], label: string, shown: string, act: () => void, up?: () => void }} Key
 * `keys` are values of `KeyboardEvent.key` in lower case, with "ctrl+" and "shift+" before them.
 */

/** @param {KeyboardEvent} event */
function nameOf(event) {
  const key = event.key.toLowerCase();
  const shift = event.shiftKey && (key.length > 1 || /[a-z]/.test(key)) ? "shift+" : "";
  return `${event.ctrlKey || event.metaKey ? "ctrl+" : ""}${shift}${key}`;
}

/**
 * @param {Key[]} keys @param {(event: KeyboardEvent) => boolean} first what takes a key before them
 * @param {() => boolean} active
 */
export function listen(keys, first, active) {
  const known = new Map(keys.flatMap((key) => key.keys.map((name) => [name, key])));
  addEventListener("keydown", (event) => {
    if (!active() || event.altKey) return;
    const target = /** @type {HTMLElement} */ (event.target);
    const types = target.matches(
      'input:not([type="range"], [type="checkbox"], [type="radio"]), select',
    );
    if (types && !event.ctrlKey && !event.metaKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === " " && target.matches("button, a")) return; // it presses them
    if (first(event)) {
      event.preventDefault();
      return;
    }
    const key = known.get(nameOf(event));
    const arrows = event.key.startsWith("Arrow");
    if (!key || (arrows && target.id !== "picture")) return;
    event.preventDefault();
    key.act();
  });
  addEventListener("keyup", (event) => known.get(event.key.toLowerCase())?.up?.());
  byId("help-list").replaceChildren(
    ...keys.flatMap(({ shown, label }) => [
      make("dt", {}, ...shown.split(" ").map((each) => make("kbd", { text: each }))),
      make("dd", { text: label }),
    ]),
  );
}
