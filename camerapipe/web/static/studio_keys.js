/** Keys of the studio. */

import { byId } from "./dom.js";

/** @typedef {import("./studio.js").Studio} Studio */

const PAN_PX = 60; // that an arrow key moves the picture

/** @param {Studio} studio @returns {import("./keys.js").Key[]} */
export function studioKeys(studio) {
  const tool = (
    /** @type {string} */ key,
    /** @type {string} */ name,
    /** @type {string} */ label,
  ) => ({
    keys: [key],
    shown: key.toUpperCase(),
    label,
    act: () => studio.brushes.select(name),
  });
  const peek = (/** @type {boolean} */ on) => {
    studio.layers.peeking = on;
    studio.layers.redraw();
  };
  return [
    tool("v", "move", "Move and zoom"),
    {
      keys: ["escape"],
      shown: "Esc",
      label: "Put the brush away",
      act: () => studio.brushes.select("move"),
    },
    tool("f", "focus", "Focus: click on what should be sharp"),
    tool("s", "sharp", "Brush: sharp"),
    tool("b", "blurred", "Brush: blurred"),
    tool("a", "sigma", "Brush: a certain amount of blur"),
    tool("n", "foreground", "Brush: in front of the focus"),
    tool("e", "eraser", "Erase corrections"),
    { keys: ["["], shown: "[", label: "Narrower brush", act: () => studio.brushes.widen(-1) },
    { keys: ["]"], shown: "]", label: "Wider brush", act: () => studio.brushes.widen(1) },
    { keys: ["ctrl+z"], shown: "Ctrl+Z", label: "Undo", act: () => studio.step("undo") },
    {
      keys: ["ctrl+shift+z", "ctrl+y"],
      shown: "Ctrl+Shift+Z",
      label: "Redo",
      act: () => studio.step("redo"),
    },
    {
      keys: ["c"],
      shown: "C",
      label: "Before and after",
      act: () => studio.comparing.set(!studio.comparing.on),
    },
    {
      keys: ["\\"],
      shown: "\\",
      label: "The photograph as it was, while held",
      act: () => peek(true),
      up: () => peek(false),
    },
    { keys: ["m"], shown: "M", label: "Blur map", act: () => studio.toggleMap() },
    { keys: ["+", "="], shown: "+", label: "Zoom in", act: () => studio.view.zoomBy(1) },
    { keys: ["-"], shown: "−", label: "Zoom out", act: () => studio.view.zoomBy(-1) },
    { keys: ["0"], shown: "0", label: "Whole picture", act: () => studio.view.fit() },
    { keys: ["1"], shown: "1", label: "One pixel per pixel", act: () => studio.view.zoomTo(1) },
    {
      keys: ["arrowleft"],
      shown: "←",
      label: "Move the picture, or the brush",
      act: () => studio.view.pan(PAN_PX, 0),
    },
    { keys: ["arrowright"], shown: "→", label: "", act: () => studio.view.pan(-PAN_PX, 0) },
    { keys: ["arrowup"], shown: "↑", label: "", act: () => studio.view.pan(0, PAN_PX) },
    { keys: ["arrowdown"], shown: "↓", label: "", act: () => studio.view.pan(0, -PAN_PX) },
    {
      keys: ["o"],
      shown: "O",
      label: "Open another photograph",
      act: () => byId("open").click(),
    },
    { keys: ["ctrl+s"], shown: "Ctrl+S", label: "Export", act: () => studio.exporting.open() },
    { keys: ["?"], shown: "?", label: "These keys", act: () => byId("help").click() },
  ];
}
