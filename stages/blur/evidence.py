"""Evidence of sharpness: blur cannot create detail, so detail bounds the blur from above.

At edges blur is estimated (see `stages.blur`); but a plumage or a petal has few, and a hair none at
a coarse scale. Fine gradients prove sharpness wherever they are; their absence proves nothing.
The ratio of energies at two fine scales, averaged over a window (not maxima: noise has those too),
gives a bound u by the formula of the edges, with a confidence that is 0 where the energy does not
stand out from noise and compression, where u is not small, and on pixels that do not carry the
detail themselves: the background beside a sharp silhouette must not be called sharp.

Noise is what white noise of the measured deviation leaves, or the energy that nine in ten pixels
exceed, up to a limit: coloured and compressed noise is larger than its finest part tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import luma
from stages.blur.edges import (
    ENERGY_FLOOR,
    LEAST_RATIO,
    LEAST_SIGMA,
    SCHARR_VARIANCE,
    EdgeSurvey,
    gradient,
    noise_gain,
    noise_sigma,
)
from stages.grid import BlurMap, Grid
from stages.kernels import f32, kernel, reads, u8, writes
from stages.params import Array, Params, param
from stages.strips import run_strips, with_halo

CODE = 1 / 255  # a step of an 8-bit picture
HIDDEN_NOISE_CODES = 3.0  # noise that a quiet part of a picture may hide, at most
QUIET_SHARE = 0.1  # of the picture, that counts as quiet
SIGNIFICANCE_RAMP = 1.5  # from no confidence to full, as a ratio of gradients
CARRIER_SHARE = (0.15, 0.45)  # of the window's mean energy, from no carrier of detail to a full one
PRESENT = 0.3  # confidence from which on evidence counts as an area
QUANTILE_EVERY = 2  # cells; a quantile of a share of them is as good


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceParams(Params):
    """Parameters of the evidence of sharpness, in pixels of the working view."""

    fine_scale_px: float = param(0.6, 0.3, 4.0, unit="px", help="finer gradient scale")
    coarse_scale_px: float = param(1.2, 0.4, 8.0, unit="px", help="coarser gradient scale")
    window_px: float = param(3.0, 0.5, 16.0, unit="px", help="Gaussian that energies are means of")
    significance: float = param(2.5, 0.0, 20.0, help="detail stands this many noise deviations out")
    least_detail: float = param(
        5.0, 0.0, 255.0, help="deviation of the faintest detail that counts, in codes of 255"
    )
    full_bound_px: float = param(1.2, 0.2, 4.0, unit="px", help="bounds up to here count in full")
    largest_bound_px: float = param(1.5, 0.3, 4.0, unit="px", help="and from here on not at all")
    least_area_px: int = param(40, 0, unit="px", help="smaller specks of evidence are dropped")
    strip_rows: int = param(
        256, 1, unit="px", help="rows looked at at a time: bounds memory, changes no result"
    )


class Windows(NamedTuple):
    """Energies at the two scales on cells of 2 x 2 pixels, and at the finer one on pixels."""

    fine: Array
    coarse: Array
    carried: Array


def sharpness_evidence(
    view: Array, found: EdgeSurvey, grid: Grid, params: EvidenceParams
) -> BlurMap:
    """Find where a picture cannot be more blurred than a bound.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    found : EdgeSurvey
        Survey of the view.
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
    windows = _windows(view, params)
    scales = (params.fine_scale_px, params.coarse_scale_px)
    noise = [
        _noise_energy(plane, scale, noise_sigma(found))
        for plane, scale in zip((windows.fine, windows.coarse), scales, strict=True)
    ]
    bound, trust = _bounds(windows, noise, params)
    confidence, sigma = windows.carried, np.empty(view.shape[:2], np.float32)
    present = np.zeros(bound.shape, np.uint8)
    _carry(windows.fine, noise[0], trust, confidence, present)
    trust *= _areas(present, params.least_area_px / 4)
    step = grid.step
    full = np.sqrt(np.maximum((step * bound) ** 2 - np.float32((step**2 - 1) / 12), 0))
    _spread(full, trust, confidence, sigma)
    return BlurMap(sigma, confidence, grid)


