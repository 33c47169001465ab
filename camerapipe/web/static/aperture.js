/** The shape of a small light out of focus, in a corner of the picture. */

const SIZE = 76;
const SPACE = "http://www.w3.org/2000/svg";

export class Aperture {
  constructor() {
    this.element = document.createElementNS(SPACE, "svg");
    this.element.setAttribute("class", "aperture");
    this.element.setAttribute("viewBox", `0 0 ${SIZE} ${SIZE}`);
    this.element.setAttribute("role", "img");
    this.path = document.createElementNS(SPACE, "path");
    this.element.append(this.path);
  }

  /** @param {Map<string, number>} values */
  draw(values) {
    const blades = values.get("bokeh.blades") ?? 0;
    const turn = ((values.get("bokeh.rotation_deg") ?? 0) * Math.PI) / 180;
    const curvature = values.get("bokeh.curvature") ?? 0;
    const catsEye = values.get("bokeh.cats_eye") ?? 0;
    const shape = blades < 5 ? "disk" : `${blades} blades`;
    this.element.setAttribute("aria-label", `Shape of highlights: ${shape}`);
    const points = [];
    for (let k = 0; k < 360; k += 3) {
      const angle = (k * Math.PI) / 180;
      let radius = 1;
      if (blades >= 5) {
        const half = Math.PI / blades;
        const around = (((angle - turn) % (2 * half)) + 2 * half) % (2 * half);
        const side = Math.cos(half) / Math.cos(around - half);
        radius = 1 / ((1 - curvature) / side + curvature);
      }
      // Optical vignetting: the barrel clips it by two disks with opposite shifts.
      const [x, y] = [Math.cos(angle), Math.sin(angle)];
      const along = Math.abs(x + y) * Math.SQRT1_2;
      const reach = Math.sqrt(1 - catsEye ** 2 * (1 - along ** 2)) - catsEye * along;
      radius = Math.min(radius, reach);
      points.push([SIZE / 2 + 34 * radius * x, SIZE / 2 + 34 * radius * y]);
    }
    this.path.setAttribute("d", `M${points.map((at) => at.map(tenth).join(",")).join("L")}Z`);
  }
}

/** @param {number} value */
function tenth(value) {
  return value.toFixed(1);
}
