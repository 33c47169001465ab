/**
 * The picture on the stage: before and after, parts of the full-size result, the blur map over it.
 *
 * @typedef {import("./socket.js").Header} Header
 * @typedef {{ canvas: HTMLCanvasElement, part: number[], revision: number }} Tile
 */

import { clamp, context2d, decoded } from "./dom.js";

const HATCH_PX = 7;
// Viridis at equal steps, dark to light (matplotlib, CC0).
const RAMP = [
  [68, 1, 84],
  [72, 40, 120],
  [62, 74, 137],
  [49, 104, 142],
  [38, 130, 142],
  [31, 158, 137],
  [53, 183, 121],
  [110, 206, 88],
  [181, 222, 43],
  [253, 231, 37],
];

/** Colours of the codes 0 to 255. */
const COLOURS = Array.from({ length: 256 }, (_, code) => {
  const at = (code / 255) * (RAMP.length - 1);
  const low = Math.min(Math.floor(at), RAMP.length - 2);
  return RAMP[low].map((value, k) => Math.round(value + (RAMP[low + 1][k] - value) * (at - low)));
});

export class Layers {
  /** @param {HTMLCanvasElement} canvas @param {import("./view.js").View} view */
  constructor(canvas, view) {
    this.canvas = canvas;
    this.view = view;
    /** @type {ImageBitmap | null} */
    this.before = null;
    /** @type {ImageBitmap | null} */
    this.after = null;
    this.photograph = 0; // number of the one that is shown
    this.came = 0; // number of the newest picture that came
    this.newest = 0; // number of the newest one that was decoded
    /** @type {{ [which: string]: Tile | null }} */
    this.tiles = { before: null, after: null };
    /** @type {{ colours: HTMLCanvasElement, unsure: HTMLCanvasElement } | null} */
    this.map = null;
    this.mapShown = false;
    this.opacity = 0.7;
    this.comparing = true;
    this.peeking = false; // the photograph as it was, while a key is held
    this.border = 0.5; // between before and after, of the width of the stage
    this.revision = -1;
    this.space = /** @type {PredefinedColorSpace} */ ("srgb");
    /** @type {[number, number] | null} */
    this.focus = null;
    this.due = false;
    /** @type {(() => void)[]} */
    this.drawn = [];
  }

  /** Forget the photograph. */
  clear() {
    this.photograph += 1;
    this.before = this.after = this.map = null;
    this.tiles = { before: null, after: null };
    this.revision = -1;
    this.focus = null;
    this.redraw();
  }

  /** @param {Header} header @param {Uint8Array<ArrayBuffer>} data @param {HTMLCanvasElement | null} [reused] */
  canvasOf(header, data, reused = null) {
    const { width, height, space } = header;
    const fits = reused?.width === width && reused?.height === height;
    const canvas = fits && reused ? reused : document.createElement("canvas");
    if (canvas !== reused) [canvas.width, canvas.height] = [width, height];
    const context = context2d(canvas, { colorSpace: space, alpha: false });
    context.putImageData(pixels(header, data), 0, 0);
    this.space = space;
    return canvas;
  }

  /** @param {Header} header @param {Uint8Array<ArrayBuffer>} data */
  async setBefore(header, data) {
    const photograph = this.photograph;
    const picture = await bitmapOf(header, data);
    if (photograph !== this.photograph) return;
    this.before = picture;
    this.space = header.space;
    this.redraw();
  }

  /**
   * Returns whether it is shown: pictures that are decoded after newer ones are not.
   * @param {Header} header @param {Uint8Array<ArrayBuffer>} data
   * @returns {Promise<boolean>}
   */
  async setAfter(header, data) {
    const { photograph } = this;
    const number = ++this.came;
    const picture = await bitmapOf(header, data);
    if (photograph !== this.photograph || number < this.newest) return false;
    this.newest = number;
    this.after = picture;
    this.space = header.space;
    this.revision = header.revision;
    this.redraw();
    return true;
  }

  /** @param {Header} header @param {Uint8Array<ArrayBuffer>} data */
  setTile(header, data) {
    const canvas = this.canvasOf(header, data, this.tiles[header.which]?.canvas);
    this.tiles[header.which] = { canvas, part: header.part, revision: header.revision };
    this.redraw();
  }

  /** @param {Header} header @param {Uint8Array<ArrayBuffer>} data codes, then where it is unsure */
  setMap(header, data) {
    const { width, height } = header;
    this.map = null;
    if (width) {
      const colours = new ImageData(width, height);
      const unsure = new ImageData(width, height);
      const count = width * height;
      for (let k = 0, at = 0; k < count; k++, at += 4) {
        const colour = COLOURS[data[k]];
        colours.data[at] = colour[0];
        colours.data[at + 1] = colour[1];
        colours.data[at + 2] = colour[2];
        colours.data[at + 3] = 255;
        unsure.data[at + 3] = data[count + k] ? 255 : 0;
      }
      this.map = { colours: painted(colours), unsure: painted(unsure) };
    }
    this.redraw();
  }

  /** @param {[number, number] | null} point of the photograph */
  setFocus(point) {
    if (String(point) === String(this.focus)) return;
    this.focus = point;
    this.redraw();
  }

