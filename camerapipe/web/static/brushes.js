/**
 * The tools on the stage: move, focus, brushes, eraser. A line is drawn the moment it is made, on a
 * canvas of its own, and sent while it grows.
 *
 * @typedef {import("./strokes.js").Stroke} Stroke
 * @typedef {import("./strokes.js").Point} Point
 */

import { byId, clamp, context2d, icon, make } from "./dom.js";
import { erased, KINDS, simplified, trace } from "./strokes.js";

/** @type {{ [kind: string]: string }} */
const KEYS = { sharp: "S", blurred: "B", sigma: "A", foreground: "N" };
const TOOLS = [
  { name: "move", label: "Move", key: "V", hint: "" },
  { name: "focus", label: "Focus", key: "F", hint: "Click on what should be in focus." },
  ...Object.entries(KINDS).map(([name, { label, hint }]) => ({
    name,
    label,
    key: KEYS[name],
    hint,
  })),
  { name: "eraser", label: "Erase", key: "E", hint: "Erase corrections that you have drawn." },
];
const SLACK_PX = 0.4; // on the screen: how far a line may be from what was drawn
/** @type {{ [key: string]: [number, number] }} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const FADED = 0.3; // opacity of strokes whose result is seen
const KEY_STEP = 12; // CSS px that an arrow key moves a brush

export class Brushes {
  /**
   * @param {import("./view.js").View} view
   * @param {{ stroke: (stroke: Stroke, resting: boolean) => void,
   *   replace: (strokes: Stroke[]) => void, focus: (point: Point) => void,
   *   say: (text: string) => void, selected: (tool: string) => void }} wishes
   */
  constructor(view, wishes) {
    this.view = view;
    this.wishes = wishes;
    this.canvas = byId("ink", HTMLCanvasElement);
    this.picture = byId("picture");
    this.width = byId("width", HTMLInputElement);
    this.sigma = byId("sigma", HTMLInputElement);
    this.circle = byId("cursor");
    this.byKey = false; // the cursor is moved by keys
    this.tool = "move";
    /** @type {Stroke[]} */
    this.strokes = [];
    this.known = 0; // strokes that the picture shows already
    /** @type {Point[] | null} the line under way */
    this.line = null;
    /** @type {{ x: number, y: number } | null} */
    this.cursor = null;
    this.buttons = new Map(TOOLS.map((tool) => [tool.name, this.button(tool)]));
    this.width.addEventListener("input", () => this.redraw());
    this.select("move");
  }

  /** @param {{ name: string, label: string, key: string, hint: string }} tool */
  button({ name, label, key, hint }) {
    const button = make(
      "button",
      {
        role: "radio",
        "aria-checked": false,
        title: `${hint || "Drag to move, scroll to zoom."} (${key})`,
        onclick: () => this.select(name),
      },
      icon(name),
      label,
    );
    const bar = byId("tools");
    if (name === "sharp") bar.append(make("span", { class: "separator", "aria-hidden": true }));
    bar.append(button);
    return button;
  }

  get isBrush() {
    return this.tool !== "move" && this.tool !== "focus";
  }
  /** Radius of the brush on the stage, CSS px. */
  get radius() {
    return Number(this.width.value) / 2;
  }
  get colour() {
    return this.tool === "eraser" ? "#ffffff" : KINDS[this.tool].colour;
  }

  /** @param {string} name */
  select(name) {
    this.tool = name;
    for (const [each, button] of this.buttons)
      button.setAttribute("aria-checked", String(each === name));
    this.picture.dataset.tool = this.isBrush ? "brush" : name;
    const hint = TOOLS.find((tool) => tool.name === name)?.hint ?? "";
    byId("brush-hint").textContent = hint;
    byId("brush-bar").hidden = !hint;
    byId("width-field").hidden = !this.isBrush;
    byId("sigma-field").hidden = name !== "sigma";
    if (hint) this.wishes.say(hint);
    this.wishes.selected(name);
    this.redraw();
  }

  /** @param {Stroke[]} strokes */
  show(strokes) {
    if (JSON.stringify(strokes) === JSON.stringify(this.strokes)) return;
    this.known = Math.min(this.known, strokes.length);
    this.strokes = strokes;
    this.redraw();
  }

  /** A picture with all strokes has come: they fade, so that it is seen. */
  fade() {
    if (this.line || this.known === this.strokes.length) return;
    this.known = this.strokes.length;
    this.redraw();
  }

  // What pointers ask of a tool (pointers.js)
  /** @param {number} x @param {number} y */
  start(x, y) {
    if (!this.isBrush || !this.view.isInside(...this.view.toPicture(x, y))) return false;
    this.line = [this.view.toPicture(x, y)];
    this.redraw();
    return true;
  }

  /** @param {[number, number][]} places */
  move(places) {
    if (!this.line) return;
    const added = places.map(([x, y]) => this.view.toPicture(x, y));
    const from = this.line[this.line.length - 1];
    this.line.push(...added);
    this.ink([from, ...added]);
    if (this.tool !== "eraser") this.wishes.stroke(this.stroke(), false);
  }

  /** @param {boolean} cancelled */
  end(cancelled) {
    if (!this.line) return;
    const [line, stroke] = [this.line, this.stroke()];
    this.line = null;
    if (!cancelled && this.tool === "eraser") {
      const left = erased(this.strokes, line, this.radius / this.view.scale);
      if (left.length !== this.strokes.length || left.some((each, k) => each !== this.strokes[k]))
        this.wishes.replace(left);
    } else if (!cancelled) {
      this.strokes = [...this.strokes, stroke];
      this.wishes.stroke(stroke, true);
    } else if (this.tool !== "eraser" && line.length > 1) this.wishes.replace(this.strokes);
    this.redraw();
  }

  /** @param {number} x @param {number} y */
  tap(x, y) {
    const point = this.view.toPicture(x, y);
    if (this.tool === "focus" && this.view.isInside(...point)) this.wishes.focus(point);
  }

  /** @param {number} x @param {number} y @param {boolean} inside */
  hover(x, y, inside) {
    this.cursor = inside ? { x, y } : null;
    this.byKey = false;
    this.moveCursor();
  }

  /** @returns {Stroke} */
  stroke() {
    const points = simplified(this.line ?? [], SLACK_PX / this.view.scale).map(
      ([x, y]) => /** @type {Point} */ ([round(x), round(y)]),
    );
    const stroke = {
      points,
      width_px: round((2 * this.radius) / this.view.scale),
      kind: this.tool,
    };
    return this.tool === "sigma" ? { ...stroke, sigma_px: Number(this.sigma.value) } : stroke;
  }

  /** @param {number} steps */
  widen(steps) {
    const { min, max, value } = this.width;
    this.width.value = String(clamp(Number(min), Number(value) * 1.2 ** steps, Number(max)));
    this.redraw();
  }

  /**
   * Draw by keys: arrows move the brush, space begins and ends a line. Whether the key was used.
   * @param {KeyboardEvent} event
   */
  key(event) {
    if (this.tool === "move") return false;
    const step = ARROWS[event.key];
    const { clientWidth, clientHeight } = this.view.stage;
    this.byKey = true;
    this.cursor ??= { x: clientWidth / 2, y: clientHeight / 2 };
    if (step) {
      const far = KEY_STEP * (event.shiftKey ? 5 : 1);
      this.cursor.x = clamp(0, this.cursor.x + step[0] * far, clientWidth);
      this.cursor.y = clamp(0, this.cursor.y + step[1] * far, clientHeight);
      if (this.line) this.move([[this.cursor.x, this.cursor.y]]);
    } else if (event.key === " " || event.key === "Enter") {
      if (this.line) this.end(false);
      else if (this.isBrush) this.start(this.cursor.x, this.cursor.y);
      else this.tap(this.cursor.x, this.cursor.y);
    } else if (event.key === "Escape" && this.line) this.end(true);
    else return false;
    this.redraw();
    return true;
  }

  // Drawing
  /** Add to the line under way without drawing anything else. @param {Point[]} points */
  ink(points) {
    const context = context2d(this.canvas);
    context.globalAlpha = 1;
    trace(context, this.view, points, (2 * this.radius) / this.view.scale, this.colour);
  }

  redraw() {
    const { view, canvas } = this;
    const width = Math.round(view.stage.clientWidth * view.ratio);
    const height = Math.round(view.stage.clientHeight * view.ratio);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const context = context2d(canvas);
    context.clearRect(0, 0, width, height);
    if (this.isBrush)
      this.strokes.forEach(({ points, width_px, kind }, place) => {
        context.globalAlpha = place < this.known ? FADED : 1;
        trace(context, view, points, width_px, KINDS[kind].colour);
      });
    if (this.line) this.ink(this.line);
    this.moveCursor();
  }

  moveCursor() {
    const brush = this.isBrush || (this.tool === "focus" && this.byKey);
    this.circle.hidden = !brush || !this.cursor;
    if (!this.cursor) return;
    const radius = this.isBrush ? this.radius : 10;
    this.circle.style.width = this.circle.style.height = `${2 * radius}px`;
    this.circle.style.transform = `translate(${this.cursor.x - radius}px, ${this.cursor.y - radius}px)`;
  }
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 100) / 100;
}
