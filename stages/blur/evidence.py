"""Evidence of sharpness: upper bounds on blur from fine detail.

Blur cannot create detail, so detail bounds the blur from above. The estimator of `stages.blur`
needs edges. Plumage and petals have few edges, and a hair has none at a coarse scale, but fine
gradients prove sharpness wherever they are. Their absence proves nothing.

The bound u follows from the ratio of gradient energies at two fine scales, by the formula of the
edges. Energies are averaged over a window. Maxima are not used, because noise produces large maxima
as well. The confidence of a bound is 0

- where the energy is not significantly above noise and compression artefacts,
- where u is not small,
- on pixels that do not contribute to the energy of the window. Otherwise the background beside a
  sharp silhouette would be bounded too.

Beside broad clipped areas the bound is larger, because clipping hides a part of a blurred edge.

The noise energy is the larger of two estimates: that of white noise of the measured deviation, and
the energy that 9 in 10 windows exceed, up to a limit. Correlated noise, such as compressed noise,
has more energy at these scales than the white-noise model predicts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import reduce_by
from stages.blur.edges import luma_and_clipped, near_clipped
from stages.blur.formula import (
    ENERGY_FLOOR,
    ISOLATED,
    SCHARR_VARIANCE,
    full_sigma,
    ratio_blur,
    smoothstep,
)
from stages.blur.gradients import gaussian_radius, gradient_energy, noise_energy
from stages.blur.params import CLIPPED_REACH_PX
from stages.blur.survey import EdgeSurvey, noise_sigma
from stages.grid import BlurBounds, BlurMap, Grid
from stages.kernels import f32, i32, inline, kernel, reads, u8, writes
from stages.kinds import Encoded
from stages.params import Array, Params, param
from stages.strips import run_strips, with_halo

CODE = 1 / 255  # one code of an 8-bit picture
HIDDEN_NOISE_CODES = 3.0  # upper limit of the noise that is estimated from quiet windows
QUIET_SHARE = 0.1  # of all windows, those with the least energy
SIGNIFICANCE_RAMP = np.float32(1.5)  # gradient over the significant one, for full confidence
# Energy of a pixel over the mean of its window: below, it carries no detail; above, it does in full
CARRIER_SHARE = (np.float32(0.15), np.float32(0.45))
BROAD = np.ones((5, 5), np.uint8)  # px; smaller clipped areas, such as a hair, do not matter
# Factor of bounds beside broad clipped areas: of an edge to clipped light only the dark part is
# visible, which is narrower than the whole
CLIPPED_FACTOR = np.float32(1.25)
PRESENT = 0.3  # confidence above which a pixel or cell is part of an area of evidence
QUANTILE_EVERY = 4  # cells; every fourth row and column is enough for a quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceParams(Params):
    """Parameters of the evidence of sharpness, in pixels of the working view."""

    fine_scale_px: float = param(0.6, 0.3, 4.0, unit="px", help="finer gradient scale")
    coarse_scale_px: float = param(1.2, 0.4, 8.0, unit="px", help="coarser gradient scale")
    window_px: float = param(
        3.0, 0.5, 16.0, unit="px", help="Gaussian window over which energies are averaged"
    )
    significance: float = param(
        2.5, 0.0, 20.0, help="standard deviations of the noise that detail must exceed"
    )
    least_detail: float = param(
        5.0,
        0.0,
        255.0,
        help="standard deviation of the faintest detail that counts, in 8-bit codes",
    )
    full_bound_px: float = param(
        1.2, 0.2, 4.0, unit="px", help="bounds up to this have full confidence"
    )
    largest_bound_px: float = param(
        1.5, 0.3, 4.0, unit="px", help="bounds from this on have no confidence"
    )
    least_area_px: int = param(40, 0, unit="px", help="smaller areas of evidence are dropped")
    strip_rows: int = param(
        256, 1, unit="px", help="rows per strip: limits memory, does not change the result"
    )


def sharpness_evidence(
    view: Encoded, found: EdgeSurvey, grid: Grid, params: EvidenceParams
) -> BlurBounds:
    """Upper bounds on the blur of a view, from its fine detail.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    found : EdgeSurvey
        Gradient statistics of the view; the noise is used.
    grid : Grid
        Grid of the view, step k.
    params : EvidenceParams
        Scales and thresholds.

    Returns
    -------
    BlurMap
        Sparse, on the grid: sigma is the upper bound in full-resolution pixels, confidence is in
        [0, 1], 0 where there is no evidence.
    """
    windows, carrier, clipped = _windows(view, params)
    scales = (params.fine_scale_px, params.coarse_scale_px)
    noise = [
        _noise_energy(plane, scale, noise_sigma(found))
        for plane, scale in zip(windows, scales, strict=True)
    ]
    fine, bound = windows
    trust = np.zeros(fine.shape, np.float32)
    _bound(
        fine, bound, clipped, np.array(noise, np.float32),
        np.array(scales, np.float32) ** 2 + np.float32(SCHARR_VARIANCE),
        _min_energy(noise[0], params), params.full_bound_px, params.largest_bound_px,
        grid.step, trust,
    )  # fmt: skip
    present = np.zeros(trust.shape, np.uint8)
    _carrier_shares(fine, noise[0], trust, carrier, present)
    del fine
    _drop_specks(present, params.least_area_px / 4, trust)
    sigma = np.empty(carrier.shape, np.float32)
    _to_pixels(bound, trust, carrier, sigma)
    return BlurMap(sigma, carrier, grid)


def _windows(
    view: Array, params: EvidenceParams
) -> tuple[list[Array], Array, npt.NDArray[np.uint8]]:
    """Window means of the energy at both scales, on cells, and the finer energy on pixels.

    The last array is 1 at cells beside broad clipped areas, else 0.
    """
    height, width = view.shape[:2]
    cells = np.zeros((2, -(-height // 2), -(-width // 2)), np.float32)
    carrier = np.empty((height, width), np.float32)
    beside = np.zeros(cells.shape[1:], np.uint8)
    halo = max(gaussian_radius(params.coarse_scale_px) + 1, BROAD.shape[0] + CLIPPED_REACH_PX)

    def energies(start: int, stop: int) -> None:
        read, core = with_halo(start, stop, halo, height)
        plane, clipped = luma_and_clipped(view[read])
        carrier[start:stop] = gradient_energy(plane, params.fine_scale_px, core)
        coarse = gradient_energy(plane, params.coarse_scale_px, core)
        target = slice(start // 2, -(-stop // 2))
        cells[0, target] = reduce_by(carrier[start:stop], 2)
        cells[1, target] = reduce_by(coarse, 2)
        broad = cv2.morphologyEx(clipped, cv2.MORPH_OPEN, BROAD)
        if broad.any():
            near = near_clipped(broad)[core].view(np.uint8)
            beside[target] = near[::2, ::2]

    run_strips(energies, height, 2 * -(-params.strip_rows // 2))
    for cell in cells:
        cv2.GaussianBlur(cell, (0, 0), params.window_px / 2, cell)
    return list(cells), carrier, beside


def _noise_energy(cells: Array, scale_px: float, noise: float) -> float:
    """Gradient energy of the noise at a scale, luma^2 / px^2."""
    quiet = float(np.quantile(cells[::QUANTILE_EVERY, ::QUANTILE_EVERY], QUIET_SHARE))
    hidden = noise_energy(scale_px, HIDDEN_NOISE_CODES * CODE)
    return max(noise_energy(scale_px, noise), min(quiet, hidden))


def _min_energy(noise: float, params: EvidenceParams) -> float:
    """Energy at the finer scale above which detail is significant and visible."""
    visible = noise_energy(params.fine_scale_px, params.least_detail * CODE)
    return max(params.significance**2 * noise, visible)


def _drop_specks(present: npt.NDArray[np.uint8], least_cells: float, trust: Array) -> None:
    """Set the confidence of connected areas of evidence that are too small to 0, in place."""
    joined = cv2.dilate(present, np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(joined, connectivity=8)
    _keep_areas(labels, present, least_cells, np.zeros(count, np.int32), trust)


@kernel(
    reads(f32, 2), writes(f32, 2), reads(u8, 2), reads(f32, 1), reads(f32, 1), f32, f32, f32, f32,
    writes(f32, 2),
)  # fmt: skip
def _bound(  # type: ignore[no-untyped-def]
    fine, coarse, clipped, noise, variances, least, full, largest, step, trust
):
    """Write the confidence of every cell to `trust`, and its bound in full px to `coarse`."""
    for y in range(trust.shape[0]):
        for x in range(trust.shape[1]):
            energy = fine[y, x] - noise[0]
            if energy <= least:
                continue
            other = coarse[y, x] - noise[1]
            bound = ratio_blur(energy, other, variances[0], variances[1], ISOLATED, largest)
            if bound == 0:
                continue
            bound *= CLIPPED_FACTOR if clipped[y, x] else np.float32(1)
            stands_out = smoothstep(math.sqrt(energy / least), np.float32(1), SIGNIFICANCE_RAMP)
            trust[y, x] = stands_out * (np.float32(1) - smoothstep(bound, full, largest))
            coarse[y, x] = full_sigma(bound, step)


@inline
def _doubled(cells, j, row):  # type: ignore[no-untyped-def]
    """Write a row of cells to a row of pixels: each value twice."""
    for i in range(cells.shape[1]):
        row[2 * i], row[2 * i + 1] = cells[j, i], cells[j, i]


@kernel(reads(f32, 2), f32, reads(f32, 2), writes(f32, 2), writes(u8, 2))
def _carrier_shares(windows, noise, trust, carrier, present):  # type: ignore[no-untyped-def]
    """Replace the energy of pixels by their share in the detail, in [0, 1]; mark cells of evidence.

    The share is 0 where the energy of the pixel is small against the mean of its window.
    """
    cols = trust.shape[1]
    trust_row, mean = np.empty(2 * cols, np.float32), np.empty(2 * cols, np.float32)
    evidence_row = np.zeros(2 * cols, np.float32)
    for y in range(carrier.shape[0]):
        if y % 2 == 0:
            _doubled(trust, y // 2, trust_row)
            _doubled(windows, y // 2, mean)
        row = carrier[y]
        for x in range(row.size):
            share = (row[x] - noise) / max(mean[x] - noise, ENERGY_FLOOR)
            share = smoothstep(share, CARRIER_SHARE[0], CARRIER_SHARE[1])
            row[x] = share if trust_row[x] > 0 else np.float32(0)
            evidence_row[x] = share * trust_row[x]
        for i in range(cols):
            if max(evidence_row[2 * i], evidence_row[2 * i + 1]) > PRESENT:
                present[y // 2, i] = 1


@kernel(reads(i32, 2), reads(u8, 2), f32, writes(i32, 1), writes(f32, 2))
def _keep_areas(labels, present, least, size, trust):  # type: ignore[no-untyped-def]
    """Clear the confidence of components with too few cells of evidence; `size` is 0 before."""
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            size[labels[y, x]] += present[y, x]
    size[0] = 0
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if labels[y, x] == 0 or size[labels[y, x]] < least:
                trust[y, x] = 0


@kernel(reads(f32, 2), reads(f32, 2), writes(f32, 2), writes(f32, 2))
def _to_pixels(bound, trust, confidence, sigma):  # type: ignore[no-untyped-def]
    """Write bounds and confidence of pixels from those of cells.

    `confidence` holds the share of each pixel in the detail before.
    """
    cols = trust.shape[1]
    trust_row, limit = np.empty(2 * cols, np.float32), np.empty(2 * cols, np.float32)
    for y in range(sigma.shape[0]):
        if y % 2 == 0:
            _doubled(trust, y // 2, trust_row)
            _doubled(bound, y // 2, limit)
        row, out = confidence[y], sigma[y]
        for x in range(row.size):
            row[x] *= trust_row[x]
            out[x] = limit[x] if row[x] > 0 else np.float32(0)
