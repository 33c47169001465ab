/** Small helpers to find and to make elements. */

/**
 * The element of an id; it is an error of the page if there is none of this kind.
 * @template {HTMLElement} T
 * @param {string} id @param {new () => T} kind such as HTMLInputElement
 * @returns {T}
 */
export function byId(id, kind = /** @type {any} */ (HTMLElement)) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`there is no #${id}`);
  return found;
}

/**
 * A new element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {{ [name: string]: any }} [properties] attributes, `on…` listeners, `text`
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null)
      element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/** An icon of the page's sprite. @param {string} name */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** @param {number} low @param {number} value @param {number} high */
export function clamp(low, value, high) {
  return Math.min(Math.max(value, low), high);
}

/** The 2D context of a canvas. @param {HTMLCanvasElement} canvas */
export function context2d(canvas, settings = {}) {
  const context = canvas.getContext("2d", settings);
  if (!context) throw new Error("this browser has no canvas");
  return /** @type {CanvasRenderingContext2D} */ (context);
}

/** The picture of a JPEG file. @param {Uint8Array<ArrayBuffer>} data */
export function decoded(data) {
  return createImageBitmap(new Blob([data], { type: "image/jpeg" }));
}

/** Bytes that were compressed by zlib. @param {Uint8Array<ArrayBuffer>} data */
export async function inflated(data) {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
