/** What buttons and keys of the studio do. */

import { byId } from "./dom.js";
import { listen } from "./keys.js";
import { drawRamp } from "./layers.js";
import { studioKeys } from "./studio_keys.js";

/** @param {import("./studio.js").Studio} studio */
export function listenToPage(studio) {
  const { view, layers, comparing } = studio;
  const clicks = {
    undo: () => studio.step("undo"),
    redo: () => studio.step("redo"),
    reset: () => studio.step("reset"),
    compare: () => comparing.set(!comparing.on),
    map: () => studio.toggleMap(),
    export: () => studio.exporting.open(),
    help: () => byId("help-dialog", HTMLDialogElement).showModal(),
    "zoom-in": () => view.zoomBy(1),
    "zoom-out": () => view.zoomBy(-1),
    "zoom-fit": () => view.fit(),
    "zoom-one": () => view.zoomTo(1),
  };
  for (const [id, act] of Object.entries(clicks)) byId(id).addEventListener("click", act);
  byId("picture").addEventListener("dblclick", (event) => zoomHere(studio, event));
  const opacity = byId("opacity", HTMLInputElement);
  opacity.addEventListener("input", () => {
    layers.opacity = Number(opacity.value) / 100;
    layers.redraw();
  });
  drawRamp(byId("legend-bar", HTMLCanvasElement));
  listen(
    studioKeys(studio),
    (event) => keyOnPicture(studio, event),
    () => studio.socket !== null,
  );
}

/**
 * To one pixel per pixel and back.
 * @param {import("./studio.js").Studio} studio @param {MouseEvent} event
 */
function zoomHere({ brushes, view, pointers }, event) {
  if (brushes.tool !== "move") return;
  if (view.fitted) view.zoomTo(1, ...pointers.place(event));
  else view.fit();
}

/** @param {import("./studio.js").Studio} studio @param {KeyboardEvent} event */
function keyOnPicture({ brushes }, event) {
  const plain = !event.ctrlKey && !event.metaKey;
  return plain && event.target === byId("picture") && brushes.key(event);
}
