/**
 * Mouse, pen and fingers on the stage: one pointer draws, taps or pans; two fingers pan and pinch;
 * the wheel zooms.
 *
 * @typedef {{ start: (x: number, y: number) => boolean, move: (points: [number, number][]) => void,
 *   end: (cancelled: boolean) => void, tap: (x: number, y: number) => void,
 *   hover: (x: number, y: number, inside: boolean) => void }} Tool `start` says whether the tool
 *   takes the pointer; otherwise it pans.
 */

const TAP_PX = 5;
const WHEEL_PX = 120; // per step of zoom

export class Pointers {
  /**
   * @param {HTMLElement} area @param {import("./view.js").View} view @param {Tool} tool
   */
  constructor(area, view, tool) {
    this.area = area;
    this.view = view;
    this.tool = tool;
    /** @type {Map<number, [number, number]>} */
    this.down = new Map();
    this.drawing = false;
    this.pinched = false;
    this.travelled = 0;
    area.addEventListener("pointerdown", (event) => this.press(event));
    area.addEventListener("pointermove", (event) => this.move(event));
    area.addEventListener("pointerup", (event) => this.release(event, false));
    area.addEventListener("pointercancel", (event) => this.release(event, true));
    area.addEventListener("pointerleave", () => tool.hover(0, 0, false));
    area.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  /** @param {MouseEvent} event @returns {[number, number]} */
  place(event) {
    const box = this.area.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button > 1) return;
    this.area.setPointerCapture(event.pointerId);
    const at = this.place(event);
    this.down.set(event.pointerId, at);
    if (this.down.size === 1) {
      this.travelled = 0;
      this.pinched = false;
      this.drawing = event.button === 0 && this.tool.start(...at);
    } else if (!this.pinched) {
      this.pinched = true;
      if (this.drawing) this.tool.end(true); // the first finger of a pinch draws nothing
      this.drawing = false;
    }
  }

  /** @param {PointerEvent} event */
  move(event) {
    const at = this.place(event);
    this.tool.hover(...at, true);
    const before = this.down.get(event.pointerId);
    if (!before) return;
    this.travelled += Math.hypot(at[0] - before[0], at[1] - before[1]);
    if (this.drawing) {
      const events = event.getCoalescedEvents?.() ?? [];
      this.tool.move((events.length ? events : [event]).map((each) => this.place(each)));
    } else if (this.down.size === 2) {
      this.pinch(event.pointerId, before, at);
    } else if (this.travelled > TAP_PX) {
      this.view.pan(at[0] - before[0], at[1] - before[1]);
    }
    this.down.set(event.pointerId, at);
  }

  /** @param {number} moved @param {[number, number]} before @param {[number, number]} at */
  pinch(moved, before, at) {
    const other = [...this.down].find(([id]) => id !== moved)?.[1];
    if (!other) return;
    const was = Math.hypot(before[0] - other[0], before[1] - other[1]);
    const is = Math.hypot(at[0] - other[0], at[1] - other[1]);
    this.view.pan((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
    if (was > 0)
      this.view.zoomTo((this.view.zoom * is) / was, (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
  }

  /** @param {PointerEvent} event @param {boolean} cancelled */
  release(event, cancelled) {
    if (!this.down.delete(event.pointerId) || this.down.size) return;
    if (this.drawing) this.tool.end(cancelled);
    else if (!cancelled && !this.pinched && this.travelled <= TAP_PX)
      this.tool.tap(...this.place(event));
    this.drawing = false;
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    event.preventDefault();
    const pixels =
      event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * 30;
    const finer = event.ctrlKey ? 5 : 1; // a pinch on a touch pad comes as a wheel with Ctrl
    this.view.zoomBy((-pixels * finer) / WHEEL_PX, ...this.place(event));
  }
}
