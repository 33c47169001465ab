/** The studio: brings the parts of the page together with the connection to the server. */

import { Brushes } from "./brushes.js";
import { Comparing } from "./comparing.js";
import { Controls } from "./controls.js";
import { byId } from "./dom.js";
import { Exporting } from "./exporting.js";
import { facts } from "./facts.js";
import { Layers } from "./layers.js";
import { Looks } from "./looks.js";
import { Notes } from "./notes.js";
import { Pointers } from "./pointers.js";
import { Progress } from "./progress.js";
import { Readout } from "./readout.js";
import { Socket } from "./socket.js";
import { Strip } from "./strip.js";
import { StrokeList } from "./stroke_list.js";
import { listenToPage } from "./toolbar.js";
import { View } from "./view.js";

/** @typedef {import("./socket.js").Header} Header */

const VIEW_MS = 70; // after the last move, before a part of the full-size result is asked for
const LARGEST_RECIPE_BYTES = 2 ** 20;

export class Studio {
  /**
   * @param {Header} start what the server says of itself
   * @param {import("./opening.js").Opening} opening
   */
  constructor(start, opening) {
    this.start = start;
    this.opening = opening;
    /** @type {Socket | null} */
    this.socket = null;
    this.picture = ""; // number of the open photograph
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.viewTimer = undefined;
    this.page = Math.random().toString(36).slice(2);
    this.gesture = 0;
    this.drawing = false;
    this.item = -1; // of the shelf
    this.revision = -1; // of the newest state
    this.proxyWidth = 1;
    this.notes = new Notes(() => this.edit("force", { force: true }));
    this.view = new View(byId("stage"), () => this.viewChanged());
    this.layers = new Layers(byId("picture", HTMLCanvasElement), this.view);
    this.comparing = new Comparing(this.layers, () => this.viewChanged());
    this.progress = new Progress();
    this.readout = new Readout((x, y) => this.ask({ op: "probe", x, y }));
    this.brushes = new Brushes(this.view, {
      stroke: (stroke, resting) => this.stroke(stroke, resting),
      replace: (scribbles) => this.edit("strokes", { scribbles }),
      focus: (focus_point) => this.edit("focus", { focus_point }),
      say: (text) => this.say(text),
      selected: (tool) => this.comparing.toolSelected(tool),
    });
    this.pointers = new Pointers(byId("picture"), this.view, {
      start: (x, y) => this.brushes.start(x, y),
      move: (places) => this.brushes.move(places),
      end: (cancelled) => this.brushes.end(cancelled),
      tap: (x, y) => this.brushes.tap(x, y),
      hover: (x, y, inside) => this.hover(x, y, inside),
    });
    this.controls = new Controls(start.controls, (key, value, gesture, resting) =>
      this.slide(key, value, gesture, resting),
    );
    this.looks = new Looks((look) => this.edit("look", { look }));
    this.strokeList = new StrokeList(
      (scribbles) => this.edit("strokes", { scribbles }),
      () => this.edit("focus", { focus_point: null }),
    );
    this.exporting = new Exporting(
      start.formats,
      (asked) => this.ask({ op: "export", ...asked }),
      (number) => this.socket?.send({ op: "cancel", export: number }),
    );
    this.strip = start.folder ? new Strip(start.shelf, (number) => this.take(number)) : null;
    listenToPage(this);
  }

  // Opening
  begin() {
    const waited = this.opening.begin({
      limitBytes: this.start.max_upload_bytes,
      opened: (picture) => this.connect(picture),
      recipe: (file) => void this.useRecipe(file),
      failed: (message) => this.notes.setError(message),
    });
    if (waited) return;
    const picture = new URLSearchParams(location.search).get("picture");
    if (picture) this.connect(picture);
    else if (this.start.shelf) void this.take(0);
  }

  /** @param {number} number of the shelf */
  async take(number) {
    this.item = number;
    await this.opening.take(number, this.start.folder ? "the photograph" : this.start.first);
  }

  /** @param {string} picture */
  connect(picture) {
    this.socket?.close();
    this.layers.clear();
    this.brushes.show([]);
    this.notes.clear();
    this.picture = picture;
    this.revision = -1;
    history.replaceState(null, "", `/?picture=${picture}`);
    const socket = new Socket(
      `/studio/pictures/${picture}`,
      {
        opened: (header) => this.opened(header),
        state: (header) => this.showState(header),
        before: (header, data) => this.layers.setBefore(header, data),
        picture: (header, data) => this.shown(header, data),
        map: (header, data) => this.map(header, data),
        tile: (header, data) => this.tile(header, data),
        refining: () => this.progress.soon("Full size…"),
        export: (header) => this.exporting.show(header),
        failed: (header) => this.notes.setError(header.message),
      },
      (state, reason) => socket === this.socket && this.connection(state, reason),
    );
    this.socket = socket;
  }

  /** @param {import("./socket.js").State} state @param {string} reason */
  connection(state, reason) {
    this.progress.connection(state);
    if (state !== "ended") return;
    this.notes.setError(reason);
    this.close();
    if (!this.layers.before && this.start.shelf) void this.take(Math.max(this.item, 0));
  }

  close() {
    this.socket = null;
    history.replaceState(null, "", "/");
    document.body.dataset.state = "empty";
  }