  redraw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.draw();
      // In the task after this frame: the server waits for it with further work.
      for (const done of this.drawn.splice(0)) setTimeout(done);
    });
  }

  /** When what was set by now is on the screen. @returns {Promise<void>} */
  settled() {
    return this.due ? new Promise((resolve) => this.drawn.push(resolve)) : Promise.resolve();
  }

  draw() {
    const { view, canvas } = this;
    const width = Math.round(view.stage.clientWidth * view.ratio);
    const height = Math.round(view.stage.clientHeight * view.ratio);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const context = context2d(canvas, { colorSpace: this.space });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = view.zoom < 2;
    context.imageSmoothingQuality = view.zoom < 0.7 ? "high" : "medium";
    const after = this.peeking ? this.before : (this.after ?? this.before);
    this.drawSide(context, after, this.peeking ? "before" : "after");
    if (this.map && this.mapShown && !this.peeking) this.drawMap(context);
    if (this.comparing && !this.peeking && this.after && this.before) {
      context.save();
      context.beginPath();
      context.rect(0, 0, Math.round(this.border * width), height);
      context.clip();
      this.drawSide(context, this.before, "before");
      context.restore();
    }
    if (this.focus) this.drawFocus(context, this.focus);
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {ImageBitmap | null} picture
   * @param {string} which
   */
  drawSide(context, picture, which) {
    if (!picture) return;
    const { view } = this;
    const place = (/** @type {number[]} */ [x, y, width, height]) =>
      /** @type {[number, number, number, number]} */ ([
        Math.round((view.left + x * view.scale) * view.ratio),
        Math.round((view.top + y * view.scale) * view.ratio),
        width * view.zoom,
        height * view.zoom,
      ]);
    context.drawImage(picture, ...place([0, 0, view.width, view.height]));
    const tile = this.tiles[which];
    const current = which === "before" || tile?.revision === this.revision;
    if (tile && current && view.zoom > 0.99 * (picture.width / view.width))
      context.drawImage(tile.canvas, ...place(tile.part));
  }

  /** @param {CanvasRenderingContext2D} context */
  drawMap(context) {
    const { view, map } = this;
    if (!map) return;
    const box = /** @type {[number, number, number, number]} */ ([
      view.left * view.ratio,
      view.top * view.ratio,
      view.width * view.zoom,
      view.height * view.zoom,
    ]);
    context.globalAlpha = this.opacity;
    context.drawImage(map.colours, ...box);
    const hatched = document.createElement("canvas");
    hatched.width = context.canvas.width;
    hatched.height = context.canvas.height;
    const over = context2d(hatched);
    over.fillStyle = hatching(over, HATCH_PX * view.ratio);
    over.fillRect(0, 0, hatched.width, hatched.height);
    over.globalCompositeOperation = "destination-in";
    over.drawImage(map.unsure, ...box);
    context.drawImage(hatched, 0, 0);
    context.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} context @param {[number, number]} point */
  drawFocus(context, point) {
    const [x, y] = this.view.toStage(...point).map((at) => at * this.view.ratio);
    const r = 14 * this.view.ratio;
    for (const [colour, width] of /** @type {[string, number][]} */ ([
      ["rgb(0 0 0 / 60%)", 4],
      ["#fff", 1.75],
    ])) {
      context.strokeStyle = colour;
      context.lineWidth = width * this.view.ratio;
      context.beginPath();
      for (const [across, down] of [
        [-1, -1],
        [1, -1],
        [1, 1],
        [-1, 1],
      ]) {
        context.moveTo(x + across * r, y + down * r * 0.45);
        context.lineTo(x + across * r, y + down * r);
        context.lineTo(x + across * r * 0.45, y + down * r);
      }
      context.stroke();
    }
  }
}

/** @param {Header} header @param {Uint8Array<ArrayBuffer>} data RGBA */
function pixels({ width, height, space }, data) {
  const codes = new Uint8ClampedArray(data.buffer, data.byteOffset, data.length);
  return new ImageData(codes, width, height, { colorSpace: space });
}

/** @param {Header} header @param {Uint8Array<ArrayBuffer>} data RGBA, or a JPEG file */
function bitmapOf(header, data) {
  return header.coding === "jpeg" ? decoded(data) : createImageBitmap(pixels(header, data));
}

/** @param {ImageData} data */
function painted(data) {
  const canvas = document.createElement("canvas");
  canvas.width = data.width;
  canvas.height = data.height;
  context2d(canvas).putImageData(data, 0, 0);
  return canvas;
}

/** Diagonal lines, light and dark, so that they are seen on all colours. */
function hatching(/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ size) {
  const cell = document.createElement("canvas");
  cell.width = cell.height = Math.round(size);
  const draw = context2d(cell);
  for (const [colour, shift] of /** @type {[string, number][]} */ ([
    ["rgb(255 255 255 / 75%)", 0],
    ["rgb(0 0 0 / 45%)", 0.2],
  ])) {
    draw.strokeStyle = colour;
    draw.lineWidth = cell.width / 8;
    draw.beginPath();
    for (const turn of [-1, 0, 1]) {
      const at = (turn + shift) * cell.width;
      draw.moveTo(at, cell.width);
      draw.lineTo(at + cell.width, 0);
    }
    draw.stroke();
  }
  return /** @type {CanvasPattern} */ (context.createPattern(cell, "repeat"));
}

/** The colours of the map from 0 to its largest value. @param {HTMLCanvasElement} canvas */
export function drawRamp(canvas) {
  const context = context2d(canvas);
  for (let x = 0; x < canvas.width; x++) {
    const code = clamp(0, Math.round((x / (canvas.width - 1)) * 255), 255);
    context.fillStyle = `rgb(${COLOURS[code].join(" ")})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
}
