/** @typedef {import("./socket.js").Header} Header */

/** What is known of a photograph, in one line. @param {Header} header */
export function facts({ width, height, facts: known }) {
  const { model, focal_length_mm, f_number, exposure_s, iso } = known;
  const exposure = exposure_s >= 0.4 ? `${exposure_s} s` : `1/${Math.round(1 / exposure_s)} s`;
  return [
    `${width} × ${height}`,
    model,
    focal_length_mm && `${Math.round(focal_length_mm * 10) / 10} mm`,
    f_number && `f/${f_number}`,
    exposure_s && exposure,
    iso && `ISO ${iso}`,
  ]
    .filter(Boolean)
    .join(" · ");
}