  /** @param {Header} header */
  opened(header) {
    document.body.dataset.state = "open";
    document.title = `${header.name} – camerapipe studio`;
    byId("name").textContent = header.name;
    byId("facts").textContent = facts(header);
    this.proxyWidth = header.proxy[0];
    this.exporting.setPicture(this.picture, header.bits > 8);
    if (this.view.width !== header.width || this.view.height !== header.height)
      this.view.show(header.width, header.height);
    this.strip?.select(this.item);
    this.viewChanged();
  }

  // What the server shows
  /** @param {Header} header */
  showState(header) {
    const isNew = header.revision !== this.revision;
    this.revision = header.revision;
    byId("undo", HTMLButtonElement).disabled = !header.undo;
    byId("redo", HTMLButtonElement).disabled = !header.redo;
    byId("reset", HTMLButtonElement).disabled = !header.undo;
    this.controls.show(header.values);
    this.looks.show(header.look);
    this.layers.setFocus(header.focus_point);
    if (!this.drawing) this.brushes.show(header.scribbles);
    this.strokeList.show(header.scribbles, header.focus_point);
    if (!isNew) return;
    document.body.dataset.rendering = "";
    this.progress.soon("Rendering…");
  }

  /** @param {Header} header @param {Uint8Array<ArrayBuffer>} data */
  async shown(header, data) {
    if (!(await this.layers.setAfter(header, data))) return;
    this.notes.setFindings(header.findings, header.blocked);
    this.comparing.block(header.blocked);
    if (header.revision === this.revision) this.brushes.fade();
    document.body.toggleAttribute("data-unsettled", !header.settled);
    if (header.size !== "quick" && header.revision === this.revision) this.rendered();
    await this.layers.settled();
  }

  /** @param {Header} header @param {Uint8Array<ArrayBuffer>} data */
  map(header, data) {
    this.layers.setMap(header, data);
    byId("legend-half").textContent = String(header.top_px / 2);
    byId("legend-top").textContent = String(header.top_px);
    return this.layers.settled();
  }

  /** @param {Header} header @param {Uint8Array<ArrayBuffer>} data */
  tile(header, data) {
    this.layers.setTile(header, data);
    if (header.which === "after" && header.revision === this.revision) this.rendered();
    return this.layers.settled();
  }

  /** The newest state is on the screen. */
  rendered() {
    delete document.body.dataset.rendering;
    this.progress.show("");
  }

  // What the person wants
  /** @param {Header} header */
  async ask(header) {
    if (!this.socket) throw new Error("No photograph is open.");
    return header.op === "probe" ? this.socket.ask(header) : this.socket.askInOrder(header);
  }

  /** @param {string} slot @param {{ [name: string]: any }} wish */
  edit(slot, wish) {
    this.socket?.wish(slot, { op: "edit", ...wish }, (error) => this.notes.setError(error.message));
  }

  /** @param {string} key @param {number | null} value @param {boolean} gesture @param {boolean} resting */
  slide(key, value, gesture, resting) {
    const params = { [key]: value };
    if (gesture) this.edit(key, { params, resting, gesture: `${this.page}-${this.gesture}` });
    else this.edit(key, { params });
    if (resting) this.gesture += 1;
  }

  /** @param {import("./strokes.js").Stroke} stroke @param {boolean} resting */
  stroke(stroke, resting) {
    this.drawing = !resting;
    this.edit("stroke", { stroke, resting, gesture: `${this.page}-${this.gesture}` });
    if (resting) this.gesture += 1;
  }

  /** @param {"undo" | "redo" | "reset"} op */
  step(op) {
    this.ask({ op }).catch((error) => this.notes.setError(error.message));
    this.say({ undo: "Undone", redo: "Redone", reset: "Reset" }[op]);
  }

  /** Apply a recipe to the open photograph. @param {File} file */
  async useRecipe(file) {
    try {
      if (!this.socket) throw new Error("Open a photograph first, and then its recipe.");
      if (file.size > LARGEST_RECIPE_BYTES) throw new Error(`${file.name}: is no recipe.`);
      await this.ask({ op: "recipe", name: file.name, text: await file.text() });
      this.say(`${file.name} was applied`);
    } catch (error) {
      this.notes.setError(/** @type {Error} */ (error).message);
    }
  }

  viewChanged() {
    byId("zoom-value").textContent = `${Math.round(this.view.zoom * 100)} %`;
    this.layers?.redraw();
    this.brushes?.redraw();
    clearTimeout(this.viewTimer);
    this.viewTimer = setTimeout(() => this.sendView(), VIEW_MS);
  }

  sendView() {
    const close = this.view.zoom > 1.001 * (this.proxyWidth / this.view.width);
    const finer = close && this.proxyWidth < this.view.width;
    this.socket?.send({
      op: "view",
      part: this.view.part,
      close: finer,
      before: this.comparing.on,
      map: this.layers.mapShown,
    });
  }

  /** @param {number} x @param {number} y @param {boolean} inside */
  hover(x, y, inside) {
    this.brushes.hover(x, y, inside);
    const point = this.view.toPicture(x, y);
    this.readout.at(inside && this.view.isInside(...point) ? point : null);
  }

  toggleMap() {
    this.layers.mapShown = !this.layers.mapShown;
    byId("map").setAttribute("aria-pressed", String(this.layers.mapShown));
    byId("legend").hidden = !this.layers.mapShown;
    this.layers.redraw();
    this.sendView();
  }

  /** @param {string} text to be read out */
  say(text) {
    const hint = byId("spoken");
    hint.textContent = text;
  }
}
