/** The studio: brings the parts of the page together with the connection to the server. */

import { Brushes } from "./brushes.js";
import { Controls } from "./controls.js";
import { Divider } from "./divider.js";
import { byId } from "./dom.js";
import { Exporting } from "./exporting.js";
import { facts } from "./facts.js";
import { listen } from "./keys.js";
import { drawRamp, Layers } from "./layers.js";
import { Looks } from "./looks.js";
import { Notes } from "./notes.js";
import { Opening } from "./opening.js";
import { Pointers } from "./pointers.js";
import { Readout } from "./readout.js";
import { Socket } from "./socket.js";
import { Strip } from "./strip.js";
import { StrokeList } from "./stroke_list.js";
import { studioKeys } from "./studio_keys.js";
import { View } from "./view.js";

/** @typedef {import("./socket.js").Header} Header */

const VIEW_MS = 70; // after the last move, before a part of the full-size result is asked for
const MANY_LOSSES = 4;
const PATIENCE_MS = 500; // before it is said that something is under way

export class Studio {
  /** @param {Header} start what the server says of itself */
  constructor(start) {
    this.start = start;
    /** @type {Socket | null} */
    this.socket = null;
    this.picture = ""; // number of the open photograph
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.viewTimer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.progressTimer = undefined;
    this.page = Math.random().toString(36).slice(2);
    this.gesture = 0;
    this.drawing = false;
    this.item = -1; // of the shelf
    this.revision = 0;
    this.blocked = false; // the picture is left untouched
    this.losses = 0; // of the connection, one after another
    this.paused = false; // comparing, while a brush is used
    this.proxyWidth = 1;
    this.notes = new Notes(() => this.edit("force", { force: true }));
    this.view = new View(byId("stage"), () => this.viewChanged());
    this.layers = new Layers(byId("picture", HTMLCanvasElement), this.view);
    this.divider = new Divider(this.layers);
    this.readout = new Readout((x, y) => this.ask({ op: "probe", x, y }));
    this.brushes = new Brushes(this.view, {
      stroke: (stroke, resting) => this.stroke(stroke, resting),
      replace: (scribbles) => this.edit("strokes", { scribbles }),
      focus: (focus_point) => this.edit("focus", { focus_point }),
      say: (text) => this.say(text),
      selected: (tool) => this.toolSelected(tool),
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
    this.opening = new Opening(
      start.max_upload_bytes,
      (picture) => this.connect(picture),
      (message) => this.notes.setError(message),
    );
    this.strip = start.folder ? new Strip(start.shelf, (number) => this.take(number)) : null;
    this.listenToPage();
  }

  // Opening
  begin() {
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
        refining: () => this.progress("Full size…", PATIENCE_MS),
        export: (header) => this.exporting.show(header),
        failed: (header) => this.notes.setError(header.message),
      },
      (state, reason) => socket === this.socket && this.connection(state, reason),
    );
    this.socket = socket;
  }

  /** @param {import("./socket.js").State} state @param {string} reason */
  connection(state, reason) {
    this.losses = state === "lost" ? this.losses + 1 : state === "open" ? 0 : this.losses;
    this.progress(
      this.losses > MANY_LOSSES
        ? "The server does not answer. If it was started again, open its new link."
        : this.losses
          ? "Connection lost; trying again…"
          : "",
    );
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
    this.revision = header.revision;
    byId("undo", HTMLButtonElement).disabled = !header.undo;
    byId("redo", HTMLButtonElement).disabled = !header.redo;
    byId("reset", HTMLButtonElement).disabled = !header.undo;
    this.controls.show(header.values);
    this.looks.show(header.look);
    this.layers.focus = header.focus_point;
    if (!this.drawing) this.brushes.show(header.scribbles);
    this.strokeList.show(header.scribbles, header.focus_point);
    this.layers.redraw();
    document.body.dataset.rendering = "";
    this.progress("Rendering…", PATIENCE_MS);
  }

