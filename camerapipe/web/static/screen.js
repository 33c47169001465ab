/**
 * The screen of the viewfinder: the picture, and what is laid over it.
 *
 * @typedef {import("./socket.js").Header} Header
 */

import { byId, context2d } from "./dom.js";

const PEAK = [255, 64, 160]; // colour of what is in focus; rare in photographs
const LEAST_PEAK = 77; // code of the confidence from which a place counts

export class Screen {
  constructor() {
    this.box = byId("screen");
    this.picture = /** @type {HTMLCanvasElement} */ (byId("picture"));
    this.map = /** @type {HTMLCanvasElement} */ (byId("map-layer"));
    this.peaking = /** @type {HTMLCanvasElement} */ (byId("peaking-layer"));
    /** Colours of the codes of a map, as RGBA in one number. */
    this.colours = new Uint32Array(256);
    const peak = PEAK[0] | (PEAK[1] << 8) | (PEAK[2] << 16);
    /** Colours of the codes of focus peaking: the clearer, the more opaque. */
    this.peaks = Uint32Array.from({ length: 256 }, (_, code) =>
      code < LEAST_PEAK ? 0 : (peak | (code << 24)) >>> 0,
    );
    /** @type {{ codes: Uint8Array, width: number, height: number, top: number } | null} */
    this.sigma = null;
  }

  /** @param {Uint8Array} palette 256 times RGB */
  setPalette(palette) {
    for (let code = 0; code < 256; code++) {
      const [red, green, blue] = palette.subarray(3 * code, 3 * code + 3);
      this.colours[code] = (red | (green << 8) | (blue << 16) | (255 << 24)) >>> 0;
    }
    const bar = /** @type {HTMLCanvasElement} */ (byId("legend-bar"));
    const codes = Uint8Array.from({ length: bar.width * bar.height }, (_, k) =>
      Math.round(((k % bar.width) / (bar.width - 1)) * 255),
    );
    paint(bar, codes, bar.width, bar.height, this.colours);
  }

  /**
   * Draw a frame; the promise ends when it is on the screen.
   * @param {Header} header @param {Uint8Array<ArrayBuffer>} data
   * @returns {Promise<void>}
   */
  async draw(header, data) {
    const { width, height, map, peaking } = header;
    const size = 4 * width * height;
    resize(this.picture, width, height);
    this.box.style.setProperty("--ratio", String(header.frame[0] / header.frame[1]));
    const pixels = new Uint8ClampedArray(data.buffer, data.byteOffset, size);
    context2d(this.picture, { alpha: false }).putImageData(
      new ImageData(pixels, width, height),
      0,
      0,
    );
    let at = size;
    this.sigma = null;
    if (map) {
      const codes = data.subarray(at, at + map.width * map.height);
      at += codes.length;
      paint(this.map, codes, map.width, map.height, this.colours);
      this.sigma = { codes, width: map.width, height: map.height, top: map.top_px };
      byId("legend-top").textContent = map.top_px.toFixed(1);
    }
    if (peaking) {
      const codes = data.subarray(at, at + peaking.width * peaking.height);
      paint(this.peaking, codes, peaking.width, peaking.height, this.peaks);
    }
    this.map.hidden = !map;
    byId("legend").hidden = !map;
    this.peaking.hidden = !peaking;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }

  /** Sigma under the pointer in px, if the map is shown. @param {PointerEvent} event */
  sigmaAt(event) {
    if (!this.sigma) return null;
    const box = this.box.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * this.sigma.width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * this.sigma.height);
    if (x < 0 || y < 0 || x >= this.sigma.width || y >= this.sigma.height) return null;
    return (this.sigma.codes[y * this.sigma.width + x] * this.sigma.top) / 255;
  }
}

/** @param {HTMLCanvasElement} canvas @param {number} width @param {number} height */
function resize(canvas, width, height) {
  if (canvas.width === width && canvas.height === height) return;
  canvas.width = width;
  canvas.height = height;
}

/**
 * Draw codes in their colours.
 * @param {HTMLCanvasElement} canvas @param {Uint8Array} codes @param {number} width
 * @param {number} height @param {Uint32Array} colours
 */
function paint(canvas, codes, width, height, colours) {
  resize(canvas, width, height);
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let k = 0; k < codes.length; k++) pixels[k] = colours[codes[k]];
  context2d(canvas).putImageData(image, 0, 0);
}
