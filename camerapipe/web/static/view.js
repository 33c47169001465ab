/**
 * Which part of a photograph is seen, and how large: zoom, pan, and the way between places on the
 * stage (CSS px) and pixels of the photograph.
 */

import { clamp } from "./dom.js";

const LARGEST = 16; // device px per px of the photograph
const STEP = 1.25;
const MARGINS = { top: 12, side: 12, bottom: 84 }; // CSS px; the tools are below

export class View {
  /** @param {HTMLElement} stage @param {() => void} changed */
  constructor(stage, changed) {
    this.stage = stage;
    this.changed = changed;
    this.width = 1;
    this.height = 1;
    this.scale = 1; // CSS px per px of the photograph
    this.left = 0;
    this.top = 0;
    this.fitted = true;
    new ResizeObserver(() => (this.fitted ? this.fit() : this.keep())).observe(stage);
  }

  get ratio() {
    return window.devicePixelRatio || 1;
  }
  /** Device px per px of the photograph. */
  get zoom() {
    return this.scale * this.ratio;
  }
  /** Room that a whole photograph has: what lies over the stage covers nothing of it. */
  get room() {
    const { clientWidth, clientHeight } = this.stage;
    const { top, side, bottom } = MARGINS;
    return [Math.max(clientWidth - 2 * side, 1), Math.max(clientHeight - top - bottom, 1)];
  }
  get fitScale() {
    const [width, height] = this.room;
    return Math.min(width / this.width, height / this.height, LARGEST / this.ratio);
  }

  /** @param {number} width @param {number} height */
  show(width, height) {
    this.width = width;
    this.height = height;
    this.fit();
  }

  fit() {
    this.fitted = true;
    this.scale = this.fitScale;
    this.keep();
  }

  /** Zoom so that the place (x, y) of the stage stays. @param {number} zoom device px per px */
  zoomTo(zoom, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const smallest = Math.min(this.fitScale, 1 / this.ratio);
    const scale = clamp(smallest, zoom / this.ratio, LARGEST / this.ratio);
    const factor = scale / this.scale;
    this.left = x - (x - this.left) * factor;
    this.top = y - (y - this.top) * factor;
    this.scale = scale;
    this.fitted = Math.abs(scale / this.fitScale - 1) < 1e-6;
    this.keep();
  }

  /** @param {number} steps @param {number} [x] @param {number} [y] */
  zoomBy(steps, x, y) {
    this.zoomTo(this.zoom * STEP ** steps, x, y);
  }

  /** @param {number} x @param {number} y */
  pan(x, y) {
    this.left += x;
    this.top += y;
    this.keep();
  }

  /** Keep the photograph on the stage, and its pixels on those of the screen. */
  keep() {
    const [width, height] = this.room;
    const { top, side } = MARGINS;
    this.left = this.kept(this.left, this.width * this.scale, side, width);
    this.top = this.kept(this.top, this.height * this.scale, top, height);
    this.changed();
  }

  /** @param {number} start @param {number} size @param {number} low @param {number} room */
  kept(start, size, low, room) {
    const inside = size <= room ? low + (room - size) / 2 : clamp(low + room - size, start, low);
    return Math.round(inside * this.ratio) / this.ratio;
  }

  /**
   * Pixel of the photograph at a place of the stage; centres of pixels are whole numbers.
   * @param {number} x @param {number} y @returns {[number, number]}
   */
  toPicture(x, y) {
    return [(x - this.left) / this.scale - 0.5, (y - this.top) / this.scale - 0.5];
  }

  /** @param {number} x @param {number} y @returns {[number, number]} */
  toStage(x, y) {
    return [(x + 0.5) * this.scale + this.left, (y + 0.5) * this.scale + this.top];
  }

  /** @param {number} x @param {number} y */
  isInside(x, y) {
    return x >= -0.5 && y >= -0.5 && x < this.width - 0.5 && y < this.height - 0.5;
  }

  /** Visible part of the photograph: x, y, width, height in whole px. */
  get part() {
    const x = clamp(0, Math.floor(-this.left / this.scale), this.width - 1);
    const y = clamp(0, Math.floor(-this.top / this.scale), this.height - 1);
    const right = Math.ceil((this.stage.clientWidth - this.left) / this.scale);
    const bottom = Math.ceil((this.stage.clientHeight - this.top) / this.scale);
    return [x, y, clamp(1, right, this.width) - x, clamp(1, bottom, this.height) - y];
  }
}