  /** @param {Header} header @param {Uint8Array<ArrayBuffer>} data */
  shown(header, data) {
    this.layers.setAfter(header, data);
    this.notes.setFindings(header.findings, header.blocked);
    this.blocked = header.blocked;
    this.showDivider();
    if (header.revision === this.revision) this.brushes.fade();
    document.body.toggleAttribute("data-unsettled", !header.settled);
    if (header.size !== "quick" && header.revision === this.revision) this.rendered();
    return this.layers.settled();
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
    this.progress("");
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
      before: this.layers.comparing,
      map: this.layers.mapShown,
    });
  }

  /** @param {number} x @param {number} y @param {boolean} inside */
  hover(x, y, inside) {
    this.brushes.hover(x, y, inside);
    const point = this.view.toPicture(x, y);
    this.readout.at(inside && this.view.isInside(...point) ? point : null);
  }

  // The page
  /** @param {boolean} on whether before and after are compared */
  compare(on) {
    this.layers.comparing = on;
    byId("compare").setAttribute("aria-pressed", String(on));
    this.showDivider();
    this.viewChanged();
  }

  /** With a brush, the result is seen everywhere. @param {string} tool */
  toolSelected(tool) {
    if (tool === "move") {
      if (this.paused) this.compare(true);
      this.paused = false;
    } else if (this.layers.comparing) {
      this.paused = true;
      this.compare(false);
    }
  }

  showDivider() {
    this.divider.show(this.layers.comparing && !this.blocked);
  }

  toggleMap() {
    this.layers.mapShown = !this.layers.mapShown;
    byId("map").setAttribute("aria-pressed", String(this.layers.mapShown));
    byId("legend").hidden = !this.layers.mapShown;
    this.layers.redraw();
    this.sendView();
  }

  /** @param {string} text empty: nothing is under way @param {number} [after] ms */
  progress(text, after = 0) {
    clearTimeout(this.progressTimer);
    const show = () => {
      byId("progress").hidden = !text;
      byId("progress").textContent = text;
    };
    if (after) this.progressTimer = setTimeout(show, after);
    else show();
  }

  /** @param {string} text to be read out */
  say(text) {
    const hint = byId("spoken");
    hint.textContent = text;
  }

  listenToPage() {
    const click = (/** @type {string} */ id, /** @type {() => void} */ act) =>
      byId(id).addEventListener("click", act);
    click("undo", () => this.step("undo"));
    click("redo", () => this.step("redo"));
    click("compare", () => this.compare(!this.layers.comparing));
    click("map", () => this.toggleMap());
    click("reset", () => this.step("reset"));
    click("export", () => this.exporting.open());
    click("help", () => byId("help-dialog", HTMLDialogElement).showModal());
    click("zoom-in", () => this.view.zoomBy(1));
    click("zoom-out", () => this.view.zoomBy(-1));
    click("zoom-fit", () => this.view.fit());
    click("zoom-one", () => this.view.zoomTo(1));
    byId("picture").addEventListener("dblclick", (event) => this.zoomHere(event));
    const opacity = byId("opacity", HTMLInputElement);
    opacity.addEventListener("input", () => {
      this.layers.opacity = Number(opacity.value) / 100;
      this.layers.redraw();
    });
    drawRamp(byId("legend-bar", HTMLCanvasElement));
    listen(
      studioKeys(this),
      (event) => this.keyOnPicture(event),
      () => this.socket !== null,
    );
  }

  /** To one pixel per pixel and back. @param {MouseEvent} event */
  zoomHere(event) {
    if (this.brushes.tool !== "move") return;
    if (this.view.fitted) this.view.zoomTo(1, ...this.pointers.place(event));
    else this.view.fit();
  }

  /** @param {KeyboardEvent} event */
  keyOnPicture(event) {
    const plain = !event.ctrlKey && !event.metaKey;
    return plain && event.target === byId("picture") && this.brushes.key(event);
  }
}
