/**
 * Strokes as data: what is kept of a drawn line, what an eraser leaves, how they are drawn.
 *
 * @typedef {[number, number]} Point px of the photograph
 * @typedef {{ points: Point[], width_px: number, kind: string, sigma_px?: number }} Stroke
 */

/** @type {{ [kind: string]: { label: string, colour: string, hint: string } }} */
export const KINDS = {
  sharp: { label: "Sharp", colour: "#2fbf71", hint: "Draw over what should be sharp." },
  blurred: { label: "Blurred", colour: "#e0972f", hint: "Draw over what should be blurred." },
  sigma: { label: "Set blur", colour: "#b07be0", hint: "Draw where you know how blurred it is." },
  foreground: {
    label: "In front",
    colour: "#3b8fe0",
    hint: "Draw over what is nearer than the focus.",
  },
};

/** Distance from a point to a segment. @param {Point} at @param {Point} from @param {Point} to */
function distance(at, from, to) {
  const [x, y] = [to[0] - from[0], to[1] - from[1]];
  const length = x * x + y * y;
  const along = length ? ((at[0] - from[0]) * x + (at[1] - from[1]) * y) / length : 0;
  const place = Math.min(Math.max(along, 0), 1);
  return Math.hypot(at[0] - from[0] - place * x, at[1] - from[1] - place * y);
}

/**
 * The line with fewer points, none of which is further from it than `slack` (Douglas, Peucker 1973).
 * @param {Point[]} points @param {number} slack @returns {Point[]}
 */
export function simplified(points, slack) {
  const kept = new Uint8Array(points.length);
  kept[0] = kept[points.length - 1] = 1;
  const spans = [[0, points.length - 1]];
  for (let span = spans.pop(); span; span = spans.pop()) {
    const [first, last] = span;
    let [furthest, place] = [slack, -1];
    for (let k = first + 1; k < last; k++) {
      const apart = distance(points[k], points[first], points[last]);
      if (apart > furthest) [furthest, place] = [apart, k];
    }
    if (place < 0) continue;
    kept[place] = 1;
    spans.push([first, place], [place, last]);
  }
  return points.filter((_, k) => kept[k]);
}

/**
 * What an eraser of a radius leaves of strokes; a stroke that it cuts becomes several.
 * @param {Stroke[]} strokes @param {Point[]} path @param {number} radius px
 * @returns {Stroke[]}
 */
export function erased(strokes, path, radius) {
  const line = path.length > 1 ? path : [path[0], path[0]];
  return strokes.flatMap((stroke) => {
    const reach = radius + stroke.width_px / 2;
    const touches = (/** @type {Point} */ at) =>
      line.some((to, k) => k > 0 && distance(at, line[k - 1], to) <= reach);
    const points = dense(stroke.points, Math.max(reach / 4, 1));
    if (!points.some(touches)) return [stroke];
    /** @type {Stroke[]} */
    const pieces = [];
    let piece = /** @type {Point[]} */ ([]);
    for (const point of [...points, null]) {
      if (point && !touches(point)) piece.push(point);
      else if (piece.length) {
        pieces.push({ ...stroke, points: simplified(piece, 0.5) });
        piece = [];
      }
    }
    return pieces;
  });
}

/** Points along a line, at most `step` apart. @param {Point[]} points @param {number} step */
function dense(points, step) {
  const found = [points[0]];
  for (let k = 1; k < points.length; k++) {
    const [from, to] = [points[k - 1], points[k]];
    const count = Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / step);
    for (let n = 1; n <= count; n++)
      found.push([
        from[0] + ((to[0] - from[0]) * n) / count,
        from[1] + ((to[1] - from[1]) * n) / count,
      ]);
  }
  return found;
}

/**
 * Draw a line on the stage.
 * @param {CanvasRenderingContext2D} context @param {import("./view.js").View} view
 * @param {Point[]} points @param {number} widthPx px of the photograph @param {string} colour
 */
export function trace(context, view, points, widthPx, colour) {
  context.strokeStyle = colour;
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = Math.max(widthPx * view.zoom, 1.5 * view.ratio);
  context.beginPath();
  points.forEach((point, k) => {
    const [x, y] = view.toStage(...point);
    if (k === 0) context.moveTo(x * view.ratio, y * view.ratio);
    context.lineTo(x * view.ratio, y * view.ratio);
  });
  context.stroke();
}
