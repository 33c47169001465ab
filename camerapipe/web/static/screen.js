/**
 * The screen of the viewfinder: the picture, and what is laid over it.
 *
 * @typedef {import("./socket.js").Header} Header
 */

import { byId, context2d, decoded, inflated } from "./dom.js";

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
    this.came = 0; // number of the newest frame that came
    this.newest = 0; // number of the newest one that was decoded
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

  /** Forget the frame, and those that are being decoded. */
  clear() {
    this.newest = this.came + 1;
    this.sigma = null;
    for (const canvas of [this.picture, this.map, this.peaking]) resize(canvas, 1, 1);
  }

  /**
   * Draw a frame, unless a newer one is drawn; the promise ends when it is on the screen.
   * @param {Header} header
   * @param {Uint8Array<ArrayBuffer>} data a JPEG file, and codes of layers by zlib
   * @returns {Promise<void>}
   */
  async draw(header, data) {
    const number = ++this.came;
    const { map, peaking, picture_bytes } = header;
    const [picture, codes] = await Promise.all([
      decoded(data.subarray(0, picture_bytes)),
      map || peaking ? inflated(data.subarray(picture_bytes)) : new Uint8Array(),
    ]);
    if (number < this.newest) return;
    this.newest = number;
    resize(this.picture, picture.width, picture.height);
    this.box.style.setProperty("--ratio", String(header.frame[0] / header.frame[1]));
    context2d(this.picture, { alpha: false }).drawImage(picture, 0, 0);
    picture.close();
    let at = 0;
    this.sigma = null;
    if (map) {
      const { width, height, top_px: top } = map;
      this.sigma = { codes: codes.subarray(0, width * height), width, height, top };
      at = width * height;
      paint(this.map, this.sigma.codes, width, height, this.colours);
      byId("legend-top").textContent = top.toFixed(1);
    }
    if (peaking) paint(this.peaking, codes.subarray(at), peaking.width, peaking.height, this.peaks);
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