def _windows(view: Array, params: EvidenceParams) -> Windows:
    """Energies on pixels, their means on cells, and the means of these over the window."""
    height, width = view.shape[:2]
    shape = (-(-height // 2), -(-width // 2))
    cells = np.zeros((2, *shape), np.float32)
    carried = np.empty((height, width), np.float32)
    scales = (params.fine_scale_px, params.coarse_scale_px)
    halo = int(np.ceil(4 * params.coarse_scale_px)) + 2

    def energies(start: int, stop: int) -> None:
        read, core = with_halo(start, stop, halo, height)
        plane = luma(view[read])
        for scale, cell in zip(scales, cells, strict=True):
            gx, gy = gradient(plane, scale)
            energy = gx * gx + gy * gy
            if scale == scales[0]:
                carried[start:stop] = energy[core]
            padded = cv2.copyMakeBorder(
                energy[core], 0, (stop - start) % 2, 0, width % 2, cv2.BORDER_REPLICATE
            )
            cell[start // 2 : -(-stop // 2)] = cv2.resize(
                padded, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA
            )

    run_strips(energies, height, 2 * -(-params.strip_rows // 2))
    fine, coarse = (cv2.GaussianBlur(cell, (0, 0), params.window_px / 2) for cell in cells)
    return Windows(fine, coarse, carried)


def _noise_energy(cells: Array, scale_px: float, noise: float) -> float:
    """Energy that noise leaves at a scale."""
    white = 2 * (noise_gain(scale_px) * noise) ** 2
    quiet = float(np.quantile(cells[::QUANTILE_EVERY, ::QUANTILE_EVERY], QUIET_SHARE))
    return max(white, min(quiet, 2 * (noise_gain(scale_px) * HIDDEN_NOISE_CODES * CODE) ** 2))


def _bounds(windows: Windows, noise: list[float], params: EvidenceParams) -> tuple[Array, Array]:
    """Bound in px of the view, and how far to trust it, on cells."""
    fine = np.maximum(windows.fine - np.float32(noise[0]), ENERGY_FLOOR)
    coarse = np.maximum(windows.coarse - np.float32(noise[1]), ENERGY_FLOOR)
    ratio = fine / coarse
    falls = ratio > LEAST_RATIO
    low, high = (s**2 + SCHARR_VARIANCE for s in (params.fine_scale_px, params.coarse_scale_px))
    square = (high - ratio * low) / np.where(falls, ratio - 1, 1)
    bound = np.sqrt(np.maximum(square, LEAST_SIGMA**2)).astype(np.float32)
    visible = 2 * (noise_gain(params.fine_scale_px) * params.least_detail * CODE) ** 2
    least = max(params.significance**2 * noise[0], visible)
    stands_out = _smoothstep(np.sqrt(fine / np.float32(least)), 1, SIGNIFICANCE_RAMP)
    small = 1 - _smoothstep(bound, params.full_bound_px, params.largest_bound_px)
    return bound, np.where(falls, stands_out * small, 0).astype(np.float32)


def _smoothstep(values: Array, low: float, high: float) -> Array:
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _areas(present: npt.NDArray[np.uint8], least_cells: float) -> npt.NDArray[np.bool_]:
    """Where evidence hangs together over an area that is large enough."""
    joined = cv2.dilate(present, np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(joined, connectivity=8)
    kept = np.bincount(labels.ravel(), present.ravel()) >= least_cells
    kept[0] = False
    return np.asarray(kept[labels])


@kernel(reads(f32, 2), f32, reads(f32, 2), writes(f32, 2), writes(u8, 2))
def _carry(windows, noise, trust, carried, present):  # type: ignore[no-untyped-def]
    """Energies of pixels to shares of full carriers, in place; mark cells with evidence."""
    low, high = CARRIER_SHARE
    for y in range(carried.shape[0]):
        for x in range(carried.shape[1]):
            j, i = y // 2, x // 2
            if trust[j, i] == 0:
                carried[y, x] = 0
                continue
            mean = max(windows[j, i] - noise, ENERGY_FLOOR)
            t = min(max(((carried[y, x] - noise) / mean - low) / (high - low), 0.0), 1.0)
            carried[y, x] = t * t * (3 - 2 * t)
            if carried[y, x] * trust[j, i] > PRESENT:
                present[j, i] = 1


@kernel(reads(f32, 2), reads(f32, 2), writes(f32, 2), writes(f32, 2))
def _spread(bound, trust, confidence, sigma):  # type: ignore[no-untyped-def]
    """Bounds of cells to pixels; `confidence` holds the carriers and becomes what it says."""
    for y in range(sigma.shape[0]):
        for x in range(sigma.shape[1]):
            if confidence[y, x] > 0:
                confidence[y, x] *= trust[y // 2, x // 2]
            sigma[y, x] = bound[y // 2, x // 2] if confidence[y, x] > 0 else 0.0
